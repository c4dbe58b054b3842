"""The events of a training as gensim's callbacks, losses and attributes."""

import math
from collections.abc import Sequence
from typing import Any

from ..events import EpochEnded, Event, Progress
from .callbacks import CallbackAny2Vec


class TrainingEvents:
    """Receives the events of a training, keeps the figures of a `Word2Vec` up to date, and calls its callbacks."""

    def __init__(self, model: Any, callbacks: Sequence[CallbackAny2Vec]) -> None:
        self._model, self._callbacks = model, callbacks
        self._n_predictions = 0  # of this epoch

    def begin(self) -> None:
        """Tell the callbacks that the training and its first epoch begin."""
        self._tell("on_train_begin")
        self._tell("on_epoch_begin")

    def __call__(self, event: Event) -> None:
        match event:
            case Progress():
                self._n_predictions += event.n_predictions
                self._model.min_alpha_yet_reached = event.learning_rate
            case EpochEnded(epoch=epoch, loss=loss):
                if self._model.compute_loss and self._n_predictions:
                    mean = self._model.untrained_loss() if math.isnan(loss) else loss  # the sample may hold nothing
                    self._model.running_training_loss += mean * self._n_predictions
                self._n_predictions = 0
                self.end_epoch(epoch)

    def end_epoch(self, epoch: int) -> None:
        """Tell the callbacks that an epoch, counted from 1, is over, and that the next one begins."""
        self._model.wv.forget()
        self._tell("on_epoch_end")
        if epoch < self._model.epochs:
            self._tell("on_epoch_begin")

    def end(self) -> None:
        """Tell the callbacks that the training is over."""
        self._tell("on_train_end")

    def _tell(self, what: str) -> None:
        for callback in self._callbacks:
            getattr(callback, what)(self._model)
