"""The options of training as the tables that the kernels read, and the trainer for each loss."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..kernels.alias import build_alias_table
from ..kernels.huffman import Paths, build_tree, fill_paths, path_lengths
from ..kernels.jit import in_parallel
from ..kernels.negatives import Negatives
from ..kernels.statistics import LOGIT_SUM, LOSS, LOSS_LOSS, LOSS_SIZE
from ..kernels.train import Job, Objective, Pass
from ..kernels.walk import Spans, Windows
from .matrices import Matrices, none_frozen
from .softmax import SoftmaxTrainer

TURNS = 8
"""How often a draw of negatives serves. On wiki8, 1 time gives 6.4 M words/s, 2 times 7.1, 4 times 7.5, 8 times 7.7 and
64 times 7.9. Analogies stay as good: 37.9 % for 1 time, 37.9 for 4, 38.6 for 8. But if a draw serves 4 consecutive
windows, which share contexts, they fall to 35.7."""

MOST_DRAWS = 64
"""The most draws that serve in turn, however wide the window is: their rows are to stay in the cache."""


SUMS_OF_LOSSES = [LOSS, LOSS_SIZE, LOGIT_SUM]
"""The columns of statistics that are linear in the losses of predictions."""


class SpanTrainer(Protocol):
    """Trains matrices on spans of ids, or takes their loss. statistics: (n_spans, STATISTICS) float64 zeros, filled."""

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans; with `learn` False, take the loss of every prediction and change nothing."""


def span_trainer(matrices: Matrices, vocabulary: Vocabulary, config: TrainConfig, threads: int) -> SpanTrainer:
    """Return what trains the matrices as the options say. Raises ValueError if their layout lacks rows for that."""
    windows = windows_of(vocabulary, config)._replace(is_frozen=matrices.is_frozen)
    if config.loss == "softmax":
        matrices.layout.check_use([len(vocabulary)], threads, has_tree=False, n_frozen=0)
        return SoftmaxTrainer(matrices, windows, config, threads)
    return HogwildTrainer(matrices, windows, objective_of(vocabulary, config), config.seed, threads)


class HogwildTrainer:
    """A `SpanTrainer` for negative sampling and hierarchical softmax: the threads share the matrices without locks.

    Raises ValueError if the layout of the matrices lacks rows for these words, threads, frozen words or this objective.
    """

    def __init__(self, matrices: Matrices, windows: Windows, objective: Objective, seed: int, threads: int) -> None:
        has_tree, has_frozen = objective.paths.longest > 0, len(windows.is_frozen) > 0
        lengths = [len(windows.keep), len(objective.paths.starts) - 1 if has_tree else len(objective.negatives.noise)]
        lengths += [len(windows.is_frozen)] if has_frozen else []
        matrices.layout.check_use(lengths, threads, has_tree, n_frozen=2 * windows.window if has_frozen else 0)
        self._matrices, self._windows, self._objective = matrices, windows, objective
        self._seed, self._threads = np.uint64(seed), threads

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        with in_parallel(self._threads):
            self.job(ids, spans, epoch, statistics, learn).run()

    def job(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> Job:
        """Return what a call with these arguments runs."""
        # The pairs of a window are alike: when the loss is that of all pairs, the standard error counts windows.
        windows = self._windows if learn else self._windows._replace(by_window=True)
        visit = Pass(learn, self._seed, np.uint64(epoch))
        matrices, layout = (self._matrices.input_vectors, self._matrices.output_vectors), self._matrices.layout
        return Job(ids, spans, *matrices, windows, *self._objective, layout, visit, statistics)


class JointTrainer:
    """A `SpanTrainer` of several objectives: it trains each on the same spans in turn, on input vectors they share.

    Its loss is the sum of theirs, whose standard error is at most the sum of theirs.
    """

    def __init__(self, trainers: Sequence[SpanTrainer]) -> None:
        self._trainers = trainers

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        each = np.zeros((len(self._trainers), *statistics.shape))
        for trainer, its_own in zip(self._trainers, each, strict=True):
            trainer(ids, spans, epoch, its_own, learn)
        statistics += each.mean(axis=0)
        statistics[:, SUMS_OF_LOSSES] = each[:, :, SUMS_OF_LOSSES].sum(axis=0)
        statistics[:, LOSS_LOSS] = np.sqrt(each[:, :, LOSS_LOSS]).sum(axis=0) ** 2  # at most: Minkowski's inequality


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
        return _objective(config, np.zeros(0, np.uint64), paths_of(vocabulary))
    noise = np.zeros(len(vocabulary), np.uint64)
    build_alias_table(vocabulary.noise_weights(config.ns_exponent), noise)
    return _objective(config, noise, _no_paths(len(vocabulary)))


def blank_objective(n_words: int, config: TrainConfig) -> Objective:
    """Return tables that no kernel has filled, to compile the one that reads them: of word 0 or node 0 only."""
    if config.loss == "hs":
        paths = Paths(np.arange(n_words + 1), np.zeros(n_words, np.int32), np.zeros(n_words, np.float32), longest=1)
        return _objective(config, np.zeros(0, np.uint64), paths)
    return _objective(config, np.zeros(n_words, np.uint64), _no_paths(n_words))


def _objective(config: TrainConfig, noise: NDArray[np.uint64], paths: Paths) -> Objective:
    by_path = config.loss == "hs"
    n_draws, n_turns = 2, 1  # two draws, so that each is made a step ahead
    if config.update == "window" and not by_path:
        n_draws, n_turns = min(2 * config.window + 1, MOST_DRAWS), TURNS
    n, weight = (0, 1.0) if by_path else (config.n_drawn, config.negative / config.n_drawn)
    negatives = Negatives(n, np.float32(weight), n_draws, n_turns, noise)
    return Objective(negatives, paths)


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
