"""The options of training as the tables that the kernels read."""

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..kernels.alias import build_alias_table
from ..kernels.huffman import Paths, build_tree, fill_paths, path_lengths
from ..kernels.train import Objective
from ..kernels.walk import Windows
from .matrices import none_frozen
from .pieces import negatives_of


def windows_of(vocabulary: Vocabulary, config: TrainConfig) -> Windows:
    """Return how the kernels cut the text into windows; no word is frozen."""
    keep = vocabulary.keep_probability(config.sample, config.sample_formula)
    return Windows(
        keep=np.minimum(keep * 2.0**32, 2.0**32 - 1).astype(np.uint32),
        window=config.window,
        fixed_window=config.fixed_window,
        by_window=config.update == "window",
        by_mean=config.model == "cbow",
        by_sum=config.cbow_sum,
        exact_mean=config.cbow_gradient == "exact",
        is_frozen=none_frozen(),
    )


def objective_of(vocabulary: Vocabulary, config: TrainConfig) -> Objective:
    """Return the tables that give the kernel its output rows: the noise, or the Huffman paths."""
    if config.loss == "hs":
        return Objective(negatives_of(config, np.zeros(0, np.uint64)), paths_of(vocabulary))
    noise = np.zeros(len(vocabulary), np.uint64)
    build_alias_table(vocabulary.noise_weights(config.ns_exponent), noise)
    return Objective(negatives_of(config, noise), _no_paths(len(vocabulary)))


def blank_objective(n_words: int, config: TrainConfig) -> Objective:
    """Return tables that no kernel has filled, to compile the one that reads them: of word 0 or node 0 only."""
    if config.loss == "hs":
        paths = Paths(np.arange(n_words + 1), np.zeros(n_words, np.int32), np.zeros(n_words, np.float32), longest=1)
        return Objective(negatives_of(config, np.zeros(0, np.uint64)), paths)
    return Objective(negatives_of(config, np.zeros(n_words, np.uint64)), _no_paths(n_words))


def _no_paths(n_words: int) -> Paths:
    return Paths(np.zeros(n_words + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), longest=0)


def paths_of(vocabulary: Vocabulary) -> Paths:
    """Return the nodes of the Huffman tree above each word, and what is predicted at each."""
    parents, bits, lengths = _tree_of(vocabulary)
    starts = np.zeros(len(vocabulary) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    nodes, labels = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    fill_paths(parents, bits, starts, nodes, labels)
    return Paths(starts, nodes, labels, longest=int(lengths.max()))


def _tree_of(vocabulary: Vocabulary) -> tuple[NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32]]:
    """Return the parents and bits of the nodes, as `build_tree` fills them, and the lengths of the words' paths.

    No path is longer than 90: the least weight above a path grows like Fibonacci's numbers, and fits into 64 bits.
    """
    n_words, n_nodes = len(vocabulary), 2 * len(vocabulary) - 1
    parents, bits, lengths = np.empty(n_nodes, np.int32), np.empty(n_nodes, np.uint8), np.empty(n_nodes, np.int32)
    order = np.argsort(-vocabulary.weights, kind="stable")  # of a vocabulary that has grown, counts may rise
    build_tree(vocabulary.weights[order], parents, bits)
    for of_words in (parents[:n_words], bits[:n_words]):
        of_words[order] = of_words.copy()
    path_lengths(parents, lengths)
    return parents, bits, lengths[:n_words]


def length_of_paths(vocabulary: Vocabulary) -> int:
    """Return the sum of the lengths of the Huffman paths of all words."""
    return int(_tree_of(vocabulary)[2].sum(dtype=np.int64))
