"""Hierarchical softmax's tree: each word's way from the root, as flat arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .jit import Float32s, Int32s, Int64s, kernel


class Paths(NamedTuple):
    """The path of each word: the nodes above it, from its leaf up to the root, and their labels."""

    starts: Int64s  # (n_words + 1,): the path of word w is at starts[w] : starts[w + 1]
    nodes: Int32s
    labels: Float32s
    longest: int


@kernel
def build_tree(counts: NDArray[np.int64], parents: NDArray[np.int32], bits: NDArray[np.uint8]) -> None:
    """Huffman's tree by two queues (van Leeuwen 1976), in linear time; word2vec.c's, also on ties.

    Nodes 0 to n - 1 are the words, n to 2n - 2 the inner nodes in the order of their making, the last the root.
    counts: (n,) int64, falling, n >= 2. parents, bits: (2n - 1,), overwritten: where a node hangs, and on which side;
    the root's parent is -1.
    """
    n = counts.shape[0]
    weights = np.empty(2 * n - 1, np.int64)
    weights[:n] = counts
    next_word = n - 1  # words wait from the rarest on,
    next_inner = n  # inner nodes in the order of their making, which is that of their weight
    for made in range(n, 2 * n - 1):
        total = 0
        for bit in range(2):
            if next_word >= 0 and (next_inner >= made or weights[next_word] < weights[next_inner]):
                child = next_word
                next_word -= 1
            else:
                child = next_inner
                next_inner += 1
            parents[child] = made
            bits[child] = bit
            total += weights[child]
        weights[made] = total
    parents[2 * n - 2] = -1
    bits[2 * n - 2] = 0


@kernel
def path_lengths(parents: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
    """How many inner nodes stand above each node; lengths: (2n - 1,) int32, overwritten."""
    root = parents.shape[0] - 1
    lengths[root] = 0
    for node in range(root - 1, -1, -1):  # a parent was made after its children
        lengths[node] = lengths[parents[node]] + 1


@kernel
def fill_paths(
    parents: NDArray[np.int32], bits: NDArray[np.uint8], starts: NDArray[np.int64], nodes: NDArray[np.int32],
    labels: NDArray[np.float32],
) -> None:  # fmt: skip
    """Write each word's inner nodes and labels, from its leaf up, at starts[word] : starts[word + 1].

    nodes: inner nodes counted from 0, the rows of the output matrix. labels: 1 - bit, what word2vec.c's sigmoid is to
    give at the node.
    """
    n = starts.shape[0] - 1
    for word in range(n):
        node = np.int64(word)
        for place in range(starts[word], starts[word + 1]):
            labels[place] = 1.0 - bits[node]
            node = np.int64(parents[node])
            nodes[place] = node - n
