"""The two matrices that training changes, and how many rows of each kind they have."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..errors import InputError
from ..kernels.layout import ROW_FLOATS, RowLayout
from ..kernels.random import fill_uniform
from ..matrix import is_finite
from .pieces import private_rows

HOT_NODES = 256
"""The number of hot nodes. They are 8 of the 12 nodes above a word of wiki8. With 32, merged as often, hs trained 3.2 M
words/s instead of 3.8, and CBOW 4.8 instead of 6.2; with 1024 it was at most 5 % faster."""

HOT_WORDS = 64
"""The number of hot words. They are a quarter of wiki8 after subsampling. With copies of them, 2 threads train 8.7 M
words/s instead of 7.6, and CBOW 10.9 instead of 8.9; 256 words are no faster."""

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
    def new(cls, layout: RowLayout, dim: int, seed: int) -> Self:
        """Return input vectors U(-0.5, 0.5) / dim, where row i depends on (seed, i) alone, and output vectors of zeros.

        Raises InputError if memory is short.
        """
        matrices = cls._allocated(layout, dim, zeros)
        for first in range(0, layout.n_words, ROWS_AT_A_TIME):
            rows = matrices.input_vectors[first : min(layout.n_words, first + ROWS_AT_A_TIME)]
            fill_uniform(rows, first, dim, 0.5 / dim, np.uint64(seed))
        return matrices

    @classmethod
    def empty(cls, layout: RowLayout, dim: int, allocate: Allocate) -> Self:
        """Return matrices to be filled: only the padding is zero. Raises InputError if memory is short."""
        matrices = cls._allocated(layout, dim, allocate)
        matrices.input_vectors[:, dim:] = 0.0
        matrices.output_vectors[:, dim:] = 0.0
        return matrices

    @classmethod
    def _allocated(cls, layout: RowLayout, dim: int, allocate: Allocate) -> Self:
        try:
            input_vectors = allocate((layout.n_input_rows, _stride(dim)), 4 * ROW_FLOATS)
            output_vectors = allocate((layout.n_output_rows, _stride(dim)), 4 * ROW_FLOATS)
        except MemoryError as error:
            size = 2 * matrix_bytes(layout.n_words, dim) / 1e9
            raise InputError(
                f"too little memory for 2 matrices of {layout.n_words} words x {dim}, {size:.1f} GB: lower --dim or "
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

    def take(
        self, rows: NDArray[np.int64], inputs: NDArray[np.float32], outputs: NDArray[np.float32] | None = None
    ) -> None:
        """Copy earlier vectors: word i takes row rows[i] of `inputs` and `outputs`, (m, dim), or if that is -1 none."""
        words = np.flatnonzero(rows >= 0)
        for first in range(0, len(words), ROWS_AT_A_TIME):
            some = words[first : first + ROWS_AT_A_TIME]
            self.word_inputs[some] = inputs[rows[some]]
            if outputs is not None:
                self.word_outputs[some] = outputs[rows[some]]

    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        return is_finite(self.input_vectors) and is_finite(self.output_vectors)


def matrix_bytes(n_rows: int, dim: int) -> int:
    """The memory of one matrix, in bytes."""
    return 4 * n_rows * _stride(dim)


def _stride(dim: int) -> int:
    return -(-dim // ROW_FLOATS) * ROW_FLOATS


def zeros(shape: tuple[int, int], alignment: int) -> NDArray[np.float32]:
    """Return an aligned matrix of zeros, in C order."""
    # np.zeros gives memory that the operating system backs by huge pages: fewer TLB misses than any mmap.
    n = shape[0] * shape[1]
    memory = np.zeros(n + alignment // 4, np.float32)
    start = -memory.ctypes.data // 4 % (alignment // 4)
    return memory[start : start + n].reshape(shape)


def row_layout(n_words: int, config: TrainConfig, threads: int, has_frozen: bool) -> RowLayout:
    """Return the rows that training by `threads` threads needs, with spare rows if some words are frozen."""
    if config.loss == "softmax":
        return RowLayout.of(n_words, threads)
    n_spares = 2 * config.window if has_frozen else 0
    if threads == 1 and not config.deterministic:
        return RowLayout.of(n_words, n_spares=n_spares)
    n_hot_nodes = min(HOT_NODES, n_words - 1) if config.loss == "hs" else 0
    n_hot = min(HOT_WORDS, n_words)
    if not config.deterministic:
        return RowLayout.of(n_words, threads, n_hot, n_hot_nodes, n_spares)
    n_owners = max(threads, config.tracks)
    return RowLayout.of(n_words, n_owners, n_hot, n_hot_nodes, n_spares, *private_rows(n_words, config))


def new_matrices(
    n_words: int, config: TrainConfig, threads: int, is_frozen: NDArray[np.bool_] | None = None
) -> Matrices:
    """Return matrices to begin with, with the rows that the threads need."""
    matrices = Matrices.new(row_layout(n_words, config, threads, is_frozen is not None), config.dim, config.seed)
    return matrices if is_frozen is None else replace(matrices, is_frozen=is_frozen)
