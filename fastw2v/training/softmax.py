"""Full softmax from the options: how large a batch, how long it would take."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError, MissingExtra
from ..kernels.softmax import BLOCK, train_spans_softmax
from ..kernels.train import Spans, Windows
from .model import Model, model_bytes

BATCH = 256
"""Predictions trained at the same parameters. 64 gave the same quality on wiki8 at 0.6 of the speed; 1024 diverged on a
vocabulary of 100 words at lr 0.05."""

MOST_HOURS = 12.0
"""Longer runs are refused unless forced."""

SHARE_OF_PRODUCTS = 0.6
"""What a batch reaches of the speed of its matrix products alone (benchmarks/softmax.py measures it)."""


class SoftmaxTrainer:
    """A `SpanTrainer` for full softmax."""

    def __init__(self, model: Model, windows: Windows, config: TrainConfig, threads: int) -> None:
        self._model, self._windows, self._config, self._threads = model, windows, config, threads

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        with one_blas_thread():
            train_spans_softmax(
                ids, spans, self._model.input_vectors, self._model.output_vectors, self._model.dim, self._windows,
                BATCH, self._threads, learn, self._config.seed, epoch, statistics,
            )  # fmt: skip


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let a matrix product of NumPy use one thread: the threads are ours.

    Raises MissingExtra where neither the package threadpoolctl nor the environment sees to that.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
            raise MissingExtra("loss softmax from Python", "threadpoolctl") from None
        yield
    else:
        with threadpool_limits(1, "blas"):
            yield


def refuse_absurd(vocabulary: Vocabulary, windows: Windows, config: TrainConfig, threads: int) -> None:
    """Raise InputError with the estimate if the training would take longer than `MOST_HOURS`."""
    n_words = len(vocabulary)
    n_kept = float(vocabulary.counts @ (windows.keep / 2.0**32))
    n_contexts = 2 * config.window if config.fixed_window else config.window + 1
    n_predictions = config.epochs * n_kept * (1 if windows.by_mean else n_contexts)
    with one_blas_thread():
        seconds = n_predictions * n_words * _seconds_of_logit(config.dim) / SHARE_OF_PRODUCTS / threads
    if seconds > MOST_HOURS * 3600 and not config.force:
        memory = 4 * BATCH * n_words + model_bytes(n_words, config.dim)
        raise InputError(
            f"full softmax would take about {seconds / 3600:,.0f} hours here and {memory / 1e9:.1f} GB: "
            f"{n_predictions:.2g} predictions, each against all {n_words:,} words. Use --loss ns or hs, or lower "
            "--max-vocab or --epochs; --force trains all the same"
        )


def _seconds_of_logit(dim: int) -> float:
    """The time of the three matrix products of a batch, for one prediction and one word; measured now."""
    a, b = np.ones((BATCH, dim), np.float32), np.ones((dim, BLOCK), np.float32)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 3 * best / (BATCH * BLOCK)
