"""The heart: one step of stochastic gradient descent for a few context rows and their output rows.

For an input row v, an output row u with label y (1 the centre word, 0 a negative) and multiplicity m

    loss      m * -log s(u.v)  if y = 1,  m * -log s(-u.v)  if y = 0,   s the sigmoid
    gradient  c = lr * m * (y - s(u.v));  v += c u;  u += c v

(Mikolov et al. 2013, "Distributed representations", equation 4; in hierarchical softmax, equation 3, the output rows
are those of the nodes above the word, and y is 1 - the bit of its code there). CBOW's v is the mean of the contexts.

All logits are taken first, then all rows move, so that every gradient is that of the parameters before the step. A row
that was drawn twice as a negative has multiplicity 2, or 2 k / n where n drawn negatives stand for k. There is one
exception: if a row stands twice among the contexts of a step with one tile, its second visit to the outputs is with the
row as the first one moved it. The difference is of the order of lr squared (benchmarks/README.md says what exactness
would cost).

The logits are a small matrix product of contexts and outputs, cut into register tiles of a few outputs.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .jit import Float32s, Int64s, inlined, inlined_with_arrays
from .simd import (
    HAS_32_REGISTERS,
    LANES,
    add,
    exchange,
    load,
    load_rows,
    load_slots,
    load_tile,
    multiply,
    multiply_add_rows,
    sigmoid,
    slots,
    splat,
    splat_slots,
    store,
    store_rows,
    store_totals,
    subtract,
    zero_sums,
)

# A literal is a float64, for which Numba would compile another version of each helper that takes it.
ZERO, ONE = np.float32(0.0), np.float32(1.0)

SPARE_CONTEXTS = 4
"""Room behind the coefficients of a tile, because whole vectors of them are written: of 16 lanes, 4 contexts by 4."""


class Scratch(NamedTuple):
    """What a step reads, and its working memory. Each span has its own, which threads never share.

    Each draw of negatives has whole tiles of output rows to itself.
    """

    contexts: Int64s  # element offsets of the input rows, (capacity + 1,)
    tile_shape: tuple[int, ...]  # a zero for each output row of a tile: its length is a part of its type
    outputs: Int64s  # element offsets of the output rows by (tile, len(tile_shape))
    labels: Float32s  # y by (tile, slots(tile_shape))
    rates: Float32s  # lr * m by (tile, slots(tile_shape)); 0 where a tile has no row
    coefficients: Float32s  # the logits, then c, by (tile of the step, context, slots(tile_shape))
    before: Float32s  # columns of the contexts as they were before the step
    logit_sums: Float32s  # (LANES,): finite as long as every logit was
    mean: Float32s  # (1, stride): CBOW's input row


class Operands(NamedTuple):
    """Which contexts and which tiles of output rows of the scratch a step works on."""

    first: int
    n_contexts: int
    first_tile: int
    n_tiles: int


@inlined
def tiles_of(n_outputs: int, shape: tuple[int, ...]) -> int:
    """Return the number of tiles that hold `n_outputs` output rows."""
    return (n_outputs + len(shape) - 1) // len(shape)


@inlined_with_arrays
def _zeros(n: int) -> Float32s:
    zeros = np.empty(n, np.float32)  # np.zeros takes Numba twice as long
    for i in range(n):
        zeros[i] = ZERO
    return zeros


@inlined_with_arrays
def new_scratch(n_contexts: int, n_outputs: int, n_draws: int, stride: int, tile_shape: tuple[int, ...]) -> Scratch:
    """Return working memory for `n_draws` draws and steps of up to `n_contexts` input and `n_outputs` output rows."""
    n_tiles = tiles_of(n_outputs, tile_shape)
    return Scratch(
        contexts=np.empty(n_contexts + 1, np.int64),
        tile_shape=tile_shape,
        outputs=np.empty(n_draws * n_tiles * len(tile_shape), np.int64),
        labels=_zeros(n_draws * n_tiles * slots(tile_shape)),
        rates=_zeros(n_draws * n_tiles * slots(tile_shape)),
        coefficients=_zeros(n_tiles * (n_contexts + SPARE_CONTEXTS) * slots(tile_shape)),
        before=_zeros(max(n_contexts * 2 * LANES, stride)),
        logit_sums=_zeros(LANES),
        mean=np.empty((1, stride), np.float32),
    )


@inlined
def slot_of(place: int, shape: tuple[int, ...]) -> int:
    """Return where the label and the rate of the output row at `place` stand."""
    return place // len(shape) * slots(shape) + place % len(shape)


@inlined
def set_output(scratch: Scratch, place: int, offset: int, label: float, rate: float) -> None:
    """Put an output row, given as its element offset, at `place`, with y = `label` and lr * m = `rate`."""
    scratch.outputs[place] = offset
    slot = slot_of(place, scratch.tile_shape)
    scratch.labels[slot] = label
    scratch.rates[slot] = rate


@inlined
def fill_last_tile(scratch: Scratch, end: int) -> None:
    """Fill the places from `end` to the end of the tile with the last row, at rate 0.

    They change nothing: `store_rows` stores them before that row.
    """
    for place in range(end, tiles_of(end, scratch.tile_shape) * len(scratch.tile_shape)):
        set_output(scratch, place, scratch.outputs[end - 1], ZERO, ZERO)


@inlined
def _tile_rows(scratch: Scratch, tile: int) -> tuple[int, ...]:
    return load_tile(scratch.outputs, tile * len(scratch.tile_shape), scratch.tile_shape)


@inlined
def _coefficients_of(scratch: Scratch, operands: Operands, tile: int, context: int) -> int:
    """Return where the coefficients of a tile and a context stand, both numbered within the step."""
    return (tile * (operands.n_contexts + SPARE_CONTEXTS) + context) * slots(scratch.tile_shape)


@inlined
def take_logits(scratch: Scratch, inputs: Float32s, outputs: Float32s, operands: Operands) -> None:
    """Write the logit u.v of each context and output row to `scratch.coefficients`."""
    rows, first, n = scratch.contexts, operands.first, operands.n_contexts
    n_in_fours = n // 4 * 4 if HAS_32_REGISTERS else 0
    n_slots = slots(scratch.tile_shape)
    for tile in range(operands.n_tiles):
        output_rows = _tile_rows(scratch, operands.first_tile + tile)
        place = _coefficients_of(scratch, operands, tile, 0)
        for i in range(first, first + n_in_fours, 4):
            four = (rows[i], rows[i + 1], rows[i + 2], rows[i + 3])
            sums = _multiply(inputs, four, outputs, output_rows)
            store_totals(scratch.coefficients, place + (i - first) * n_slots, sums, output_rows)
        for i in range(first + n_in_fours, first + n - 1, 2):
            sums_of_pair = _multiply(inputs, (rows[i], rows[i + 1]), outputs, output_rows)
            store_totals(scratch.coefficients, place + (i - first) * n_slots, sums_of_pair, output_rows)
        if n % 2 == 1:
            sums_of_last = _multiply(inputs, (rows[first + n - 1],), outputs, output_rows)
            store_totals(scratch.coefficients, place + (n - 1) * n_slots, sums_of_last, output_rows)


@inlined
def _multiply(inputs: Float32s, rows: tuple[int, ...], outputs: Float32s, output_rows: tuple[int, ...]) -> Any:
    """Return the dot products of input and output rows as vectors, whose lanes are still to be added up."""
    sums = zero_sums(rows, output_rows)
    for column in range(0, outputs.shape[1], LANES):
        sums = multiply_add_rows(sums, inputs, rows, outputs, output_rows, column)
    return sums


@inlined
def take_logits_of_one(scratch: Scratch, inputs: Float32s, outputs: Float32s, operands: Operands) -> None:
    """Do what `take_logits` does for a single context."""
    row = (scratch.contexts[operands.first],)
    for tile in range(operands.n_tiles):
        output_rows = _tile_rows(scratch, operands.first_tile + tile)
        sums = _multiply(inputs, row, outputs, output_rows)
        store_totals(scratch.coefficients, _coefficients_of(scratch, operands, tile, 0), sums, output_rows)


@inlined
def _take_coefficients(scratch: Scratch, operands: Operands) -> None:
    """Replace the logits by c, and add them to the logit sums."""
    n_slots = slots(scratch.tile_shape)
    for tile in range(operands.n_tiles):
        first = _coefficients_of(scratch, operands, tile, 0)
        for place in range(0, operands.n_contexts * n_slots, LANES):
            logits = load(scratch.coefficients, first + place)
            store(scratch.logit_sums, 0, add(load(scratch.logit_sums, 0), logits))
            slot = (operands.first_tile + tile) * n_slots + place % n_slots
            error = subtract(load_slots(scratch.labels, slot, scratch.tile_shape), sigmoid(logits))
            rates = load_slots(scratch.rates, slot, scratch.tile_shape)
            store(scratch.coefficients, first + place, multiply(rates, error))


@inlined
def step(scratch: Scratch, inputs: Float32s, outputs: Float32s, operands: Operands) -> None:
    """Move all rows by their gradients, after `take_logits` with the same arguments.

    inputs, outputs: (n_rows, stride) float32, rows padded with zeros to whole vectors, changed in place.
    """
    _take_coefficients(scratch, operands)
    stride = outputs.shape[1]
    end_of_pairs = stride // (2 * LANES) * (2 * LANES) if HAS_32_REGISTERS else 0
    for column in range(0, end_of_pairs, 2 * LANES):
        _step_of_columns(scratch, inputs, outputs, operands, column, (0, LANES))
    for column in range(end_of_pairs, stride, LANES):
        _step_of_columns(scratch, inputs, outputs, operands, column, (0,))


@inlined
def _step_of_columns(
    scratch: Scratch, inputs: Float32s, outputs: Float32s, operands: Operands, column: int, parts: tuple[int, ...]
) -> None:
    """Move LANES * len(parts) columns of all rows. With several tiles, `scratch.before` has the inputs as they were."""
    size, shape = LANES * len(parts), scratch.tile_shape
    if operands.n_tiles > 1:
        for context in range(operands.n_contexts):
            row = (scratch.contexts[operands.first + context],)
            store_rows(scratch.before, (context * size,), 0, parts, load_rows(inputs, row, column, parts))
    for tile in range(operands.n_tiles):
        output_rows = _tile_rows(scratch, operands.first_tile + tile)
        old = load_rows(outputs, output_rows, column, parts)
        new = old
        for context in range(operands.n_contexts):
            row = (scratch.contexts[operands.first + context],)
            moved = fixed = load_rows(inputs, row, column, parts)
            if operands.n_tiles > 1:
                fixed = load_rows(scratch.before, (context * size,), 0, parts)
            coefficients = splat_slots(scratch.coefficients, _coefficients_of(scratch, operands, tile, context), shape)
            moved, new = exchange(coefficients, moved, fixed, old, new)
            store_rows(inputs, row, column, parts, moved)
        store_rows(outputs, output_rows, column, parts, new)


@inlined
def step_of_one(scratch: Scratch, inputs: Float32s, outputs: Float32s, operands: Operands) -> None:
    """Do what `step` does for a single context: its coefficients stay in registers, `before` keeps it as it was."""
    _take_coefficients(scratch, operands)
    stride = outputs.shape[1]
    row = scratch.contexts[operands.first]
    for column in range(0, stride, LANES):
        store(scratch.before, column, load(inputs, row + column))
    for tile in range(operands.n_tiles):
        output_rows = _tile_rows(scratch, operands.first_tile + tile)
        place = _coefficients_of(scratch, operands, tile, 0)
        coefficients = splat_slots(scratch.coefficients, place, scratch.tile_shape)
        for column in range(0, stride, LANES):
            old = load_rows(outputs, output_rows, column, (0,))
            moved = load_rows(inputs, (row,), column, (0,))
            fixed = load_rows(scratch.before, (0,), column, (0,))
            moved, new = exchange(coefficients, moved, fixed, old, old)
            store_rows(inputs, (row,), column, (0,), moved)
            store_rows(outputs, output_rows, column, (0,), new)


@inlined
def take_mean(scratch: Scratch, inputs: Float32s, n_contexts: int, divisor: int) -> None:
    """Write CBOW's input row, the sum of the contexts over `divisor`, to `scratch.mean`; its offset, 0, behind them."""
    stride = inputs.shape[1]
    scratch.contexts[n_contexts] = 0
    share = splat(np.float32(1.0) / np.float32(divisor))
    for column in range(0, stride, LANES):
        total = load(inputs, scratch.contexts[0] + column)
        for context in range(1, n_contexts):
            total = add(total, load(inputs, scratch.contexts[context] + column))
        store(scratch.mean, column, multiply(total, share))


