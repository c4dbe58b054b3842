"""The two matrices: made, sized, turned into Vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..kernels.random import fill_uniform
from ..vectors.formats import is_finite
from ..vectors.vectors import Vectors
from .recycled import uninitialized

ROW_FLOATS = 16
"""Rows are padded to whole cache lines of 64 bytes, so that no two rows share one. The padding stays zero: it starts
so, and every update adds a multiple of another row's padding."""


ROWS_AT_A_TIME = 100_000
"""Filled without a look at signals: well under a second."""


def none_frozen() -> NDArray[np.bool_]:
    return np.zeros(0, np.bool_)


@dataclass(frozen=True)
class Model:
    """input_vectors: a word as context; output_vectors: as centre. Both (n_words, stride) float32, C order, aligned to
    64 bytes, with more rows behind for the threads; a vector is the first `dim` columns. Training changes them.
    """

    input_vectors: NDArray[np.float32]
    output_vectors: NDArray[np.float32]
    dim: int
    is_frozen: NDArray[np.bool_] = field(
        default_factory=none_frozen
    )  # (n_words,): input vectors that training must not change; or empty

    @classmethod
    def new(
        cls, n_words: int, dim: int, seed: int | None, n_input_copies: int = 0, n_output_copies: int = 0
    ) -> Model:  # fmt: skip
        """Input U(-0.5, 0.5) / dim, a row from (seed, row); output zero. Without a seed anything, but for the padding.

        Raises InputError if memory is short.

        n_input_copies, n_output_copies: rows behind each matrix for the threads' copies of hot rows.
        """
        try:
            new_matrix = _zeros if seed is not None else _uninitialized
            input_vectors = new_matrix(n_words + n_input_copies, dim)
            output_vectors = new_matrix(n_words + n_output_copies, dim)
        except MemoryError as error:
            raise InputError(
                f"not enough memory for 2 matrices of {n_words} words x {dim}, {model_bytes(n_words, dim) / 1e9:.1f} "
                "GB: lower --dim or --max-vocab, or raise --min-count"
            ) from error
        for first in range(0, n_words if seed is not None else 0, ROWS_AT_A_TIME):
            stop = min(n_words, first + ROWS_AT_A_TIME)
            fill_uniform(input_vectors[first:stop], first, dim, 0.5 / dim, np.uint64(seed or 0))
        return cls(input_vectors, output_vectors, dim)

    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        return is_finite(self.input_vectors) and is_finite(self.output_vectors)

    def vectors(self, vocabulary: Vocabulary, which: str) -> Vectors:
        """The words with their `input` or `output` vectors, or the `average` of both (which overwrites the output).

        The vectors are a view of the padded rows, not a copy.
        """
        matrix = self.input_vectors if which == "input" else self.output_vectors
        if which == "average":
            matrix[: len(vocabulary)] += self.input_vectors[: len(vocabulary)]
            matrix *= np.float32(0.5)
        return Vectors(vocabulary.words, matrix[: len(vocabulary), : self.dim], vocabulary.counts)


def model_bytes(n_words: int, dim: int) -> int:
    """Memory of the matrices in bytes."""
    return 2 * 4 * n_words * _stride(dim)


def _stride(dim: int) -> int:
    return -(-dim // ROW_FLOATS) * ROW_FLOATS


def _zeros(n_words: int, dim: int) -> NDArray[np.float32]:
    # np.zeros gives memory that the kernel backs by huge pages: fewer TLB misses than any mmap.
    n = n_words * _stride(dim)
    memory = np.zeros(n + ROW_FLOATS, np.float32)
    start = -memory.ctypes.data // 4 % ROW_FLOATS
    return memory[start : start + n].reshape(n_words, _stride(dim))


def _uninitialized(n_words: int, dim: int) -> NDArray[np.float32]:
    matrix = uninitialized((n_words, _stride(dim)), alignment=64)
    matrix[:, dim:] = 0.0
    return matrix
