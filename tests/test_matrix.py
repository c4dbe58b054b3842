"""Lengths and finiteness of the rows of a matrix, at the edges of float32."""

import numpy as np
import pytest

from fastw2v import InputError
from fastw2v.matrix import is_finite, norms_of


def test_finite():
    matrix = np.zeros((3, 4), np.float32)
    assert is_finite(matrix)
    for bad in (np.nan, np.inf, -np.inf):
        matrix[1, 2] = bad
        assert not is_finite(matrix)


def test_norms():
    got = norms_of(np.array([[3, 4], [0, 0], [3e25, 4e25], [3e-25, 4e-25], [3e38, 3e38]], np.float32))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [5, 1, 5e25, 5e-25, np.finfo(np.float32).max], rtol=1e-6)
    with pytest.raises(InputError, match="hold NaN"):
        norms_of(np.array([[1, np.nan]], np.float32))
