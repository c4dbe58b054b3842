"""Negative sampling: the draws of negatives, and the turns that they serve in.

A draw serves several times: most of its rows are then in the cache. The draws take turns, so that windows of the same
draw are far enough apart to have no words in common. A draw is replaced after its last turn, long before it is needed
again, and its rows are prefetched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .alias import draw_alias
from .jit import Float32s, UInt64s, inlined
from .layout import ThreadRows, output_row, prefetch_row
from .random import advance, mix
from .simd import TILE_OUTPUTS
from .update import ONE, ZERO, Scratch, fill_last_tile, set_output, slot_of


class Negatives(NamedTuple):
    """How negatives are drawn."""

    n: int  # negatives of a prediction
    n_draws: int  # draws that take turns
    n_turns: int  # how often a draw serves
    noise: UInt64s  # alias table of the words


class Turn(NamedTuple):
    """Which draw serves next: that of the set of tiles from `first_tile` on, for the time number `number`."""

    first_tile: int
    number: int


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
def draw_negatives(
    scratch: Scratch, first_tile: int, negatives: Negatives, outputs: Float32s, own: ThreadRows, learning_rate: float,
    state: np.uint64,
) -> np.uint64:
    """Draw the negatives of a set of tiles, behind the place of its centre word, and prefetch their rows."""
    first = first_tile * TILE_OUTPUTS + 1
    end = first + negatives.n
    for place in range(first, end):
        state = advance(state)
        row = output_row(own, draw_alias(negatives.noise, mix(state)))
        add_negative(scratch, first, place, row * outputs.shape[1], learning_rate)
        prefetch_row(outputs, row)
    fill_last_tile(scratch, end)
    return state


@inlined
def set_centre(scratch: Scratch, place: int, negatives: Negatives, row: int) -> tuple[int, float]:
    """Put the centre word before the negatives from `place` + 1 on; if it is one of them, silence that one.

    row: its element offset. Returns the place and the rate of that negative, for `restore_negative`.
    """
    end = place + 1 + negatives.n
    scratch.outputs[place] = row
    silenced, rate = place_of_negative(scratch, place + 1, end, row), ZERO
    if silenced < end:
        rate = scratch.rates[slot_of(silenced)]
        scratch.rates[slot_of(silenced)] = ZERO
    return silenced, rate


@inlined
def restore_negative(scratch: Scratch, place: int, negatives: Negatives, silenced: int, rate: float) -> None:
    """Undo what `set_centre` did at `place`, where it returned `silenced` and `rate`."""
    if silenced < place + 1 + negatives.n:
        scratch.rates[slot_of(silenced)] = rate


@inlined
def draw_all_negatives(
    scratch: Scratch, n_tiles: int, negatives: Negatives, outputs: Float32s, own: ThreadRows, learning_rate: float,
    state: np.uint64,
) -> np.uint64:
    """Draw the negatives of all sets, of `n_tiles` tiles each, as `draw_negatives` does; return the random state."""
    for draw in range(negatives.n_draws):
        set_output(scratch, draw * n_tiles * TILE_OUTPUTS, np.int64(0), ONE, learning_rate)
        state = draw_negatives(scratch, draw * n_tiles, negatives, outputs, own, learning_rate, state)
    return state


@inlined
def next_turn(turn: Turn, n_tiles: int, negatives: Negatives) -> Turn:
    """Whose turn is next; each set has `n_tiles` tiles."""
    first_tile, number = turn.first_tile + n_tiles, turn.number
    if first_tile == negatives.n_draws * n_tiles:
        first_tile = 0
        number = number + 1 if number + 1 < negatives.n_turns else 0
    return Turn(first_tile, number)
