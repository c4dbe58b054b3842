"""TrainingRun: one training, from its first epoch to the last checkpoint, on one machine or on a cluster.

The run owns the epochs, the position, the events, the checkpoints and every way in which training ends. A `Loop` only
trains what is left of an epoch: `LocalLoop` in slices of this process, the cluster's loop in rounds of its workers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.vocabulary import Reading, Vocabulary
from ..errors import DivergedError, InputError
from ..events import BestKept, Callback, EpochEnded, Evaluating, Event, Progress, Waiting
from ..kernels.statistics import LOGIT_SUM, N_PREDICTIONS, N_TOKENS
from ..lazy import computed_once
from .checkpointer import Checkpointer
from .heldout import held_out_loss
from .matrices import Matrices
from .patience import Patience
from .schedule import Position, Schedule
from .start import Origin
from .trainers import JointTrainer, SpanTrainer, span_trainer

Loss = tuple[float, float]
"""The mean loss of a prediction and its standard error."""

NO_LOSS: Loss = (math.nan, math.nan)
"""The loss of held-out text where it was not taken."""


class NothingLearnt(InputError):
    """The corpus of a run held no prediction to train on."""


class StopRequested(Exception):
    """The callback returned True: the training ends here, and keeps what it has reached."""


class TrainingCorpus(Protocol):
    """A corpus as a run knows it, wherever the ids are."""

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def reading(self) -> Reading: ...
    @property
    def n_tokens(self) -> int: ...
    @property
    def n_ids(self) -> int: ...
    @property
    def checksum(self) -> int: ...


class Loop(Protocol):
    """Trains the epochs of a run, and knows where the newest rows of the model are."""

    def train_epoch(self) -> None:
        """Train what is left of the run's epoch, and update the run's position. Raises what `TrainingRun.tell` does."""

    def take_loss(self) -> Loss:
        """Return the loss of a sample of the text at the present parameters, or lately."""

    def fetch(self) -> None:
        """Bring the newest rows into `run.matrices`. If they are lost, the run's position goes back to what is left."""

    def fetch_what_is_left(self) -> None:
        """The same for a run that was stopped: it does not wait for lost rows to be trained again."""


class Slice(NamedTuple):
    """Some spans that were trained.

    total: their summed statistics, (STATISTICS,). seconds: of the training. loss: as it was last taken.
    """

    total: NDArray[np.float64]
    seconds: float
    learning_rate: float
    loss: Loss


