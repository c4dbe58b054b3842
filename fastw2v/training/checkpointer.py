"""Checkpoints, written: the state of a run between two slices, written to disk while the run continues."""

import errno
import math
import shutil
import time
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..errors import Fastw2vError, RunError, text_of
from ..events import Callback, CheckpointFailed, CheckpointSaved, warn
from ..files.names import PathLike
from ..machine import failure_of
from ..matrix import is_finite
from ..modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT, ModelFile
from ..threads import Pool
from .schedule import Position

MatrixPair = list[NDArray[np.float32]]
"""The input vectors and the output vectors of a model, (n_words, dim) each."""

MOST_OF_THE_TIME = 0.01
"""The largest share of the time that checkpoints at the ends of epochs may take; others are left out."""

SECONDS_BETWEEN_WARNINGS = 60.0
"""The least time between two warnings of failed checkpoints, but for the last one of a run."""


class Checkpointer:
    """Writes checkpoints to a directory, at most one at a time, in a thread of its own.

    seconds: between two checkpoints. content: what a checkpoint holds besides the position; its vectors are those that
    the run trains. tell: receives CheckpointSaved and CheckpointFailed, in the thread that trains. A failure is a
    RuntimeWarning too, whatever `tell` does.
    """

    def __init__(self, directory: PathLike, seconds: float, content: ModelFile, tell: Callback) -> None:
        self._directory, self._seconds, self._content, self._tell = Path(directory), seconds, content, tell
        self._matrices = [matrix for matrix in (content.vectors, content.output_vectors) if matrix is not None]
        self._pool = Pool(1, "fastw2v-checkpoint")
        self._writing: Future[CheckpointSaved] | None = None
        self._position = Position()  # of the checkpoint that was begun last
        self._last = time.monotonic()
        self._last_took = 0.0  # seconds, whether it was written or failed
        self._next_warning = -math.inf
        self._is_last = False
        # Allocated now and kept: the first touch of new memory takes longer than copying to it.
        self._copies = self._pool.submit(self._new_copies)
        self.last_saved: CheckpointSaved | None = None

    def _new_copies(self) -> MatrixPair:
        return [np.full(matrix.shape, 0.0, np.float32) for matrix in self._matrices]

    def offer(self, position: Position, is_epochs_end: bool = False) -> None:
        """Begin a checkpoint if it is time, or cheap enough at the end of an epoch; not while one is being written."""
        if self.is_due(is_epochs_end):
            self._begin(position)

    def is_due(self, is_epochs_end: bool = False) -> bool:
        """Whether `offer` would begin a checkpoint."""
        self._report(wait=False)
        wait = self._seconds
        if is_epochs_end:
            wait = min(wait, self._last_took / MOST_OF_THE_TIME)
        return self._writing is None and time.monotonic() - self._last >= wait

    def save(self, position: Position) -> None:
        """Write the last checkpoint of a run and wait until it is on disk."""
        self._report(wait=True)
        self._next_warning = -math.inf
        self._is_last = True
        self._begin(position)
        self._report(wait=True)

    def close(self) -> None:
        """Wait for the checkpoint that is being written."""
        self._report(wait=True)
        self._pool.shutdown()

    def last_good(self, advice: str) -> str:
        """Say what is left of a run that failed, with advice; waits for the checkpoint that is being written."""
        self._report(wait=True)
        path = self._directory / CHECKPOINT
        if not path.exists():
            return f"There is no checkpoint in {self._directory} yet"
        written = f", written after {self.last_saved.n_words:,} tokens" if self.last_saved else ""
        return f"The last good checkpoint is {path}{written}; {advice}"

    def _begin(self, position: Position) -> None:
        """Copy the matrices, and have the copies written in the background."""
        start, matrices, self._position = time.monotonic(), self._matrices, position
        try:
            for copy, matrix in zip(self._copies.result(), matrices, strict=True):
                np.copyto(copy, matrix)
            matrices = self._copies.result()
        except MemoryError:
            pass  # then the training waits until the matrices themselves are written
        self._last = time.monotonic()
        self._writing = self._pool.submit(self._write, matrices, position, start, self._last - start)
        if matrices is self._matrices:
            self._report(wait=True)

    def _write(self, matrices: MatrixPair, position: Position, start: float, stall: float) -> CheckpointSaved:
        path, previous = self._directory / CHECKPOINT, self._directory / PREVIOUS_CHECKPOINT
        content = self._content_at(position, matrices)
        try:
            modelfile.write(path, content, previous)
        except RunError as error:
            if not _make_room(path, previous, error):
                raise
            try:
                modelfile.write(path, content, previous)
            except RunError as again:
                reason = failure_of(again.__cause__) if isinstance(again.__cause__, OSError) else again
                raise RunError(f"cannot write {path}: {reason}; {previous} had been removed to make room") from again
        return CheckpointSaved(str(path), position.n_words, stall, time.monotonic() - start)

    def _content_at(self, position: Position, matrices: MatrixPair) -> ModelFile:
        if not all(map(is_finite, matrices)):
            raise RunError("the model holds NaN or infinite numbers")
        about = {**(self._content.training or {}), "position": asdict(position)}
        inputs, outputs = matrices
        return self._content._replace(vectors=inputs, output_vectors=outputs, training=about)

    def _write_last_to(self, path: str) -> None:
        """Write the last checkpoint of a run, which has failed, to another path."""
        modelfile.write(path, self._content_at(self._position, self._matrices))

    def _report(self, wait: bool) -> None:
        """Tell whether the checkpoint was written or failed; nothing while it is being written, unless `wait`."""
        if self._writing is None or not (wait or self._writing.done()):
            return
        writing, self._writing = self._writing, None
        try:
            self.last_saved = writing.result()
        except (Fastw2vError, OSError, MemoryError) as error:
            self._last_took = time.monotonic() - self._last
            place = f"after {self._position.n_words:,} tokens"
            self._tell_failure(f"no checkpoint was written {place}: {text_of(error)}")
        else:
            self._last_took = self.last_saved.seconds
            self._tell(self.last_saved)

    def _tell_failure(self, message: str) -> None:
        write_to = self._write_last_to if self._is_last else None  # before the last one the matrices still change
        self._tell(CheckpointFailed(message, self._position.n_words, write_to))
        if time.monotonic() >= self._next_warning:
            self._next_warning = time.monotonic() + SECONDS_BETWEEN_WARNINGS
            warn(message)


def _make_room(path: Path, previous: Path, error: RunError) -> bool:
    """Remove the previous checkpoint if the disk has no room for three, but for two; tell whether that was done."""
    cause = error.__cause__
    if not isinstance(cause, OSError) or cause.errno not in (errno.ENOSPC, errno.EDQUOT):
        return False
    try:
        room = shutil.disk_usage(path.parent).free + previous.stat().st_size
        makes_room = not path.samefile(previous) and room >= path.stat().st_size
        if makes_room:
            previous.unlink()
    except OSError:  # one of the two is not there
        return False
    return makes_room
