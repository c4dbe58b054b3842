"""Negative sampling: the draws of negatives, and the turns that they serve in.

The output rows of a step come from one of several draws, each in tiles of its own. A draw serves several times, because
most of its rows are then in the cache. The draws serve in turn, so that windows with the same negatives are too far
apart to share words. After its last turn a draw is replaced at once, long before it serves again, and its rows are
prefetched.
"""

from typing import NamedTuple

import numpy as np

from .alias import draw_alias
from .jit import Float32s, Int32s, UInt64s, inlined
from .layout import ThreadRows, output_row_of_word, prefetch_row
from .random import GOLDEN, advance, mix
from .update import ONE, ZERO, Scratch, fill_last_tile, set_output, slot_of


class Negatives(NamedTuple):
    """How negatives are drawn."""

    n: int  # negatives of a step
    weight: np.float32  # how many negatives each of them stands for
    n_draws: int  # draws that serve in turn
    n_turns: int  # how often each of them serves
    noise: UInt64s  # alias table of the words


@inlined
def place_of_negative(scratch: Scratch, first: int, end: int, offset: int) -> int:
    """Return the first of the places first, ..., end - 1 where the row at this element offset stands, or `end`."""
    for place in range(first, end):
        if scratch.outputs[place] == offset:
            return place
    return end


@inlined
def add_negative(scratch: Scratch, first: int, place: int, offset: int, learning_rate: float) -> None:
    """Put a negative, given by its element offset, at `place`; one that an earlier place has counts once more there."""
    rate = learning_rate
    other = place_of_negative(scratch, first, place, offset)
    if other < place:
        scratch.rates[slot_of(other, scratch.tile_shape)] += rate
        rate = ZERO
    set_output(scratch, place, offset, ZERO, rate)


@inlined
def n_draws_before(step: int, negatives: Negatives) -> int:
    """Return how many draws were made for the steps of a span before this one."""
    steps_of_cycle = negatives.n_draws * negatives.n_turns
    cycle, rest = step // steps_of_cycle, step % steps_of_cycle
    return (cycle + 1) * negatives.n_draws + max(0, rest - (steps_of_cycle - negatives.n_draws))


@inlined
def room_for_draws(n_steps: int, negatives: Negatives) -> int:
    """Return the most negatives that `list_draws` writes for so many steps."""
    n_cycles = n_steps // (negatives.n_draws * negatives.n_turns) + 1  # of which each replaces every draw
    return negatives.n_draws * (1 + n_cycles) * negatives.n


@inlined
def list_draws(
    rows: Int32s, first_step: int, end_step: int, negatives: Negatives, own: ThreadRows, stream_of_draws: np.uint64
) -> int:
    """Write the draws that serve in some steps of a span: those that serve in the first one, then those that follow.

    rows: (m,) int32, the rows of one draw after the other. Returns their number. The draw number i of a span holds the
    numbers from i * negatives.n on of the random stream.
    """
    first = (n_draws_before(first_step, negatives) - negatives.n_draws) * negatives.n
    end = n_draws_before(end_step, negatives) * negatives.n
    state = stream_of_draws + np.uint64(first) * GOLDEN
    for i in range(end - first):
        state = advance(state)
        rows[i] = output_row_of_word(own, draw_alias(negatives.noise, mix(state)))
    return end - first


@inlined
def set_draw(
    scratch: Scratch, tile: int, negatives: Negatives, rows: Int32s, used: int, outputs: Float32s, rate: float
) -> int:
    """Fill the tiles from `tile` on: a place for the centre word, then the negatives rows[used], ..., are prefetched.

    rate: the learning rate. Returns how many rows are used then.
    """
    first = tile * len(scratch.tile_shape) + 1
    end = first + negatives.n
    set_output(scratch, first - 1, np.int64(0), ONE, rate)
    rate_of_negative = rate * negatives.weight
    for place in range(first, end):
        row = np.int64(rows[used + place - first])
        add_negative(scratch, first, place, row * outputs.shape[1], rate_of_negative)
        prefetch_row(outputs, row)
    fill_last_tile(scratch, end)
    return used + negatives.n


@inlined
def set_draws(
    scratch: Scratch,
    first_step: int,
    n_tiles: int,
    negatives: Negatives,
    rows: Int32s,
    outputs: Float32s,
    rate: float,
) -> int:
    """Fill the tiles with the draws that serve in a step, the first ones of `rows`; return how many rows are used."""
    first = n_draws_before(first_step, negatives)
    used = np.int64(0)
    for i in range(negatives.n_draws):
        tile = (first + i) % negatives.n_draws * n_tiles
        used = set_draw(scratch, tile, negatives, rows, used, outputs, rate)
    return used


@inlined
def first_turn(step: int, n_tiles: int, negatives: Negatives) -> tuple[int, int]:
    """Return the first tile of the draw that serves in a step of the span, and which turn that is."""
    return step % negatives.n_draws * n_tiles, step // negatives.n_draws % negatives.n_turns


@inlined
def set_centre(scratch: Scratch, place: int, negatives: Negatives, offset: int) -> tuple[int, float]:
    """Put the centre word's row, at an element offset, before its negatives. If it is one, that gets the rate 0 now.

    Returns the place and the rate of that negative, for `restore_negative`.
    """
    end = place + 1 + negatives.n
    scratch.outputs[place] = offset
    silenced, rate = place_of_negative(scratch, place + 1, end, offset), ZERO
    if silenced < end:
        rate = scratch.rates[slot_of(silenced, scratch.tile_shape)]
        scratch.rates[slot_of(silenced, scratch.tile_shape)] = ZERO
    return silenced, rate


@inlined
def restore_negative(scratch: Scratch, place: int, negatives: Negatives, silenced: int, rate: float) -> None:
    """Give the negative that `set_centre` silenced its rate back."""
    if silenced < place + 1 + negatives.n:
        scratch.rates[slot_of(silenced, scratch.tile_shape)] = rate


@inlined
def next_turn(tile: int, turn: int, n_tiles: int, negatives: Negatives) -> tuple[int, int]:
    """Return the first tile of the draw that serves next, and which turn that is; each draw has `n_tiles` tiles."""
    tile += n_tiles
    if tile == negatives.n_draws * n_tiles:
        return np.int64(0), turn + 1 if turn + 1 < negatives.n_turns else 0
    return tile, turn
