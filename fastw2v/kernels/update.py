"""The heart: one step of stochastic gradient descent of a few context rows against their output rows.

For an input row v, an output row u with label y (1 the centre word, 0 a negative) and multiplicity m

    loss      m * -log s(u.v)  if y = 1,  m * -log s(-u.v)  if y = 0,   s the sigmoid
    gradient  c = lr * m * (y - s(u.v));  v += c u;  u += c v

(Mikolov et al. 2013, "Distributed representations", equation 4; in hierarchical softmax, equation 3, the output rows
are those of the nodes above the word, and y is 1 - the bit of its code there). CBOW's v is the mean of the contexts.

All logits are taken first, then all rows move: every gradient is that of the parameters before the step. A row that was
drawn twice as a negative has multiplicity 2. A row that stands twice among the contexts of a step with one tile is the
exception: the outputs get its second visit as the first has moved it, a difference of the order of lr squared
(benchmarks/README.md has what exactness costs).

The contexts times the outputs are a small matrix product. It is cut into register tiles of 2 x `TILE_OUTPUTS`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .jit import inlined
from .simd import (
    LANES,
    SLOTS,
    TILE_OUTPUTS,
    add,
    exchange,
    load,
    load_rows,
    multiply,
    multiply_add_rows,
    sigmoid,
    splat,
    store,
    store_rows,
    store_totals,
    subtract,
    zero_sums,
)

PATTERN = 16
"""Floats of a tile's labels and rates: its `SLOTS` twice, so that a vector of up to 16 lanes fits at any context."""


class Scratch(NamedTuple):
    """What a step reads and its working memory; one for each span, never shared by threads."""

    contexts: NDArray[np.int64]  # element offsets of the input rows, (capacity + 1,)
    outputs: NDArray[np.int64]  # element offsets of the output rows, whole tiles
    labels: NDArray[np.float32]  # y by (tile, PATTERN)
    rates: NDArray[np.float32]  # lr * m by (tile, PATTERN); 0 where a tile has no row
    coefficients: NDArray[np.float32]  # logits, then c, by (tile, context, SLOTS)
    before: NDArray[np.float32]  # one column of the contexts before the step, (capacity, LANES)
    logit_sums: NDArray[np.float32]  # (LANES,): finite as long as every logit was
    mean: NDArray[np.float32]  # CBOW's input row, and what it was before the step, (2, stride)


