"""The loss curve of a running training, on disk."""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from ..config import TrainConfig
from ..vectors.plots import LossCurve, check_plot, draw_loss
from .trainer import EpochEnded, Progress

SECONDS_BETWEEN_PLOTS = 20.0

SHARE_OF_TIME = 0.01
"""Drawing takes no more of the training than this."""


class LossPlot:
    """Keeps the losses that pass by on their way to `callback`, and draws them now and then.

    Raises InputError or MissingExtra if it will not be able to draw. That drawing fails later is a warning.
    """

    def __init__(
        self, path: str | os.PathLike[str], config: TrainConfig, callback: Callable[[Any], bool | None]
    ) -> None:
        check_plot(path)
        self._path, self._callback = path, callback
        self._title = f"{config.model}, {config.loss}, dim {config.dim}, lr {config.first_lr:g}"
        self._curve = LossCurve()
        self._next_drawing = time.monotonic() + SECONDS_BETWEEN_PLOTS

    def __call__(self, event: Any) -> bool | None:
        """Keep an event, pass it on."""
        curve = self._curve
        if isinstance(event, Progress):
            curve.add(event.n_words, event.loss, event.learning_rate)
            if time.monotonic() > self._next_drawing:
                self.draw()
        elif isinstance(event, EpochEnded):
            if event.epoch > 0:
                curve.epoch_ends.append(event.n_words)
                curve.epoch_losses.append(event.loss)
            if not math.isnan(event.held_out_loss):
                curve.held_out_words.append(event.n_words)
                curve.held_out_losses.append(event.held_out_loss)
        return self._callback(event)

    def draw(self) -> None:
        """Write the picture of what was seen so far, if there is something to see."""
        if not self._curve.words:
            return
        start = time.monotonic()
        try:
            draw_loss(self._path, self._curve, self._title)
        except Exception as error:  # whatever it is, the training is worth more
            warnings.warn(f"the loss could not be drawn: {error}", RuntimeWarning, stacklevel=2)
        seconds = time.monotonic() - start
        self._next_drawing = start + max(SECONDS_BETWEEN_PLOTS, seconds / SHARE_OF_TIME)
