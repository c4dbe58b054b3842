"""Where every row of the two matrices stands: nothing else in the package knows the offsets.

    input matrix    words | each thread's copies of the hot words | each thread's spare rows | each track's private rows
    output matrix   words, or nodes of the tree | each thread's copies of the hot rows | each track's private rows

Hot rows are those that the steps of every thread would write all the time, so that the threads' caches would take them
from each other at each step. Each thread works on copies of its own, and merges them with the shared rows now and then.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from .jit import Float32s, Int32s, Int64s, inlined, inlined_with_arrays
from .simd import LANES, add, load, prefetch, store, subtract

ROW_FLOATS = 16
"""Rows are padded to multiples of 16 floats, whole cache lines of 64 bytes, so that no two rows share one."""

STEPS_FOR_A_MERGED_ROW = 4
"""A thread merges its copies after this many steps for each hot row, however many threads there are: with 16 threads,
analogies and similarities are those of 2."""


class RowLayout(NamedTuple):
    """Where the rows of each kind begin. The arrays hold the first row of each thread.

    Without a tree, the copy of a hot word has the same row number in both matrices, on which the kernels rely.
    """

    n_words: int
    n_hot_inputs: int  # the hot input rows are the first ones, those of the most frequent words
    first_hot_output: int  # of words the first rows are hot, of a tree the last nodes, its top; n_words if none is
    n_hot_outputs: int
    n_spares: int  # rows of each thread for copies of frozen context words
    input_copies: Int64s
    output_copies: Int64s
    spare_inputs: Int64s
    n_private_inputs: int  # rows of each track for copies of words that other tracks train too
    n_private_outputs: int
    private_inputs: Int64s  # of each track; see `tracks`
    private_outputs: Int64s
    n_input_rows: int
    n_output_rows: int

    @classmethod
    def of(
        cls,
        n_words: int,
        threads: int = 1,
        n_hot: int = 0,
        n_hot_nodes: int = 0,
        n_spares: int = 0,
        n_private_inputs: int = 0,
        n_private_outputs: int = 0,
    ) -> Self:
        """Lay out the rows for `threads` threads, `n_hot` hot words and, with a tree, `n_hot_nodes` hot nodes.

        n_private_inputs, n_private_outputs: the private rows of a track; there are as many tracks as threads then.
        """
        n_hot_outputs = n_hot_nodes or n_hot
        first_hot_node = n_words - 1 - n_hot_nodes if n_hot_nodes else 0  # a tree has n_words - 1 nodes
        numbers = np.arange(threads)
        first_spare = n_words + threads * n_hot
        first_private_input = first_spare + threads * n_spares
        first_private_output = n_words + threads * n_hot_outputs
        return cls(
            n_words=n_words,
            n_hot_inputs=n_hot,
            first_hot_output=first_hot_node if n_hot_outputs else n_words,
            n_hot_outputs=n_hot_outputs,
            n_spares=n_spares,
            input_copies=n_words + numbers * n_hot,
            output_copies=n_words + numbers * n_hot_outputs,
            spare_inputs=first_spare + numbers * n_spares,
            n_private_inputs=n_private_inputs,
            n_private_outputs=n_private_outputs,
            private_inputs=first_private_input + numbers * n_private_inputs,
            private_outputs=first_private_output + numbers * n_private_outputs,
            n_input_rows=first_private_input + threads * n_private_inputs,
            n_output_rows=first_private_output + threads * n_private_outputs,
        )

    @property
    def n_threads(self) -> int:
        """The number of threads that the layout has rows for."""
        return len(self.input_copies)

    def check(self, input_vectors: Float32s, output_vectors: Float32s) -> None:
        """Raise ValueError unless the matrices hold these rows, float32 in C order, padded and aligned to 64 bytes."""
        if input_vectors.shape[1:] != output_vectors.shape[1:]:
            raise ValueError("the rows of the two matrices have different lengths")
        for matrix, n_rows in (input_vectors, self.n_input_rows), (output_vectors, self.n_output_rows):
            if matrix.dtype != np.float32 or matrix.ndim != 2 or not matrix.flags.c_contiguous:
                raise ValueError(f"a matrix must be 2-dimensional float32 in C order, not {matrix.dtype}")
            if len(matrix) < n_rows:
                raise ValueError(f"a matrix has {len(matrix)} rows, but its layout needs {n_rows}")
            if matrix.shape[1] % ROW_FLOATS or matrix.ctypes.data % (4 * ROW_FLOATS):
                raise ValueError("the rows of a matrix must begin at multiples of 64 bytes")

    def check_use(self, lengths: Sequence[int], threads: int, has_tree: bool, n_frozen: int) -> None:
        """Raise ValueError where a kernel of so many threads would leave the rows of this layout.

        lengths: those of the tables that have an entry for each word. has_tree: whether the outputs are the nodes of a
        tree. n_frozen: the most frozen words in a window.
        """
        if wrong := [length for length in lengths if length != self.n_words]:
            raise ValueError(f"a table of {wrong[0]} words, but the layout has rows for {self.n_words}")
        if threads > self.n_threads:
            raise ValueError(f"{threads} threads, but the layout has rows for {self.n_threads}")
        if n_frozen > self.n_spares:
            raise ValueError(f"{n_frozen} frozen words in a window, but the layout has rows for {self.n_spares}")
        if has_tree:
            is_hot = self.first_hot_output + self.n_hot_outputs == self.n_words - 1
        else:
            is_hot = self.first_hot_output == 0 and self.n_hot_outputs == self.n_hot_inputs
        if self.n_hot_outputs and not is_hot:
            raise ValueError(f"the hot output rows of the layout are {'not ' if has_tree else ''}those of a tree")


class ThreadRows(NamedTuple):
    """The rows that one thread uses. (These are plain numbers: arrays in this tuple would slow down the kernels.)"""

    n_words: int
    n_hot_inputs: int
    first_hot_output: int
    n_hot_outputs: int
    first_input_copy: int
    first_output_copy: int
    first_spare: int
    merge_every: int  # steps between two merges of the copies


@inlined
def rows_of_thread(layout: RowLayout, thread: int) -> ThreadRows:
    """Return the rows of the thread number `thread`."""
    return ThreadRows(
        n_words=layout.n_words,
        n_hot_inputs=layout.n_hot_inputs,
        first_hot_output=layout.first_hot_output,
        n_hot_outputs=layout.n_hot_outputs,
        first_input_copy=layout.input_copies[thread],
        first_output_copy=layout.output_copies[thread],
        first_spare=layout.spare_inputs[thread],
        merge_every=STEPS_FOR_A_MERGED_ROW * max(1, layout.n_hot_inputs, layout.n_hot_outputs),
    )


@inlined
def words_as_rows(layout: RowLayout) -> ThreadRows:
    """Return the rows of words and nodes themselves, without copies."""
    return ThreadRows(layout.n_words, 0, layout.n_words, 0, 0, 0, 0, 0)


@inlined
def use_copies(own: ThreadRows, words: Int32s) -> None:
    """Replace each hot word by the row of this thread's copy; other words are their rows, and -1 stays."""
    if own.n_hot_inputs > 0:
        for i in range(words.shape[0]):
            if 0 <= words[i] < own.n_hot_inputs:
                words[i] += own.first_input_copy


