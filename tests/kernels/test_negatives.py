"""Draws of negatives: what they hold, whose turn it is, and the centre word among them."""

import numba
import numpy as np
import pytest
import reference

from fastw2v.kernels.alias import build_alias_table
from fastw2v.kernels.layout import RowLayout, rows_of_thread, words_as_rows
from fastw2v.kernels.negatives import (
    Negatives,
    first_turn,
    list_draws,
    n_draws_before,
    next_turn,
    restore_negative,
    set_centre,
    set_draw,
    set_draws,
)
from fastw2v.kernels.update import new_scratch, slot_of, tiles_of

N_WORDS, STRIDE, RATE, WEIGHT = 20, 16, np.float32(0.25), np.float32(3.0)
TILE_ROWS = (0, 0, 0, 0)
LAYOUT = RowLayout.of(N_WORDS, threads=2, n_hot=3)


@numba.njit
def draw(tile, rows):
    """The rows and rates of a draw by places, and how many of `rows` are used after it. The draw is the last one."""
    n = 5
    scratch = new_scratch(1, n + 1, 3, STRIDE, TILE_ROWS)
    outputs = np.zeros((N_WORDS, STRIDE), np.float32)
    negatives = Negatives(n, WEIGHT, 3, 1, np.zeros(1, np.uint64))
    used = set_draw(scratch, tile, negatives, rows, rows.shape[0] - n, outputs, RATE)
    places = np.arange(tile * len(TILE_ROWS), (tile + tiles_of(n + 1, TILE_ROWS)) * len(TILE_ROWS))
    rates = np.array([scratch.rates[slot_of(place, TILE_ROWS)] for place in places])
    labels = np.array([scratch.labels[slot_of(place, TILE_ROWS)] for place in places])
    return scratch.outputs[places] // STRIDE, rates, labels, used


@numba.njit
def listed(first_step, end_step, negatives, stream_of_draws):
    rows = np.empty(1000, np.int32)
    return rows[: list_draws(rows, first_step, end_step, negatives, rows_of_thread(LAYOUT, 1), stream_of_draws)]


@numba.njit
def draws_in_service(first_step, rows, negatives):
    """The rows of each draw that serves in a step, by place, and the first turn."""
    scratch = new_scratch(1, negatives.n + 1, negatives.n_draws, STRIDE, TILE_ROWS)
    n_tiles = tiles_of(negatives.n + 1, TILE_ROWS)
    outputs = np.zeros((LAYOUT.n_output_rows, STRIDE), np.float32)
    used = set_draws(scratch, first_step, n_tiles, negatives, rows, outputs, RATE)
    each = scratch.outputs.reshape(negatives.n_draws, -1)[:, 1 : negatives.n + 1] // STRIDE
    return each, used, first_turn(first_step, n_tiles, negatives)


@numba.njit
def made_before(step, negatives):
    return n_draws_before(step, negatives)


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
    outputs = np.zeros((N_WORDS, STRIDE), np.float32)
    negatives = Negatives(n, WEIGHT, 1, 1, noise)
    rows = np.empty(n, np.int32)
    list_draws(rows, 0, 0, negatives, words_as_rows(LAYOUT), state)
    set_draw(scratch, 0, negatives, rows, 0, outputs, RATE)
    before = scratch.rates.copy()
    silenced, rate = set_centre(scratch, 0, negatives, row * STRIDE)
    centre, during = scratch.outputs[0], scratch.rates.copy()
    restore_negative(scratch, 0, negatives, silenced, rate)
    return before, during, scratch.rates, centre


def noise_of(weights):
    table = np.empty(len(weights), np.uint64)
    build_alias_table(np.array(weights, np.float64), table)
    return table


@pytest.mark.parametrize("tile", [0, 2, 4])
def test_a_draw_is_a_place_for_the_centre_word_and_then_its_rows(tile):
    negatives = [3, 7, 3, 3, 9]
    rows, rates, labels, used = draw(tile, np.array([1, 2, *negatives], np.int32))
    assert used == 7
    assert rows[1:6].tolist() == negatives
    assert rates.tolist() == [RATE, 3 * RATE * WEIGHT, RATE * WEIGHT, 0, 0, RATE * WEIGHT] + [0] * (len(rows) - 6)
    assert labels.tolist() == [1] + [0] * (len(rows) - 1)
    assert set(rows[6:]) <= {9}, "the rest of the last tile repeats the last row"


@pytest.mark.parametrize("n_turns", [1, 4])
def test_draws_are_those_of_the_reference_wherever_a_piece_begins(n_turns):
    noise = noise_of(np.arange(N_WORDS, 0, -1))

    def row_of(word):
        return word + LAYOUT.output_copies[1] if word < LAYOUT.n_hot_outputs else word

    negatives = Negatives(5, WEIGHT, 3, n_turns, noise)
    draws = reference.Draws(9)
    made = [[row_of(reference.draw_alias(noise, draws.next())) for _ in range(5)] for _ in range(100)]
    serving, n_made = list(range(3)), 3
    for step in range(40):
        assert made_before(step, negatives) == n_made
        for end in (step, step + 1, step + 7):
            rows = listed(step, end, negatives, np.uint64(9)).reshape(-1, 5)
            assert rows.tolist() == made[n_made - 3 : n_made - 3 + len(rows)]
            assert len(rows) == 3 + made_before(end, negatives) - n_made
        each, used, (tile, turn) = draws_in_service(step, rows.ravel(), negatives)
        assert each.tolist() == [made[number] for number in serving]
        assert (used, tile, turn) == (15, step % 3 * 2, step // 3 % n_turns)
        if turn == n_turns - 1:
            serving[step % 3] = n_made
            n_made += 1


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
