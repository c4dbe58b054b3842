"""Checkpoints, written: the state of a run between two slices, copied and written to disk while the run continues."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..corpus.vocabulary import Vocabulary
from ..errors import Fastw2vError, RunError
from ..events import CheckpointFailed, CheckpointSaved
from ..files import PathLike
from ..matrix import is_finite
from ..modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT, ModelFile
from .matrices import Matrices
from .schedule import Position

MOST_OF_THE_TIME = 0.01
"""Checkpoints at the ends of epochs are left out where writing them would take more of the time than this share."""


class Checkpointer:
    """Writes checkpoints of matrices to a directory, at most one at a time, in a thread of its own.

    seconds: between two checkpoints. about: what the header says of the run, besides its position. tell: receives
    CheckpointSaved and CheckpointFailed, in the thread that trains.
    """

    def __init__(
        self,
        directory: PathLike,
        seconds: float,
        matrices: Matrices,
        vocabulary: Vocabulary,
        about: dict[str, Any],
        tell: Callable[[CheckpointSaved | CheckpointFailed], object],
    ) -> None:
        self._directory, self._seconds = Path(directory), seconds
        self._matrices, self._vocabulary, self._about, self._tell = matrices, vocabulary, about, tell
        self._pool = ThreadPoolExecutor(1, "fastw2v-checkpoint")
        self._writing: Future[CheckpointSaved] | None = None
        self._last = time.monotonic()
        # Made now and kept: the first touch of new memory takes longer than copying to it.
        self._copies = self._pool.submit(self._new_copies)
        self.last_saved: CheckpointSaved | None = None

    def _new_copies(self) -> list[NDArray[np.float32]]:
        return [np.full((len(self._vocabulary), self._matrices.dim), 0.0, np.float32) for _ in range(2)]

    def offer(self, position: Position, is_epochs_end: bool = False) -> None:
        """Begin a checkpoint if it is time, or cheap enough at an epoch's end; not while one is being written."""
        if self.is_due(is_epochs_end):
            self._begin(position)

    def is_due(self, is_epochs_end: bool = False) -> bool:
        """Whether `offer` would begin a checkpoint."""
        self._report(wait=False)
        wait = self._seconds
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
        path = self._directory / CHECKPOINT
        if not path.exists():
            return f"There is no checkpoint in {self._directory} yet"
        words = f", after {self.last_saved.n_words:,} words" if self.last_saved else ""
        return f"The last checkpoint, from before, is {path}{words}; {advice}"

    def _begin(self, position: Position) -> None:
        """Copy the matrices, and have the copies written in the background."""
        start = time.monotonic()
        matrices = [self._matrices.word_inputs, self._matrices.word_outputs]
        must_wait = False
        try:
            for copy, matrix in zip(self._copies.result(), matrices, strict=True):
                np.copyto(copy, matrix)
            matrices = self._copies.result()
        except MemoryError:  # then the training waits until the matrices themselves are written
            must_wait = True
        stall = time.monotonic() - start
        self._writing = self._pool.submit(self._write, matrices, position, start, stall)
        self._last = time.monotonic()
        if must_wait:
            self._report(wait=True)

    def _write(
        self, matrices: list[NDArray[np.float32]], position: Position, start: float, stall: float
    ) -> CheckpointSaved:
        path = self._directory / CHECKPOINT
        if not all(is_finite(matrix) for matrix in matrices):
            raise RunError("the model holds NaN or infinite numbers: no checkpoint was written")
        self._keep_previous(path)
        inputs, outputs = matrices
        words, counts = self._vocabulary.words, self._vocabulary.counts
        about = {**self._about, "position": asdict(position)}
        modelfile.write(path, ModelFile(words, inputs, counts, output_vectors=outputs, training=about))
        return CheckpointSaved(str(path), position.n_words, stall, time.monotonic() - start)

    def _keep_previous(self, path: Path) -> None:
        """Give the latest checkpoint a second name; its own name stays with it until the new one takes that."""
        spare = self._directory / f".{PREVIOUS_CHECKPOINT}.link"
        with contextlib.suppress(OSError):
            spare.unlink(missing_ok=True)
            os.link(path, spare)
            os.replace(spare, self._directory / PREVIOUS_CHECKPOINT)

    def _report(self, wait: bool) -> None:
        """Tell what became of the checkpoint that was being written, if it is written."""
        if self._writing is None or not (wait or self._writing.done()):
            return
        writing, self._writing = self._writing, None
        try:
            self.last_saved = writing.result()
        except (Fastw2vError, OSError, MemoryError) as error:
            self._tell(CheckpointFailed(f"no checkpoint: {error or 'out of memory'}"))
        else:
            self._tell(self.last_saved)
