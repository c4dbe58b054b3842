"""Negative sampling and hierarchical softmax: the walk over spans, with a step for each window or pair."""

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from .huffman import Paths, set_path
from .jit import Float32s, Float64s, Int32s, as_function, compile_for, function_type, kernel, parallel_kernel
from .layout import RowLayout, copy_hot_rows, merge_hot_rows, prefetch_row, rows_of_thread, use_copies, word_of_row
from .negatives import Negatives, draw_negatives, next_turn, restore_negative, set_centre
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
from .walk import BEFORE_FIRST, Spans, Windows, gather_contexts, next_window, state_of_span, subsample


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
def span_kernel(steps: str, by_path: bool, /) -> Any:
    """Return `train_span` for one kind of step; the branches of the other kinds, which take time, are not compiled.

    steps: "window", one step for all pairs of a window; "pair", one for each; or "mean", one for the mean of the
    contexts. by_path: hierarchical softmax, else negative sampling.
    """
    # The kernel's key in the cache holds the values that it takes from here. So none of them may be a helper: to Numba
    # that is another one in every process.
    by_mean, by_window = steps == "mean", steps == "window"
    # The centre word and its 3 negatives are one tile. Where a step has more outputs, the registers of AVX2 hold tiles
    # of 6: 2 contexts x 6 outputs take 12 of its 16 for sums, and 2 + 1 for operands.
    tile_shape = (0,) * (6 if by_path or steps == "pair" else 4)

    def train_span(
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
        """Train on the span spans.numbers[i]. Words become rows by `use_copies`: of a hot word, the thread's own copy.

        ids: (n,) int32, -1 ends a sentence; read only. inputs, outputs: the matrices that `layout` describes, changed
        in place if `visit.learn`. statistics: (STATISTICS,) float64 zeros, filled; the loss only if not.
        """
        stride, rate = outputs.shape[1], spans.learning_rates[i]
        own = rows_of_thread(layout, thread)
        state = state_of_span(visit.seed, visit.epoch, spans.numbers[i])
        kept, n_kept, n_tokens, state = subsample(ids, spans.numbers[i], spans.length, windows, state)
        use_copies(own, kept)
        n_outputs = 1 + negatives.n
        n_tiles = tiles_of(max(n_outputs, paths.longest), tile_shape)
        scratch = new_scratch(2 * windows.window, n_tiles * len(tile_shape), negatives.n_draws, stride, tile_shape)
        if not by_path:
            for draw in range(negatives.n_draws):
                state = draw_negatives(scratch, draw * n_tiles, negatives, outputs, own, rate, state)
        copied = copy_hot_rows(inputs, outputs, own)

        window = BEFORE_FIRST
        tile = turn = n_predictions = np.int64(0)
        until_merge = own.merge_every
        for _ in range(n_kept):
            window, state = next_window(kept, window, windows, state)
            n_contexts = gather_contexts(scratch, kept, window, inputs, windows.is_frozen, own)
            if not by_path:  # to prefetch the deepest nodes of the next path is no faster, and all of them 6 % slower
                prefetch_row(outputs, np.int64(kept[window.centre + 1]))
            prefetch_row(inputs, np.int64(kept[window.centre + windows.window + 2]))
            if n_contexts == 0:
                continue

            centre = np.int64(kept[window.centre])
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
                    n_outputs = set_path(scratch, paths, word_of_row(own, centre), outputs, own, rate)
                    n_tiles = tiles_of(n_outputs, tile_shape)
                else:
                    silenced, silenced_rate = set_centre(scratch, place, negatives, centre * stride)
                operands = Operands(first, n_together, tile, n_tiles)
                if by_window:
                    take_logits(scratch, step_inputs, outputs, operands)
                else:
                    take_logits_of_one(scratch, step_inputs, outputs, operands)
                if not visit.learn:
                    add_sample(statistics, loss_of_logits(scratch, operands, n_outputs, rate), n_together)
                elif by_window:
                    step(scratch, step_inputs, outputs, operands)
                else:
                    step_of_one(scratch, step_inputs, outputs, operands)
                if not by_path:
                    restore_negative(scratch, place, negatives, silenced, silenced_rate)
                    if turn == negatives.n_turns - 1:
                        state = draw_negatives(scratch, tile, negatives, outputs, own, rate, state)
                    tile, turn = next_turn(tile, turn, n_tiles, negatives)
                n_predictions += n_together
                first += n_together
                until_merge -= 1
                if until_merge == 0:
                    merge_hot_rows(inputs, outputs, copied, own)
                    until_merge = own.merge_every
            if by_mean and visit.learn:
                # All of the step is a sum's exact gradient, and what word2vec.c gives each word of a mean.
                is_whole = windows.exact_mean == windows.by_sum
                spread_step(scratch, inputs, n_contexts, 1.0 if is_whole else 1.0 / n_contexts)
        merge_hot_rows(inputs, outputs, copied, own)
        statistics[N_TOKENS] = n_tokens
        statistics[N_PREDICTIONS] = n_predictions
        for lane in range(LANES):
            statistics[LOGIT_SUM] += scratch.logit_sums[lane]

    train_span.__qualname__ = f"train_span_{steps}_{'hs' if by_path else 'ns'}"  # its name in the cache
    return kernel(train_span)


@parallel_kernel
def train_spans(
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

    train: a kernel of `span_kernel` as a function. The other arguments are its own, but statistics: (n_spans,
    STATISTICS).
    """
    for i in numba.prange(spans.numbers.shape[0]):
        thread = np.int64(numba.get_thread_id())
        train(ids, spans, np.int64(i), inputs, outputs, windows, negatives, paths, layout, visit, statistics[i], thread)


class Job(NamedTuple):
    """The arguments of `train_spans` but for the first, which depends on them."""

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
        """The kernel that trains on one of these spans."""
        steps = "mean" if self.windows.by_mean else "window" if self.windows.by_window else "pair"
        return span_kernel(steps, self.paths.longest > 0)

    def run(self) -> None:
        """Train on the spans. Call this inside `in_parallel`."""
        train_spans(self.compile_kernel(), *self)

    def compile_kernel(self) -> Any:
        """Return the kernel as a function, compiled or loaded from the cache."""
        return as_function(self.kernel, *self._of_span())

    def compile_loop(self) -> None:
        """Compile the loop over the spans, for which the type of the kernel is enough."""
        compile_for(train_spans, function_type(*self._of_span()), *self)

    def _of_span(self) -> tuple[Any, ...]:
        """Return arguments of the types that the kernel of a span has."""
        ids, spans, *others, _ = self
        return ids, spans, 0, *others, np.empty(STATISTICS), 0
