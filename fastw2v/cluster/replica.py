"""What the workers compute in a round: pure functions of their arguments, which may be run again anywhere.

The model is cut into blocks, so that all workers combine equal parts: row i, the most frequent being row 0, is in block
i % n_blocks.
"""

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.shards import EncodedShard
from ..corpus.vocabulary import Vocabulary
from ..kernels.jit import MAX_THREADS
from ..kernels.statistics import N_SAMPLES, STATISTICS
from ..kernels.walk import Spans
from ..training.heldout import sample_statistics
from ..training.matrices import Matrices, none_frozen, row_layout
from ..training.trainers import span_trainer
from .buffers import keep_for, uninitialized
from .combine import combine
from .rounds import Piece

FREQUENT_SHARE = 0.05
"""The share of the rows that is exchanged after each beat, the most frequent: 3 of 4 tokens of subsampled wiki8."""


class Rows(NamedTuple):
    """Some rows of both matrices, or what is added to them: the most frequent first, each (n, dim) float32."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]

    def fill(self, values: Self) -> None:
        """Copy the values into all rows."""
        for matrix, value in zip(self, values, strict=True):
            matrix[:] = value


@dataclass(frozen=True)
class Job:
    """What all tasks of a run must know. counts: of each word of the vocabulary, (n_words,)."""

    config: TrainConfig
    counts: NDArray[np.int64]
    is_frozen: NDArray[np.bool_] = field(default_factory=none_frozen)  # (n_words,), or empty
    span_length: int = 0
    n_blocks: int = 1

    @property
    def n_words(self) -> int:
        return len(self.counts)

    def empty_matrices(self, threads: int) -> Matrices:
        """Matrices of a replica that `threads` threads will train, to be filled."""
        layout = row_layout(self.n_words, self.config, threads, has_frozen=len(self.is_frozen) > 0)
        matrices = Matrices.empty(layout, self.config.dim, uninitialized)
        return replace(matrices, is_frozen=np.array(self.is_frozen))  # what was received is read-only

    def by_frequency(self, matrices: Matrices) -> Rows:
        """Views of the rows of a model, the most frequent first: the last ones of a tree's nodes."""
        outputs = matrices.word_outputs
        return Rows(matrices.word_inputs, outputs[::-1] if self.config.loss == "hs" else outputs)

    def block(self, rows: Rows, number: int, frequent: bool = False) -> Rows:
        """A view of the rows of a block, or of the frequent ones among them."""
        n_rows = n_frequent_rows(self.n_words) if frequent else self.n_words
        return Rows(*(matrix[number : n_rows : self.n_blocks] for matrix in rows))

    def copy_of_block(self, rows: Rows, number: int) -> Rows:
        """The rows of a block in memory of their own."""
        return Rows(*(matrix.copy() for matrix in self.block(rows, number)))


def n_frequent_rows(n_words: int) -> int:
    """The number of rows of each matrix that are exchanged after each beat."""
    return max(1, int(FREQUENT_SHARE * n_words))


class Work(NamedTuple):
    """What a replica trains in a beat."""

    epoch: int
    threads: int
    pieces: list[Piece]
    is_last: bool = False  # of the round's beats; `submit_round` sets it


class BeatStatistics(NamedTuple):
    """What a replica reports to the client after a beat. total: its summed statistics, (STATISTICS,)."""

    total: NDArray[np.float64]
    seconds: float  # in the kernels, and for the tables that they need


class Beat(NamedTuple):
    """The result of a replica's beat."""

    statistics: BeatStatistics
    rows: Rows | None  # all rows of the replica, for the next beat; None after the last one
    changes: list[Rows]  # what it added to the frequent rows of each block, after the last beat to all of its rows


def train_beat(
    job: Job, work: Work, shards: list[EncodedShard], blocks: list[Rows], earlier: Beat | None, frequent: list[Rows]
) -> Beat:
    """Train a replica on its share of a beat, and take its changes.

    It starts from the blocks; after the first beat from the rows of the `earlier` one, but with the frequent rows of
    each block from the last exchange. blocks: may be empty between the first and the last beat.
    """
    keep_for(job)
    threads = min(work.threads, MAX_THREADS)
    matrices = job.empty_matrices(threads)
    rows = job.by_frequency(matrices)
    if earlier is None:
        for number, block in enumerate(blocks):
            job.block(rows, number).fill(block)
    else:
        assert earlier.rows is not None, "it was not the last beat"
        rows.fill(earlier.rows)
    for number, block in enumerate(frequent):
        job.block(rows, number, frequent=True).fill(block)
    statistics = _train(job, matrices, threads, work, shards)
    changes = []
    for number in range(job.n_blocks):
        now = job.block(rows, number, frequent=not work.is_last)
        out = Rows(*(uninitialized(matrix.shape) for matrix in now))
        before = blocks[number : number + 1], frequent[number : number + 1]
        changes.append(_with_start_of_block(np.subtract, now, *before, out))
    return Beat(statistics, None if work.is_last else rows, changes)


def _train(job: Job, matrices: Matrices, threads: int, work: Work, shards: list[EncodedShard]) -> BeatStatistics:
    start = time.perf_counter()
    train_spans = span_trainer(matrices, Vocabulary([], job.counts), job.config, threads)
    total = np.zeros(STATISTICS)
    # Read only like received arrays; others are another type to Numba, which would compile for it.
    texts = [shard.ids.view() for shard in shards]
    for piece, shard, ids in zip(work.pieces, shards, texts, strict=True):
        ids.flags.writeable = False
        statistics = np.zeros((len(piece.numbers), STATISTICS))
        spans = Spans(np.array(piece.numbers), np.array(piece.learning_rates), job.span_length)
        train_spans(ids, spans, stream_of_shard(work.epoch, shard.number), statistics)
        total += statistics.sum(axis=0)
    for piece, ids in zip(work.pieces, texts, strict=True):  # the loss, at the rows after the whole beat
        sample = sample_statistics(ids, len(piece.numbers) * job.span_length, train_spans)
        total[N_SAMPLES:] += sample[N_SAMPLES:]
    return BeatStatistics(total, time.perf_counter() - start)


def stream_of_shard(epoch: int, shard: int) -> int:
    """What takes the place of the epoch in the streams of random numbers: each shard numbers its spans from 0."""
    return (shard + 1) << 32 | epoch


def _with_start_of_block(operation: np.ufunc, rows: Rows, block: list[Rows], frequent: list[Rows], out: Rows) -> Rows:
    """operation(rows, rows of a block at the start of a beat): the frequent ones first, the others from the block."""
    for i, matrix in enumerate(rows):
        row = 0
        for part in [*frequent, *block]:
            before = part[i][row : len(matrix)]
            stop = row + len(before)
            operation(matrix[row:stop], before, out=out[i][row:stop])
            row = stop
    return out


def take_statistics(beat: Beat) -> BeatStatistics:
    return beat.statistics


def take_frequent(job: Job, block: Rows, number: int) -> Rows:
    n_rows = len(range(number, n_frequent_rows(job.n_words), job.n_blocks))
    return Rows(*(matrix[:n_rows] for matrix in block))


def take_changes(beat: Beat, number: int) -> Rows:
    return beat.changes[number]


def combine_block(block: list[Rows], frequent: list[Rows], changes: list[Rows]) -> Rows:
    """A block after an exchange: its frequent rows, or with `block` all of them.

    block, frequent: the block and its frequent rows before it, or empty lists. changes: those of each replica.
    """
    combined = Rows(*(combine(list(of_matrix)) for of_matrix in zip(*changes, strict=True)))
    return _with_start_of_block(np.add, combined, block, frequent, out=combined)
