"""Checkpoints: the state of a run between two slices, written while the run goes on, and read again.

A checkpoint is a file of vectors in the native format with the output vectors too, so it can be asked, converted and
continued from like any other; its header holds the options, the fingerprint of the corpus and the position.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import Fastw2vError, InputError, RunError
from ..files import check_output
from ..kernels.train import STATISTICS
from ..vectors import containers
from ..vectors.formats import is_finite
from ..vectors.names import CHECKPOINT, PREVIOUS_CHECKPOINT
from .model import Model
from .start import made_by

CURRENT, PREVIOUS, UNUSABLE = CHECKPOINT, PREVIOUS_CHECKPOINT, "unusable.fw2v"

FREE_OPTIONS = {"threads", "temp_dir", "force", "vectors"}
"""May differ between a run and its continuation: they do not change the path of training, but for threads' races."""


MOST_OF_THE_TIME = 0.01
"""Checkpoints at the ends of epochs are left out where writing them would take more of the time than this."""


@dataclass(frozen=True)
class Position:
    """Where a run stands between two slices: `n_spans` spans of epoch `epoch`, from 0, are done, in its order."""

    epoch: int = 0
    n_spans: int = 0
    n_words: int = 0
    n_predictions: int = 0
    seconds: float = 0.0
    epoch_total: list[float] = field(default_factory=lambda: [0.0] * STATISTICS)  # the epoch's statistics so far
    # Which spans of the epoch are done, where those of many machines are; else the first of its order.
    spans_done: str = ""


@dataclass(frozen=True)
class CheckpointSaved:
    """path: the file. n_words: trained so far. stall: seconds the training waited; seconds: until it was on disk."""

    path: str
    n_words: int
    stall: float
    seconds: float


@dataclass(frozen=True)
class CheckpointFailed:
    """The run goes on without this checkpoint; the one before is untouched."""

    message: str


@dataclass(frozen=True)
class Resumed:
    """The run goes on from a checkpoint. warning: why that is not the latest one, or empty."""

    path: str
    n_words: int
    warning: str


