"""Checkpoints, read again: checked against the run that wants to continue, and copied into its matrices.

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
from ..config import TrainConfig
from ..errors import InputError
from ..files import PathLike, check_no_link, check_output
from ..kernels.statistics import STATISTICS
from ..modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT, ModelFile
from .matrices import Matrices
from .model import training_kind
from .run import TrainingRun
from .schedule import Position
from .start import Origin

UNUSABLE = "unusable.fw2v"
"""The name to which a damaged latest checkpoint is moved when a run continues from the previous one."""

FREE_OPTIONS = {"threads", "temp_dir", "worker_timeout", "force", "vectors"}
"""Options that may differ when a run is resumed: but for the races of threads, they do not change the model."""

NO_HELD_OUT = {"n_tokens": 0, "checksum": 0}
"""The fingerprint of a held-out text that there is not."""


def describe_run(run: TrainingRun) -> dict[str, Any]:
    """What a run must have in common with the run that it continues, for the header of its checkpoints."""
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
    return {**training_kind(run.config), "config": asdict(run.config), "corpus": fingerprint, **frozen, **given}


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
        raise InputError(f"cannot make the checkpoint directory {path}: {error}") from error
    for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
        check_no_link(path / name)
    if not resume and any((path / name).exists() for name in (CHECKPOINT, PREVIOUS_CHECKPOINT)):
        advice = "--resume (resume=True) goes on with it; to start anew name another directory, or remove it"
        raise InputError(f"{path} holds the checkpoint of a run: {advice}")
    # A directory in the place of the latest checkpoint is no hindrance: `load` takes the one before.
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
        """Raise InputError, naming the option, if the checkpoint is of a run with other options."""
        before = self.about["config"]
        for name, value in asdict(config).items():
            had, has = before.get(name, value), value
            if name == "lr":  # None and the default, written out, are one rate
                had, has = replace(config, lr=had).first_lr, config.first_lr
            if name not in FREE_OPTIONS and had != has:
                raise self._is_of(f"a run with {name} {had!r}, this one has {has!r}", "give the same options")

    def check_run(self, run: TrainingRun) -> None:
        """Raise InputError if `run` has other texts, another vocabulary or other vectors to start from."""
        about, now = describe_run(run), run.origin
        # The checkpoints of earlier versions do not say what their runs started from, nor which held-out text they had.
        before = Origin(**self.about["start"]) if "start" in self.about else now
        if before.kind != now.kind:  # told first: a model to continue from changes the vocabulary too
            advice = f"leave out {now.kind}" if before.kind == "random" else f"give the same {before.kind}"
            raise self._is_of(f"a run that started from {before.name}, this one starts from {now.name}", advice)
        self._check_corpus(run, about)
        if before != now:
            runs = f"a run that started from other {before.kind}: its are for {before.n_words:,} words"
            raise self._is_of(f"{runs}, this one's for {now.n_words:,}", f"give the same {before.kind}")
        if self.about["frozen"] != about["frozen"]:
            runs = f"a run with {self.about['n_frozen']:,} frozen words, this one has {about['n_frozen']:,}, or others"
            advice = "give freeze and the same vectors to start from" if self.about["n_frozen"] else "leave out freeze"
            raise self._is_of(runs, advice)
        self._check_held_out(about["held_out"])

    def _is_of(self, runs: str, advice: str) -> InputError:
        """The error of a run that cannot go on from this checkpoint."""
        return InputError(f"{self.path} is of {runs}: {advice} to resume, or another --checkpoint directory")

    def _check_held_out(self, now: dict[str, int]) -> None:
        """Otherwise one curve would mix the losses of two texts."""
        before = self.about.get("held_out", now)
        if before != now:
            had, has = ("none" if text == NO_HELD_OUT else f"of {text['n_tokens']:,} words" for text in (before, now))
            advice = "leave out held_out" if before == NO_HELD_OUT else "give the same held_out"
            raise self._is_of(f"a run with another held-out text: its is {had}, this one's {has}", advice)

    def _check_corpus(self, run: TrainingRun, about: dict[str, Any]) -> None:
        words, before, now = run.corpus.vocabulary.words, self.about["corpus"], about["corpus"]
        if before != now or list(self.content.words) != words:
            reason = ", in another order or with other counts; or one of the two runs is on a cluster (--dask)"
            reason = reason if before["n_tokens"] == now["n_tokens"] else ""
            its = f"its had {before['n_tokens']:,} words in a vocabulary of {len(self.content.words):,}"
            this = f"this one has {now['n_tokens']:,} in {len(words):,}"
            raise InputError(f"{self.path} is of another corpus: {its}, {this}{reason}")

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


def room_of(directory: PathLike) -> int:
    """The bytes of the checkpoints in a directory, which new ones will replace."""
    sizes = {}
    for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
        with contextlib.suppress(OSError):
            status = os.stat(Path(directory) / name)
            sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


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
        raise InputError(f"no checkpoint in {os.fspath(directory)} can be used: {'; '.join(problems)}")
    return None


def _read(path: str, warning: str) -> Checkpoint:
    if not os.path.isfile(path):
        raise InputError(f"{path} is no regular file")
    content = modelfile.read(path, verify=True)
    about = content.training if isinstance(content.training, dict) else {}
    position = _position_of(about)
    if position is None or content.output_vectors is None or content.counts is None:
        raise InputError(f"{path} is no checkpoint, but a file of vectors or a model")
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
            and set(about["corpus"]) == {"n_ids", "n_tokens", "checksum", "counts"}
            and bool(about["model"] and about["loss"])
        )
    except (KeyError, TypeError, AttributeError):
        return None
    return position if is_sound else None
