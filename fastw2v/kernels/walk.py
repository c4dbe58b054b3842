"""The walk over the corpus: spans, subsampling, and the window around each centre word."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .jit import Bools, Float32s, Int32s, Int64s, inlined, inlined_with_arrays
from .random import advance, below, mix, stream
from .simd import LANES, load, store
from .update import Scratch

MAX_SHIFT = 500
"""The most ids by which the start of a span may be moved to the start of a sentence; less than any span has."""


class Windows(NamedTuple):
    """How text is cut into windows, and whether each context predicts (skip-gram) or their mean (CBOW)."""

    keep: NDArray[np.uint32]  # a token of word w is kept where 32 random bits are <= keep[w]
    window: int
    fixed_window: bool
    by_window: bool  # one step for all pairs of a window, or one for each pair
    by_mean: bool
    by_sum: bool  # CBOW's input row is the sum of the contexts, not their mean
    exact_mean: bool  # each context gets its gradient: 1 / n of the mean's step, where word2vec.c gives it all of it
    # (n_words,): the words whose input vectors must not change; or empty. Steps move copies of them in spare rows.
    is_frozen: Bools


class Spans(NamedTuple):
    """Spans of the corpus in the order of their visit; span number i is ids[i * length : (i + 1) * length]."""

    numbers: Int64s  # (n,)
    learning_rates: Float32s  # (n,)
    length: int


class Window(NamedTuple):
    """A centre word and its window, kept[first:stop], in the sentence kept[sentence:sentence_end]."""

    centre: int
    first: int
    stop: int
    sentence: int
    sentence_end: int


BEFORE_FIRST = Window(-2, 0, 0, 0, -1)
"""The window from which `next_window` goes to the first one of a span."""


@inlined
def start_of_span(ids: Int32s, span: int, length: int) -> int:
    """Return where a span starts: at the start of a sentence if one is near, so that no window is cut."""
    start = min(span * length, ids.shape[0])
    if start == 0:
        return 0
    for position in range(start, min(start + MAX_SHIFT, ids.shape[0])):
        if ids[position - 1] < 0:
            return position
    return start


@inlined
def state_of_span(seed: np.uint64, epoch: np.uint64, span: int) -> np.uint64:
    """Return the random state at the start of a span."""
    return stream(stream(seed, epoch), np.uint64(span))


@inlined_with_arrays
def subsample(
    ids: Int32s, span: int, length: int, windows: Windows, state: np.uint64
) -> tuple[Int32s, int, int, np.uint64]:
    """Copy the kept tokens of a span and its sentence ends, -1.

    Returns the copy, with more of -1 at its end for the prefetches; the number of tokens kept; the number of tokens
    read; and the random state.
    """
    start, stop = start_of_span(ids, span, length), start_of_span(ids, span + 1, length)
    kept = np.empty(stop - start + windows.window + 3, np.int32)
    end = n_kept = n_tokens = 0
    for position in range(start, stop):
        word = ids[position]
        if word < 0:
            kept[end] = -1
            end += 1
        else:
            n_tokens += 1
            state = advance(state)
            if np.uint32(mix(state) >> np.uint64(32)) <= windows.keep[word]:
                kept[end] = word
                end += 1
                n_kept += 1
    for position in range(end, kept.shape[0]):
        kept[position] = -1
    return kept, n_kept, n_tokens, state


@inlined
def next_window(kept: Int32s, last: Window, windows: Windows, state: np.uint64) -> tuple[Window, np.uint64]:
    """Return the window of the next kept token, which must exist, and the random state.

    A window has b words on each side, b uniform on 1 to `windows.window` unless it is fixed, and stays in the sentence.
    """
    centre, sentence, sentence_end = last.centre + 1, last.sentence, last.sentence_end
    while centre == sentence_end:
        centre = sentence = sentence_end + 1
        sentence_end = sentence
        while kept[sentence_end] >= 0:
            sentence_end += 1
    reach = windows.window
    if not windows.fixed_window:
        state = advance(state)
        reach = 1 + below(mix(state), np.uint64(windows.window))
    first, stop = max(sentence, centre - reach), min(sentence_end, centre + reach + 1)
    return Window(centre, first, stop, sentence, sentence_end), state


class Piece(NamedTuple):
    """Some consecutive windows of a span, and the rows of the words that their steps train.

    Tokens are given by their positions among the kept ones: centres, firsts and stops as in `Window`.
    """

    words: Int32s  # of the span's kept tokens, -1 at the end of a sentence
    input_rows: Int32s  # of the same tokens
    output_rows: Int32s
    centres: Int32s  # (length,)
    firsts: Int32s
    stops: Int32s
    outputs: Int32s  # the rows of the draws, or of the nodes of the paths, in the order of their use


class Walk(NamedTuple):
    """Where a walk over the windows of a span stands, between two pieces."""

    window: Window
    state: np.uint64
    n_left: int  # tokens that have not been a centre
    n_steps: int  # steps so far


@inlined_with_arrays
def new_piece(words: Int32s, input_rows: Int32s, output_rows: Int32s, length: int, n_outputs: int) -> Piece:
    """Return room for pieces of up to `length` windows that use up to `n_outputs` output rows besides the centres."""
    return Piece(
        words,
        input_rows,
        output_rows,
        centres=np.empty(length, np.int32),
        firsts=np.empty(length, np.int32),
        stops=np.empty(length, np.int32),
        outputs=np.empty(n_outputs, np.int32),
    )


@inlined
def plan_windows(piece: Piece, walk: Walk, windows: Windows) -> tuple[int, Walk]:
    """Write the next windows that have contexts to a piece; return their number, and where the walk stands then."""
    window, state, n_steps = walk.window, walk.state, walk.n_steps
    n_visited = min(piece.centres.shape[0], walk.n_left)
    n_windows = 0
    for _ in range(n_visited):
        window, state = next_window(piece.words, window, windows, state)
        n_contexts = window.stop - window.first - 1
        if n_contexts > 0:
            piece.centres[n_windows] = window.centre
            piece.firsts[n_windows] = window.first
            piece.stops[n_windows] = window.stop
            n_windows += 1
            n_steps += 1 if windows.by_window or windows.by_mean else n_contexts
    return n_windows, Walk(window, state, walk.n_left - n_visited, n_steps)


@inlined
def gather_contexts(
    scratch: Scratch, piece: Piece, i: int, inputs: Float32s, is_frozen: Bools, first_spare: int
) -> int:
    """Make the words around the centre of a window the contexts of the step; return their number.

    Frozen ones are copied to spare rows first.
    """
    stride = inputs.shape[1]
    n_contexts = 0
    for position in range(piece.firsts[i], piece.stops[i]):
        if position != piece.centres[i]:
            row = np.int64(piece.input_rows[position])
            if is_frozen.shape[0] > 0 and is_frozen[piece.words[position]]:
                spare = first_spare + n_contexts
                for column in range(0, stride, LANES):
                    store(inputs, spare * stride + column, load(inputs, row * stride + column))
                row = spare
            scratch.contexts[n_contexts] = row * stride
            n_contexts += 1
    return n_contexts
