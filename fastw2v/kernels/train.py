"""Negative sampling and hierarchical softmax: a span is trained piece by piece, a step for each window or pair."""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from .huffman import Paths, list_nodes, set_path
from .jit import Float32s, Float64s, Int32s, as_function, compile_for, function_type, inlined, kernel, parallel_kernel
from .layout import (
    RowLayout,
    ThreadRows,
    copy_hot_rows,
    merge_hot_rows,
    prefetch_row,
    rows_of_thread,
    use_copies,
)
from .negatives import (
    Negatives,
    first_turn,
    list_draws,
    next_turn,
    restore_negative,
    room_for_draws,
    set_centre,
    set_draw,
    set_draws,
)
from .random import stream
from .simd import LANES
from .statistics import LOGIT_SUM, N_PREDICTIONS, N_TOKENS, STATISTICS, add_sample
from .update import (
    Operands,
    loss_of_logits,
    new_scratch,
    spread_step,
    step,
    step_of_one,
    take_logits,
    take_logits_of_one,
    take_mean,
    tiles_of,
)
from .walk import (
    BEFORE_FIRST,
    Piece,
    Spans,
    Walk,
    Windows,
    gather_contexts,
    new_piece,
    plan_windows,
    state_of_span,
    subsample,
)

DRAWS = np.uint64(1)
"""The number of the random stream of a span that gives its negatives; its windows have the span's own."""


LENGTH = 128
"""The windows of a piece: few enough for its rows to stay in the cache."""


class Objective(NamedTuple):
    """Which output rows a prediction has: with paths, hierarchical softmax; else negative sampling."""

    negatives: Negatives
    paths: Paths


class Pass(NamedTuple):
    """What a call does with its spans. Their draws depend on (seed, epoch, number of the span), not on the thread."""

    learn: bool  # train; else take the loss of every step and change nothing
    seed: np.uint64
    epoch: np.uint64


