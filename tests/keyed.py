"""Words and vectors for tests of KeyedVectors, ours and gensim's."""

import numpy as np

WORDS = ["a", "b", "c", "d"]


def matrix(n=4, dim=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def assert_same(ours, theirs):
    assert ours.index_to_key == theirs.index_to_key
    assert ours.key_to_index == theirs.key_to_index
    np.testing.assert_allclose(ours.vectors, theirs.vectors, rtol=1e-6)
    assert ours.vectors.dtype == theirs.vectors.dtype
    assert ours.expandos.keys() == theirs.expandos.keys()
    for name, values in theirs.expandos.items():
        np.testing.assert_array_equal(ours.expandos[name], values)
