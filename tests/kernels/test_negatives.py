"""Draws of negatives: what they hold, whose turn it is, and the centre word among them."""

import numba
import numpy as np
import pytest
import reference

from fastw2v.kernels.alias import build_alias_table
from fastw2v.kernels.layout import RowLayout, rows_of_thread
from fastw2v.kernels.negatives import Negatives, draw_negatives, next_turn, restore_negative, set_centre
from fastw2v.kernels.update import new_scratch, slot_of, tiles_of

N_WORDS, STRIDE, RATE, WEIGHT = 20, 16, np.float32(0.25), np.float32(3.0)
TILE_ROWS = (0, 0, 0, 0)
LAYOUT = RowLayout.of(N_WORDS, threads=2, n_hot=3)


@numba.njit
def draw(n, tile, noise, thread, state):
    """The rows and rates of a draw by places, and the state after it."""
    scratch = new_scratch(1, n + 1, 3, STRIDE, TILE_ROWS)
    outputs = np.zeros((LAYOUT.n_output_rows, STRIDE), np.float32)
    own = rows_of_thread(LAYOUT, thread)
    state = draw_negatives(scratch, tile, Negatives(n, WEIGHT, 3, 1, noise), outputs, own, RATE, state)
    places = np.arange(tile * len(TILE_ROWS), (tile + tiles_of(n + 1, TILE_ROWS)) * len(TILE_ROWS))
    rates = np.array([scratch.rates[slot_of(place, TILE_ROWS)] for place in places])
    labels = np.array([scratch.labels[slot_of(place, TILE_ROWS)] for place in places])
    return scratch.outputs[places] // STRIDE, rates, labels, state


@numba.njit
def turns(n_steps, n_tiles, negatives):
    tile, turn = 0, 0
    served = []
    for _ in range(n_steps):
        served.append((tile // n_tiles, turn))
        tile, turn = next_turn(tile, turn, n_tiles, negatives)
    return served


@numba.njit
def silence_and_restore(n, noise, row, state):
    """The rates of a draw before, while and after `row` is the centre word."""
    scratch = new_scratch(1, n + 1, 1, STRIDE, TILE_ROWS)
    outputs = np.zeros((LAYOUT.n_output_rows, STRIDE), np.float32)
    negatives = Negatives(n, WEIGHT, 1, 1, noise)
    draw_negatives(scratch, 0, negatives, outputs, rows_of_thread(LAYOUT, 0), RATE, state)
    before = scratch.rates.copy()
    silenced, rate = set_centre(scratch, 0, negatives, row * STRIDE)
    centre, during = scratch.outputs[0], scratch.rates.copy()
    restore_negative(scratch, 0, negatives, silenced, rate)
    return before, during, scratch.rates, centre


def noise_of(weights):
    table = np.empty(len(weights), np.uint64)
    build_alias_table(np.array(weights, np.float64), table)
    return table


@pytest.mark.parametrize("thread", [0, 1])
@pytest.mark.parametrize(("n", "tile"), [(1, 0), (5, 1), (9, 2), (17, 3)])
def test_a_draw_is_that_of_the_reference(n, tile, thread):
    noise = noise_of(np.arange(N_WORDS, 0, -1))
    rows, rates, labels, state = draw(n, tile, noise, thread, np.uint64(9))
    draws = reference.Draws(9)
    words = [reference.draw_alias(noise, draws.next()) for _ in range(n)]
    assert state == draws.state
    assert rows[1 : n + 1].tolist() == [
        word + LAYOUT.output_copies[thread] if word < LAYOUT.n_hot_outputs else word for word in words
    ]
    expected = [RATE * WEIGHT * words.count(word) * (word not in words[:place]) for place, word in enumerate(words)]
    assert rates.tolist() == [RATE, *expected] + [0] * (len(rows) - n - 1)
    assert labels.tolist() == [1] + [0] * (len(rows) - 1)
    assert set(rows[n + 1 :]) <= {rows[n]}, "the rest of the last tile repeats the last row"


def test_each_draw_serves_all_its_turns():
    served = turns(14, 2, Negatives(5, WEIGHT, 3, 2, np.zeros(1, np.uint64)))
    expected = [(draw, turn) for turn in range(2) for draw in range(3)]
    assert served == [*expected, *expected, *expected[:2]]


def test_the_centre_word_is_no_negative_for_one_step():
    noise = noise_of([0, 0, 0, 0, 1, 0, 1, 0, 1])
    before, during, after, centre = silence_and_restore(8, noise, 6, np.uint64(2))
    np.testing.assert_array_equal(after, before)
    (changed,) = np.flatnonzero(before != during)
    assert before[changed] > 0
    assert during[changed] == 0
    assert centre == 6 * STRIDE
    before, during, after, centre = silence_and_restore(8, noise, 5, np.uint64(2))
    np.testing.assert_array_equal(during, before)
    np.testing.assert_array_equal(after, before)
    assert centre == 5 * STRIDE