@cache
def piece_kernel(steps: str, by_path: bool, /) -> Any:
    """Return `train_piece` for one kind of step; the branches of the other kinds, which take time, are not compiled.

    steps: "window", one step for all pairs of a window; "pair", one for each; or "mean", one for the mean of the
    contexts. by_path: hierarchical softmax, else negative sampling.
    """
    # The kernel's key in the cache holds the values that it takes from here. So none of them may be a helper: to Numba
    # that is another one in every process.
    by_mean, by_window = steps == "mean", steps == "window"
    # The centre word and its 3 negatives are one tile. Where a step has more outputs, the registers of AVX2 hold tiles
    # of 6: 2 contexts x 6 outputs take 12 of its 16 for sums, and 2 + 1 for operands.
    tile_shape = (0,) * (6 if by_path or steps == "pair" else 4)

    def train_piece(
        piece: Piece,
        n_windows: int,
        first_step: int,
        inputs: Float32s,
        outputs: Float32s,
        windows: Windows,
        negatives: Negatives,
        paths: Paths,
        own: ThreadRows,
        learn: bool,
        rate: float,
        statistics: Float64s,
    ) -> None:
        """Train on the first windows of a piece, whose words are given as rows.

        first_step: the steps of the span before this piece. inputs, outputs: changed in place if `learn`. rate: the
        learning rate. statistics: (STATISTICS,) float64, to which those of the piece are added; the loss only if not
        `learn`.
        """
        stride = outputs.shape[1]
        n_outputs = 1 + negatives.n
        n_tiles = tiles_of(max(n_outputs, paths.longest), tile_shape)
        scratch = new_scratch(2 * windows.window, n_tiles * len(tile_shape), negatives.n_draws, stride, tile_shape)
        n_predictions = used = tile = turn = np.int64(0)
        if not by_path:
            tile, turn = first_turn(first_step, n_tiles, negatives)
            used = set_draws(scratch, first_step, n_tiles, negatives, piece.outputs, outputs, rate)

        for i in range(n_windows):
            n_contexts = gather_contexts(scratch, piece, i, inputs, windows.is_frozen, own.first_spare)
            centre = np.int64(piece.centres[i])
            if not by_path:  # to prefetch the deepest nodes of the next path is no faster, and all of them 6 % slower
                prefetch_row(outputs, np.int64(piece.output_rows[centre + 1]))
            prefetch_row(inputs, np.int64(piece.input_rows[centre + windows.window + 2]))

            step_inputs = inputs
            first, end_of_steps, n_together = 0, n_contexts, 1
            if by_mean:
                take_mean(scratch, inputs, n_contexts, 1 if windows.by_sum else n_contexts)
                step_inputs = scratch.mean
                first, end_of_steps = n_contexts, n_contexts + 1
            if by_window:
                n_together = n_contexts
            while first < end_of_steps:
                place = tile * len(tile_shape)
                silenced, silenced_rate = place, rate
                if by_path:
                    word = np.int64(piece.words[centre])
                    n_outputs = set_path(scratch, paths, word, piece.outputs, used, own, stride, rate)
                    n_tiles = tiles_of(n_outputs, tile_shape)
                else:
                    row = np.int64(piece.output_rows[centre])
                    silenced, silenced_rate = set_centre(scratch, place, negatives, row * stride)
                operands = Operands(first, n_together, tile, n_tiles)
                if by_window:
                    take_logits(scratch, step_inputs, outputs, operands)
                else:
                    take_logits_of_one(scratch, step_inputs, outputs, operands)
                if not learn:
                    add_sample(statistics, loss_of_logits(scratch, operands, n_outputs, rate), n_together)
                elif by_window:
                    step(scratch, step_inputs, outputs, operands)
                else:
                    step_of_one(scratch, step_inputs, outputs, operands)
                if not by_path:
                    restore_negative(scratch, place, negatives, silenced, silenced_rate)
                    if turn == negatives.n_turns - 1:
                        used = set_draw(scratch, tile, negatives, piece.outputs, used, outputs, rate)
                    tile, turn = next_turn(tile, turn, n_tiles, negatives)
                n_predictions += n_together
                first += n_together
            if by_path:
                used += n_outputs
            if by_mean and learn:
                # All of the step is a sum's exact gradient, and what word2vec.c gives each word of a mean.
                is_whole = windows.exact_mean == windows.by_sum
                spread_step(scratch, inputs, n_contexts, 1.0 if is_whole else 1.0 / n_contexts)
        statistics[N_PREDICTIONS] += n_predictions
        for lane in range(LANES):
            statistics[LOGIT_SUM] += scratch.logit_sums[lane]

    train_piece.__qualname__ = f"train_piece_{steps}_{'hs' if by_path else 'ns'}"  # its name in the cache
    return kernel(train_piece)


@inlined
def plan_piece(
    piece: Piece,
    walk: Walk,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    own: ThreadRows,
    stream_of_draws: np.uint64,
) -> tuple[int, int, Walk]:
    """Write the next windows to a piece, and the rows of their negatives, or if there is room the nodes of their paths.

    Returns the numbers of windows and of these outputs, and where the walk stands then.
    """
    n_windows, after = plan_windows(piece, walk, windows)
    n_outputs = np.int64(0)
    if paths.longest == 0:
        n_outputs = list_draws(piece.outputs, walk.n_steps, after.n_steps, negatives, own, stream_of_draws)
    elif piece.outputs.shape[0] > 0:
        n_outputs = list_nodes(piece, n_windows, paths)
    return n_windows, n_outputs, after


