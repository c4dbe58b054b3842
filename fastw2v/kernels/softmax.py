"""Full softmax, the slow exact baseline: every word of the vocabulary is an output of every prediction.

For an input row v (of a context word, or the mean of several) and the output row u_c of the centre word

    loss      -log p_c = log sum_w exp(u_w.v) - u_c.v,   p_w = exp(u_w.v) / sum_x exp(u_x.v)
    gradient  u_w += lr ((w = c) - p_w) v;  v += lr (u_c - sum_w p_w u_w)

(Mikolov et al. 2013, "Distributed representations", equation 2). A batch of predictions is taken at the same
parameters and its gradients are applied together: three matrix products, which NumPy's BLAS does, are nearly all of the
work. The vocabulary is cut into blocks whose logits stay in the cache. The exponentials of a block are taken against
its own largest logit; the factor that puts this right is known when all blocks have been seen, and goes to the small
matrices: nothing of size batch x words is touched again but by BLAS.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .jit import kernel
from .random import advance, below, mix, stream
from .simd import LANES, add, exponential, load, maximum, multiply, splat, store, subtract
from .train import (
    LOGIT_SUM,
    LOSS,
    LOSS_LOSS,
    LOSS_SIZE,
    MAX_SHIFT,
    N_PREDICTIONS,
    N_SAMPLES,
    N_TOKENS,
    SIZE,
    SIZE_SIZE,
    Spans,
    Windows,
    start_of_span,
    subsample,
)

BLOCK = 2048
"""Words of a block: with a batch of 256 their logits are 2 MB. 1024 and 4096 are as fast."""


class Predictions(NamedTuple):
    """Of a span. Prediction i is the word centres[i] from the words contexts[starts[i] : starts[i + 1]].

    windows[i] is its window, numbered from 0: the predictions of one are alike, which a standard error must know.
    """

    contexts: NDArray[np.int32]
    starts: NDArray[np.int64]
    centres: NDArray[np.int32]
    windows: NDArray[np.int32]


def train_spans_softmax(
    ids: NDArray[np.int32],
    spans: Spans,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    dim: int,
    windows: Windows,
    batch_size: int,
    threads: int,
    learn: bool,
    seed: int,
    epoch: int,
    statistics: NDArray[np.float64],
) -> None:
    """Train on the spans, one after the other, in batches of at most `batch_size` predictions.

    As `train_spans`, with the same windows; the loss is that of every prediction, and LOGIT_SUM that of the losses.
    The threads share the blocks of a batch, so BLAS itself should use one thread: where another process takes a core,
    BLAS's own threads wait for each other by spinning, and a product takes 20 times as long instead of twice.
    """
    longest = spans.length + MAX_SHIFT
    most = longest * (1 if windows.by_mean else 2 * windows.window)
    found = Predictions(
        np.empty(2 * windows.window * longest, np.int32), np.empty(most + 1, np.int64), np.empty(most, np.int32),
        np.empty(most, np.int32),
    )  # fmt: skip
    length = min(BLOCK, -(-len(outputs) // threads))
    blocks = [outputs[first : first + length, :dim] for first in range(0, len(outputs), length)]
    powers = np.empty((len(blocks), batch_size * length), np.float32)
    # A run that diverges overflows; its losses tell. NumPy keeps that setting by thread.
    with ThreadPoolExecutor(threads, initializer=lambda: np.seterr(all="ignore")) as pool, np.errstate(all="ignore"):
        for number, learning_rate, totals in zip(spans.numbers, spans.learning_rates, statistics, strict=True):
            n, totals[N_TOKENS] = gather_predictions(
                ids, number, spans.length, windows, np.uint64(seed), np.uint64(epoch), found
            )
            losses = np.empty(n)
            every = -(-n // batch_size)
            for first in range(every):
                losses[first::every] = _train_batch(
                    found, slice(first, n, every), inputs, outputs, blocks, learning_rate if learn else np.float32(0),
                    windows.exact_mean, windows.is_frozen, powers, threads, pool,
                )  # fmt: skip
            window_sizes = np.bincount(found.windows[:n])
            window_losses = np.bincount(found.windows[:n], losses)
            totals[[N_PREDICTIONS, SIZE]] = n
            totals[N_SAMPLES] = len(window_sizes)
            totals[[LOSS, LOGIT_SUM]] = losses.sum()
            totals[LOSS_LOSS] = window_losses @ window_losses
            totals[LOSS_SIZE] = window_losses @ window_sizes
            totals[SIZE_SIZE] = window_sizes @ window_sizes


def _train_batch(
    found: Predictions,
    batch: slice,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    blocks: list[NDArray[np.float32]],
    learning_rate: np.float32,
    exact_mean: bool,
    is_frozen: NDArray[np.bool_],
    powers: NDArray[np.float32],
    threads: int,
    pool: Executor,
) -> NDArray[np.float64]:
    """Move the rows by the gradients of a batch, not at all with a learning rate of 0; return its losses, (n,)."""
    centres = found.centres[batch].copy()
    n = len(centres)
    means = np.empty((n, inputs.shape[1]), np.float32)
    take_means(inputs, found.contexts, found.starts, batch.start, batch.step, means)
    dim = blocks[0].shape[1]
    hidden = means[:, :dim]
    block_powers = [memory[: n * len(block)].reshape(n, -1) for memory, block in zip(powers, blocks, strict=True)]
    largest, sums = np.empty((2, len(blocks), n), np.float32)

    def take_powers(thread: int) -> None:
        for k in range(thread, len(blocks), threads):
            np.matmul(hidden, blocks[k].T, out=block_powers[k])
            take_exponentials(block_powers[k], largest[k], sums[k])

    list(pool.map(take_powers, range(threads)))
    top = largest.max(axis=0)
    shares = np.exp(largest - top)
    total = (shares * sums).sum(axis=0)
    centre_rows = outputs[centres]
    losses = np.log(total, dtype=np.float64) + top - np.einsum("ij,ij->i", means, centre_rows)
    if learning_rate:
        shares *= learning_rate / total

        def move_blocks(thread: int) -> NDArray[np.float32]:
            pull = np.zeros((n, dim), np.float32)
            for k in range(thread, len(blocks), threads):
                share = shares[k, :, None]
                pull += (block_powers[k] @ blocks[k]) * share
                np.subtract(blocks[k], block_powers[k].T @ (hidden * share), out=blocks[k])
            return pull

        steps = centre_rows * learning_rate
        for pull in pool.map(move_blocks, range(threads)):
            steps[:, :dim] -= pull
        add_steps(inputs, found.contexts, found.starts, batch.start, batch.step, steps, exact_mean, is_frozen)
        add_steps(outputs, centres, np.arange(n + 1), 0, 1, means * learning_rate, False, is_frozen[:0])
    return losses


@kernel
def gather_predictions(
    ids: NDArray[np.int32], span: int, span_length: int, windows: Windows, seed: np.uint64, epoch: np.uint64,
    found: Predictions,
) -> tuple[int, int]:  # fmt: skip
    """Write the predictions of a span to `found`; return their number and that of the words read."""
    start, stop = start_of_span(ids, span, span_length), start_of_span(ids, span + 1, span_length)
    state = stream(stream(seed, epoch), np.uint64(span))
    kept = np.empty(stop - start + 1, np.int32)
    n_kept, n_tokens, state = subsample(ids, start, stop, windows.keep, state, kept, 0, 0)
    n = n_contexts = n_windows = 0
    found.starts[0] = 0
    sentence = 0
    while sentence < n_kept:
        sentence_end = sentence
        while kept[sentence_end] >= 0:
            sentence_end += 1
        for position in range(sentence, sentence_end):
            reach = windows.window
            if not windows.fixed_window:
                state = advance(state)
                reach = 1 + below(mix(state), np.uint64(reach))
            before = n_contexts
            for other in range(max(sentence, position - reach), min(sentence_end, position + reach + 1)):
                if other == position:
                    continue
                found.contexts[n_contexts] = kept[other]
                n_contexts += 1
                if not windows.by_mean or n_contexts == before + 1:
                    found.centres[n] = kept[position]
                    found.windows[n] = n_windows
                    n += 1
                found.starts[n] = n_contexts
            if n_contexts > before:
                n_windows += 1
        sentence = sentence_end + 1
    return n, n_tokens


@kernel
def take_means(
    matrix: NDArray[np.float32], rows: NDArray[np.int32], starts: NDArray[np.int64], first: int, every: int,
    means: NDArray[np.float32],
) -> None:  # fmt: skip
    """means[i] = the mean of the rows of prediction first + i * every."""
    stride = matrix.shape[1]
    for i in range(means.shape[0]):
        start, stop = starts[first + i * every], starts[first + i * every + 1]
        share = splat(np.float32(1.0) / np.float32(stop - start))
        for column in range(0, stride, LANES):
            total = load(matrix, np.int64(rows[start]) * stride + column)
            for place in range(start + 1, stop):
                total = add(total, load(matrix, np.int64(rows[place]) * stride + column))
            store(means, i * stride + column, multiply(total, share))


@kernel
def add_steps(
    matrix: NDArray[np.float32], rows: NDArray[np.int32], starts: NDArray[np.int64], first: int, every: int,
    steps: NDArray[np.float32], divide: bool, is_frozen: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Add steps[i] to each row of prediction first + i * every, if `divide` its share of it, but not to frozen rows."""
    stride = matrix.shape[1]
    for i in range(steps.shape[0]):
        start, stop = starts[first + i * every], starts[first + i * every + 1]
        share = splat(np.float32(1.0) / np.float32(stop - start if divide else 1))
        for column in range(0, stride, LANES):
            moved = multiply(load(steps, i * stride + column), share)
            for place in range(start, stop):
                row = np.int64(rows[place]) * stride + column
                if is_frozen.shape[0] == 0 or not is_frozen[rows[place]]:
                    store(matrix, row, add(load(matrix, row), moved))


@kernel
def take_exponentials(logits: NDArray[np.float32], largest: NDArray[np.float32], sums: NDArray[np.float32]) -> None:
    """Overwrite each row of logits by exp(logit - its largest); give the largest, and the sum of the exponentials.

    logits: (n, n_words) float32, C order.
    """
    n, n_words = logits.shape
    lanes = np.empty(LANES, np.float32)
    whole = n_words - n_words % LANES
    for row in range(n):
        start = row * n_words
        top = splat(np.float32(-np.inf))
        for column in range(start, start + whole, LANES):
            top = maximum(top, load(logits, column))
        store(lanes, 0, top)
        highest = lanes.max()
        for column in range(whole, n_words):
            highest = max(highest, logits[row, column])
        shift = splat(highest)
        total = splat(np.float32(0.0))
        for column in range(start, start + whole, LANES):
            power = exponential(subtract(load(logits, column), shift))
            store(logits, column, power)
            total = add(total, power)
        store(lanes, 0, total)
        rest = np.float32(0.0)
        for column in range(whole, n_words):
            logits[row, column] = math.exp(logits[row, column] - highest)
            rest += logits[row, column]
        largest[row], sums[row] = highest, lanes.sum() + rest
