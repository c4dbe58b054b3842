"""What each replica trains in a round, and how long a round is."""

import base64
import itertools
import math
import statistics
import zlib
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..training.schedule import Schedule


class Piece(NamedTuple):
    """Spans of one shard, in the order in which they are trained, and the learning rate of each."""

    shard: int
    numbers: NDArray[np.int64]
    learning_rates: NDArray[np.float32]


class ShardedSpans(NamedTuple):
    """All spans of a corpus that is cut into shards: those of shard s are starts[s], ..., starts[s + 1] - 1."""

    starts: NDArray[np.int64]

    @classmethod
    def of(cls, n_ids: list[int], schedule: Schedule) -> Self:
        """The spans of shards with these numbers of ids."""
        lengths = [-(-n // schedule.span_length) for n in n_ids]
        return cls(np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def n(self) -> int:
        """The number of spans in all shards."""
        return int(self.starts[-1])

    def pieces(self, spans: NDArray[np.int64], learning_rates: NDArray[np.float32]) -> list[Piece]:
        """Cut a sequence of spans where the shard changes. The pieces number the spans within their shard."""
        shards = self.shards_of(spans)
        cuts = [0, *(np.flatnonzero(np.diff(shards)) + 1).tolist(), len(spans)]
        return [
            Piece(int(shards[a]), spans[a:b] - self.starts[shards[a]], learning_rates[a:b])
            for a, b in itertools.pairwise(cuts)
            if a < b
        ]

    def shards_of(self, spans: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self.starts, spans, side="right") - 1


MIXED_SHARDS = 64
"""The number of shards whose spans a replica visits in one random order. One shard after the other, 2 replicas solve
36.7 % of the analogies of wiki8 instead of 37.3, as with a corpus that is not shuffled. To mix all shards of a large
corpus, all of them would have to be in memory at once."""


@dataclass
class Deal:
    """The spans of an epoch that are not trained yet, dealt out to the replicas in equal parts.

    As far as possible, a replica gets spans of shards that it has. It visits its shards group by group, and the spans
    of a group in a random order, which depends on the seed, the epoch, the spans that are left and who has them.
    """

    parts: list[NDArray[np.int64]]  # the spans of each replica
    n_taken: int = 0  # of each part

    @classmethod
    def of(
        cls, spans: ShardedSpans, is_done: NDArray[np.bool_], holders: list[int], n_replicas: int, seed: tuple[int, int]
    ) -> Self:
        """Deal out the spans that are not done. holders: the replica that has each shard. seed: with the epoch."""
        left = np.flatnonzero(~is_done)
        holder_of_span = np.repeat(holders, np.diff(spans.starts))
        left = left[np.argsort(holder_of_span[left], kind="stable")]
        rng = np.random.default_rng(seed)
        parts = []
        for part in np.array_split(left, n_replicas):
            shards, place = np.unique(spans.shards_of(part), return_inverse=True)
            group = rng.permutation(len(shards)) // MIXED_SHARDS
            parts.append(part[np.lexsort((rng.random(len(part)), group[place]))])
        return cls(parts)

    @property
    def n_left(self) -> int:
        """The number of spans that the longest part still has."""
        return max(map(len, self.parts)) - self.n_taken

    def take(self, n_spans: int) -> list[NDArray[np.int64]]:
        """Take the next spans of each replica, at most `n_spans`."""
        taken = [part[self.n_taken : self.n_taken + n_spans] for part in self.parts]
        self.n_taken += n_spans
        return taken

    def take_round(self, n_beats: int, n_spans: int) -> list[list[NDArray[np.int64]]]:
        """Take the spans of each beat and replica of a round: about `n_beats` beats of `n_spans` spans of a replica.

        The rounds that are left of the epoch will be about equally long, and none a short remainder.
        """
        n_rounds = max(1, round(self.n_left / (n_beats * n_spans)))
        n_spans = -(-self.n_left // (n_rounds * n_beats))
        n_beats = min(n_beats, -(-self.n_left // n_spans))
        return [self.take(n_spans) for _ in range(n_beats)]


def spans_to_text(is_done: NDArray[np.bool_]) -> str:
    """Write which spans are done as text for the header of a checkpoint."""
    return base64.b64encode(zlib.compress(np.packbits(is_done).tobytes())).decode()


def spans_from_text(text: str, n_spans: int) -> NDArray[np.bool_]:
    """Read what `spans_to_text` wrote; an empty text says that none is done. Raises InputError if it is damaged."""
    if not text:
        return np.zeros(n_spans, np.bool_)
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    except (ValueError, zlib.error) as error:
        raise InputError("the checkpoint does not say which parts of the epoch are done: it is damaged") from error
    if len(bits) != -(-n_spans // 8):
        raise InputError("the checkpoint is of an epoch of another length: it is damaged")
    return np.unpackbits(bits, count=n_spans).astype(np.bool_)


MOST_WAITING = 0.08
"""The largest share of the time that the replicas may spend on their exchanges."""

MOST_BEATS = 16
"""The most beats that a round has."""

SHORT_EPOCH_BEATS = 4
"""The beats of an epoch that is too short for more than one round. On wiki8 with 2 replicas one exchange in an epoch
loses 2 % of the analogies; three more exchanges of the frequent rows bring them back."""


class Costs(NamedTuple):
    """The seconds of an exchange of all rows, of an exchange of the frequent rows, and of a span of one replica."""

    full: float
    frequent: float
    span: float

    def length_of_round(self, n_spans_of_epoch: float) -> tuple[int, int]:
        """The beats of a round, and the spans that a replica trains in each: as few as `MOST_WAITING` allows.

        About half of that share goes to the exchanges of frequent rows. n_spans_of_epoch: of one replica. If they are
        too few for such a round, the epoch is one round of `SHORT_EPOCH_BEATS`: a corpus that small needs no cluster.
        """
        n_beats = int(np.clip(1 + self.full / self.frequent, 2, MOST_BEATS))
        exchanges = self.full + (n_beats - 1) * self.frequent
        n_spans = exchanges * (1 / MOST_WAITING - 1) / self.span
        if n_spans > n_spans_of_epoch:
            n_spans, n_beats = n_spans_of_epoch, SHORT_EPOCH_BEATS
        return n_beats, max(1, math.ceil(n_spans / n_beats))


class BeatTimes(NamedTuple):
    """The seconds of one beat. in_kernel: those of the slowest replica. n_spans: of the replica that had the most."""

    seconds: float  # with the exchange
    in_kernel: float
    n_spans: int


def share_waited(beats: list[BeatTimes], seconds: float) -> float:
    """The share of the `seconds` of some beats that was not spent in the kernels."""
    return 1 - sum(beat.in_kernel for beat in beats) / seconds


FIRST_COSTS = Costs(full=0.3, frequent=0.1, span=0.005)
"""The costs that are assumed until a round has been measured."""

MEASURED_ROUNDS = 3
"""The number of rounds, the last ones, over which costs are medians."""


class RoundCosts:
    """The costs of the last rounds."""

    def __init__(self) -> None:
        self._measured: deque[Costs] = deque(maxlen=MEASURED_ROUNDS)

    def costs(self) -> Costs:
        """The medians over the last rounds, or `FIRST_COSTS`."""
        return Costs(*map(statistics.median, zip(*(self._measured or [FIRST_COSTS]), strict=True)))

    def seconds_of_beat(self, n_spans: int) -> float:
        """The seconds of a beat in which a replica trains `n_spans` spans; infinity before one was measured."""
        costs = self.costs()
        return costs.full + n_spans * costs.span if self._measured else math.inf

    def measure(self, beats: list[BeatTimes], seconds: float) -> None:
        """Learn from the beats of a round that took `seconds`: the last one ended with an exchange of all rows."""
        exchanges = [beat.seconds - beat.in_kernel for beat in beats[1:]]
        frequent = statistics.median(exchanges) if exchanges else self.costs().frequent
        in_kernel = sum(beat.in_kernel for beat in beats)
        full = seconds - in_kernel - len(exchanges) * frequent
        span = in_kernel / sum(beat.n_spans for beat in beats)
        self._measured.append(Costs(max(full, frequent, 1e-3), max(frequent, 1e-3), span))
