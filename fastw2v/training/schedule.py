"""What is trained when, and at which learning rate: from the global position alone, whatever the threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig

LONGEST_SPAN = 16_384
"""Ids: 5 ms of work at dim 100, so that threads end a slice nearly together."""

SHORTEST_SPAN = 1_000
"""Ids: windows are cut where a span ends inside a sentence, which must stay rare."""

SPANS_OF_SMALL_CORPUS = 64
"""A small corpus has at least so many, as long as they are not too short: for the shuffle and many threads."""

SPAN_OPERATIONS = 2e9
"""Multiplications of a span at most: 0.2 s on a slow core, for Ctrl-C."""

LOWEST_RATE = 1e-4
"""The learning rate never falls below this share of the first one (word2vec.c)."""


@dataclass(frozen=True)
class Schedule:
    """Each epoch visits all spans of the corpus, equal pieces of ids, in an order of its own.

    Span i is ids[i * span_length : (i + 1) * span_length], its ends moved on to the next sentence's start where one is
    near (the kernel does that). `done` counts spans since the start of training.
    """

    n_ids: int
    span_length: int
    epochs: int
    lr: float
    seed: int

    @classmethod
    def of(cls, n_ids: int, config: TrainConfig) -> Schedule:
        operations = 4 * config.dim * (config.negative + 1) * (config.window + 1)
        length = min(LONGEST_SPAN, n_ids // SPANS_OF_SMALL_CORPUS, int(SPAN_OPERATIONS / operations))
        if config.loss == "softmax":  # a span may take seconds; signals come through, progress does not
            length = SHORTEST_SPAN
        return cls(n_ids, max(length, SHORTEST_SPAN), config.epochs, config.first_lr, config.seed)

    @property
    def n_spans(self) -> int:
        """Spans of an epoch."""
        return -(-self.n_ids // self.span_length)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The spans of an epoch in the order of their visit."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_spans)

    def learning_rates(self, done: NDArray[np.int64] | NDArray[np.floating]) -> NDArray[np.float32]:
        """lr * max(1e-4, 1 - position / (epochs * n_ids + 1)), position = done * span_length in ids.

        A rate holds for a span: at most 1/64 of a small corpus, 0.02 % of wiki8.
        """
        position = done * self.span_length
        fraction_left = 1.0 - position / (self.epochs * self.n_ids + 1)
        return (self.lr * np.maximum(LOWEST_RATE, fraction_left)).astype(np.float32)
