"""The loss of text that is not trained on."""

import time
from collections.abc import Callable

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import InputError
from ..events import Evaluating
from ..kernels.statistics import N_PREDICTIONS, STATISTICS, mean_loss
from ..kernels.walk import Spans
from .objective import SpanTrainer
from .schedule import Schedule, SliceLength

HELD_OUT_EPOCH = 2**63
"""The epoch whose random streams are those of held-out text: always the same, and never trained."""


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
        statistics = np.zeros((len(numbers), STATISTICS))
        spans = Spans(numbers, np.ones(len(numbers), np.float32), schedule.span_length)
        take_loss(text.ids, spans, HELD_OUT_EPOCH, statistics, learn=False)
        total += statistics.sum(axis=0)
        first += len(numbers)
        slice_length.adapt(len(numbers), time.perf_counter() - start)
        tell(Evaluating(first / schedule.n_spans))
    if total[N_PREDICTIONS] == 0:
        raise InputError(
            "the held-out text has no line (sentence) with two words of the vocabulary "
            "that subsampling (--sample) keeps"
        )
    return mean_loss(total)
