"""Checkpoints, read again: checked against the run that resumes from them, and copied into its matrices.

A checkpoint is a file of vectors in the native format with the output vectors too, so it can be queried, converted and
continued from like any other. Its header holds the options, the fingerprints of the corpus, of the held-out text and of
what the run started from, and the position.
"""

import contextlib
import math
import os
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import modelfile
from ..config import FREE_OPTIONS, TrainConfig
from ..corpus.corpus import Corpus
from ..errors import InputError
from ..files.checks import check_no_link, check_output
from ..files.names import PathLike
from ..kernels.statistics import STATISTICS
from ..modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT, ModelFile
from .matrices import Matrices
from .model import training_kind
from .run import TrainingRun
from .schedule import Position
from .start import Origin

UNUSABLE = "unusable.fw2v"
"""The name to which a damaged latest checkpoint is moved when a run resumes from the previous one."""

NO_HELD_OUT = {"n_tokens": 0, "checksum": 0}
"""The fingerprint of a held-out text that there is not."""


def describe_run(run: TrainingRun) -> dict[str, Any]:
    """What a run must have in common with the run that it resumes, for the header of its checkpoints."""
    corpus, held_out, is_frozen = run.corpus, run.held_out, run.matrices.is_frozen
    fingerprint = {
        "n_ids": corpus.n_ids,
        "n_tokens": corpus.n_tokens,
        "checksum": corpus.checksum,
        "counts": zlib.crc32(np.ascontiguousarray(corpus.vocabulary.counts).data),
    }
    frozen = {"n_frozen": int(is_frozen.sum()), "frozen": zlib.crc32(is_frozen.data)}
    given = {
        "start": run.origin._asdict(),
        "held_out": {"n_tokens": held_out.n_tokens, "checksum": held_out.checksum} if held_out else NO_HELD_OUT,
    }
    about = {"config": asdict(run.config), "corpus": fingerprint, "on_cluster": not isinstance(corpus, Corpus)}
    return {**training_kind(run.config), **about, **frozen, **given}


def content_of(run: TrainingRun) -> ModelFile:
    """The content of the checkpoints of a run, but for its position."""
    vocabulary, inputs, outputs = run.corpus.vocabulary, run.matrices.word_inputs, run.matrices.word_outputs
    about = describe_run(run)
    return ModelFile(vocabulary.words, inputs, vocabulary.counts, output_vectors=outputs, training=about)


