"""The two matrices that training moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.layout import ROW_FLOATS, RowLayout
from ..kernels.random import fill_uniform
from ..matrix import is_finite

ROWS_AT_A_TIME = 100_000
"""The number of rows filled in one call, which takes well under a second: signals wait for its end."""

Allocate = Callable[[tuple[int, int], int], NDArray[np.float32]]
"""allocate(shape, alignment in bytes) returns a float32 array in C order that may hold anything."""


def none_frozen() -> NDArray[np.bool_]:
    """Return the `is_frozen` of matrices all of whose words may move."""
    return np.zeros(0, np.bool_)


@dataclass(frozen=True)
class Matrices:
    """The input and the output vectors, in the rows of `layout`; training changes them in place.

    A vector is the first `dim` columns of its row. The rest is padding, which stays zero, because every update adds a
    multiple of another row's padding. Raises ValueError if the matrices do not fit the layout.
    """

    input_vectors: NDArray[np.float32]  # (layout.n_input_rows, stride), C order, aligned to 64 bytes: words as contexts
    output_vectors: NDArray[np.float32]  # (layout.n_output_rows, stride), the same: centre words, or nodes of the tree
    dim: int
    layout: RowLayout
    is_frozen: NDArray[np.bool_] = field(default_factory=none_frozen)  # (n_words,): fixed input vectors; or empty

    def __post_init__(self) -> None:
        self.layout.check(self.input_vectors, self.output_vectors)

    @classmethod
    def new(cls, layout: RowLayout, dim: int, seed: int) -> Matrices:
        """Return input vectors U(-0.5, 0.5) / dim, where row i depends on (seed, i) alone, and output vectors of zeros.

        Raises InputError if memory is short.
        """
        matrices = cls._allocated(layout, dim, _zeros)
        for first in range(0, layout.n_words, ROWS_AT_A_TIME):
            rows = matrices.input_vectors[first : min(layout.n_words, first + ROWS_AT_A_TIME)]
            fill_uniform(rows, first, dim, 0.5 / dim, np.uint64(seed))
        return matrices

    @classmethod
    def empty(cls, layout: RowLayout, dim: int, allocate: Allocate) -> Matrices:
        """Return matrices to be filled: only the padding is zero. Raises InputError if memory is short."""
        matrices = cls._allocated(layout, dim, allocate)
        matrices.input_vectors[:, dim:] = 0.0
        matrices.output_vectors[:, dim:] = 0.0
        return matrices

    @classmethod
    def _allocated(cls, layout: RowLayout, dim: int, allocate: Allocate) -> Matrices:
        try:
            input_vectors = allocate((layout.n_input_rows, _stride(dim)), 4 * ROW_FLOATS)
            output_vectors = allocate((layout.n_output_rows, _stride(dim)), 4 * ROW_FLOATS)
        except MemoryError as error:
            size = 2 * matrix_bytes(layout.n_words, dim) / 1e9
            raise InputError(
                f"not enough memory for 2 matrices of {layout.n_words} words x {dim}, {size:.1f} GB: lower --dim or "
                "--max-vocab, or raise --min-count"
            ) from error
        return cls(input_vectors, output_vectors, dim, layout)

    @property
    def word_inputs(self) -> NDArray[np.float32]:
        """The (n_words, dim) view of the input vectors of the words."""
        return self.input_vectors[: self.layout.n_words, : self.dim]

    @property
    def word_outputs(self) -> NDArray[np.float32]:
        """The (n_words, dim) view of the output vectors of the words; with a tree, of its nodes and a row of zeros."""
        return self.output_vectors[: self.layout.n_words, : self.dim]

    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        return is_finite(self.input_vectors) and is_finite(self.output_vectors)


def matrix_bytes(n_rows: int, dim: int) -> int:
    """The memory of one matrix, in bytes."""
    return 4 * n_rows * _stride(dim)


def _stride(dim: int) -> int:
    return -(-dim // ROW_FLOATS) * ROW_FLOATS


def _zeros(shape: tuple[int, int], alignment: int) -> NDArray[np.float32]:
    # np.zeros gives memory that the operating system backs by huge pages: fewer TLB misses than any mmap.
    n = shape[0] * shape[1]
    memory = np.zeros(n + alignment // 4, np.float32)
    start = -memory.ctypes.data // 4 % (alignment // 4)
    return memory[start : start + n].reshape(shape)
