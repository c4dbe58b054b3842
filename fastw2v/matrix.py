"""Whether a matrix of vectors is finite, and how long its rows are."""

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

_SMALL_NORM = 1e-15
"""The squares of a vector of this length or less leave the range of normal float32 numbers."""


def is_finite(matrix: NDArray[np.float32]) -> bool:
    """Return whether no number of the matrix is NaN or infinite, without a copy of it."""
    return bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))


def norms_of(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of each row of (n, dim), (n,) float32; 1 for a zero vector, which is similar to nothing.

    Raises InputError for NaN.
    """
    norms: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    suspects = np.flatnonzero(~((norms > _SMALL_NORM) & (norms < np.inf)))
    if len(suspects):  # their squares may have left the range of float32
        exact = np.linalg.norm(vectors[suspects].astype(np.float64), axis=1)
        if np.isnan(exact).any():
            raise InputError("the vectors hold NaN")
        norms[suspects] = np.where(exact == 0, 1, np.minimum(exact, np.finfo(np.float32).max))
    return norms
