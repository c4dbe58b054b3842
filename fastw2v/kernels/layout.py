"""Where every row of the two matrices stands: this module alone knows the offsets.

    input matrix    words | copies of the hot words of thread 0, 1, ... | spare rows of thread 0, 1, ...
    output matrix   words, or the nodes of the tree | copies of the hot rows of thread 0, 1, ...

Hot rows are those that the steps of every thread would write all the time: the threads' caches would take them from
each other at every step. So each thread works on its own copies, and merges them with the shared rows now and then.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .jit import Float32s, Int64s, inlined
from .simd import LANES, add, load, prefetch, store, subtract

ROW_FLOATS = 16
"""Rows are padded to whole cache lines of 64 bytes, so that no two rows share one."""

STEPS_FOR_A_MERGED_ROW = 4
"""Copies are merged after this many steps of their thread for each hot row, however many threads there are: with 16
threads, analogies and similarities are those of 2."""


class RowLayout(NamedTuple):
    """Where the rows of each kind begin. The three arrays hold, for each thread, the first row that it owns.

    Without a tree, the copy of a hot word has the same row number in both matrices; the kernels rely on it.
    """

    n_words: int
    n_hot_inputs: int  # the hot input rows are rows 0 to n_hot_inputs - 1, the most frequent words
    first_hot_output: int
    n_hot_outputs: int  # from row first_hot_output on: the most frequent words, or the topmost nodes of the tree
    n_spares: int  # rows of each thread for copies of frozen context words
    input_copies: Int64s  # (threads,)
    output_copies: Int64s  # (threads,)
    spare_inputs: Int64s  # (threads,)
    n_input_rows: int
    n_output_rows: int

    @classmethod
    def of(cls, n_words: int, threads: int = 1, n_hot: int = 0, n_hot_nodes: int = 0, n_spares: int = 0) -> RowLayout:
        """Lay out the rows of `threads` threads with `n_hot` hot words and, if there is a tree, `n_hot_nodes` hot nodes.

        n_spares: the rows that each thread needs for copies of frozen context words, twice the window.
        """
        n_hot_outputs = n_hot_nodes or n_hot
        numbers = np.arange(threads)
        first_spare = n_words + threads * n_hot
        return cls(
            n_words=n_words,
            n_hot_inputs=n_hot,
            first_hot_output=n_words - 1 - n_hot_nodes if n_hot_nodes else 0,  # a tree has n_words - 1 nodes
            n_hot_outputs=n_hot_outputs,
            n_spares=n_spares,
            input_copies=n_words + numbers * n_hot,
            output_copies=n_words + numbers * n_hot_outputs,
            spare_inputs=first_spare + numbers * n_spares,
            n_input_rows=first_spare + threads * n_spares,
            n_output_rows=n_words + threads * n_hot_outputs,
        )

    @property
    def n_threads(self) -> int:
        """The number of threads that have rows."""
        return len(self.input_copies)

    def check(self, input_vectors: Float32s, output_vectors: Float32s) -> None:
        """Raise ValueError unless both matrices have these rows, as aligned float32 of whole cache lines in C order."""
        for name, matrix, n in (
            ("input", input_vectors, self.n_input_rows),
            ("output", output_vectors, self.n_output_rows),
        ):
            if matrix.dtype != np.float32 or matrix.ndim != 2 or not matrix.flags.c_contiguous:
                raise ValueError(f"the {name} matrix must be 2-dimensional float32 in C order")
            if len(matrix) < n:
                raise ValueError(f"the {name} matrix has {len(matrix)} rows, but its layout needs {n}")
            if matrix.shape[1] % ROW_FLOATS or matrix.ctypes.data % (4 * ROW_FLOATS):
                raise ValueError(f"the rows of the {name} matrix must be whole cache lines of 64 bytes")
        if input_vectors.shape[1] != output_vectors.shape[1]:
            raise ValueError("the rows of the two matrices must be of one length")


class ThreadRows(NamedTuple):
    """The rows of one thread: the layout, with the first row of each kind that the thread owns."""

    n_words: int
    n_hot_inputs: int
    first_hot_output: int
    n_hot_outputs: int
    first_input_copy: int
    first_output_copy: int
    first_spare: int


@inlined
def rows_of_thread(layout: RowLayout, thread: int) -> ThreadRows:
    """Return the rows of one thread."""
    return ThreadRows(
        layout.n_words,
        layout.n_hot_inputs,
        layout.first_hot_output,
        layout.n_hot_outputs,
        layout.input_copies[thread],
        layout.output_copies[thread],
        layout.spare_inputs[thread],
    )


@inlined
def use_copies(own: ThreadRows, words: Int32s) -> None:
    """Overwrite words by the input rows that this thread uses for them: its own copies of hot ones; -1 stays."""
    if own.n_hot_inputs > 0:
        for i in range(words.shape[0]):
            if 0 <= words[i] < own.n_hot_inputs:
                words[i] += own.first_input_copy


@inlined
def word_of_row(own: ThreadRows, row: int) -> int:
    """The word of an input row that `use_copies` gave."""
    return row - own.first_input_copy if row >= own.n_words else row


@inlined
def output_row(own: ThreadRows, row: int) -> int:
    """The row that this thread uses for an output row: its own copy of a hot one."""
    place = row - own.first_hot_output
    return own.first_output_copy + place if 0 <= place < own.n_hot_outputs else row


@inlined
def merge_every(own: ThreadRows) -> int:
    """After how many steps a thread merges its copies of the hot rows."""
    return STEPS_FOR_A_MERGED_ROW * max(1, own.n_hot_inputs, own.n_hot_outputs)


@inlined
def copy_hot_rows(matrix: Float32s, merged: Float32s, first: int, copies: int) -> None:
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            value = load(matrix, (first + i) * stride + column)
            store(matrix, (copies + i) * stride + column, value)
            store(merged, i * stride + column, value)


@inlined
def merge_hot_rows(matrix: Float32s, merged: Float32s, first: int, copies: int) -> None:
    n, stride = merged.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            shared, copy = (first + i) * stride + column, (copies + i) * stride + column
            moved = subtract(load(matrix, copy), load(merged, i * stride + column))
            value = add(load(matrix, shared), moved)
            store(matrix, shared, value)
            store(matrix, copy, value)
            store(merged, i * stride + column, value)


@inlined
def prefetch_row(matrix: Float32s, row: int) -> None:
    """Ask for a row, to be written soon; nothing happens at a sentence end, whose number is -1."""
    if row >= 0:
        for column in range(0, matrix.shape[1], ROW_FLOATS):
            prefetch(matrix, row * matrix.shape[1] + column)
