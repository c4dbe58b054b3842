"""The walk over the corpus: subsample, choose the window, draw negatives, update. Hogwild over spans."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .alias import draw_alias
from .jit import inlined, kernel, parallel_kernel
from .random import advance, below, mix, stream
from .simd import LANES, TILE_OUTPUTS, add, load, prefetch, store, subtract
from .update import (
    ONE,
    ZERO,
    Scratch,
    fill_last_tile,
    loss_of_logits,
    new_scratch,
    set_output,
    slot_of,
    spread_step,
    step,
    take_logits,
    take_mean,
    tiles_of,
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
    # (n_words,): contexts whose vectors stay as they are, or empty. Steps move copies of them, which are thrown away:
    # in the last rows of the inputs, 2 * window for each thread.
    is_frozen: NDArray[np.bool_]


class Objective(NamedTuple):
    """Which output rows a prediction has, and with which labels."""

    by_path: bool  # hierarchical softmax; else negative sampling
    share_negatives: bool  # one draw for all pairs of a window, or fresh ones for each pair
    # Draws serve in turn, each several times: most negatives are then in the cache. Windows of the same draw are so far
    # apart that they have no words in common. A draw is replaced after its last turn, long before it is needed again.
    draws_in_turn: int
    turns: int
    n_negatives: int
    noise: NDArray[np.uint64]  # alias table of the negatives
    path_starts: NDArray[np.int64]  # the path of word w is at [path_starts[w] : path_starts[w + 1]]
    path_nodes: NDArray[np.int32]
    path_labels: NDArray[np.float32]
    longest_path: int
    # Hot rows: those that the steps of every thread would write all the time. Each thread works on copies and merges
    # now and then: else the threads' caches would take the rows from each other at every step.
    n_hot_words: int  # the most frequent words: of their input rows, and without a tree of their output rows
    n_hot_nodes: int  # the last rows of the tree, its top
    n_words: int  # thread t has its copies of n rows from row n_words + t * n on, behind the matrix proper
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
    ids: NDArray[np.int32], start: int, stop: int, keep: NDArray[np.uint32], state: np.uint64, kept: NDArray[np.int32],
    n_hot: int, copies: int,
) -> tuple[int, int, np.uint64]:  # fmt: skip
    """Copy the kept tokens of ids[start:stop] as rows and the sentence ends (-1), close the last sentence.

    The row of word w is w, that of a hot one copies + w.

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
                kept[n_kept] = word if word >= n_hot else copies + word
                n_kept += 1
    kept[n_kept] = -1
    return n_kept + 1, stop - start - n_ends, state


@inlined
def _prefetch(matrix: NDArray[np.float32], row: int) -> None:
    """Ask for the row at an element offset; a sentence end has a negative one, and no row."""
    if row >= 0:
        for column in range(0, matrix.shape[1], CACHE_LINE):
            prefetch(matrix, row + column)


@inlined
def _gather_contexts(
    scratch: Scratch, kept: NDArray[np.int32], centre: int, first: int, stop: int, inputs: NDArray[np.float32],
    is_frozen: NDArray[np.bool_], copies: int, spare: int,
) -> int:  # fmt: skip
    """The words around position `centre` become the contexts of the step; return their number.

    Frozen ones are copied to the rows from `spare` on. copies: where the rows of copies of hot words begin.
    """
    stride = inputs.shape[1]
    n_contexts = 0
    for position in range(first, stop):
        if position != centre:
            row = np.int64(kept[position])
            if is_frozen.shape[0] > 0 and is_frozen[row - copies if row >= is_frozen.shape[0] else row]:
                for column in range(0, stride, LANES):
                    store(inputs, (spare + n_contexts) * stride + column, load(inputs, row * stride + column))
                row = spare + n_contexts
            scratch.contexts[n_contexts] = row * stride
            n_contexts += 1
    return n_contexts


@inlined
def place_of_negative(scratch: Scratch, first: int, end: int, row: int) -> int:
    """The first of the places first, ..., end - 1 of negatives where `row` stands, or `end`."""
    for place in range(first, end):
        if scratch.outputs[place] == row:
            return place
    return end


@inlined
def add_negative(scratch: Scratch, first: int, place: int, row: int, learning_rate: float) -> None:
    """Put a negative at `place`, behind those from `first` on: one that is there already counts once more there."""
    rate = learning_rate
    other = place_of_negative(scratch, first, place, row)
    if other < place:
        scratch.rates[slot_of(other)] += rate
        rate = ZERO
    set_output(scratch, place, row, ZERO, rate)


@inlined
def _draw_negatives(
    scratch: Scratch, first: int, end: int, objective: Objective, state: np.uint64, outputs: NDArray[np.float32],
    copies: int, learning_rate: float,
) -> np.uint64:  # fmt: skip
    """Draw negatives to the places first, ..., end - 1, ask for their rows, and fill the last tile."""
    for place in range(first, end):
        state = advance(state)
        word = draw_alias(objective.noise, mix(state))
        if word < objective.n_hot_words:
            word += copies
        row = word * outputs.shape[1]
        add_negative(scratch, first, place, row, learning_rate)
        _prefetch(outputs, row)
    fill_last_tile(scratch, end)
    return state


@inlined
def _choose_path(
    scratch: Scratch, word: int, objective: Objective, copies: int, stride: int, learning_rate: float
) -> int:
    """The nodes above the centre become the outputs of the step; of hot ones the copies, from row `copies` on."""
    start = objective.path_starts[word]
    n_outputs = objective.path_starts[word + 1] - start
    first_hot = objective.n_words - 1 - objective.n_hot_nodes
    for i in range(n_outputs):
        row = np.int64(objective.path_nodes[start + i])
        if row >= first_hot:
            row += copies - first_hot
        set_output(scratch, i, row * stride, objective.path_labels[start + i], learning_rate)
    fill_last_tile(scratch, n_outputs)
    return n_outputs