@inlined
def new_scratch(n_contexts: int, n_outputs: int, stride: int) -> Scratch:
    """Working memory for up to `n_contexts` input and `n_outputs` output rows of `stride` floats."""
    n_tiles = (n_outputs + TILE_OUTPUTS - 1) // TILE_OUTPUTS
    return Scratch(
        np.zeros(n_contexts + 1, np.int64),
        np.zeros(n_tiles * TILE_OUTPUTS, np.int64),
        np.zeros(n_tiles * PATTERN, np.float32),
        np.zeros(n_tiles * PATTERN, np.float32),
        np.zeros(n_tiles * (n_contexts + 2) * SLOTS, np.float32),
        np.zeros(n_contexts * LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros((2, stride), np.float32),
    )


@inlined
def set_output(scratch: Scratch, place: int, row: int, label: float, rate: float) -> None:
    """Make the output row at element offset `row` the `place`-th of the step, with y = `label` and lr * m = `rate`."""
    scratch.outputs[place] = row
    slot = place // TILE_OUTPUTS * PATTERN + place % TILE_OUTPUTS
    scratch.labels[slot] = scratch.labels[slot + SLOTS] = label
    scratch.rates[slot] = scratch.rates[slot + SLOTS] = rate


@inlined
def fill_last_tile(scratch: Scratch, n_outputs: int) -> int:
    """Fill the places behind the last output with copies of their tile's first row at rate 0; return the tiles.

    Such a copy changes nothing: `store_rows` stores it before the row it copies.
    """
    n_tiles = (n_outputs + TILE_OUTPUTS - 1) // TILE_OUTPUTS
    for place in range(n_outputs, n_tiles * TILE_OUTPUTS):
        set_output(scratch, place, scratch.outputs[place // TILE_OUTPUTS * TILE_OUTPUTS], 0.0, 0.0)
    return n_tiles


@inlined
def _tile_rows(scratch: Scratch, tile: int) -> tuple[int, int, int, int, int, int]:
    first = tile * TILE_OUTPUTS
    rows = scratch.outputs
    return (rows[first], rows[first + 1], rows[first + 2], rows[first + 3], rows[first + 4], rows[first + 5])


@inlined
def take_logits(
    scratch: Scratch,
    inputs: NDArray[np.float32],
    first: int,
    n_contexts: int,
    outputs: NDArray[np.float32],
    n_tiles: int,
) -> None:
    """Write u.v of each context `scratch.contexts[first:first+n_contexts]` and output to `scratch.coefficients`."""
    stride = outputs.shape[1]
    for tile in range(n_tiles):
        output_rows = _tile_rows(scratch, tile)
        start = tile * (n_contexts + 1) * SLOTS
        for context in range(0, n_contexts - 1, 2):
            pair = (scratch.contexts[first + context], scratch.contexts[first + context + 1])
            sums = zero_sums(pair, output_rows)
            for column in range(0, stride, LANES):
                sums = multiply_add_rows(sums, inputs, pair, outputs, output_rows, column)
            store_totals(scratch.coefficients, start + context * SLOTS, sums)
        if n_contexts % 2 == 1:
            single = (scratch.contexts[first + n_contexts - 1],)
            sums_of_one = zero_sums(single, output_rows)
            for column in range(0, stride, LANES):
                sums_of_one = multiply_add_rows(sums_of_one, inputs, single, outputs, output_rows, column)
            store_totals(scratch.coefficients, start + (n_contexts - 1) * SLOTS, sums_of_one)


@inlined
def step(
    scratch: Scratch,
    inputs: NDArray[np.float32],
    first: int,
    n_contexts: int,
    outputs: NDArray[np.float32],
    n_tiles: int,
) -> None:
    """Move the rows, after `take_logits` with the same arguments.

    inputs, outputs: (n_words, stride) float32, rows padded with zeros to whole vectors, changed in place.
    """
    stride = outputs.shape[1]
    tile_size = (n_contexts + 1) * SLOTS
    for tile in range(n_tiles):
        for place in range(0, n_contexts * SLOTS, LANES):
            logits = load(scratch.coefficients, tile * tile_size + place)
            store(scratch.logit_sums, 0, add(load(scratch.logit_sums, 0), logits))
            pattern = tile * PATTERN + place % PATTERN
            error = subtract(load(scratch.labels, pattern), sigmoid(logits))
            store(scratch.coefficients, tile * tile_size + place, multiply(load(scratch.rates, pattern), error))
    for column in range(0, stride, LANES):
        if n_tiles > 1:
            for context in range(n_contexts):
                store(scratch.before, context * LANES, load(inputs, scratch.contexts[first + context] + column))
        for tile in range(n_tiles):
            output_rows = _tile_rows(scratch, tile)
            old = load_rows(outputs, output_rows, column)
            new = old
            for context in range(n_contexts):
                place = scratch.contexts[first + context] + column
                moved = fixed = load(inputs, place)
                if n_tiles > 1:
                    fixed = load(scratch.before, context * LANES)
                moved, new = exchange(scratch.coefficients, tile * tile_size + context * SLOTS, moved, fixed, old, new)
                store(inputs, place, moved)
            store_rows(outputs, output_rows, column, new)


@inlined
def take_mean(scratch: Scratch, inputs: NDArray[np.float32], n_contexts: int) -> None:
    """Write the mean of the context rows to `scratch.mean`: the input row of CBOW."""
    stride = inputs.shape[1]
    share = splat(np.float32(1.0) / np.float32(n_contexts))
    for column in range(0, stride, LANES):
        total = load(inputs, scratch.contexts[0] + column)
        for context in range(1, n_contexts):
            total = add(total, load(inputs, scratch.contexts[context] + column))
        mean = multiply(total, share)
        store(scratch.mean, column, mean)
        store(scratch.mean, stride + column, mean)


@inlined
def spread_step(scratch: Scratch, inputs: NDArray[np.float32], n_contexts: int, share: float) -> None:
    """Add `share` of what the mean moved by to each context row; share = 1 is word2vec.c's, 1 / n_contexts exact."""
    stride = inputs.shape[1]
    factor = splat(np.float32(share))
    for column in range(0, stride, LANES):
        moved = multiply(subtract(load(scratch.mean, column), load(scratch.mean, stride + column)), factor)
        for context in range(n_contexts):
            place = scratch.contexts[context] + column
            store(inputs, place, add(load(inputs, place), moved))


@inlined
def loss_of_logits(scratch: Scratch, n_contexts: int, n_outputs: int, learning_rate: float) -> float:
    """The summed loss of the step, after `take_logits` and before `step` (which overwrites the logits)."""
    loss = 0.0
    for place in range(n_outputs):
        tile, slot = place // TILE_OUTPUTS, place % TILE_OUTPUTS
        multiplicity = scratch.rates[tile * PATTERN + slot] / learning_rate
        sign = 1.0 - 2.0 * scratch.labels[tile * PATTERN + slot]
        for context in range(n_contexts):
            x = sign * scratch.coefficients[(tile * (n_contexts + 1) + context) * SLOTS + slot]
            # -log s(-x) = log(1 + exp(x)), without overflow
            loss += multiplicity * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
    return loss
