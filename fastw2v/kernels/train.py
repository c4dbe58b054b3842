"""The walk over the corpus: subsample, choose the window, draw negatives, update. Hogwild over spans."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .alias import draw_alias
from .jit import inlined, kernel, parallel_kernel
from .random import advance, below, mix, stream
from .simd import prefetch
from .update import Scratch, fill_last_tile, loss_of_logits, new_scratch, set_output, step, take_logits

CACHE_LINE = 16  # float32
STATISTICS = 32
"""float64 of one span's counters: 256 bytes, so that two threads never write to neighbouring cache lines."""

N_TOKENS, N_PREDICTIONS, LOSS_SUM, N_LOSSES, LOGIT_SUM = range(5)
"""Columns of the statistics: words of the span, pairs trained; summed loss of the sampled pairs and their number; sum
of all logits, which is finite as long as training is."""

MAX_SHIFT = 500
"""Ids by which a span may start later than planned; below the length of any span."""

LOSS_EVERY = 256
"""The loss is taken of one step (a window, or a pair) in this many: below 1 % of the time."""


class Sampling(NamedTuple):
    """How contexts and negatives are chosen."""

    keep: NDArray[np.uint32]  # a token of word w is kept where 32 random bits are <= keep[w]
    noise: NDArray[np.uint64]  # alias table of the negatives
    window: int
    fixed_window: bool
    negative: int
    share_negatives: bool  # one draw for all pairs of a window, or fresh ones for each pair


class Spans(NamedTuple):
    """Pieces of the corpus, in the order of their visit."""

    numbers: NDArray[np.int64]  # span i is ids[i * length : (i + 1) * length], and draws from stream i
    learning_rates: NDArray[np.float32]
    length: int


@inlined
def _start_of_span(ids: NDArray[np.int32], span: int, length: int) -> int:
    """Where a span starts: at a sentence's start if one is near, so that no window is cut."""
    start = min(span * length, ids.shape[0])
    if start == 0:
        return 0
    for position in range(start, min(start + MAX_SHIFT, ids.shape[0])):
        if ids[position - 1] < 0:
            return position
    return start


@inlined
def _subsample(
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
def _choose_outputs(
    scratch: Scratch, centre: int, negatives: NDArray[np.int64], stride: int, learning_rate: float
) -> int:
    """Centre and negatives become the outputs of the step: without the centre's equals, repeats counted twice."""
    set_output(scratch, 0, centre * stride, learning_rate)
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
            set_output(scratch, n_outputs, word * stride, learning_rate)
            n_outputs += 1
        else:
            place = 1
            while scratch.outputs[place] != word * stride:
                place += 1
            set_output(scratch, place, word * stride, n_equal * learning_rate)
    return n_outputs


@inlined
def _train_span(
    ids: NDArray[np.int32],
    start: int,
    stop: int,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    sampling: Sampling,
    learning_rate: float,
    state: np.uint64,
    statistics: NDArray[np.float64],
) -> None:
    keep, noise, window, fixed_window, n_negatives, share_negatives = sampling
    stride = outputs.shape[1]
    # Behind the last kept word: ends to look ahead at.
    kept = np.full(stop - start + window + 3, -1, np.int32)
    n_kept, n_tokens, state = _subsample(ids, start, stop, keep, state, kept)
    scratch = new_scratch(2 * window, n_negatives + 1)
    negatives = np.empty(n_negatives, np.int64)
    state = _draw_negatives(noise, state, negatives, outputs)

    n_predictions = 0
    n_losses = 0
    loss = 0.0
    until_loss = below(mix(state), np.uint64(LOSS_EVERY))
    sentence = 0
    while sentence < n_kept:
        sentence_end = sentence
        while kept[sentence_end] >= 0:
            sentence_end += 1
        for position in range(sentence, sentence_end):
            reach = window
            if not fixed_window:
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
            _prefetch_row(outputs, kept[position + 1])
            _prefetch_row(inputs, kept[position + window + 2])
            if n_contexts == 0:
                continue

            centre = np.int64(kept[position])
            n_together = n_contexts if share_negatives else 1
            for first in range(0, n_contexts, n_together):
                n_outputs = _choose_outputs(scratch, centre, negatives, stride, learning_rate)
                n_tiles = fill_last_tile(scratch, n_outputs)
                state = _draw_negatives(noise, state, negatives, outputs)
                take_logits(scratch, inputs, first, n_together, outputs, n_tiles)
                if until_loss == 0:
                    loss += loss_of_logits(scratch, n_together, n_outputs, learning_rate)
                    n_losses += n_together
                    until_loss = LOSS_EVERY
                until_loss -= 1
                step(scratch, inputs, first, n_together, outputs, n_tiles)
            n_predictions += n_contexts
        sentence = sentence_end + 1

    statistics[N_TOKENS] = n_tokens
    statistics[N_PREDICTIONS] = n_predictions
    statistics[LOSS_SUM] = loss
    statistics[N_LOSSES] = n_losses
    statistics[LOGIT_SUM] = scratch.logit_sums.sum()


def _train_spans(
    ids: NDArray[np.int32],
    spans: Spans,
    inputs: NDArray[np.float32],
    outputs: NDArray[np.float32],
    sampling: Sampling,
    seed: np.uint64,
    epoch: np.uint64,
    statistics: NDArray[np.float64],
) -> None:
    """Train on the spans, each on one thread, all on the same matrices without locks (Hogwild, Niu et al. 2011).

    ids: (n,) int32, -1 ends a sentence; read only. inputs, outputs: (n_words, stride) float32, rows padded with zeros
    to 64 bytes and aligned; changed in place. statistics: (n_spans, STATISTICS) float64, overwritten. The draws of a
    span depend on (seed, epoch, its number) alone, not on the thread.
    """
    for i in numba.prange(spans.numbers.shape[0]):
        number = spans.numbers[i]
        _train_span(
            ids, _start_of_span(ids, number, spans.length), _start_of_span(ids, number + 1, spans.length),
            inputs, outputs, sampling, spans.learning_rates[i],
            stream(stream(seed, epoch), np.uint64(number)), statistics[i],
        )  # fmt: skip


train_spans = parallel_kernel(_train_spans)
train_spans_serial = kernel(_train_spans)
