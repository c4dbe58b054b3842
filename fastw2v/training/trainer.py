"""Epochs x slices: calls the kernel, tells how it goes, stops where it must."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.vocabulary import Vocabulary
from ..errors import DivergedError, InputError
from ..kernels.alias import build_alias_table
from ..kernels.jit import in_parallel
from ..kernels.train import (
    LOGIT_SUM,
    LOSS_SUM,
    N_LOSSES,
    N_PREDICTIONS,
    N_TOKENS,
    STATISTICS,
    Sampling,
    Spans,
    train_spans,
)
from .model import Model
from .schedule import Schedule

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
    learning_rate: float
    seconds: float
    words_per_second: float  # of this slice

    @property
    def seconds_left(self) -> float:
        """At the mean speed so far."""
        return self.seconds * (self.n_words_total / max(1, self.n_words) - 1)


def sampling_of(vocabulary: Vocabulary, config: TrainConfig) -> Sampling:
    """The tables the kernel draws from."""
    keep = vocabulary.keep_probability(config.sample, config.sample_formula)
    noise = np.empty(len(vocabulary), np.uint64)
    build_alias_table(vocabulary.noise_weights(config.ns_exponent), noise)
    return Sampling(
        np.minimum(keep * 2.0**32, 2.0**32 - 1).astype(np.uint32),
        noise,
        config.window,
        config.fixed_window,
        config.negative,
        config.update == "window",
    )


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
    sampling = sampling_of(corpus.vocabulary, config)
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
                    model.output_vectors, sampling, np.uint64(config.seed), np.uint64(epoch), statistics,
                )  # fmt: skip
            total = statistics.sum(axis=0)
            if not np.isfinite(total[LOGIT_SUM]):
                raise _diverged(config, n_words, epoch)
            first += len(numbers)
            n_words += int(total[N_TOKENS])
            n_predictions += int(total[N_PREDICTIONS])
            now = time.perf_counter()
            is_stopped = on_progress(
                Progress(
                    epoch=epoch + 1,
                    epochs=config.epochs,
                    n_words=n_words,
                    n_words_total=config.epochs * corpus.n_tokens,
                    n_predictions=int(total[N_PREDICTIONS]),
                    loss=float(total[LOSS_SUM] / total[N_LOSSES]) if total[N_LOSSES] else float("nan"),
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
        f"training diverged to NaN or infinity in epoch {epoch + 1}, after {n_words} words, at lr = {config.lr:g}: "
        "use a lower --lr. No vectors were written"
    )