@inlined
def spread_step(scratch: Scratch, inputs: Float32s, n_contexts: int, share: float) -> None:
    """Add `share` of the step of CBOW's input row to each context."""
    stride = inputs.shape[1]
    factor = splat(np.float32(share))
    for column in range(0, stride, LANES):
        moved = multiply(subtract(load(scratch.mean, column), load(scratch.before, column)), factor)
        for context in range(n_contexts):
            place = scratch.contexts[context] + column
            store(inputs, place, add(load(inputs, place), moved))


@inlined
def loss_of_logits(scratch: Scratch, operands: Operands, n_outputs: int, learning_rate: float) -> float:
    """Return the summed loss of a step, after `take_logits` and before `step`, which overwrites the logits."""
    loss, n_in_tile = 0.0, len(scratch.tile_shape)
    for place in range(n_outputs):
        slot = operands.first_tile * slots(scratch.tile_shape) + slot_of(place, scratch.tile_shape)
        multiplicity = scratch.rates[slot] / learning_rate
        sign = 1.0 - 2.0 * scratch.labels[slot]
        for context in range(operands.n_contexts):
            logit = _coefficients_of(scratch, operands, place // n_in_tile, context) + place % n_in_tile
            x = sign * scratch.coefficients[logit]
            # -log s(-x) = log(1 + exp(x)), without overflow
            loss += multiplicity * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
    return loss
