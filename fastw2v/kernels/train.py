"""The walk over the corpus: subsample, choose the window, draw negatives, update. Hogwild over spans."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .alias import draw_alias
from .jit import inlined, kernel, parallel_kernel
from .random import advance, below, mix, stream
from .simd import LANES, add, load, prefetch, store, subtract
from .update import (
    Scratch,
    fill_last_tile,
    loss_of_logits,
    new_scratch,
    set_output,
    spread_step,
    step,
    take_logits,
    take_mean,
)

CACHE_LINE = 16  # float32
STATISTICS = 32
"""float64 of one span's counters: 256 bytes, so that two threads never write to neighbouring cache lines."""

N_TOKENS, N_PREDICTIONS, LOGIT_SUM, N_SAMPLES, LOSS, SIZE, LOSS_LOSS, LOSS_SIZE, SIZE_SIZE = range(9)
"""Columns of the statistics: words of the span, predictions trained; sum of all logits, which is finite as long as
training is; of the steps whose loss was taken their number, the sums of their loss and size (predictions), and the sums
of squares and products of the two, for the standard error of sum(loss) / sum(size)."""

MAX_SHIFT = 500
"""Ids by which a span may start later than planned; below the length of any span."""


class Windows(NamedTuple):
    """What is predicted from what: a centre word from each of its contexts (skip-gram), or from their mean (CBOW)."""

    keep: NDArray[np.uint32]  # a token of word w is kept where 32 random bits are <= keep[w]
    window: int
    fixed_window: bool
    by_mean: bool
    exact_mean: bool  # each context gets 1 / n of the mean's step, its gradient; word2vec.c gives it the whole step


class Objective(NamedTuple):
    """Which output rows a prediction has, and with which labels."""

    by_path: bool  # hierarchical softmax; else negative sampling
    share_negatives: bool  # one draw for all pairs of a window, or fresh ones for each pair
    n_negatives: int
    noise: NDArray[np.uint64]  # alias table of the negatives
    path_starts: NDArray[np.int64]  # the path of word w is at [path_starts[w] : path_starts[w + 1]]
    path_nodes: NDArray[np.int32]
    path_labels: NDArray[np.float32]
    longest_path: int
    # Hot rows: the first layers of the tree, which every step of every thread would write. Each thread works on copies
    # and merges now and then; without them two threads are slower than one, as their caches take the rows from each
    # other at every step.
    first_hot: int  # from this row on
    n_hot: int
    copies: int  # thread t has its copies from row copies + t * n_hot on, behind the matrix proper
    merge_every: int  # steps


class Spans(NamedTuple):
    """Pieces of the corpus, in the order of their visit."""

    numbers: NDArray[np.int64]  # span i is ids[i * length : (i + 1) * length], and draws from stream i
    learning_rates: NDArray[np.float32]
    length: int


@inlined
def start_of_span(ids: NDArray[np.int32], span: int, length: int) -> int:
    """Where a span starts: at a sentence's start if one is near, so that no window is cut."""
    start = min(span * length, ids.shape[0])
    if start == 0:
        return 0
    for position in range(start, min(start + MAX_SHIFT, ids.shape[0])):
        if ids[position - 1] < 0:
            return position
    return start


@inlined
def subsample(
    ids: NDArray[np.int32], start: int, stop: int, keep: NDArray[np.uint32], state: np.uint64, kept: NDArray[np.int32]
) -> tuple[int, int, np.uint64]:
    """Copy the kept tokens of ids[start:stop] and the sentence ends (-1), close the last sentence.

    Returns how much was copied, how many words were read, and the state of the random stream.
    """
    n_kept = n_ends = 0
    for position in range(start, stop):
        word = ids[position]
        if word < 0:
            kept[n_kept] = -1
            n_kept += 1
            n_ends += 1
        else:
            state = advance(state)
            if np.uint32(mix(state) >> np.uint64(32)) <= keep[word]:
                kept[n_kept] = word
                n_kept += 1
    kept[n_kept] = -1
    return n_kept + 1, stop - start - n_ends, state


@inlined
def _prefetch_row(matrix: NDArray[np.float32], word: int) -> None:
    """Ask for the row of a word; a sentence end has none."""
    if word >= 0:
        stride = matrix.shape[1]
        for column in range(0, stride, CACHE_LINE):
            prefetch(matrix, np.int64(word) * stride + column)


