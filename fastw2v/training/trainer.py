"""Epochs x slices: calls the kernel, tells how it goes, stops where it must."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import DivergedError, InputError
from ..kernels.jit import in_parallel
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
    train_spans,
)
from .model import Model
from .objective import objective_of, windows_of
from .schedule import Schedule

LOSS_EVERY = 256
"""The loss is taken of one step (a window, or a pair) in this many: below 1 % of the time."""

SLICE_SECONDS = 0.35
"""What one call of the kernel should take: Ctrl-C waits for it, and its end makes threads wait for each other."""


@dataclass(frozen=True)
class Progress:
    """How the training goes, after each slice. Times are in seconds since its start."""

    epoch: int  # from 1
    epochs: int
    n_words: int  # trained so far, all epochs
    n_words_total: int
    n_predictions: int  # of this slice: pairs of a context and a centre word, each with its negatives
    loss: float  # mean of the slice's sampled predictions, natural log; NaN where none was sampled
    loss_error: float  # its standard error
    learning_rate: float
    seconds: float
    words_per_second: float  # of this slice

    @property
    def seconds_left(self) -> float:
        """At the mean speed so far."""
        return self.seconds * (self.n_words_total / max(1, self.n_words) - 1)


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


def train_model(
    model: Model,
    corpus: Corpus,
    config: TrainConfig,
    threads: int,
    on_progress: Callable[[Progress], bool | None] = lambda progress: None,
) -> None:
    """Train `model` in place until the epochs are over or `on_progress` returns True.

    Raises DivergedError within a slice of the first number that is not finite, InputError if there were no pairs.
    """
    schedule = Schedule.of(len(corpus.ids), config)
    windows, objective = windows_of(corpus.vocabulary, config), objective_of(corpus.vocabulary, config, threads)
    n_words = n_predictions = 0
    n_spans_next = threads
    start = time.perf_counter()
    for epoch in range(config.epochs):
        order = schedule.order(epoch)
        first = 0
        while first < len(order):
            slice_start = time.perf_counter()
            numbers = order[first : first + n_spans_next]
            rates = schedule.learning_rates(epoch * schedule.n_spans + first + np.arange(len(numbers)))
            statistics = np.zeros((len(numbers), STATISTICS))
            with in_parallel(threads):
                train_spans(
                    corpus.ids, Spans(numbers, rates, schedule.span_length), model.input_vectors,
                    model.output_vectors, windows, objective, LOSS_EVERY, True, np.uint64(config.seed),
                    np.uint64(epoch), statistics,
                )  # fmt: skip
            total = statistics.sum(axis=0)
            if not np.isfinite(total[LOGIT_SUM]):
                raise _diverged(config, n_words, epoch)
            first += len(numbers)
            n_words += int(total[N_TOKENS])
            n_predictions += int(total[N_PREDICTIONS])
            loss, loss_error = mean_loss(total)
            now = time.perf_counter()
            is_stopped = on_progress(
                Progress(
                    epoch=epoch + 1,
                    epochs=config.epochs,
                    n_words=n_words,
                    n_words_total=config.epochs * corpus.n_tokens,
                    n_predictions=int(total[N_PREDICTIONS]),
                    loss=loss,
                    loss_error=loss_error,
                    learning_rate=float(rates[-1]),
                    seconds=now - start,
                    words_per_second=total[N_TOKENS] / (now - slice_start),
                )
            )
            if is_stopped:
                return
            growth = min(4.0, SLICE_SECONDS / (now - slice_start))
            n_spans_next = max(threads, int(len(numbers) * growth))
    if n_predictions == 0:
        raise InputError(
            "nothing was learnt: no line (sentence) of the corpus holds two words of the vocabulary"
            + (", or too few to survive subsampling (--sample 0 keeps all)" if config.sample else "")
        )
    if not model.is_finite():
        raise _diverged(config, n_words, config.epochs - 1)


def _diverged(config: TrainConfig, n_words: int, epoch: int) -> DivergedError:
    return DivergedError(
        f"training diverged to NaN or infinity in epoch {epoch + 1}, after {n_words} words, at lr = "
        f"{config.first_lr:g}: use a lower --lr. No vectors were written"
    )
