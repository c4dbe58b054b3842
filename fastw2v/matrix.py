"""A matrix of vectors as float32, or read-only, whether it is finite, how long its rows are, and its fingerprint."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

_ROWS_AT_A_TIME = 10_000

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


def fingerprint_of(words: Iterable[str], vectors: NDArray[np.float32]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the words and the vectors, (n, dim).

    It is taken of each word in UTF-8 with a newline behind it, and then of all numbers as little-endian float32.
    """
    digest = hashlib.sha256("".join(f"{word}\n" for word in words).encode("utf-8", "surrogatepass"))
    for first in range(0, len(vectors), _ROWS_AT_A_TIME):
        digest.update(np.ascontiguousarray(vectors[first : first + _ROWS_AT_A_TIME], "<f4").data)
    return digest.hexdigest()[:16]
