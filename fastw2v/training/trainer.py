"""Epochs x slices: calls the kernel, tells how it goes, stops where it must."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import DivergedError, InputError
from ..kernels.train import (
    LOGIT_SUM,
    LOSS,
    LOSS_LOSS,
    LOSS_SIZE,
    N_PREDICTIONS,
    N_SAMPLES,
    N_TOKENS,
    SIZE,
    SIZE_SIZE,
    STATISTICS,
    Spans,
)
from .checkpoint import Checkpointer, Position
from .model import Model
from .objective import SpanTrainer, span_trainer
from .schedule import Schedule

SLICE_SECONDS = 0.35
"""What one call of the kernel should take: Ctrl-C waits for it, and its end makes threads wait for each other."""


@dataclass(frozen=True)
class Progress:
    """How the training goes, after each slice."""

    epoch: int  # from 1
    epochs: int
    n_words: int  # trained so far, all epochs
    n_words_total: int
    n_predictions: int  # of this slice: pairs of a context and a centre word, each with its negatives
    loss: float  # mean of the slice's sampled predictions, natural log; NaN where none was sampled
    loss_error: float  # its standard error
    learning_rate: float
    seconds: float  # of training so far, without evaluation and callbacks
    words_per_second: float  # of this slice
    n_workers: int = 0  # of a cluster
    waited: float = 0.0  # the share of the time that its replicas spend on their exchanges

    @property
    def seconds_left(self) -> float:
        """At the mean speed so far."""
        return self.seconds * (self.n_words_total / max(1, self.n_words) - 1)


@dataclass(frozen=True)
class EpochEnded:
    """After each epoch; before the first one too, as epoch 0, if there is held-out text. Losses in natural log."""

    epoch: int
    n_words: int  # trained so far, all epochs
    loss: float  # mean of the epoch's sampled predictions; NaN where none was
    loss_error: float  # its standard error, as if windows were independent
    held_out_loss: float  # mean of the held-out text's predictions, at the vectors of now; NaN without such text
    held_out_error: float
    seconds: float  # of training so far, without evaluation and callbacks


def mean_loss(total: NDArray[np.float64]) -> tuple[float, float]:
    """The mean loss of a prediction and its standard error, from summed statistics; NaN where nothing was sampled.

    A ratio of two sums over n independent steps: variance n / (n - 1) sum((loss - mean size)^2) / sum(size)^2
    (Cochran 1977, "Sampling techniques", 6.4).
    """
    n = total[N_SAMPLES]
    if n == 0:
        return float("nan"), float("nan")
    mean = total[LOSS] / total[SIZE]
    squares = total[LOSS_LOSS] - 2 * mean * total[LOSS_SIZE] + mean * mean * total[SIZE_SIZE]
    error = np.sqrt(max(squares, 0.0) * n / (n - 1)) / total[SIZE] if n > 1 else float("nan")
    return float(mean), float(error)


class _Pace:
    """How many spans the next slice gets: as many as take `SLICE_SECONDS`."""

    def __init__(self, config: TrainConfig, threads: int) -> None:
        self.n_spans = self._least = 1 if config.loss == "softmax" else threads  # whose threads share a span

    def adapt(self, n_spans: int, seconds: float) -> None:
        self.n_spans = max(self._least, int(n_spans * min(4.0, SLICE_SECONDS / seconds)))


@dataclass(frozen=True)
class Evaluating:
    """While the loss of held-out text is taken, twice a second or more: how much of it is done, from 0 to 1."""

    share: float


def train_model(
    model: Model,
    corpus: Corpus,
    config: TrainConfig,
    threads: int,
    on_event: Callable[[Progress | EpochEnded | Evaluating], bool | None] = lambda event: None,
    held_out: Corpus | None = None,
    position: Position | None = None,
    checkpointer: Checkpointer | None = None,
) -> None:
    """Train `model` in place until the epochs are over or `on_event` returns True at a `Progress` or `Evaluating`.

    held_out: text in the same vocabulary, whose loss is told after each epoch and before the first. position: where an
    earlier run of this model stood. checkpointer: is offered the position after each slice, and asked to save it at the
    end, also at one that `on_event` asks for.
    Raises DivergedError within a slice of the first number that is not finite, InputError if there were no pairs.
    """
    schedule = Schedule.of(len(corpus.ids), config)
    train_spans = span_trainer(model, corpus.vocabulary, config, threads)
    pace = _Pace(config, threads)
    here = position or Position()
    if here.epoch > config.epochs or here.n_spans > schedule.n_spans:
        raise InputError(f"the checkpoint stands at span {here.n_spans} of epoch {here.epoch + 1}, but there are "
                         f"{schedule.n_spans} in {config.epochs}: it is damaged")  # fmt: skip

    def end_epoch(epoch: int, total: NDArray[np.float64]) -> bool:
        """Returns whether to stop."""
        found = (math.nan, math.nan)
        if held_out is not None:
            taken = held_out_loss(held_out, config, threads, train_spans, on_event)
            if taken is None:
                return True
            found = taken
        on_event(EpochEnded(epoch, here.n_words, *mean_loss(total), *found, here.seconds))
        return False

    is_stopped = position is None and held_out is not None and end_epoch(0, np.zeros(STATISTICS))
    while here.epoch < config.epochs and not is_stopped:
        order = schedule.order(here.epoch)
        epoch_total = np.array(here.epoch_total)
        while here.n_spans < len(order) and not is_stopped:
            start = time.perf_counter()
            numbers = order[here.n_spans : here.n_spans + pace.n_spans]
            done = here.epoch * schedule.n_spans + here.n_spans
            rates = schedule.learning_rates(done + np.arange(len(numbers)))
            statistics = np.zeros((len(numbers), STATISTICS))
            train_spans(corpus.ids, Spans(numbers, rates, schedule.span_length), here.epoch, statistics)
            corpus.let_go()  # else the process would seem to grow to the size of the text
            total = statistics.sum(axis=0)
            if not np.isfinite(total[LOGIT_SUM]):
                raise diverged(config, here, checkpointer)
            epoch_total += total
            slice_seconds = time.perf_counter() - start
            here = Position(
                here.epoch, here.n_spans + len(numbers), here.n_words + int(total[N_TOKENS]),
                here.n_predictions + int(total[N_PREDICTIONS]), here.seconds + slice_seconds, epoch_total.tolist(),
            )  # fmt: skip
            loss, loss_error = mean_loss(total)
            is_stopped = bool(
                on_event(
                    Progress(
                        epoch=here.epoch + 1,
                        epochs=config.epochs,
                        n_words=here.n_words,
                        n_words_total=config.epochs * corpus.n_tokens,
                        n_predictions=int(total[N_PREDICTIONS]),
                        loss=loss,
                        loss_error=loss_error,
                        learning_rate=float(rates[-1]),
                        seconds=here.seconds,
                        words_per_second=total[N_TOKENS] / slice_seconds,
                    )
                )
            )
            pace.adapt(len(numbers), slice_seconds)
            if checkpointer and not is_stopped:
                checkpointer.offer(here)
        if here.n_spans == len(order) and not is_stopped:
            here = replace(here, epoch=here.epoch + 1, n_spans=0, epoch_total=[0.0] * STATISTICS)
            if checkpointer and here.epoch < config.epochs:
                checkpointer.offer(here, is_epochs_end=True)
            is_stopped = end_epoch(here.epoch, epoch_total)
    if here.n_predictions == 0 and not is_stopped:
        raise nothing_learnt(config)
    if not model.is_finite():
        raise diverged(config, here, checkpointer)
    if checkpointer:
        checkpointer.save(here)


HELD_OUT_EPOCH = 2**63
"""The stream of the draws for held-out text: the same at each evaluation, and no epoch's."""