@dataclass
class TrainingRun:
    """A training run, and where it stands.

    matrices: changed by the training. threads: of this process. held_out: text in the same vocabulary, whose loss is
    told before the first epoch and after each. patience: what ends the run early, or None. origin: what it started
    from, before any checkpoint. resumed_from: the position of the checkpoint on disk from which it was resumed, if it
    was. also: further objectives that are trained on the same spans, each with matrices of its own, whose input vectors
    are the same memory.
    """

    config: TrainConfig
    corpus: TrainingCorpus
    matrices: Matrices
    threads: int
    callback: Callback = lambda event: None
    held_out: Corpus | None = None
    origin: Origin = field(default_factory=Origin)
    checkpointer: Checkpointer | None = None
    patience: Patience | None = None
    position: Position = field(default_factory=Position)
    resumed_from: Position | None = None
    also: Sequence[tuple[TrainConfig, Matrices]] = ()
    is_stopping: bool = field(default=False, init=False)  # it was asked to end, and saves what it has reached
    _untold: Position | None = field(default=None, init=False)  # the end of an epoch whose losses are not told yet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.checkpointer:
            self.checkpointer.close()

    @computed_once
    def schedule(self) -> Schedule:
        return Schedule.of(self.corpus.n_ids, self.config)

    @computed_once
    def span_trainer(self) -> SpanTrainer:
        """Trains `matrices` in this process, and those of `also`, or takes a loss."""
        trainers = [
            span_trainer(matrices, self.corpus.vocabulary, config, self.threads)
            for config, matrices in [(self.config, self.matrices), *self.also]
        ]
        return JointTrainer(trainers) if self.also else trainers[0]

    def tell(self, event: Event) -> None:
        """Pass an event to the callback. Raises StopRequested if the callback ends the training."""
        wants_to_stop = self.callback(event) and isinstance(event, Progress | Evaluating | Waiting)
        if wants_to_stop and not self.is_stopping:
            raise StopRequested

    def train(self, loop: Loop) -> None:
        """Train until the epochs are over or the callback stops the run, and save the last checkpoint.

        Raises DivergedError within a slice of the first number that is not finite, and NothingLearnt if the corpus has
        nothing to learn from.
        """
        try:
            self._train_epochs(loop)
            if self.position.n_predictions == 0:
                reason = "no line (sentence) of the corpus holds two words of the vocabulary"
                if self.config.sample:
                    reason += ", or subsampling left no line with two (--sample 0 keeps all words)"
                raise NothingLearnt(f"nothing was learnt: {reason}")
        except StopRequested:
            self.is_stopping = True
            loop.fetch_what_is_left()
            if self.position == self._untold and not self.checkpointer:  # with one, the resumed run tells it
                self._tell_losses(self.position, loop.take_loss())
        if not all(matrices.is_finite() for matrices in [self.matrices, *(matrices for _, matrices in self.also)]):
            raise self._diverged()
        if self.checkpointer and self.position != self.resumed_from:
            self.checkpointer.save(self.position)

    def _train_epochs(self, loop: Loop) -> None:
        epochs = self.config.epochs
        is_over = False
        told: dict[int, Position] = {}  # the ends of epochs whose losses have been told
        if self.held_out and self.position == Position():
            self.tell(EpochEnded(0, 0, *loop.take_loss(), *self._held_out_loss(), 0.0))
        while self.position.epoch < epochs:
            loop.train_epoch()
            # Until the epoch's losses are told the position stays at its end, so that a run that is stopped or killed
            # meanwhile tells them when it is resumed.
            ended = self.position
            if ended != told.get(ended.epoch):  # otherwise later rows were lost, and the run went back to this end
                self._untold = ended
                if self.held_out or ended.epoch + 1 < epochs:
                    self.offer_checkpoint(loop, is_epochs_end=True)
                if self.held_out:
                    loop.fetch()
                if self.position != ended:  # rows were lost, and the epoch is not over
                    continue
                held_out = self._held_out_loss()
                self._tell_losses(ended, loop.take_loss(), held_out)
                is_over = bool(self.patience and self.patience.is_over(ended.epoch + 1, held_out[0]))
                self._untold, told[ended.epoch] = None, ended
            self.position = ended.at_next_epoch()
            if is_over or self.position.epoch == epochs:
                reached = self.position
                loop.fetch()
                if self.position == reached:
                    self._end_epochs()

    def _end_epochs(self) -> None:
        """Let no epoch be left, and keep the best vectors, if the run has patience."""
        n_epochs, self.position = self.position.epoch, replace(self.position, epoch=self.config.epochs)
        if self.patience:
            self.patience.restore()
            self.tell(BestKept(self.patience.epoch, self.patience.loss, n_epochs))

    def _held_out_loss(self) -> Loss:
        """The loss of the held-out text, NaN where there is no such text."""
        if not self.held_out:
            return NO_LOSS
        return held_out_loss(self.held_out, self.config, self.threads, self.span_trainer, self.tell)

    def _tell_losses(self, ended: Position, loss: Loss, held_out: Loss = NO_LOSS) -> None:
        """Tell the losses of an epoch. ended: the position at its end. held_out: what `_held_out_loss` returned."""
        self.tell(EpochEnded(ended.epoch + 1, ended.n_words, *loss, *held_out, ended.seconds))

    def offer_checkpoint(self, loop: Loop, is_epochs_end: bool = False) -> None:
        """Begin a checkpoint if one is due."""
        if self.checkpointer and self.checkpointer.is_due(is_epochs_end):
            loop.fetch()
            self.checkpointer.offer(self.position, is_epochs_end)

    def check_finite(self, total: NDArray[np.float64]) -> None:
        """Raise DivergedError if the statistics are those of steps that reached NaN or infinity."""
        if not np.isfinite(total[LOGIT_SUM]):
            raise self._diverged()

    def _diverged(self) -> DivergedError:
        epoch, n_words = min(self.position.epoch + 1, self.config.epochs), self.position.n_words
        place = f"in epoch {epoch}, after {n_words:,} tokens, with an initial lr of {self.config.first_lr:g}"
        message = f"training diverged to NaN or infinity {place}: use a lower --lr. No vectors were written"
        if self.checkpointer:
            # A model with hierarchical softmax cannot be continued from: a new vocabulary has a new tree.
            option = "--init-vectors" if self.config.loss == "hs" else "--continue-from"
            message = f"{message}. {self.checkpointer.last_good(f'to start from it, give {option} and a lower --lr')}"
        return DivergedError(message)

    def tell_progress(self, position: Position, last: Slice, n_workers: int = 0, waited: float = 0.0) -> None:
        """Tell `Progress` at a position, which the slice `last` has reached."""
        loss, loss_error = last.loss
        self.tell(
            Progress(
                epoch=position.epoch + 1,
                epochs=self.config.epochs,
                n_words=position.n_words,
                n_words_total=self.config.epochs * self.corpus.n_tokens,
                n_predictions=int(last.total[N_PREDICTIONS]),
                loss=loss,
                loss_error=loss_error,
                learning_rate=last.learning_rate,
                seconds=position.seconds,
                words_per_second=last.total[N_TOKENS] / last.seconds,
                n_workers=n_workers,
                waited=waited,
            )
        )
