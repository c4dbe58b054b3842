"""Full softmax: batches of predictions by matrix products, on threads that share the blocks of the vocabulary."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError, MissingExtra
from ..kernels import statistics as columns
from ..kernels.softmax import Groups, Predictions, add_steps, gather_predictions, take_exponentials, take_means
from ..kernels.walk import MAX_SHIFT, Spans, Windows
from ..threads import Pool
from .matrices import Matrices, matrix_bytes, none_frozen

BATCH = 256
"""The number of predictions trained at the same parameters. 64 gave the same quality on wiki8 at 0.6 of the speed; 1024
diverged on a vocabulary of 100 words at lr 0.05."""

BATCH_OF_WHOLE_STEPS = 64
"""The size of a batch for CBOW where each context gets the whole step of the mean, which is several times as long."""

BLOCK = 2048
"""The number of words in a block: with a batch of 256 their logits are 2 MB. 1024 and 4096 are as fast."""

MOST_HOURS = 12.0
"""The estimated time above which a run is refused unless forced."""

SHARE_OF_PRODUCTS = 0.6
"""The speed of a batch as a share of that of its matrix products alone (benchmarks/softmax.py measures it)."""


class SoftmaxTrainer:
    """A `SpanTrainer` for full softmax, which trains one span after the other, in batches.

    Its threads are its own, so NumPy's BLAS should use one: either the package threadpoolctl or the environment tells
    it to. If neither does, BLAS uses as many threads as it likes; MissingExtra is raised if the user wants a certain
    number of threads, or the same bytes on any number of them.
    """

    def __init__(self, matrices: Matrices, windows: Windows, config: TrainConfig, threads: int) -> None:
        self._matrices, self._windows, self._seed, self._threads = matrices, windows, np.uint64(config.seed), threads
        if not _can_limit_blas():
            if config.threads is not None or config.deterministic:
                what = "threads" if config.threads is not None else "deterministic"
                raise MissingExtra(f"setting {what} for loss softmax from Python", "threadpoolctl")
            self._threads = 1
        self._n_blocks = config.tracks if config.deterministic else self._threads  # at least, so that all have work
        self._batch_size = BATCH_OF_WHOLE_STEPS if windows.by_mean and not windows.exact_mean else BATCH

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss.

        The windows are those of the other losses. Every prediction is a sample, and LOGIT_SUM is the sum of losses.
        """
        predictions = _room_for_predictions(spans.length, self._windows)
        with _thread_pool(self._threads) as pool:
            blocks = _Blocks(self._matrices.word_outputs, self._n_blocks, self._batch_size, self._threads, pool)
            for number, rate, totals in zip(spans.numbers, spans.learning_rates, statistics, strict=True):
                n, totals[columns.N_TOKENS] = gather_predictions(
                    ids, number, spans.length, self._windows, self._seed, np.uint64(epoch), predictions
                )
                losses = np.empty(n)
                n_batches = -(-n // self._batch_size)
                for first in range(n_batches):
                    batch = slice(first, n, n_batches)
                    losses[batch] = self._train_batch(predictions, batch, blocks, rate if learn else np.float32(0))
                _fill_statistics(totals, losses, predictions.windows[:n])

    def _train_batch(
        self, predictions: Predictions, batch: slice, blocks: _Blocks, learning_rate: np.float32
    ) -> NDArray[np.float64]:
        """Move the rows by the gradients of a batch, not at all with a learning rate of 0; return its losses, (n,)."""
        inputs, outputs, dim = self._matrices.input_vectors, self._matrices.output_vectors, self._matrices.dim
        contexts = Groups(predictions.contexts, predictions.starts, batch.start, batch.step)
        centres = predictions.centres[batch].copy()
        means = np.empty((len(centres), inputs.shape[1]), np.float32)
        take_means(inputs, contexts, means)
        centre_rows = outputs[centres]
        losses: NDArray[np.float64] = blocks.take_log_sums(means[:, :dim]) - np.einsum("ij,ij->i", means, centre_rows)
        if learning_rate:
            steps = centre_rows * learning_rate
            for pull in blocks.move(means[:, :dim], learning_rate):
                steps[:, :dim] -= pull
            add_steps(inputs, contexts, steps, self._windows.exact_mean, self._windows.is_frozen)
            each_centre = Groups(centres, np.arange(len(centres) + 1), 0, 1)
            add_steps(outputs, each_centre, means * learning_rate, False, none_frozen())
        return losses


class _Blocks:
    """The output vectors in blocks whose logits stay in the cache, and which the threads of a pool share.

    The exponentials of a block are relative to its own largest logit. The factor that corrects them is known only when
    all blocks are done. It is applied to the small matrices, so that nothing of size batch x words is written again.
    """

    def __init__(
        self, outputs: NDArray[np.float32], n_least: int, batch_size: int, threads: int, pool: Executor
    ) -> None:
        length = min(BLOCK, -(-len(outputs) // n_least))
        self._blocks = [outputs[first : first + length] for first in range(0, len(outputs), length)]
        self._memory = np.empty((len(self._blocks), batch_size * length), np.float32)
        self._threads, self._pool = threads, pool

    def take_log_sums(self, means: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return log sum_w exp(u_w.v) for each input row v of a batch, (n, dim)."""
        n = len(means)
        self._powers = [
            memory[: n * len(block)].reshape(n, -1) for memory, block in zip(self._memory, self._blocks, strict=True)
        ]
        largest, sums = np.empty((2, len(self._blocks), n), np.float32)

        def take_powers(thread: int) -> None:
            for k in range(thread, len(self._blocks), self._threads):
                np.matmul(means, self._blocks[k].T, out=self._powers[k])
                take_exponentials(self._powers[k], largest[k], sums[k])

        list(self._pool.map(take_powers, range(self._threads)))
        top = largest.max(axis=0)
        self._factors = np.exp(largest - top)
        self._totals: NDArray[np.float32] = (self._factors * sums).sum(axis=0)
        log_sums: NDArray[np.float64] = np.log(self._totals, dtype=np.float64) + top
        return log_sums

    def move(self, means: NDArray[np.float32], learning_rate: np.float32) -> Iterator[NDArray[np.float32]]:
        """Move each output vector u_w by -lr p_w v, after `take_log_sums`; yield parts of lr sum_w p_w u_w."""
        shares = self._factors * (learning_rate / self._totals)

        def move_block(k: int) -> NDArray[np.float32]:
            block, powers, share = self._blocks[k], self._powers[k], shares[k, :, None]
            pull: NDArray[np.float32] = (powers @ block) * share
            np.subtract(block, powers.T @ (means * share), out=block)
            return pull

        return self._pool.map(move_block, range(len(self._blocks)))  # in this order, whichever is done first


def _room_for_predictions(span_length: int, windows: Windows) -> Predictions:
    longest = span_length + MAX_SHIFT
    n_contexts = 2 * windows.window * longest
    n = longest if windows.by_mean else n_contexts
    contexts, centres, numbers = np.empty(n_contexts, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    return Predictions(contexts, starts=np.empty(n + 1, np.int64), centres=centres, windows=numbers)


def _fill_statistics(totals: NDArray[np.float64], losses: NDArray[np.float64], windows: NDArray[np.int32]) -> None:
    """Fill the statistics of a span with the windows as samples. windows: (n,), the window of each prediction."""
    sizes, losses_of_windows = np.bincount(windows), np.bincount(windows, losses)
    totals[[columns.N_PREDICTIONS, columns.SIZE]] = len(losses)
    totals[columns.N_SAMPLES] = len(sizes)
    totals[[columns.LOSS, columns.LOGIT_SUM]] = losses.sum()
    totals[columns.LOSS_LOSS] = losses_of_windows @ losses_of_windows
    totals[columns.LOSS_SIZE] = losses_of_windows @ sizes
    totals[columns.SIZE_SIZE] = sizes @ sizes


@contextmanager
def _thread_pool(threads: int) -> Iterator[Executor]:
    """Run a pool of threads, while BLAS uses one thread in each.

    With threads of its own, BLAS waits for them by spinning: if another process takes a core, a product takes 20 times
    as long instead of twice.
    """
    # A run that diverges overflows, which its losses tell. NumPy has this setting for each thread.
    ignore = partial(np.seterr, all="ignore")
    with one_blas_thread(), Pool(threads, initializer=ignore) as pool, np.errstate(all="ignore"):
        yield pool


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
    """Limit NumPy's matrix products to one thread, if the package threadpoolctl is installed."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
    else:
        with threadpool_limits(1, "blas"):
            yield


def refuse_absurd(
    vocabulary: Vocabulary, n_tokens: int, n_held_out: int, windows: Windows, config: TrainConfig, threads: int
) -> None:
    """Raise InputError with an estimate if the training would take longer than `MOST_HOURS`, unless it is forced.

    n_tokens, n_held_out: the tokens of the corpus and of the held-out text.
    """
    n_words, weights = len(vocabulary), vocabulary.weights
    kept = (weights @ (windows.keep / 2.0**32)) / weights.sum()
    n_visited = config.epochs * n_tokens + (config.epochs + 1) / 3 * n_held_out
    n_contexts = 2 * config.window if config.fixed_window else config.window + 1
    n_predictions = kept * n_visited * (1 if windows.by_mean else n_contexts)
    with one_blas_thread():
        seconds = n_predictions * n_words * _seconds_of_logit(config.dim) / SHARE_OF_PRODUCTS / threads
    if seconds > MOST_HOURS * 3600 and not config.force_softmax:
        memory = 4 * BATCH * n_words + 2 * matrix_bytes(n_words, config.dim)
        raise InputError(
            f"full softmax would take about {seconds / 3600:,.0f} hours here and {memory / 1e9:.1f} GB: "
            f"{n_predictions:.2g} predictions, each against all {n_words:,} words. Use --loss ns or hs, or lower "
            "--max-vocab or --epochs; --force-softmax trains anyway"
        )


def _seconds_of_logit(dim: int) -> float:
    """Measure the seconds that the matrix products of a batch take for one prediction and one word."""
    a, b = np.ones((BATCH, dim), np.float32), np.ones((dim, BLOCK), np.float32)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 3 * best / (BATCH * BLOCK)
