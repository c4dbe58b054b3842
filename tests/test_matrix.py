"""Lengths and finiteness of the rows of a matrix, at the edges of float32, and its fingerprint."""

import hashlib

import numpy as np
import pytest

from fastw2v import InputError
from fastw2v.matrix import as_float32, fingerprint_of, is_finite, norms_of


def test_finite():
    matrix = np.zeros((3, 4), np.float32)
    assert is_finite(matrix)
    for bad in (np.nan, np.inf, -np.inf):
        matrix[1, 2] = bad
        assert not is_finite(matrix)


def test_numbers_become_float32_without_a_copy_where_they_are():
    matrix = np.ones((2, 3), np.float32)
    assert as_float32(matrix) is matrix
    assert as_float32([[1, 2]]).dtype == np.float32
    assert as_float32([]).shape == (0,)


@pytest.mark.parametrize("bad", [[[1e300]], [[np.nan]], [["1"]], [[1j]], [[None]]])
def test_what_is_no_float32_number(bad):
    with pytest.raises(InputError, match=r"must be real numbers|hold NaN, or numbers beyond the range of float32"):
        as_float32(bad)


def test_norms():
    got = norms_of(np.array([[3, 4], [0, 0], [3e25, 4e25], [3e-25, 4e-25], [3e38, 3e38]], np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [5, 1, 5e25, 5e-25, np.finfo(np.float32).max], rtol=1e-6)
    with pytest.raises(InputError, match="hold NaN"):
        norms_of(np.array([[1, np.nan]], np.float32))


def test_a_fingerprint_is_that_of_all_words_and_numbers():
    words, vectors = ["ä", "b"] * 6000, np.random.default_rng(0).normal(size=(12_000, 5)).astype(np.float32)
    expected = hashlib.sha256("".join(f"{word}\n" for word in words).encode() + vectors.tobytes()).hexdigest()[:16]
    assert fingerprint_of(words, vectors) == expected
    padded = np.zeros((12_000, 16), np.float32)
    padded[:, :5] = vectors
    assert fingerprint_of(words, padded[:, :5]) == expected
    vectors[-1, -1] += 1
    assert fingerprint_of(words, vectors) != expected
    assert fingerprint_of(["b", *words[1:]], padded[:, :5]) != expected
