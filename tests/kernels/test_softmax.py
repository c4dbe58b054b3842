"""The compiled parts of full softmax, each by itself."""

import numpy as np
import pytest

from fastw2v.kernels.softmax import Groups, add_steps, take_exponentials, take_means

NONE_FROZEN = np.zeros(0, np.bool_)


def groups_of(lists, first=0, every=1):
    rows = np.array([row for rows in lists for row in rows], np.int32)
    return Groups(rows, np.cumsum([0, *map(len, lists)]), first, every)


def test_means_of_every_third_group():
    matrix = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    lists = [[0], [1, 2], [3], [4, 4, 5], [6, 7], [8], [0, 8], [1, 3, 5, 7]]
    means = np.empty((3, 16), np.float32)
    take_means(matrix, groups_of(lists, first=1, every=3), means)
    expected = [matrix[rows].astype(np.float64).mean(axis=0) for rows in lists[1::3]]
    np.testing.assert_allclose(means, expected, atol=1e-6)


@pytest.mark.parametrize("divide", [False, True])
@pytest.mark.parametrize("n_frozen", [0, 4])
def test_steps_reach_each_row_of_their_group(divide, n_frozen):
    rng = np.random.default_rng(1)
    matrix, steps = rng.normal(size=(9, 16)).astype(np.float32), rng.normal(size=(2, 16)).astype(np.float32)
    lists = [[7], [1, 2, 5], [8], [4, 4, 5]]
    expected = matrix.astype(np.float64)
    for rows, step in zip(lists[1::2], steps, strict=True):
        np.add.at(expected, rows, step / (len(rows) if divide else 1))
    expected[:n_frozen] = matrix[:n_frozen]
    is_frozen = np.arange(9) < n_frozen if n_frozen else NONE_FROZEN
    add_steps(matrix, groups_of(lists, first=1, every=2), steps, divide, is_frozen)
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


@pytest.mark.parametrize("width", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("scale", [1e-3, 1, 300])
def test_exponentials(width, scale):
    logits = np.random.default_rng(0).normal(size=(5, width), scale=scale).astype(np.float32)
    largest, sums = np.empty((2, 5), np.float32)
    got = logits.copy()
    take_exponentials(got, largest, sums)
    np.testing.assert_array_equal(largest, logits.max(axis=1))
    expected = np.exp(logits.astype(np.float64) - largest[:, None])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(sums, expected.sum(axis=1), rtol=1e-5)
