"""Training by replicas that meet: what each trains in a round, and how long a round is."""

from __future__ import annotations

import base64
import itertools
import math
import statistics
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .schedule import Schedule


class Piece(NamedTuple):
    """Spans of one shard, in the order of their visit."""

    shard: int
    numbers: NDArray[np.int64]
    learning_rates: NDArray[np.float32]


class ShardedSpans(NamedTuple):
    """All spans of a corpus in shards: those of shard s are starts[s], ..., starts[s + 1] - 1."""

    starts: NDArray[np.int64]

    @classmethod
    def of(cls, n_ids: list[int], schedule: Schedule) -> ShardedSpans:
        """n_ids: those of each shard."""
        lengths = [-(-n // schedule.span_length) for n in n_ids]
        return cls(np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def n(self) -> int:
        return int(self.starts[-1])

    def pieces(self, spans: NDArray[np.int64], learning_rates: NDArray[np.float32]) -> list[Piece]:
        """The spans as runs of one shard each."""
        shards = np.searchsorted(self.starts, spans, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(shards)) + 1).tolist(), len(spans)]
        return [
            Piece(int(shards[a]), spans[a:b] - self.starts[shards[a]], learning_rates[a:b])
            for a, b in itertools.pairwise(cuts)
            if a < b
        ]


MIXED_SHARDS = 64
"""Of a replica are visited together. With one after the other 2 replicas solve 36.7 % of the analogies of wiki8 instead
of 37.3, as with a corpus that is not shuffled; all of a large corpus would have to be in memory at once."""


@dataclass
class Deal:
    """The spans of an epoch that are not done yet, dealt out to the replicas in equal parts, of shards they have.

    A replica visits its shards a group after the other, and the spans of a group in a random order. The order depends
    on the seed, the epoch, what is left and who has it.
    """

    parts: list[NDArray[np.int64]]
    taken: int = 0

    @classmethod
    def of(
        cls, spans: ShardedSpans, is_done: NDArray[np.bool_], homes: Sequence[int], n_replicas: int, seed: int,
        epoch: int,
    ) -> Deal:  # fmt: skip
        """homes: the replica that has each shard at hand."""
        left = np.flatnonzero(~is_done)
        home_of_span = np.repeat(homes, np.diff(spans.starts))
        left = left[np.argsort(home_of_span[left], kind="stable")]
        rng = np.random.default_rng([seed, epoch])
        parts = []
        for part in np.array_split(left, n_replicas):
            shards = np.searchsorted(spans.starts, part, side="right") - 1
            own, place = np.unique(shards, return_inverse=True)
            group = rng.permutation(len(own)) // MIXED_SHARDS
            parts.append(part[np.lexsort((rng.random(len(part)), group[place]))])
        return cls(parts)

    @property
    def n_left(self) -> int:
        """Spans of the longest part."""
        return max(map(len, self.parts)) - self.taken

    def take(self, n_spans: int) -> list[NDArray[np.int64]]:
        """The next spans of each replica."""
        taken = [part[self.taken : self.taken + n_spans] for part in self.parts]
        self.taken += n_spans
        return taken


def spans_to_text(is_done: NDArray[np.bool_]) -> str:
    """Which spans are done, for a checkpoint's header."""
    return base64.b64encode(zlib.compress(np.packbits(is_done).tobytes())).decode()


def spans_from_text(text: str, n_spans: int) -> NDArray[np.bool_]:
    """What `spans_to_text` wrote; none are done if that is empty. Raises InputError."""
    if not text:
        return np.zeros(n_spans, np.bool_)
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    except (ValueError, zlib.error) as error:
        raise InputError("the checkpoint does not say which parts of the epoch are done: it is damaged") from error
    if len(bits) != -(-n_spans // 8):
        raise InputError("the checkpoint is of an epoch of another length: it is damaged")
    return np.unpackbits(bits, count=n_spans).astype(np.bool_)


class Costs(NamedTuple):
    """Seconds: of an exchange of all rows, of one of the frequent rows, and of a span on one replica."""

    full: float
    frequent: float
    span: float


MOST_WAITING = 0.08
"""The share of the time that replicas may spend on their exchanges."""

MOST_BEATS = 16

LEAST_BEATS = 4
"""Of an epoch, which has a round at least: on wiki8 with 2 replicas one exchange in an epoch loses 2 % of the
analogies, three more of the frequent rows bring them back."""


def length_of_round(costs: Costs, n_epoch: float) -> tuple[int, int]:
    """(beats of a round, spans of a replica in a beat): as short as `MOST_WAITING` allows.

    About half of that goes to the exchanges of frequent rows. n_epoch: spans of a replica in an epoch; where that is so
    short that `LEAST_BEATS` takes more of the time, it does: a corpus that small needs no cluster.
    """
    n_beats = int(np.clip(1 + costs.full / costs.frequent, 2, MOST_BEATS))
    exchanges = costs.full + (n_beats - 1) * costs.frequent
    n_spans = exchanges * (1 / MOST_WAITING - 1) / costs.span
    if n_spans > n_epoch:
        n_spans, n_beats = n_epoch, LEAST_BEATS
    return n_beats, max(1, math.ceil(n_spans / n_beats))


FIRST_COSTS = Costs(full=0.3, frequent=0.1, span=0.005)
"""Seconds, until they are measured."""

MEASURED_ROUNDS = 3


class Pace:
    """What the last rounds cost."""

    def __init__(self) -> None:
        self._measured: deque[Costs] = deque(maxlen=MEASURED_ROUNDS)

    def costs(self) -> Costs:
        if not self._measured:
            return FIRST_COSTS
        return Costs(*(statistics.median(values) for values in zip(*self._measured, strict=True)))

    def measure(self, ends: list[float], in_kernel: list[float], seconds: float, n_spans: list[int]) -> None:
        """Of a round of `seconds`. ends: its start and the ends of its beats; in_kernel: seconds of the slowest replica
        in each beat; n_spans: of the longest part of each.
        """
        frequent = [b - a - kernel for a, b, kernel in zip(ends[1:], ends[2:], in_kernel[1:], strict=False)]
        of_frequent = statistics.median(frequent) if frequent else self.costs().frequent
        of_full = seconds - sum(in_kernel) - len(frequent) * of_frequent
        self._measured.append(Costs(max(of_full, of_frequent, 1e-3), max(of_frequent, 1e-3),
                                    sum(in_kernel) / sum(n_spans)))  # fmt: skip


def exchange_bytes(n_workers: int, n_rows: int, dim: int) -> int:
    """What each worker sends when rows of both matrices are exchanged: changes to those who combine them, and back.

    2 (n - 1) / n of the rows' bytes, however many workers there are.
    """
    return round(2 * (n_workers - 1) / n_workers * 2 * 4 * n_rows * dim)
