"""The options of training as the tables that the kernels read, and what trains by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..kernels.alias import build_alias_table
from ..kernels.huffman import build_tree, fill_paths, path_lengths
from ..kernels.jit import in_parallel
from ..kernels.train import Objective, Spans, Windows, train_spans
from .model import Model, none_frozen
from .softmax import SoftmaxTrainer

LOSS_EVERY = 128
"""The loss is taken of one step (a window, or a pair) in this many: 0.8 to 1.5 % of the time."""

HOT_NODES = 256
"""Eight of the twelve nodes above a word of wiki8. With 32 of them, merged as often, hs made
3.2 M words/s instead of 3.8, CBOW 4.8 instead of 6.2; 1024 are no better than 5 % faster."""

HOT_WORDS = 64
"""The most frequent words, a quarter of wiki8 after subsampling: with 2 threads 8.7 M words/s instead of 7.6, CBOW 10.9
instead of 8.9. 256 words are no faster."""

STEPS_FOR_A_MERGED_ROW = 4
"""Copies are merged after so many steps of their thread a hot row, however many threads there are: with 16 of them
analogies and similarities are those of 2."""

TURNS = 8
"""How often a draw of negatives is used. On wiki8 once gives 6.4 M words/s, 2 times 7.1, 4 times 7.5, 8 times 7.7,
64 times 7.9. Analogies stay: once 37.9 %, 4 times 37.9, 8 times 38.6; but 4 times in consecutive windows, which share
contexts, 35.7."""

MOST_DRAWS = 64
"""Draws in turn for any window, so that their rows stay in the cache."""


class SpanTrainer(Protocol):
    """Trains a model on spans of ids, or takes their loss. statistics: (n_spans, STATISTICS) float64 zeros, filled."""

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """With `learn` False, take the loss of every prediction and change nothing."""


def span_trainer(model: Model, vocabulary: Vocabulary, config: TrainConfig, threads: int) -> SpanTrainer:
    """What trains the model as the options say."""
    windows = windows_of(vocabulary, config)._replace(is_frozen=model.is_frozen)
    if config.loss == "softmax":
        return SoftmaxTrainer(model, windows, config, threads)
    return HogwildTrainer(model, windows, objective_of(vocabulary, config, threads), config.seed, threads)


class HogwildTrainer:
    """A `SpanTrainer` for negative sampling and hierarchical softmax: the threads share the matrices without locks."""

    def __init__(self, model: Model, windows: Windows, objective: Objective, seed: int, threads: int) -> None:
        self._model, self._windows, self._objective, self._seed = model, windows, objective, np.uint64(seed)
        self._threads = threads

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        # The pairs of a window are alike: when all of them are taken, a window is what the standard error counts.
        objective = self._objective if learn else self._objective._replace(share_negatives=True)
        with in_parallel(self._threads):
            train_spans(
                ids, spans, self._model.input_vectors, self._model.output_vectors, self._windows, objective,
                LOSS_EVERY if learn else 1, learn, self._seed, np.uint64(epoch), statistics,
            )  # fmt: skip


def windows_of(vocabulary: Vocabulary, config: TrainConfig) -> Windows:
    """How the kernels cut the text."""
    keep = vocabulary.keep_probability(config.sample, config.sample_formula)
    return Windows(
        np.minimum(keep * 2.0**32, 2.0**32 - 1).astype(np.uint32),
        config.window,
        config.fixed_window,
        config.model == "cbow",
        config.cbow_gradient == "exact",
        none_frozen(),
    )


def n_hot_rows(n_words: int, config: TrainConfig, threads: int) -> tuple[int, int]:
    """How many words and how many nodes of a Huffman tree each thread has copies of."""
    if threads == 1 or config.loss == "softmax":
        return 0, 0
    return min(HOT_WORDS, n_words), min(HOT_NODES, n_words - 1) if config.loss == "hs" else 0


def new_model(
    n_words: int, config: TrainConfig, threads: int, is_frozen: NDArray[np.bool_] | None = None, is_random: bool = True
) -> Model:  # fmt: skip
    """A model to begin with, with the rows that the threads need; or one to be filled."""
    n_hot_words, n_hot_nodes = n_hot_rows(n_words, config, threads)
    n_hot_outputs = n_hot_nodes if config.loss == "hs" else n_hot_words
    n_spare = 0 if is_frozen is None else 2 * config.window
    made = Model.new(
        n_words, config.dim, config.seed if is_random else None, threads * (n_hot_words + n_spare),
        threads * n_hot_outputs,
    )  # fmt: skip
    return made if is_frozen is None else replace(made, is_frozen=is_frozen)


def objective_of(vocabulary: Vocabulary, config: TrainConfig, threads: int) -> Objective:
    """The tables that give the kernel its output rows: the noise, or the Huffman paths."""
    n_words = len(vocabulary)
    by_path = config.loss == "hs"
    noise = np.zeros(0 if by_path else n_words, np.uint64)
    starts, nodes, labels = np.zeros(n_words + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
    longest = 0
    if by_path:
        parents, bits = np.empty(2 * n_words - 1, np.int32), np.empty(2 * n_words - 1, np.uint8)
        build_tree(vocabulary.counts, parents, bits)
        lengths = np.empty(2 * n_words - 1, np.int32)
        path_lengths(parents, lengths)
        np.cumsum(lengths[:n_words], out=starts[1:])
        nodes, labels = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        fill_paths(parents, bits, starts, nodes, labels)
        longest = int(lengths.max())
    else:
        build_alias_table(vocabulary.noise_weights(config.ns_exponent), noise)
    if config.update == "window" and not by_path:
        draws, turns = min(2 * config.window + 1, MOST_DRAWS), TURNS
    else:
        draws, turns = 2, 1  # two, so that each is made a step ahead
    hot_rows = n_hot_rows(n_words, config, threads)
    return Objective(
        by_path, config.update == "window", draws, turns, 0 if by_path else config.negative, noise, starts, nodes,
        labels, longest, *hot_rows, n_words, STEPS_FOR_A_MERGED_ROW * max(1, *hot_rows),
    )  # fmt: skip
