"""The loss at the present parameters: of text that is not trained on, and of a sample of the text that is."""

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import InputError
from ..events import Evaluating
from ..kernels.statistics import N_PREDICTIONS, STATISTICS, mean_loss
from ..kernels.walk import Spans
from .schedule import Schedule, SliceLength
from .trainers import SpanTrainer

EVALUATION = 2**63
"""The epoch whose random streams are those of evaluations: always the same, and never trained."""

SPAN_LENGTH = 1_000
"""The ids of a span of the sample: short, so that the sample is spread over the text."""

SHARE_OF_TEXT, MOST_IDS = 0.005, 200_000
"""The size of the sample: this share of the text, or so many ids, whose loss has a standard error of 0.003."""

SHARE_OF_TIME = 0.015
"""The share of the time that the loss of the sample may take; at the end of an epoch it is taken at any rate."""


def held_out_loss(
    text: Corpus, config: TrainConfig, threads: int, take_loss: SpanTrainer, tell: Callable[[Evaluating], object]
) -> tuple[float, float]:
    """The mean loss of all predictions of the text at the present parameters, and its standard error.

    The random draws are the same at each call. `tell` receives an `Evaluating` after each slice and may end the
    evaluation by an exception. Raises InputError if the text has no predictions.
    """
    schedule, slice_length = Schedule.of(text.n_ids, config), SliceLength(config, threads)
    total, first = np.zeros(STATISTICS), 0
    while first < schedule.n_spans:
        start = time.perf_counter()
        numbers = np.arange(first, min(first + slice_length.n_spans, schedule.n_spans))
        statistics = _statistics(text.ids, numbers, schedule.span_length, take_loss)
        total = np.add.accumulate(np.vstack([total, statistics]))[-1]  # one by one: the slices depend on the time
        first += len(numbers)
        slice_length.adapt(len(numbers), time.perf_counter() - start)
        tell(Evaluating(first / schedule.n_spans))
    if total[N_PREDICTIONS] == 0:
        raise InputError(
            "the held-out text has no line (sentence) with two words of the vocabulary "
            "that subsampling (--sample) keeps: give more of it"
        )
    return mean_loss(total)


class SampleLoss:
    """The loss of a sample of the text.

    value: the mean loss of a prediction when it was last taken, and its standard error; NaN before.
    """

    def __init__(self, ids: NDArray[np.int32], take_loss: SpanTrainer) -> None:
        self._ids, self._take_loss = ids, take_loss
        self._seconds = self._last_seconds = 0.0
        self.value = math.nan, math.nan

    def is_due(self, seconds: float) -> bool:
        """Return whether to take the loss again keeps to the share of the time. seconds: of training so far, here."""
        return self._seconds + self._last_seconds <= SHARE_OF_TIME * seconds

    def take(self) -> None:
        """Take the loss at the present parameters."""
        start = time.perf_counter()
        self.value = mean_loss(sample_statistics(self._ids, len(self._ids), self._take_loss))
        self._last_seconds = time.perf_counter() - start
        self._seconds += self._last_seconds


def sample_statistics(ids: NDArray[np.int32], n_trained: int, take_loss: SpanTrainer) -> NDArray[np.float64]:
    """Return the summed statistics, (STATISTICS,), of a sample that is spread over the text, the same each time.

    n_trained: the number of ids that were trained for it; the sample is a small share of that.
    """
    n_spans = -(-len(ids) // SPAN_LENGTH)
    n_sampled = max(1, int(min(SHARE_OF_TEXT * n_trained, MOST_IDS)) // SPAN_LENGTH)
    numbers = (np.arange(n_sampled) * n_spans + n_spans // 2) // n_sampled
    total: NDArray[np.float64] = _statistics(ids, numbers, SPAN_LENGTH, take_loss).sum(axis=0)
    return total


def _statistics(
    ids: NDArray[np.int32], numbers: NDArray[np.int64], span_length: int, take_loss: SpanTrainer
) -> NDArray[np.float64]:
    """Return the statistics of spans whose loss is taken, (n_spans, STATISTICS)."""
    statistics = np.zeros((len(numbers), STATISTICS))
    spans = Spans(numbers, np.ones(len(numbers), np.float32), span_length)
    take_loss(ids, spans, EVALUATION, statistics, learn=False)
    return statistics