@kernel
def train_span(
    train: Any,
    ids: Int32s,
    spans: Spans,
    i: int,
    inputs: Float32s,
    outputs: Float32s,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    layout: RowLayout,
    visit: Pass,
    statistics: Float64s,
    thread: int,
) -> None:
    """Train on the span spans.numbers[i] piece by piece; the thread merges its copies of hot rows after each of them.

    train: a kernel of `piece_kernel` as a function. ids: (n,) int32, -1 ends a sentence; read only. inputs, outputs:
    the matrices that `layout` describes, changed in place if `visit.learn`. statistics: (STATISTICS,) float64 zeros,
    filled; the loss only if not.
    """
    own = rows_of_thread(layout, thread)
    state = state_of_span(visit.seed, visit.epoch, spans.numbers[i])
    stream_of_draws = stream(state, DRAWS)
    words, n_kept, n_tokens, state = subsample(ids, spans.numbers[i], spans.length, windows, state)
    rows = words.copy()
    use_copies(own, rows)
    length = LENGTH if windows.by_window or windows.by_mean else 1 + LENGTH // (1 + windows.window)
    n_steps = length * (1 if windows.by_window or windows.by_mean else 2 * windows.window)
    # The nodes of paths need not be listed: their rows are those of the thread.
    piece = new_piece(words, rows, rows, length, 0 if paths.longest > 0 else room_for_draws(n_steps, negatives))
    copied = copy_hot_rows(inputs, outputs, own)
    walk = Walk(BEFORE_FIRST, state, n_kept, np.int64(0))
    next_merge = own.merge_every
    while walk.n_left > 0:
        first_step = walk.n_steps
        n_windows, _, walk = plan_piece(piece, walk, windows, negatives, paths, own, stream_of_draws)
        train(
            piece,
            n_windows,
            first_step,
            inputs,
            outputs,
            windows,
            negatives,
            paths,
            own,
            visit.learn,
            spans.learning_rates[i],
            statistics,
        )
        if walk.n_steps >= next_merge or walk.n_left == 0:
            merge_hot_rows(inputs, outputs, copied, own)
            next_merge = walk.n_steps + own.merge_every
    statistics[N_TOKENS] = n_tokens


@parallel_kernel
def train_spans(
    train_one: Any,
    train: Any,
    ids: Int32s,
    spans: Spans,
    inputs: Float32s,
    outputs: Float32s,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    layout: RowLayout,
    visit: Pass,
    statistics: Float64s,
) -> None:
    """Train on the spans, each on one thread, all on the same matrices without locks (Hogwild, Niu et al. 2011).

    train_one: `train_span` as a function. The other arguments are its own, but statistics: (n_spans, STATISTICS).
    """
    for i in numba.prange(spans.numbers.shape[0]):
        thread = np.int64(numba.get_thread_id())
        train_one(
            train,
            ids,
            spans,
            np.int64(i),
            inputs,
            outputs,
            windows,
            negatives,
            paths,
            layout,
            visit,
            statistics[i],
            thread,
        )


class Job(NamedTuple):
    """The arguments of `train_spans` but for the first two, which depend on them."""

    ids: Int32s
    spans: Spans
    inputs: Float32s
    outputs: Float32s
    windows: Windows
    negatives: Negatives
    paths: Paths
    layout: RowLayout
    visit: Pass
    statistics: Float64s

    @property
    def kernel(self) -> Any:
        """The kernel that trains on the pieces of these spans."""
        steps = "mean" if self.windows.by_mean else "window" if self.windows.by_window else "pair"
        return piece_kernel(steps, self.paths.longest > 0)

    def run(self) -> None:
        """Train on the spans. Call this inside `in_parallel`."""
        train_spans(self.compile_span(), self.compile_kernel(), *self)

    def compile_kernel(self) -> Any:
        """Return the kernel of pieces as a function, compiled or loaded from the cache."""
        return as_function(self.kernel, *self.arguments_of_kernel())

    def compile_span(self) -> Any:
        """Return the kernel of spans as a function, compiled or loaded from the cache."""
        return as_function(train_span, *self._of_span())

    def compile_loop(self) -> None:
        """Compile the loop over the spans, for which the type of the kernel is enough."""
        compile_for(train_spans, function_type(*self._of_span()), self.type_of_kernel(), *self)

    def type_of_kernel(self) -> Any:
        """Return the type of the kernel of pieces."""
        return function_type(*self.arguments_of_kernel())

    def _of_span(self) -> tuple[Any, ...]:
        """Return arguments of the types that the kernel of a span has."""
        ids, spans, *others, _ = self
        return self.type_of_kernel(), ids, spans, 0, *others, np.empty(STATISTICS), 0

    def arguments_of_kernel(self) -> tuple[Any, ...]:
        """Return arguments of the types that the kernel of a piece has."""
        words = np.empty(0, np.int32)
        piece = Piece(*[words] * len(Piece._fields))
        model = self.inputs, self.outputs, self.windows, self.negatives, self.paths
        own = ThreadRows(*[0] * len(ThreadRows._fields))
        return piece, 0, 0, *model, own, self.visit.learn, self.spans.learning_rates[0], np.empty(STATISTICS)