class Checkpointer:
    """Writes checkpoints of a model to a directory, at most one at a time, in a thread of its own.

    on_event gets CheckpointSaved and CheckpointFailed in the thread that trains. every: seconds.
    """

    def __init__(
        self, directory: str | os.PathLike[str], every: float, model: Model, corpus: Corpus, config: TrainConfig,
        on_event: Callable[[CheckpointSaved | CheckpointFailed], object],
    ) -> None:  # fmt: skip
        self._directory, self._every = Path(directory), every
        self._model, self._vocabulary, self._on_event = model, corpus.vocabulary, on_event
        self._about = about_run(corpus, config, model)
        self._pool = ThreadPoolExecutor(1, "fastw2v-checkpoint")
        self._writing: Future[CheckpointSaved] | None = None
        self._last = time.monotonic()
        # Made now and kept: the first touch of new memory takes longer than copying to it.
        self._copies = self._pool.submit(lambda: [np.full((len(self._vocabulary), model.dim), 0.0, np.float32)
                                                  for _ in range(2)])  # fmt: skip
        self.last_saved: CheckpointSaved | None = None

    def offer(self, position: Position, is_epochs_end: bool = False) -> None:
        """Begin a checkpoint if it is time, or cheap enough at an epoch's end; not while one is being written."""
        if self.is_due(is_epochs_end):
            self._begin(position)

    def is_due(self, is_epochs_end: bool = False) -> bool:
        """Whether `offer` would begin a checkpoint."""
        self._report(wait=False)
        wait = self._every
        if is_epochs_end:
            wait = min(wait, self.last_saved.seconds / MOST_OF_THE_TIME if self.last_saved else 0.0)
        return self._writing is None and time.monotonic() - self._last >= wait

    def save(self, position: Position) -> None:
        """Write a checkpoint and wait until it is on disk."""
        self._report(wait=True)
        self._begin(position)
        self._report(wait=True)

    def close(self) -> None:
        """Wait for what is being written."""
        self._report(wait=True)
        self._pool.shutdown()

    def last_good(self, advice: str) -> str:
        """What is left of a run that failed, in words, and what to do with it; waits for what is being written."""
        self._report(wait=True)
        path = self._directory / CURRENT
        if not path.exists():
            return f"There is no checkpoint in {self._directory} yet"
        words = f", after {self.last_saved.n_words:,} words" if self.last_saved else ""
        return f"The last checkpoint, from before, is {path}{words}; {advice}"

    def _begin(self, position: Position) -> None:
        start = time.monotonic()
        n_words, dim = len(self._vocabulary), self._model.dim
        matrices = [matrix[:n_words, :dim] for matrix in (self._model.input_vectors, self._model.output_vectors)]
        must_wait = False
        try:
            for copy, matrix in zip(self._copies.result(), matrices, strict=True):
                np.copyto(copy, matrix)
            matrices = self._copies.result()
        except MemoryError:  # then the training waits until they are written
            must_wait = True
        stall = time.monotonic() - start
        self._writing = self._pool.submit(self._write, matrices, position, start, stall)
        self._last = time.monotonic()
        if must_wait:
            self._report(wait=True)

    def _write(
        self, matrices: list[NDArray[np.float32]], position: Position, start: float, stall: float
    ) -> CheckpointSaved:  # fmt: skip
        path = self._directory / CURRENT
        if not all(is_finite(matrix) for matrix in matrices):
            raise RunError("the model holds NaN or infinite numbers: no checkpoint was written")
        self._keep_previous(path)
        inputs, outputs = matrices
        about = {**self._about, "position": asdict(position)}
        containers.save_native(
            path,
            containers.Content(
                self._vocabulary.words, inputs, self._vocabulary.counts, output_vectors=outputs, training=about
            ),
        )
        return CheckpointSaved(str(path), position.n_words, stall, time.monotonic() - start)

    def _keep_previous(self, path: Path) -> None:
        """The latest checkpoint gets a second name; its own stays until the new one takes it."""
        spare = self._directory / f".{PREVIOUS}.link"
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)
            os.link(path, spare)
            os.replace(spare, self._directory / PREVIOUS)

    def _report(self, wait: bool) -> None:
        if self._writing is None or not (wait or self._writing.done()):
            return
        writing, self._writing = self._writing, None
        try:
            self.last_saved = writing.result()
        except (Fastw2vError, OSError, MemoryError) as error:
            self._on_event(CheckpointFailed(f"no checkpoint: {error or 'out of memory'}"))
        else:
            self._on_event(self.last_saved)


def about_run(corpus: Corpus, config: TrainConfig, model: Model) -> dict[str, Any]:
    """What a run must have in common with the one it goes on from."""
    return {
        **made_by(config),
        "config": asdict(config),
        "corpus": {
            "n_ids": corpus.n_ids, "n_tokens": corpus.n_tokens, "checksum": corpus.checksum,
            "counts": zlib.crc32(np.ascontiguousarray(corpus.vocabulary.counts).data),
        },
        "n_frozen": int(model.is_frozen.sum()), "frozen": zlib.crc32(model.is_frozen.data),
    }  # fmt: skip