@inlined
def _copy_hot_rows(matrix: NDArray[np.float32], merged: NDArray[np.float32], first: int, copies: int) -> None:
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            value = load(matrix, (first + i) * stride + column)
            store(matrix, (copies + i) * stride + column, value)
            store(merged, i * stride + column, value)


@inlined
def _merge_hot_rows(matrix: NDArray[np.float32], merged: NDArray[np.float32], first: int, copies: int) -> None:
    """Add what this thread's copies have moved by since the last merge to the shared rows, and take those over."""
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            shared, copy = (first + i) * stride + column, (copies + i) * stride + column
            moved = subtract(load(matrix, copy), load(merged, i * stride + column))
            value = add(load(matrix, shared), moved)
            store(matrix, shared, value)
            store(matrix, copy, value)
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
    n_hot = objective.n_hot_words
    input_copies = objective.n_words + thread * n_hot
    n_hot_outputs = objective.n_hot_nodes if objective.by_path else n_hot
    first_hot_input = np.int64(0)
    first_hot_output = objective.n_words - 1 - n_hot_outputs if objective.by_path else first_hot_input
    output_copies = objective.n_words + thread * n_hot_outputs
    n_kept, n_tokens, state = subsample(ids, start, stop, windows.keep, state, kept, n_hot, input_copies)
    n_sets = objective.draws_in_turn
    n_outputs = 1 + objective.n_negatives
    n_tiles = tiles_of(max(n_outputs, objective.longest_path))
    scratch = new_scratch(2 * window, n_tiles * TILE_OUTPUTS, n_sets, stride)
    for set_ in range(n_sets):
        place = set_ * n_tiles * TILE_OUTPUTS
        set_output(scratch, place, np.int64(0), ONE, learning_rate)
        state = _draw_negatives(
            scratch, place + 1, place + n_outputs, objective, state, outputs, output_copies, learning_rate
        )
    first_tile = np.int64(0)
    turn = 0

    merged_inputs = np.empty((n_hot, stride), np.float32)
    merged_outputs = np.empty((n_hot_outputs, stride), np.float32)
    _copy_hot_rows(inputs, merged_inputs, first_hot_input, input_copies)
    _copy_hot_rows(outputs, merged_outputs, first_hot_output, output_copies)
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
                inputs,
                windows.is_frozen,
                input_copies,
                inputs.shape[0] - (thread + 1) * 2 * window,
            )
            if not objective.by_path:  # fetching the deepest nodes of the next path ahead: no faster; all: 6 % slower
                _prefetch(outputs, np.int64(kept[position + 1]) * stride)
            _prefetch(inputs, np.int64(kept[position + window + 2]) * stride)
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
                place = first_tile * TILE_OUTPUTS
                silenced, rate = place, learning_rate
                if objective.by_path:
                    word = centre - input_copies if centre >= objective.n_words else centre
                    n_outputs = _choose_path(scratch, word, objective, output_copies, stride, learning_rate)
                    n_tiles = tiles_of(n_outputs)
                else:
                    scratch.outputs[place] = centre * stride
                    silenced = place_of_negative(scratch, place + 1, place + n_outputs, centre * stride)
                    if silenced < place + n_outputs:
                        rate = scratch.rates[slot_of(silenced)]
                        scratch.rates[slot_of(silenced)] = ZERO
                take_logits(scratch, step_inputs, first, n_together, outputs, first_tile, n_tiles)
                if until_loss == 0:
                    loss = loss_of_logits(scratch, n_together, first_tile, n_outputs, learning_rate)
                    statistics[N_SAMPLES] += 1
                    statistics[LOSS] += loss
                    statistics[SIZE] += n_together
                    statistics[LOSS_LOSS] += loss * loss
                    statistics[LOSS_SIZE] += loss * n_together
                    statistics[SIZE_SIZE] += n_together * n_together
                    until_loss = loss_every
                until_loss -= 1
                if learn:
                    step(scratch, step_inputs, first, n_together, outputs, first_tile, n_tiles)
                if not objective.by_path:
                    if silenced < place + n_outputs:
                        scratch.rates[slot_of(silenced)] = rate
                    if turn == objective.turns - 1:
                        state = _draw_negatives(
                            scratch, place + 1, place + n_outputs, objective, state, outputs, output_copies,
                            learning_rate,
                        )  # fmt: skip
                    first_tile += n_tiles
                    if first_tile == n_sets * n_tiles:
                        first_tile = 0
                        turn = turn + 1 if turn + 1 < objective.turns else 0
                n_predictions += n_together
                first += n_together
                until_merge -= 1
                if until_merge == 0:
                    _merge_hot_rows(inputs, merged_inputs, first_hot_input, input_copies)
                    _merge_hot_rows(outputs, merged_outputs, first_hot_output, output_copies)
                    until_merge = objective.merge_every
            if windows.by_mean and learn:
                spread_step(scratch, inputs, n_contexts, 1.0 / n_contexts if windows.exact_mean else 1.0)
        sentence = sentence_end + 1
    _merge_hot_rows(inputs, merged_inputs, first_hot_input, input_copies)
    _merge_hot_rows(outputs, merged_outputs, first_hot_output, output_copies)

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
# Call both inside `in_parallel`: the number of a thread comes from Numba's pool of threads, which a kernel that is
# loaded from the cache does not start; without it the process crashes.
train_spans_serial = kernel(_train_spans)
