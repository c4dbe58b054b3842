"""Changes of several replicas, combined into one."""

import numpy as np
import pytest
from reference import combine_replicas

from fastw2v.cluster.combine import combine, learning_rate_factor


def test_combine_is_the_reference():
    rng = np.random.default_rng(0)
    before = rng.normal(size=(50, 7)).astype(np.float32)
    changes = [rng.normal(size=(50, 7)).astype(np.float32) * rng.integers(0, 2, (50, 1)) for _ in range(3)]
    got = before + combine([change.astype(np.float32) for change in changes])
    np.testing.assert_allclose(got, combine_replicas(before, changes), rtol=2e-5, atol=1e-6)


def test_combine_by_hand():
    one = np.array([[1, 0], [1, 0], [1, 0], [0, 0]], np.float32)
    other = np.array([[1, 0], [0, 1], [0, 0], [0, 0]], np.float32)
    # The same direction: the mean. Another: the sum. Only one moved: its step. None: nothing, and no NaN.
    np.testing.assert_allclose(combine([one, other]), [[1, 0], [1, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(combine([one, -one]), 0)
    np.testing.assert_array_equal(combine([one]), one)


def test_combine_does_not_mind_the_order():
    rng = np.random.default_rng(1)
    changes = list(rng.normal(size=(3, 20, 5)).astype(np.float32))
    np.testing.assert_allclose(combine(changes), combine(changes[::-1]), atol=1e-6)


def test_combine_leaves_the_changes_alone():
    changes = [np.full((4, 2), value, np.float32) for value in (1, 2, 3)]
    for n in (1, 2, 3):
        combined = combine(changes[:n])
        combined[:] = 9
        assert [change[0, 0] for change in changes] == [1, 2, 3]


def test_learning_rate_factor():
    assert [learning_rate_factor(n) for n in (1, 2, 8, 16, 100)] == pytest.approx([1, 2**0.5, 8**0.5, 4, 4])