def check_directory(directory: str | os.PathLike[str], resume: bool) -> None:
    """Make the directory if need be. Raises InputError if it cannot take a checkpoint, or holds one already."""
    if not os.fspath(directory):
        raise InputError("the checkpoint directory has an empty name: is a variable not set?")
    path = Path(directory)
    try:
        path.mkdir(exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        raise InputError(f"cannot make the checkpoint directory {path}: {error}") from error
    if not resume and any((path / name).exists() for name in (CURRENT, PREVIOUS)):
        raise InputError(
            f"{path} holds the checkpoint of a run: --resume (resume=True) goes on with it; to start anew name "
            "another directory, or remove it"
        )
    check_output(path / CURRENT)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read. warning: why it is not the latest one, or empty."""

    path: str
    content: containers.Content
    about: dict[str, Any]
    position: Position
    warning: str

    def check_options(self, config: TrainConfig) -> None:
        """Raises InputError, naming the option, if the run was another one."""
        before = self.about["config"]
        for name, now in asdict(config).items():
            if name not in FREE_OPTIONS and before.get(name, now) != now:
                raise InputError(
                    f"{self.path} is of a run with {name} {before[name]!r}, this one has {now!r}: give the same "
                    "options to resume, or another --checkpoint directory"
                )

    def check_corpus(self, corpus: Corpus, config: TrainConfig, model: Model) -> None:
        """Raises InputError if the text, the vocabulary or the frozen words are not those of the run."""
        now = about_run(corpus, config, model)
        before, found = self.about["corpus"], now["corpus"]
        if before != found or list(self.content.words) != corpus.vocabulary.words:
            raise InputError(
                f"{self.path} is of another corpus: its had {before['n_tokens']:,} words in a vocabulary of "
                f"{len(self.content.words):,}, this one has {found['n_tokens']:,} in {len(corpus.vocabulary):,}"
                + (
                    ", in another order or with other counts; or one of the two runs is on a cluster (--dask)"
                    if before["n_tokens"] == found["n_tokens"]
                    else ""
                )
            )
        if self.about["frozen"] != now["frozen"]:
            raise InputError(f"{self.path} is of a run with {self.about['n_frozen']:,} frozen words, this one has "
                             f"{now['n_frozen']:,}, or others: give the same vectors to start from")  # fmt: skip

    def make_current(self) -> None:
        """If this is the one before, let it take the place of the latest, which is put aside: else the next checkpoint
        would keep that one, and this one would be gone.
        """
        path = Path(self.path)
        if path.name == PREVIOUS:
            with contextlib.suppress(FileNotFoundError):
                os.replace(path.with_name(CURRENT), path.with_name(UNUSABLE))
            os.replace(path, path.with_name(CURRENT))

    def fill(self, model: Model) -> None:
        """Put the matrices into a model."""
        n_words = len(self.content.words)
        assert self.content.output_vectors is not None  # `load` saw to it
        model.input_vectors[:n_words, : model.dim] = self.content.vectors
        model.output_vectors[:n_words, : model.dim] = self.content.output_vectors


def room_of(directory: str | os.PathLike[str]) -> int:
    """Bytes that the checkpoints in a directory take, which new ones will take the place of."""
    found = {}
    for name in (CURRENT, PREVIOUS):
        with contextlib.suppress(OSError):
            status = os.stat(Path(directory) / name)
            found[status.st_ino] = status.st_size
    return sum(found.values())


def load(directory: str | os.PathLike[str]) -> Checkpoint | None:
    """The latest checkpoint of the directory that is whole, None if there is none.

    Raises InputError if all there are are damaged, or written by a newer version.
    """
    problems: list[str] = []
    for name in (CURRENT, PREVIOUS):
        path = Path(directory) / name
        if not path.exists():
            continue
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
    content = containers.load_native(path, verify=True)
    about = content.training if isinstance(content.training, dict) else {}
    position = _position_of(about)
    if position is None or content.output_vectors is None or content.counts is None:
        raise InputError(f"{path} is no checkpoint, but a file of vectors or a model")
    return Checkpoint(path, content, about, position, warning)


def is_of_checkpoint(about: dict[str, Any]) -> bool:
    """Whether a header says all that a checkpoint's must."""
    return _position_of(about) is not None


def _position_of(about: dict[str, Any]) -> Position | None:
    """The position in a header, None if it or what else a run must know is missing or of a wrong kind."""
    try:
        position = Position(**about["position"])
        numbers = [position.epoch, position.n_spans, position.n_words, position.n_predictions]
        numbers += [about["n_frozen"], about["frozen"], about["config"]["epochs"], *about["corpus"].values()]
        is_whole = all(type(number) is int and number >= 0 for number in numbers)
        floats = [position.seconds, *position.epoch_total]
        is_finite = all(type(number) is float and math.isfinite(number) for number in floats)
        is_known = (
            isinstance(position.spans_done, str)
            and set(about["corpus"]) == {"n_ids", "n_tokens", "checksum", "counts"}
            and about["model"]
            and about["loss"]
        )
    except (KeyError, TypeError, AttributeError):
        return None
    return position if is_whole and is_finite and is_known and len(position.epoch_total) == STATISTICS else None
