"""The two matrices that training moves: made, sized, seen as the vectors of words."""

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
"""The number of rows that are filled between two looks at signals, well under a second."""

Allocate = Callable[[tuple[int, int], int], NDArray[np.float32]]
"""allocate(shape, alignment in bytes) returns a float32 array in C order that may hold anything."""


def none_frozen() -> NDArray[np.bool_]:
    """Return the `is_frozen` of matrices all of whose words may move."""
    return np.zeros(0, np.bool_)


@dataclass(frozen=True)
class Matrices:
    """The vectors of the words as contexts and as centre words, or of a tree's nodes, in the rows of `layout`.

    Both matrices are float32 in C order, aligned to 64 bytes; a vector is the first `dim` columns of its row. The rest
    of a row is padding. It stays zero, because every update adds a multiple of another row's padding. Training changes
    the matrices in place, but not the input vectors of frozen words.
    """

    input_vectors: NDArray[np.float32]  # (layout.n_input_rows, stride)
    output_vectors: NDArray[np.float32]  # (layout.n_output_rows, stride)
    dim: int
    layout: RowLayout
    is_frozen: NDArray[np.bool_] = field(default_factory=none_frozen)  # (n_words,), or empty

    def __post_init__(self) -> None:
        self.layout.check(self.input_vectors, self.output_vectors)

    @classmethod
    def new(cls, layout: RowLayout, dim: int, seed: int) -> Matrices:
        """Return matrices to begin with: input U(-0.5, 0.5) / dim, row i from (seed, i) alone; output zero.

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
            input_vectors, output_vectors = (
                allocate((n_rows, _stride(dim)), 4 * ROW_FLOATS)
                for n_rows in (layout.n_input_rows, layout.n_output_rows)
            )
        except MemoryError as error:
            raise InputError(
                f"not enough memory for 2 matrices of {layout.n_words} words x {dim}, "
                f"{2 * matrix_bytes(layout.n_words, dim) / 1e9:.1f} GB: lower --dim or --max-vocab, or raise --min-count"
            ) from error
        return cls(input_vectors, output_vectors, dim, layout)

    @property
    def word_inputs(self) -> NDArray[np.float32]:
        """The (n_words, dim) view of the input vectors of the words."""
        return self.input_vectors[: self.layout.n_words, : self.dim]

    @property
    def word_outputs(self) -> NDArray[np.float32]:
        """The (n_words, dim) view of the output vectors of the words; with a tree of its nodes, and a row of zeros."""
        return self.output_vectors[: self.layout.n_words, : self.dim]

    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        return is_finite(self.input_vectors) and is_finite(self.output_vectors)


def matrix_bytes(n_rows: int, dim: int) -> int:
    """The memory of one matrix, in bytes."""
    return 4 * n_rows * _stride(dim)


def _stride(dim: int) -> int:
    """How many floats a row takes: `dim`, padded to whole cache lines."""
    return -(-dim // ROW_FLOATS) * ROW_FLOATS


def _zeros(shape: tuple[int, int], alignment: int) -> NDArray[np.float32]:
    # np.zeros gives memory that the operating system backs by huge pages: fewer TLB misses than any mmap.
    n = shape[0] * shape[1]
    memory = np.zeros(n + alignment // 4, np.float32)
    start = -memory.ctypes.data // 4 % (alignment // 4)
    return memory[start : start + n].reshape(shape)