@inlined
def _gather_contexts(scratch: Scratch, kept: NDArray[np.int32], centre: int, first: int, stop: int, stride: int) -> int:
    """The words around position `centre` become the contexts of the step; return their number."""
    n_contexts = 0
    for position in range(first, stop):
        if position != centre:
            scratch.contexts[n_contexts] = np.int64(kept[position]) * stride
            n_contexts += 1
    return n_contexts


@inlined
def _draw_negatives(
    noise: NDArray[np.uint64], state: np.uint64, negatives: NDArray[np.int64], outputs: NDArray[np.float32]
) -> np.uint64:
    """Draw the negatives of the next step, so that their rows are on the way while this step computes."""
    for i in range(negatives.shape[0]):
        state = advance(state)
        negatives[i] = draw_alias(noise, mix(state))
        _prefetch_row(outputs, negatives[i])
    return state


@inlined
def _choose_negatives(
    scratch: Scratch, centre: int, negatives: NDArray[np.int64], stride: int, learning_rate: float
) -> int:
    """Centre and negatives become the outputs of the step: without the centre's equals, repeats counted twice."""
    set_output(scratch, 0, centre * stride, 1.0, learning_rate)
    n_outputs = 1
    for i in range(negatives.shape[0]):
        word = negatives[i]
        if word == centre:
            continue
        n_equal = 1
        for other in range(i):
            if negatives[other] == word:
                n_equal += 1
        if n_equal == 1:
            set_output(scratch, n_outputs, word * stride, 0.0, learning_rate)
            n_outputs += 1
        else:
            place = 1
            while scratch.outputs[place] != word * stride:
                place += 1
            set_output(scratch, place, word * stride, 0.0, n_equal * learning_rate)
    return n_outputs


@inlined
def _choose_path(
    scratch: Scratch, centre: int, objective: Objective, copies: int, stride: int, learning_rate: float
) -> int:
    """The nodes above the centre become the outputs of the step; of hot ones the copies, from row `copies` on."""
    start = objective.path_starts[centre]
    n_outputs = objective.path_starts[centre + 1] - start
    for i in range(n_outputs):
        row = np.int64(objective.path_nodes[start + i])
        if row >= objective.first_hot:
            row += copies - objective.first_hot
        set_output(scratch, i, row * stride, objective.path_labels[start + i], learning_rate)
    return n_outputs


@inlined
def _copy_hot_rows(outputs: NDArray[np.float32], merged: NDArray[np.float32], first: int, copies: int) -> None:
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            value = load(outputs, (first + i) * stride + column)
            store(outputs, (copies + i) * stride + column, value)
            store(merged, i * stride + column, value)


@inlined
def _merge_hot_rows(outputs: NDArray[np.float32], merged: NDArray[np.float32], first: int, copies: int) -> None:
    """Add what this thread's copies have moved by since the last merge to the shared rows, and take those over."""
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            shared, copy = (first + i) * stride + column, (copies + i) * stride + column
            moved = subtract(load(outputs, copy), load(merged, i * stride + column))
            value = add(load(outputs, shared), moved)
            store(outputs, shared, value)
            store(outputs, copy, value)
            store(merged, i * stride + column, value)


