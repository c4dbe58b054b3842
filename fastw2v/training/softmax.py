"""Full softmax from the options: how large a batch, how long it would take."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import InputError, MissingExtra
from ..kernels.softmax import BLOCK, train_spans_softmax
from ..kernels.train import Spans, Windows
from .model import Model, model_bytes

BATCH = 256
"""Predictions trained at the same parameters. 64 gave the same quality on wiki8 at 0.6 of the speed; 1024 diverged on a
vocabulary of 100 words at lr 0.05."""

BATCH_OF_WHOLE_STEPS = 64
"""The same for CBOW where each context word gets the whole step of the mean: it is several times as long."""

MOST_HOURS = 12.0
"""Longer runs are refused unless forced."""

SHARE_OF_PRODUCTS = 0.6
"""What a batch reaches of the speed of its matrix products alone (benchmarks/softmax.py measures it)."""


class SoftmaxTrainer:
    """A `SpanTrainer` for full softmax.

    Raises MissingExtra where a number of threads is asked for that cannot be kept to: NumPy's BLAS is told to use one,
    as the threads are ours, by the package threadpoolctl or the environment; else BLAS uses as many as it likes.
    """

    def __init__(self, model: Model, windows: Windows, config: TrainConfig, threads: int) -> None:
        self._model, self._windows, self._config, self._threads = model, windows, config, threads
        if not _can_limit_blas():
            if config.threads is not None:
                raise MissingExtra("threads with loss softmax, from Python,", "threadpoolctl")
            self._threads = 1
        self._batch = BATCH_OF_WHOLE_STEPS if windows.by_mean and not windows.exact_mean else BATCH

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        with one_blas_thread():
            train_spans_softmax(
                ids, spans, self._model.input_vectors, self._model.output_vectors, self._model.dim, self._windows,
                self._batch, self._threads, learn, self._config.seed, epoch, statistics,
            )  # fmt: skip


def _can_limit_blas() -> bool:
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        return True
    try:
        import threadpoolctl  # noqa: F401
    except ImportError:
        return False
    return True


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let a matrix product of NumPy use one thread, if the package threadpoolctl is there."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
    else:
        with threadpool_limits(1, "blas"):
            yield


def refuse_absurd(text: Corpus, held_out: Corpus | None, windows: Windows, config: TrainConfig, threads: int) -> None:
    """Raise InputError with the estimate if the training would take longer than `MOST_HOURS`."""
    n_words = len(text.vocabulary)
    counts = text.vocabulary.counts
    kept = (counts @ (windows.keep / 2.0**32)) / counts.sum()
    n_tokens = config.epochs * text.n_tokens + (config.epochs + 1) / 3 * (held_out.n_tokens if held_out else 0)
    n_contexts = 2 * config.window if config.fixed_window else config.window + 1
    n_predictions = kept * n_tokens * (1 if windows.by_mean else n_contexts)
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
