"""A matrix of vectors as float32, or read-only, whether it is finite, and how long its rows are."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

_SMALL_NORM = 1e-15
"""The squares of a vector of this length or less leave the range of normal float32 numbers."""


def as_float32(vectors: ArrayLike) -> NDArray[np.float32]:
    """Return numbers as a float32 array. Raises InputError where they are not real, or not finite as float32."""
    given: NDArray[Any] = np.asarray(vectors)
    if given.dtype == np.float32:
        return given
    if given.dtype.kind not in "buif":
        raise InputError(f"vectors are of type {given.dtype}: they must be real numbers")
    with np.errstate(over="ignore"):
        converted = given.astype(np.float32)
    if converted.size and not is_finite(converted):
        raise InputError("the vectors hold NaN, or numbers beyond the range of float32")
    return converted


def read_only(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a view of the matrix that cannot be written to; the matrix itself stays as it is."""
    view = matrix.view()
    view.flags.writeable = False
    return view


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
