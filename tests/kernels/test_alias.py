"""The noise distribution: exact probabilities of the table, and draws by chi-square."""

import numba
import numpy as np
import pytest
import reference
from scipy.stats import chisquare

from fastw2v.kernels.alias import build_alias_table, draw_alias
from fastw2v.kernels.random import advance, mix


@numba.njit
def draw_counts(table, state, n_draws):
    counts = np.zeros(len(table), np.int64)
    for _ in range(n_draws):
        state = advance(state)
        counts[draw_alias(table, mix(state))] += 1
    return counts


def table_of(weights):
    table = np.empty(len(weights), np.uint64)
    build_alias_table(np.asarray(weights, np.float64), table)
    return table


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000, 100_000])
@pytest.mark.parametrize("exponent", [0.0, 0.75, 1.0, -0.5])
def test_table_holds_the_exact_probabilities(n, exponent):
    weights = (1 + np.arange(n)[::-1]) ** exponent
    got = reference.alias_probabilities(table_of(weights))
    np.testing.assert_allclose(got, weights / weights.sum(), atol=2**-31 / n, rtol=1e-6)


def test_a_word_of_no_weight_is_never_drawn():
    got = reference.alias_probabilities(table_of([0, 5, 0, 1]))
    np.testing.assert_allclose(got, [0, 5 / 6, 0, 1 / 6], atol=1e-9)


def test_draws_follow_the_probabilities():
    weights = np.arange(1, 101) ** 0.75
    n_draws = 1_000_000
    counts = draw_counts(table_of(weights), np.uint64(5), n_draws)
    assert chisquare(counts, n_draws * weights / weights.sum()).pvalue > 1e-3


def test_draws_are_those_of_the_reference():
    table = table_of(np.arange(1, 20))
    draws = reference.Draws(99)
    expected = np.bincount([reference.draw_alias(table, draws.next()) for _ in range(500)], minlength=19)
    np.testing.assert_array_equal(draw_counts(table, np.uint64(99), 500), expected)