@inlined
def word_of_row(own: ThreadRows, row: int) -> int:
    """Return the word of an input row, which may be a copy."""
    return row - own.first_input_copy if row >= own.n_words else row


@inlined
def output_row_of_word(own: ThreadRows, word: int) -> int:
    """Return the output row that this thread uses for a word: its copy if the word is hot."""
    return own.first_output_copy + word if word < own.n_hot_outputs else word


@inlined
def output_row_of_node(own: ThreadRows, node: int) -> int:
    """Return the output row that this thread uses for a node of the tree: its copy if the node is hot."""
    return node + own.first_output_copy - own.first_hot_output if node >= own.first_hot_output else node


class Copied(NamedTuple):
    """The hot rows of the two matrices as a thread's copies were when they were last merged: (n_hot, stride) each."""

    inputs: Float32s
    outputs: Float32s


@inlined_with_arrays
def copy_hot_rows(inputs: Float32s, outputs: Float32s, own: ThreadRows) -> Copied:
    """Copy the hot rows to this thread's copies."""
    stride = inputs.shape[1]
    copied = Copied(np.empty((own.n_hot_inputs, stride), np.float32), np.empty((own.n_hot_outputs, stride), np.float32))
    _copy_rows(inputs, copied.inputs, np.int64(0), own.first_input_copy)
    _copy_rows(outputs, copied.outputs, own.first_hot_output, own.first_output_copy)
    return copied


@inlined
def merge_hot_rows(inputs: Float32s, outputs: Float32s, copied: Copied, own: ThreadRows) -> None:
    """Add what this thread's copies have moved by since they were last merged to the shared rows; copy those again."""
    _merge_rows(inputs, copied.inputs, np.int64(0), own.first_input_copy)
    _merge_rows(outputs, copied.outputs, own.first_hot_output, own.first_output_copy)


@inlined
def _copy_rows(matrix: Float32s, copied: Float32s, first: int, copies: int) -> None:
    """Copy the hot rows of a matrix, which begin at row `first`, to the rows from `copies` on, and to `copied`."""
    n, stride = copied.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            value = load(matrix, (first + i) * stride + column)
            store(matrix, (copies + i) * stride + column, value)
            store(copied, i * stride + column, value)


@inlined
def _merge_rows(matrix: Float32s, copied: Float32s, first: int, copies: int) -> None:
    n, stride = copied.shape
    for i in range(n):
        for column in range(0, stride, LANES):
            shared, copy = (first + i) * stride + column, (copies + i) * stride + column
            moved = subtract(load(matrix, copy), load(copied, i * stride + column))
            value = add(load(matrix, shared), moved)
            store(matrix, shared, value)
            store(matrix, copy, value)
            store(copied, i * stride + column, value)


@inlined
def prefetch_row(matrix: Float32s, row: int) -> None:
    """Ask for a row, which will be written soon; -1, a sentence end, is no row."""
    if row >= 0:
        for column in range(0, matrix.shape[1], ROW_FLOATS):
            prefetch(matrix, row * matrix.shape[1] + column)
