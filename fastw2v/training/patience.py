"""Early stopping: the vectors with the lowest held-out loss, kept while the training goes on."""

import json
import math
import os

import numpy as np

from .. import modelfile
from ..config import FREE_OPTIONS
from ..errors import Fastw2vError, InputError, text_of
from ..events import warn
from ..files.names import PathLike
from ..modelfile import BEST, ModelFile
from .matrices import Matrices


class Patience:
    """Ends a run when the held-out loss has not fallen for some epochs, and keeps the vectors with the lowest loss.

    epochs: how many. content: what a file of the vectors holds, in `directory`, for a run that is resumed from there.
    epoch, loss: of the best vectors so far; epoch 0 before any.
    """

    def __init__(
        self, epochs: int, matrices: Matrices, content: ModelFile | None = None, directory: PathLike = ""
    ) -> None:
        self._epochs, self._content, self._path = epochs, content, os.path.join(directory, BEST)
        self._now = matrices.word_inputs, matrices.word_outputs
        self._best = [np.zeros(matrix.shape, np.float32) for matrix in self._now]
        self.epoch, self.loss = 0, math.inf

    def resume(self) -> None:
        """Take the best vectors of the run so far from their file. If it is of no use, it is as if none were best."""
        if self._content is None or not os.path.exists(self._path):
            return
        try:
            found = modelfile.read(self._path, verify=True)
            about = dict(found.training or {})
            best = about.pop("best")
            if found.output_vectors is None or _fixed(about) != _fixed(self._content.training):
                raise InputError(f"{self._path} is from another run")
            self.epoch, self.loss = int(best["epoch"]), float(best["held_out_loss"])
        except (InputError, LookupError, TypeError, ValueError) as error:
            warn(f"the best vectors before this checkpoint are lost: {text_of(error)}")
            return
        for kept, matrix in zip(self._best, (found.vectors, found.output_vectors), strict=True):
            np.copyto(kept, matrix)

    def is_over(self, epoch: int, loss: float) -> bool:
        """Keep the vectors if their loss is the lowest; return whether none has been for as many epochs as given."""
        if loss < self.loss:
            self.epoch, self.loss = epoch, loss
            for kept, matrix in zip(self._best, self._now, strict=True):
                np.copyto(kept, matrix)
            self._save()
        return epoch - self.epoch >= self._epochs

    def restore(self) -> None:
        """Make the best vectors those of the run."""
        for kept, matrix in zip(self._best, self._now, strict=True):
            np.copyto(matrix, kept)

    def _save(self) -> None:
        if self._content is None:
            return
        about = {**(self._content.training or {}), "best": {"epoch": self.epoch, "held_out_loss": self.loss}}
        inputs, outputs = self._best
        content = self._content._replace(vectors=inputs, output_vectors=outputs, training=about)
        try:
            modelfile.write(self._path, content)
        except (Fastw2vError, OSError, MemoryError) as error:
            warn(f"the best vectors so far were not written: {text_of(error)}")


def _fixed(training: object) -> object:
    """Return the facts about a run, as a file gives them back, without the options that may differ when it resumes."""
    about = json.loads(json.dumps(training))
    about["config"] = {name: value for name, value in about["config"].items() if name not in FREE_OPTIONS}
    return about