@inlined
def _train_span(
    ids: NDArray[np.int32],
    start: int,
    stop: int,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    windows: Windows,
    objective: Objective,
    learning_rate: float,
    loss_every: int,
    learn: bool,
    state: np.uint64,
    statistics: NDArray[np.float64],
    thread: int,
) -> None:
    window = windows.window
    stride = outputs.shape[1]
    # Behind the last kept word: ends to look ahead at.
    kept = np.full(stop - start + window + 3, -1, np.int32)
    n_kept, n_tokens, state = subsample(ids, start, stop, windows.keep, state, kept)
    scratch = new_scratch(2 * window, max(objective.n_negatives + 1, objective.longest_path), stride)
    negatives = np.empty(objective.n_negatives, np.int64)
    state = _draw_negatives(objective.noise, state, negatives, outputs)

    copies = objective.copies + thread * objective.n_hot
    merged = np.empty((objective.n_hot, stride), np.float32)
    _copy_hot_rows(outputs, merged, objective.first_hot, copies)
    until_merge = objective.merge_every

    n_predictions = 0
    until_loss = below(mix(state), np.uint64(loss_every))
    sentence = 0
    while sentence < n_kept:
        sentence_end = sentence
        while kept[sentence_end] >= 0:
            sentence_end += 1
        for position in range(sentence, sentence_end):
            reach = window
            if not windows.fixed_window:
                state = advance(state)
                reach = 1 + below(mix(state), np.uint64(window))
            n_contexts = _gather_contexts(
                scratch,
                kept,
                position,
                max(sentence, position - reach),
                min(sentence_end, position + reach + 1),
                stride,
            )
            if not objective.by_path:  # most of a path is in the cache: fetching it ahead was 6 % slower
                _prefetch_row(outputs, kept[position + 1])
            _prefetch_row(inputs, kept[position + window + 2])
            if n_contexts == 0:
                continue

            centre = np.int64(kept[position])
            step_inputs = inputs
            first, end, n_together = 0, n_contexts, 1
            if windows.by_mean:
                take_mean(scratch, inputs, n_contexts)
                step_inputs = scratch.mean
                first, end = n_contexts, n_contexts + 1  # where the offset 0 stands, the mean's
                scratch.contexts[n_contexts] = 0
            elif objective.share_negatives:
                n_together = n_contexts
            while first < end:
                if objective.by_path:
                    n_outputs = _choose_path(scratch, centre, objective, copies, stride, learning_rate)
                else:
                    n_outputs = _choose_negatives(scratch, centre, negatives, stride, learning_rate)
                    state = _draw_negatives(objective.noise, state, negatives, outputs)
                n_tiles = fill_last_tile(scratch, n_outputs)
                take_logits(scratch, step_inputs, first, n_together, outputs, n_tiles)
                if until_loss == 0:
                    loss = loss_of_logits(scratch, n_together, n_outputs, learning_rate)
                    statistics[N_SAMPLES] += 1
                    statistics[LOSS] += loss
                    statistics[SIZE] += n_together
                    statistics[LOSS_LOSS] += loss * loss
                    statistics[LOSS_SIZE] += loss * n_together
                    statistics[SIZE_SIZE] += n_together * n_together
                    until_loss = loss_every
                until_loss -= 1
                if learn:
                    step(scratch, step_inputs, first, n_together, outputs, n_tiles)
                n_predictions += n_together
                first += n_together
                until_merge -= 1
                if until_merge == 0:
                    _merge_hot_rows(outputs, merged, objective.first_hot, copies)
                    until_merge = objective.merge_every
            if windows.by_mean and learn:
                spread_step(scratch, inputs, n_contexts, 1.0 / n_contexts if windows.exact_mean else 1.0)
        sentence = sentence_end + 1
    _merge_hot_rows(outputs, merged, objective.first_hot, copies)

    statistics[N_TOKENS] = n_tokens
    statistics[N_PREDICTIONS] = n_predictions
    statistics[LOGIT_SUM] = scratch.logit_sums.sum()


def _train_spans(
    ids: NDArray[np.int32],
    spans: Spans,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    windows: Windows,
    objective: Objective,
    loss_every: int,
    learn: bool,
    seed: np.uint64,
    epoch: np.uint64,
    statistics: NDArray[np.float64],
) -> None:
    """Train on the spans, each on one thread, all on the same matrices without locks (Hogwild, Niu et al. 2011).

    ids: (n,) int32, -1 ends a sentence; read only. inputs, outputs: (n_words, stride) float32, rows padded with zeros
    to 64 bytes and aligned; changed in place if `learn`. loss_every: take the loss of one step in so many.
    statistics: (n_spans, STATISTICS) float64 zeros, filled. The draws of a span depend on (seed, epoch, its number)
    alone, not on the thread.
    """
    for i in numba.prange(spans.numbers.shape[0]):
        number = spans.numbers[i]
        _train_span(
            ids, start_of_span(ids, number, spans.length), start_of_span(ids, number + 1, spans.length),
            inputs, outputs, windows, objective, spans.learning_rates[i], loss_every, learn,
            stream(stream(seed, epoch), np.uint64(number)), statistics[i], numba.get_thread_id(),
        )  # fmt: skip


train_spans = parallel_kernel(_train_spans)
train_spans_serial = kernel(_train_spans)
