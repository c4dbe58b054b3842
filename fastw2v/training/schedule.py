"""What is trained when, and at which learning rate: by the global position alone, whatever the number of threads."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..kernels.statistics import N_PREDICTIONS, N_TOKENS, STATISTICS

LONGEST_SPAN = 16_384
"""The most ids of a span. They take 5 ms at dim 100, so that all threads finish a slice at nearly the same time."""

SHORTEST_SPAN = 1_000
"""The fewest ids of a span. A span that ends inside a sentence cuts windows, which must stay rare."""

SPANS_OF_SMALL_CORPUS = 64
"""The fewest spans of a small corpus, unless they became too short: enough to shuffle and to distribute."""

SPAN_OPERATIONS = 2e9
"""The most multiplications of a span: 0.2 s on a slow core, for which Ctrl-C may have to wait."""

LOWEST_RATE = 1e-4
"""Unless `min_lr` says otherwise, the learning rate never falls below this share of the first one, as in word2vec.c."""

SLICE_SECONDS = 0.35
"""The time that one call of the kernel should take. Ctrl-C waits for its end, as do threads that finish early."""


@dataclass(frozen=True)
class Schedule:
    """Each epoch visits all spans of the corpus, equal pieces of ids, in an order of its own.

    Span i is ids[i * span_length : (i + 1) * span_length]. The kernel moves both ends on to the start of the next
    sentence where one is near.
    """

    n_ids: int
    span_length: int
    epochs: int
    lr: float
    seed: int
    min_lr: float | None = None

    @classmethod
    def of(cls, n_ids: int, config: TrainConfig) -> Self:
        operations = 4 * config.dim * (config.n_drawn + 1) * (config.window + 1)
        if config.deterministic:
            operations *= config.tracks  # which train so many spans in one call
        length = min(LONGEST_SPAN, n_ids // SPANS_OF_SMALL_CORPUS, int(SPAN_OPERATIONS / operations))
        if config.loss == "softmax":  # a span may take seconds; signals get through, but no progress is told
            length = SHORTEST_SPAN
        length = max(length, SHORTEST_SPAN)
        return cls(n_ids, length, config.epochs, config.first_lr, config.seed, config.min_lr)

    @property
    def n_spans(self) -> int:
        """The number of spans of an epoch."""
        return -(-self.n_ids // self.span_length)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The spans of an epoch in the order in which they are visited, (n_spans,)."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.n_spans)

    def learning_rates(self, n_done: NDArray[np.int64] | NDArray[np.floating]) -> NDArray[np.float32]:
        """lr * max(1e-4, 1 - position / (epochs * n_ids + 1)), position = n_done * span_length in ids.

        With `min_lr` it is min_lr + (lr - min_lr) * max(0, 1 - position / (epochs * n_ids + 1)), as in gensim.

        n_done: the number of spans trained since the start of training. A rate holds for a whole span: at most 1/64 of
        a corpus of 64,000 ids or more, 1,000 ids of a smaller one, and 0.1 % of wiki8.
        """
        position = n_done * self.span_length
        fraction_left = 1.0 - position / (self.epochs * self.n_ids + 1)
        if self.min_lr is None:
            return (self.lr * np.maximum(LOWEST_RATE, fraction_left)).astype(np.float32)
        return (self.min_lr + (self.lr - self.min_lr) * np.maximum(0.0, fraction_left)).astype(np.float32)


@dataclass(frozen=True)
class Position:
    """Where a run stands: `n_spans` spans of epoch `epoch`, counted from 0, are done.

    At the end of an epoch all of its spans are done until its losses have been told; then the next epoch begins.
    n_words (tokens), n_predictions, seconds: of all training so far. epoch_total: the sums of the epoch's statistics.
    spans_done: on a cluster, which spans of the epoch are done; on one machine they are the first ones of its order.
    """

    epoch: int = 0
    n_spans: int = 0
    n_words: int = 0
    n_predictions: int = 0
    seconds: float = 0.0
    epoch_total: list[float] = field(default_factory=lambda: [0.0] * STATISTICS)
    spans_done: str = ""

    def after(self, total: NDArray[np.float64], n_spans: int, seconds: float) -> Self:
        """The position after `n_spans` more spans, whose statistics add up to `total`, (STATISTICS,)."""
        return replace(
            self,
            n_spans=self.n_spans + n_spans,
            n_words=self.n_words + int(total[N_TOKENS]),
            n_predictions=self.n_predictions + int(total[N_PREDICTIONS]),
            seconds=self.seconds + seconds,
            epoch_total=(np.array(self.epoch_total) + total).tolist(),
        )

    def at_next_epoch(self) -> Self:
        return replace(self, epoch=self.epoch + 1, n_spans=0, epoch_total=[0.0] * STATISTICS, spans_done="")


class SliceLength:
    """The number of spans of the next slice: as many as will take `SLICE_SECONDS`."""

    def __init__(self, config: TrainConfig, threads: int) -> None:
        # The threads of the full softmax work on one span together, those of the other losses on one each.
        self._least = 1 if config.loss == "softmax" else config.tracks if config.deterministic else threads
        self.n_spans = self._least

    def adapt(self, n_spans: int, seconds: float) -> None:
        """Learn from a slice of `n_spans` spans that took `seconds`."""
        wanted = int(n_spans * min(4.0, SLICE_SECONDS / seconds))
        self.n_spans = max(self._least, wanted // self._least * self._least)
