"""Vectors to test with, and the comparison of neighbours."""

import numpy as np

from fastw2v import Vectors


def some_vectors(n=50, dim=5):
    """Random vectors with counts; some of the words are not ASCII, or look like markup."""
    words = ["king", "queen", "été", "日本", "a,b", "</s>", "\U0001f600", *(f"w{i}" for i in range(n - 7))]
    matrix = np.random.default_rng(0).normal(size=(n, dim), scale=0.3).astype(np.float32)
    return Vectors(words, matrix, np.arange(n, 0, -1))


def assert_same_neighbours(got, expected):
    """The same words in the same order, with cosines that differ by rounding only."""
    assert [word for word, _ in got] == [word for word, _ in expected]
    np.testing.assert_allclose([x for _, x in got], [x for _, x in expected], rtol=1e-4, atol=1e-6)
