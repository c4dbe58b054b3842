"""What the workers of a cluster do in a round: pure functions of arrays, which may be run again anywhere.

A round: each replica starts from the same model and trains its own spans in several beats. Between beats the replicas
exchange their most frequent words, at the end of the round everything. The rows of the model are kept in blocks, by
frequency in turn, so that all workers combine equal parts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.shards import EncodedShard
from ..corpus.vocabulary import Vocabulary
from ..kernels.jit import MAX_THREADS
from ..kernels.train import STATISTICS
from ..kernels.train import Spans as KernelSpans
from .combine import combine
from .model import Model, none_frozen
from .objective import new_model, span_trainer
from .recycled import uninitialized
from .rounds import Piece

FREQUENT_SHARE = 0.05
"""Of all rows, the most frequent are exchanged after each beat: of wiki8 after subsampling they are 3 of 4 words."""


class Rows(NamedTuple):
    """Some rows of both matrices, most frequent first, (n, dim) float32 without padding: or what is added to them."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]


@dataclass(frozen=True)
class Job:
    """What stays the same during a run."""

    config: TrainConfig
    counts: NDArray[np.int64]
    is_frozen: NDArray[np.bool_] = field(default_factory=none_frozen)
    span_length: int = 0
    n_blocks: int = 1

    @property
    def n_words(self) -> int:
        return len(self.counts)

    @property
    def n_frequent(self) -> int:
        return max(1, int(FREQUENT_SHARE * self.n_words))

    def new_model(self, threads: int, is_random: bool = False) -> Model:
        is_frozen = np.array(self.is_frozen) if len(self.is_frozen) else None
        return new_model(self.n_words, self.config, threads, is_frozen, is_random)

    def by_frequency(self, model: Model) -> Rows:
        """Views of the rows of a model: the output rows of a tree are its nodes, the most frequent last."""
        shape = slice(0, self.n_words), slice(0, model.dim)
        outputs = model.output_vectors[shape]
        return Rows(model.input_vectors[shape], outputs[::-1] if self.config.loss == "hs" else outputs)

    def block(self, rows: Rows, number: int, frequent: bool = False) -> Rows:
        """A view of the rows of a block, or of the frequent ones among them."""
        some = slice(number, self.n_frequent if frequent else self.n_words, self.n_blocks)
        return Rows(*(matrix[some] for matrix in rows))

    def n_frequent_of(self, number: int) -> int:
        """How many rows of a block are frequent ones."""
        return len(range(number, self.n_frequent, self.n_blocks))


class Work(NamedTuple):
    """What a replica trains in a beat; pieces[i].shard is the place of the shard among those it is given."""

    epoch: int
    pieces: list[Piece]


class Beat(NamedTuple):
    """What comes of it. replica: both matrices, with the padding, for the next beat; empty after the last one.

    changes: of each block, what the replica added to its frequent rows, after the last beat to all its rows.
    """

    statistics: NDArray[np.float64]
    seconds: float  # in the kernel, and to make its tables
    replica: list[NDArray[np.float32]]
    changes: list[Rows]


def train_beat(
    job: Job, threads: int, work: Work, is_last: bool, shards: list[EncodedShard], blocks: list[Rows],
    earlier: Beat | None, frequent: list[Rows],
) -> Beat:  # fmt: skip
    """Train a replica on its share of a beat.

    It starts from the blocks, or from what the beat before left and the frequent rows that were exchanged then. blocks
    are needed in the first and the last beat only.
    """
    threads = min(threads, MAX_THREADS)
    model = job.new_model(threads)
    rows = job.by_frequency(model)
    if earlier is None:
        for number, block in enumerate(blocks):
            put(job.block(rows, number), block)
    else:
        for matrix, left in zip((model.input_vectors, model.output_vectors), earlier.replica, strict=True):
            matrix[: job.n_words] = left
    for number, block in enumerate(frequent):
        put(job.block(rows, number, frequent=True), block)
    start = time.perf_counter()
    train_spans = span_trainer(model, Vocabulary([], job.counts), job.config, threads)
    statistics = np.zeros(STATISTICS)
    for place, numbers, rates in work.pieces:
        shard = shards[place]
        of_spans = np.zeros((len(numbers), STATISTICS))
        spans = KernelSpans(np.array(numbers), np.array(rates), job.span_length)
        train_spans(read_only(shard.ids), spans, stream_of_shard(work.epoch, shard.number), of_spans)
        statistics += of_spans.sum(axis=0)
    seconds = time.perf_counter() - start
    changes = []
    for number in range(job.n_blocks):
        now = job.block(rows, number, frequent=not is_last)
        before = start_of_block(blocks[number : number + 1], frequent[number : number + 1])
        changes.append(Rows(*(_by_parts(np.subtract, new, old, uninitialized(new.shape))
                              for new, old in zip(now, before, strict=True))))  # fmt: skip
    replica = [] if is_last else [model.input_vectors[: job.n_words], model.output_vectors[: job.n_words]]
    return Beat(statistics, seconds, replica, changes)


def read_only(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """What comes from another machine is read only, what was made here is not: two types to Numba."""
    ids = ids.view()
    ids.flags.writeable = False
    return ids


def stream_of_shard(epoch: int, shard: int) -> int:
    """What stands for the epoch in the streams of random numbers: spans of one number in two shards draw others."""
    return (shard + 1) << 32 | epoch


def _by_parts(
    operation: np.ufunc, rows: NDArray[np.float32], parts: list[NDArray[np.float32]], out: NDArray[np.float32]
) -> NDArray[np.float32]:  # fmt: skip
    """out = operation(rows, concatenate(parts)), as far as `rows` goes."""
    row = 0
    for part in parts:
        stop = min(row + len(part), len(rows))
        operation(rows[row:stop], part[: stop - row], out=out[row:stop])
        row = stop
    return out


def put(rows: Rows, values: Rows) -> None:
    for matrix, value in zip(rows, values, strict=True):
        matrix[:] = value


def start_of_block(block: list[Rows], frequent: list[Rows]) -> list[list[NDArray[np.float32]]]:
    """The rows of a block at the beginning of a beat, as far as they are known: parts of each matrix."""
    if not frequent or not block:
        return [[matrix] for matrix in (block or frequent)[0]]
    return [[new, old[len(new) :]] for new, old in zip(frequent[0], block[0], strict=True)]


def take_statistics(beat: Beat) -> tuple[NDArray[np.float64], float]:
    return beat.statistics, beat.seconds


def take_changes(beat: Beat, number: int) -> Rows:
    return beat.changes[number]


def combine_block(block: list[Rows], frequent: list[Rows], changes: list[Rows]) -> Rows:
    """One block after an exchange: its frequent rows, or with `block` all of them."""
    added = [combine(list(of_matrix)) for of_matrix in zip(*changes, strict=True)]
    before = start_of_block(block, frequent)
    return Rows(*(_by_parts(np.add, new, old, out=new) for new, old in zip(added, before, strict=True)))


def take_frequent(job: Job, block: Rows, number: int) -> Rows:
    return Rows(*(matrix[: job.n_frequent_of(number)] for matrix in block))


def compile_all(threads: int, loss: str) -> None:
    """Compile what the tasks need, or load it from the cache."""
    from .run import compile_kernels

    compile_kernels(min(threads, MAX_THREADS), loss)