def held_out_loss(
    held_out: Corpus,
    config: TrainConfig,
    threads: int,
    train_spans: SpanTrainer,
    on_event: Callable[[Evaluating], bool | None] = lambda event: None,
) -> tuple[float, float] | None:
    """The mean loss of all predictions of a text and its standard error, at the parameters of now.

    None if `on_event` returns True, which ends it.
    """
    schedule = Schedule.of(len(held_out.ids), config)
    pace = _Pace(config, threads)
    total = np.zeros(STATISTICS)
    first = 0
    while first < schedule.n_spans:
        start = time.perf_counter()
        numbers = np.arange(first, min(schedule.n_spans, first + pace.n_spans))
        statistics = np.zeros((len(numbers), STATISTICS))
        spans = Spans(numbers, np.ones(len(numbers), np.float32), schedule.span_length)
        train_spans(held_out.ids, spans, HELD_OUT_EPOCH, statistics, learn=False)
        total += statistics.sum(axis=0)
        first += len(numbers)
        pace.adapt(len(numbers), time.perf_counter() - start)
        if on_event(Evaluating(first / schedule.n_spans)):
            return None
    if total[N_PREDICTIONS] == 0:
        raise InputError("the held-out text has no line (sentence) with two words of the vocabulary")
    return mean_loss(total)


def diverged(config: TrainConfig, here: Position, checkpointer: Checkpointer | None) -> DivergedError:
    message = (
        f"training diverged to NaN or infinity in epoch {min(here.epoch + 1, config.epochs)}, after {here.n_words} "
        f"words, at lr = {config.first_lr:g}: use a lower --lr. No vectors were written"
    )
    advice = "--continue-from takes it with another --lr"
    return DivergedError(f"{message}. {checkpointer.last_good(advice)}" if checkpointer else message)


def nothing_learnt(config: TrainConfig) -> InputError:
    return InputError(
        "nothing was learnt: no line (sentence) of the corpus holds two words of the vocabulary"
        + (", or too few to survive subsampling (--sample 0 keeps all)" if config.sample else "")
    )