def check_directory(directory: PathLike, resume: bool) -> None:
    """Create the directory if need be. Raises InputError if it cannot take a checkpoint, or holds one already."""
    if not os.fspath(directory):
        raise InputError("the checkpoint directory has an empty name: is a variable not set?")
    path = Path(directory)
    try:
        path.mkdir(exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot make the checkpoint directory {path}: {reason}") from error
    for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
        check_no_link(path / name)
    if not resume and any((path / name).exists() for name in (CHECKPOINT, PREVIOUS_CHECKPOINT)):
        advice = "give --resume (resume=True) to resume it; to start fresh, name another directory or remove it"
        raise InputError(f"{path} holds the checkpoint of a run: {advice}")
    # A directory in the place of the latest checkpoint does no harm: `load` takes the previous one.
    check_output(path / (PREVIOUS_CHECKPOINT if (path / CHECKPOINT).is_dir() else CHECKPOINT))


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read. about: its header. warning: why it is not the latest one, or an empty string."""

    path: str
    content: ModelFile
    about: dict[str, Any]
    position: Position
    warning: str

    def check_options(self, config: TrainConfig) -> None:
        """Raise InputError, naming the option, if the checkpoint is from a run with other options."""
        before = self.about["config"]
        for name, value in asdict(config).items():
            had, has = before.get(name, value), value
            if name == "lr":  # None and the default, written out, are one rate
                had, has = replace(config, lr=had).first_lr, config.first_lr
            if name not in FREE_OPTIONS and had != has:
                raise self._is_from(f"a run with {name} {had!r}; this run has {has!r}", "give the same options")

    def check_run(self, run: TrainingRun) -> None:
        """Raise InputError if `run` has other texts, another vocabulary or other vectors to start from."""
        about, now = describe_run(run), run.origin
        self._check_place(about["on_cluster"])
        # The checkpoints of earlier versions do not say what their runs started from, nor which held-out text they had.
        before = Origin(**self.about["start"]) if "start" in self.about else now
        if before.kind != now.kind:  # told first: a model to continue from changes the vocabulary too
            advice = f"leave out {now.kind}" if before.kind == "random" else f"give the same {before.kind}"
            raise self._is_from(f"a run that started from {before.name}; this run starts from {now.name}", advice)
        self._check_corpus(run, about)
        if before != now:
            runs = f"a run that started from other {before.kind}, for {before.n_words:,} words"
            raise self._is_from(f"{runs}; this run's are for {now.n_words:,}", f"give the same {before.kind}")
        if self.about["frozen"] != about["frozen"]:
            had, has = self.about["n_frozen"], about["n_frozen"]
            runs = f"a run that froze {had:,} words; this run freezes {has:,}{' others' if had == has else ''}"
            advice = "give freeze and the same vectors to start from" if had else "leave out freeze"
            raise self._is_from(runs, advice)
        self._check_held_out(about["held_out"])

    def _is_from(self, runs: str, advice: str) -> InputError:
        """The error of a run that cannot resume from this checkpoint. runs: the run that wrote it, and this one."""
        return InputError(f"{self.path} is from {runs}: {advice} to resume, or name another --checkpoint directory")

    def _check_place(self, is_on_cluster: bool) -> None:
        """A cluster cuts the text at its shards, so its spans are others; of earlier versions this is not known."""
        if self.about.get("on_cluster", is_on_cluster) != is_on_cluster:
            had, has = ("one machine", "a cluster") if is_on_cluster else ("a cluster", "one machine")
            advice = "leave out --dask (client=)" if is_on_cluster else "give --dask (client=), local:1 will do,"
            raise self._is_from(f"a run on {had}; this run is on {has}", advice)

    def _check_held_out(self, now: dict[str, int]) -> None:
        """Otherwise one curve would mix the losses of two texts."""
        before = self.about.get("held_out", now)
        if before != now:
            is_new, is_missing = before == NO_HELD_OUT, now == NO_HELD_OUT
            had = "no held-out text" if is_new else f"another held-out text, of {before['n_tokens']:,} tokens"
            has = "none" if is_missing else f"one of {now['n_tokens']:,} tokens"
            advice = "leave out held_out" if is_new else "give the same held_out"
            raise self._is_from(f"a run with {had}; this run has {has}", advice)

    def _check_corpus(self, run: TrainingRun, about: dict[str, Any]) -> None:
        words, before, now = run.corpus.vocabulary.words, self.about["corpus"], about["corpus"]
        if before != now or list(self.content.words) != words:
            reason = ""
            if before["n_tokens"] == now["n_tokens"]:
                reason = "; the text, its order or the words' counts differ"
                reason += "" if "on_cluster" in self.about else ", or only one of the two runs uses --dask"
            had = f"{before['n_tokens']:,} tokens and a vocabulary of {len(self.content.words):,} words"
            has = f"{now['n_tokens']:,} tokens and {len(words):,} words"
            runs = f"a run on another corpus, with {had}; this run has {has}{reason}"
            raise self._is_from(runs, "give the same corpus")

    def make_current(self) -> None:
        """If this is the previous checkpoint, let it take the place of the latest one, which is renamed.

        Otherwise the next checkpoint would replace this one, keeping the damaged one in its place.
        """
        path = Path(self.path)
        if path.name == PREVIOUS_CHECKPOINT:
            latest = path.with_name(CHECKPOINT)
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(latest, path.with_name(UNUSABLE))
            except OSError as error:
                reason = f"{error.strerror}: remove {path.with_name(UNUSABLE)}"
                raise InputError(f"{latest} cannot be used, nor renamed to {UNUSABLE}: {reason}") from error
            os.replace(path, latest)

    def fill(self, matrices: Matrices) -> None:
        """Copy the vectors into matrices."""
        assert self.content.output_vectors is not None, "`load` checks that"
        matrices.word_inputs[:] = self.content.vectors
        matrices.word_outputs[:] = self.content.output_vectors


def n_checkpoints(directory: PathLike) -> int:
    """The number of checkpoints in a directory, which new ones will replace; two names of one file count once."""
    files = set()
    for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
        with contextlib.suppress(OSError):
            files.add(os.stat(Path(directory) / name).st_ino)
    return len(files)


def load(directory: PathLike) -> Checkpoint | None:
    """The latest checkpoint of the directory that can be used, None if there is none.

    Raises InputError if all of them are damaged, or written by a newer version.
    """
    problems: list[str] = []
    paths = [Path(directory) / name for name in (CHECKPOINT, PREVIOUS_CHECKPOINT)]
    for path in filter(Path.exists, paths):
        try:
            return _read(str(path), "; ".join(problems))
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError(
            f"no checkpoint in {os.fspath(directory)} can be used: {'; '.join(problems)}; to start "
            "fresh, name another directory"
        )
    return None


def _read(path: str, warning: str) -> Checkpoint:
    if not os.path.isfile(path):
        raise InputError(f"{path} is not a regular file")
    content = modelfile.read(path, verify=True)
    about = content.training if isinstance(content.training, dict) else {}
    position = _position_of(about)
    if position is None or content.output_vectors is None or content.counts is None:
        raise InputError(f"{path} is not a checkpoint but a file of vectors or a model")
    return Checkpoint(path, content, about, position, warning)


def is_of_checkpoint(about: dict[str, Any]) -> bool:
    """Whether a header is that of a checkpoint."""
    return _position_of(about) is not None


def _position_of(about: dict[str, Any]) -> Position | None:
    """The position in a header; None if that, or anything else that a run must know, is missing or of a wrong type."""
    try:
        position = Position(**about["position"])
        integers = [position.epoch, position.n_spans, position.n_words, position.n_predictions]
        integers += [about["n_frozen"], about["frozen"], about["config"]["epochs"], *about["corpus"].values()]
        origin, held_out = Origin(**about.get("start", {})), about.get("held_out", NO_HELD_OUT)
        integers += [origin.n_words, origin.checksum, held_out["n_tokens"], held_out["checksum"]]
        floats = [position.seconds, *position.epoch_total]
        is_sound = (
            all(type(number) is int and number >= 0 for number in integers)
            and about["config"]["epochs"] * about["corpus"]["n_tokens"] > 0
            and all(type(number) is float and math.isfinite(number) for number in floats)
            and len(position.epoch_total) == STATISTICS
            and isinstance(position.spans_done, str)
            and isinstance(about.get("on_cluster", False), bool)
            and set(about["corpus"]) == {"n_ids", "n_tokens", "checksum", "counts"}
            and bool(about["model"] and about["loss"])
        )
    except (KeyError, TypeError, AttributeError):
        return None
    return position if is_sound else None
