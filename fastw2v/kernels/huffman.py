"""The Huffman tree of hierarchical softmax: how it is built, and the paths of words as outputs of a step."""

from typing import NamedTuple

import numpy as np

from .jit import Bytes, Float32s, Int32s, Int64s, inlined, kernel
from .layout import ThreadRows, output_row_of_node
from .update import Scratch, fill_last_tile, set_output
from .walk import Piece


class Paths(NamedTuple):
    """The inner nodes above each word, from its leaf up to the root, and what a step shall predict at each."""

    starts: Int64s  # (n_words + 1,): the path of word w is nodes[starts[w] : starts[w + 1]]
    nodes: Int32s  # inner nodes counted from 0, the rows of the output matrix
    labels: Float32s  # 1 - bit, what word2vec.c's sigmoid is to give at the node
    longest: int  # the length of the longest path; 0 without a tree


@kernel
def build_tree(counts: Int64s, parents: Int32s, bits: Bytes) -> None:
    """Build Huffman's tree by two queues (van Leeuwen 1976), in linear time. It is word2vec.c's tree, also on ties.

    Nodes 0 to n - 1 are the words. Nodes n to 2n - 2 are the inner nodes in the order of their making; the last one is
    the root. counts: (n,) int64, never rising, n >= 2. parents: (2n - 1,) int32 and bits: (2n - 1,) uint8,
    overwritten: the parent of each node, -1 for the root, and the side on which the node hangs.
    """
    n = counts.shape[0]
    weights = np.empty(2 * n - 1, np.int64)
    weights[:n] = counts
    next_word = n - 1  # the queue of words begins with the rarest
    next_inner = n  # that of inner nodes with the oldest, which is the lightest
    for inner in range(n, 2 * n - 1):
        total = 0
        for bit in range(2):
            if next_word >= 0 and (next_inner >= inner or weights[next_word] < weights[next_inner]):
                child = next_word
                next_word -= 1
            else:
                child = next_inner
                next_inner += 1
            parents[child] = inner
            bits[child] = bit
            total += weights[child]
        weights[inner] = total
    parents[2 * n - 2] = -1
    bits[2 * n - 2] = 0


@kernel
def path_lengths(parents: Int32s, lengths: Int32s) -> None:
    """Count the inner nodes above each node. lengths: (2n - 1,) int32, overwritten."""
    root = parents.shape[0] - 1
    lengths[root] = 0
    for node in range(root - 1, -1, -1):  # a parent has a higher number than its children
        lengths[node] = lengths[parents[node]] + 1


@kernel
def fill_paths(parents: Int32s, bits: Bytes, starts: Int64s, nodes: Int32s, labels: Float32s) -> None:
    """Write the path of each word to nodes and labels at starts[word] : starts[word + 1], as `Paths` describes them."""
    n = starts.shape[0] - 1
    for word in range(n):
        node = np.int64(word)
        for place in range(starts[word], starts[word + 1]):
            labels[place] = 1.0 - bits[node]
            node = np.int64(parents[node])
            nodes[place] = node - n


@inlined
def list_nodes(piece: Piece, n_windows: int, paths: Paths) -> int:
    """Write the nodes above each centre word of a piece; return their number."""
    n = 0
    for i in range(n_windows):
        word = np.int64(piece.words[piece.centres[i]])
        for place in range(paths.starts[word], paths.starts[word + 1]):
            piece.outputs[n] = paths.nodes[place]
            n += 1
    return n


@inlined
def set_path(
    scratch: Scratch, paths: Paths, word: int, rows: Int32s, used: int, own: ThreadRows, stride: int, rate: float
) -> int:
    """Make the inner nodes above a word the outputs of a step; return their number.

    Their rows are rows[used], ..., or if that is empty those of the thread. rate: the learning rate.
    """
    is_listed = rows.shape[0] > 0
    start = paths.starts[word]
    n_outputs = paths.starts[word + 1] - start
    for i in range(n_outputs):
        row = np.int64(rows[used + i]) if is_listed else output_row_of_node(own, np.int64(paths.nodes[start + i]))
        set_output(scratch, i, row * stride, paths.labels[start + i], rate)
    fill_last_tile(scratch, n_outputs)
    return n_outputs
