"""Random numbers: draw by draw those of the reference, and uniform."""

import numba
import numpy as np
import pytest
import reference
from scipy.stats import chisquare

from fastw2v.kernels.random import advance, below, fill_uniform, mix, stream


@numba.njit
def draws_below(seed, number, n, n_draws):
    state = stream(seed, number)
    draws = np.empty(n_draws, np.int64)
    for i in range(n_draws):
        state = advance(state)
        draws[i] = below(mix(state), n)
    return draws


@pytest.mark.parametrize("n", [1, 7, 2**31])
def test_draws_are_those_of_the_reference(n):
    draws = reference.Draws(reference.stream(5, 11))
    expected = [reference.below(draws.next(), n) for _ in range(1000)]
    assert draws_below(np.uint64(5), np.uint64(11), np.uint64(n), 1000).tolist() == expected


def test_draws_are_uniform_and_streams_differ():
    first, second = (draws_below(np.uint64(0), np.uint64(number), np.uint64(10), 100_000) for number in (0, 1))
    for draws in (first, second):
        assert chisquare(np.bincount(draws, minlength=10)).pvalue > 1e-3
    assert chisquare(np.bincount(first * 10 + second, minlength=100)).pvalue > 1e-3


def test_a_row_depends_on_its_number_alone():
    whole, part = np.zeros((20, 16), np.float32), np.zeros((5, 16), np.float32)
    fill_uniform(whole, 0, 10, 0.5, np.uint64(4))
    fill_uniform(part, 15, 10, 0.5, np.uint64(4))
    np.testing.assert_array_equal(part, whole[15:])
    assert not whole[:, 10:].any()
    assert len(np.unique(whole[:, :10])) == 200
