"""Full softmax, the slow exact baseline: every word of the vocabulary is an output of every prediction.

For an input row v (of a context word, or the mean of several) and the output row u_c of the centre word

    loss      -log p_c = log sum_w exp(u_w.v) - u_c.v,   p_w = exp(u_w.v) / sum_x exp(u_x.v)
    gradient  u_w += lr ((w = c) - p_w) v;  v += lr (u_c - sum_w p_w u_w)

(Mikolov et al. 2013, "Distributed representations", equation 2). The gradients of a batch of predictions are taken at
the same parameters and applied together. Nearly all of the work is three matrix products, by NumPy's BLAS
(training/softmax.py). The rest is compiled here: the predictions of a span, exponentials, means and steps of rows.
"""

import math
from typing import NamedTuple

import numpy as np

from .jit import Bools, Float32s, Int32s, Int64s, kernel
from .simd import LANES, add, exponential, load, maximum, multiply, splat, store, subtract
from .walk import BEFORE_FIRST, Windows, next_window, state_of_span, subsample


class Predictions(NamedTuple):
    """The predictions of a span: prediction i is of the word centres[i] from contexts[starts[i] : starts[i + 1]].

    windows[i] is the number of its window: predictions of one window are alike, which matters to a standard error.
    """

    contexts: Int32s
    starts: Int64s
    centres: Int32s
    windows: Int32s


class Groups(NamedTuple):
    """Groups of rows of a matrix: group i is rows[starts[k] : starts[k + 1]], k = first + i * every."""

    rows: Int32s
    starts: Int64s
    first: int
    every: int


@kernel
def gather_predictions(
    ids: Int32s,
    span: int,
    span_length: int,
    windows: Windows,
    seed: np.uint64,
    epoch: np.uint64,
    predictions: Predictions,
) -> tuple[int, int]:
    """Write the predictions of a span, with the draws of `train_spans`; return their number, and that of its tokens."""
    kept, n_kept, n_tokens, state = subsample(ids, span, span_length, windows, state_of_span(seed, epoch, span))
    window = BEFORE_FIRST
    n = n_contexts = n_windows = 0
    predictions.starts[0] = 0
    for _ in range(n_kept):
        window, state = next_window(kept, window, windows, state)
        before = n_contexts
        for position in range(window.first, window.stop):
            if position == window.centre:
                continue
            predictions.contexts[n_contexts] = kept[position]
            n_contexts += 1
            if not windows.by_mean or n_contexts == before + 1:
                predictions.centres[n] = kept[window.centre]
                predictions.windows[n] = n_windows
                n += 1
            predictions.starts[n] = n_contexts
        if n_contexts > before:
            n_windows += 1
    return n, n_tokens


@kernel
def take_means(matrix: Float32s, groups: Groups, means: Float32s) -> None:
    """Write the mean of each group of rows to means, (n_groups, stride)."""
    stride = matrix.shape[1]
    for i in range(means.shape[0]):
        start, stop = groups.starts[groups.first + i * groups.every], groups.starts[groups.first + i * groups.every + 1]
        share = splat(np.float32(1.0) / np.float32(stop - start))
        for column in range(0, stride, LANES):
            total = load(matrix, np.int64(groups.rows[start]) * stride + column)
            for place in range(start + 1, stop):
                total = add(total, load(matrix, np.int64(groups.rows[place]) * stride + column))
            store(means, i * stride + column, multiply(total, share))


@kernel
def add_steps(matrix: Float32s, groups: Groups, steps: Float32s, divide: bool, is_frozen: Bools) -> None:
    """Add steps[i] to each row of group i, or if `divide` its share of it, but not to frozen rows."""
    stride = matrix.shape[1]
    for i in range(steps.shape[0]):
        start, stop = groups.starts[groups.first + i * groups.every], groups.starts[groups.first + i * groups.every + 1]
        share = splat(np.float32(1.0) / np.float32(stop - start if divide else 1))
        for column in range(0, stride, LANES):
            moved = multiply(load(steps, i * stride + column), share)
            for place in range(start, stop):
                row = np.int64(groups.rows[place]) * stride + column
                if is_frozen.shape[0] == 0 or not is_frozen[groups.rows[place]]:
                    store(matrix, row, add(load(matrix, row), moved))


@kernel
def take_exponentials(logits: Float32s, largest: Float32s, sums: Float32s) -> None:
    """Replace the logits of each row by exp(logit - largest), and write the largest and the sum of the exponentials.

    logits: (n, n_words) float32 in C order. largest, sums: (n,) float32.
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
