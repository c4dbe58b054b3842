"""What a worker computes in a beat, without a cluster."""

import numpy as np
import pytest

from fastw2v.cluster import replica
from fastw2v.cluster.replica import Job, Rows, Work, train_beat
from fastw2v.cluster.rounds import Piece
from fastw2v.config import TrainConfig
from fastw2v.corpus.shards import EncodedShard
from fastw2v.training.matrices import new_matrices

CONFIG = TrainConfig(dim=5, window=2, sample=0, min_count=1)
COUNTS = np.arange(12, 0, -1) * 100


@pytest.fixture
def shard():
    ids = np.random.default_rng(0).integers(0, 12, 6000).astype(np.int32)
    ids[::20] = -1
    return EncodedShard(3, ids, int((ids >= 0).sum()), 0)


def blocks_of(job):
    rows = job.by_frequency(new_matrices(job.n_words, job.config, 1))
    return [job.copy_of_block(rows, number) for number in range(job.n_blocks)]


def work_on(spans, threads=1, is_last=False):
    rates = np.full(spans[1] - spans[0], 0.05, np.float32)
    return Work(0, threads, [Piece(0, np.arange(*spans), rates)], is_last)


@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("n_blocks", [1, 2, 5, 12])
def test_blocks_hold_each_row_once(loss, n_blocks):
    job = Job(TrainConfig(dim=5, loss=loss), COUNTS, n_blocks=n_blocks)
    matrices = new_matrices(12, job.config, 1)
    matrices.word_outputs[:] = np.arange(12)[:, None]
    rows = job.by_frequency(matrices)
    assert rows.outputs[0, 0] == (11 if loss == "hs" else 0), "of a tree the last nodes are the most frequent"
    blocks = [job.copy_of_block(rows, number) for number in range(n_blocks)]
    assert max(len(block.inputs) for block in blocks) - min(len(block.inputs) for block in blocks) <= 1
    other = job.empty_matrices(2)
    for number, block in enumerate(blocks):
        job.block(job.by_frequency(other), number).fill(block)
    np.testing.assert_array_equal(other.word_inputs, matrices.word_inputs)
    np.testing.assert_array_equal(other.word_outputs, matrices.word_outputs)


def test_frequent_rows_of_a_block():
    job = Job(CONFIG, np.ones(100, np.int64), n_blocks=3)  # rows 0 to 4 are frequent
    rows = Rows(*(np.arange(100, dtype=np.float32)[:, None] for _ in range(2)))
    got = [replica.take_frequent(job, job.block(rows, number), number).inputs[:, 0].tolist() for number in range(3)]
    assert got == [[0, 3], [1, 4], [2]]
    assert [job.block(rows, number, frequent=True).inputs[:, 0].tolist() for number in range(3)] == got


def test_tasks_leave_their_inputs_alone_and_repeat(shard):
    job = Job(CONFIG, COUNTS, span_length=1000, n_blocks=2)
    blocks = blocks_of(job)
    for arrays in (*blocks, [shard.ids]):
        for array in arrays:
            array.flags.writeable = False  # as what comes over a wire
    first = train_beat(job, work_on((0, 3)), [shard], blocks, None, [])
    frequent = [replica.take_frequent(job, block, number) for number, block in enumerate(blocks)]
    for array in first.rows:
        array.flags.writeable = False
    one, other = (train_beat(job, work_on((3, 6), is_last=True), [shard], blocks, first, frequent) for _ in range(2))
    assert one.rows is None
    for got, expected in zip(one.changes, other.changes, strict=True):
        assert np.abs(got.inputs).max() > 0
        np.testing.assert_array_equal(got.inputs, expected.inputs)
        np.testing.assert_array_equal(got.outputs, expected.outputs)


@pytest.mark.parametrize("threads", [(2, 1), (1, 2)])
def test_a_replica_goes_on_with_other_threads(shard, threads):
    """As where a task is run again on another worker: as good as with one thread all the time, but for races."""
    job = Job(CONFIG, COUNTS, span_length=1000)
    blocks = blocks_of(job)
    frequent = [replica.take_frequent(job, blocks[0], 0)]

    def changes(first_threads, last_threads):
        first = train_beat(job, work_on((0, 3), first_threads), [shard], blocks, None, [])
        last = train_beat(job, work_on((3, 6), last_threads, is_last=True), [shard], blocks, first, frequent)
        assert first.statistics.total[0] + last.statistics.total[0] == shard.n_tokens
        return np.concatenate(last.changes[0])

    got, expected = changes(*threads), changes(1, 1)
    assert np.vdot(got, expected) / np.linalg.norm(got) / np.linalg.norm(expected) > 0.7, "they move the same way"
    assert np.linalg.norm(got) == pytest.approx(np.linalg.norm(expected), rel=0.5)


def test_shards_draw_other_numbers(shard):
    job, work = Job(CONFIG, COUNTS, span_length=1000), work_on((0, 6), is_last=True)
    changes = [
        train_beat(job, work, [shard._replace(number=number)], blocks_of(job), None, []).changes[0]
        for number in (3, 3, 4)
    ]
    np.testing.assert_array_equal(changes[0].inputs, changes[1].inputs)
    assert (changes[0].inputs != changes[2].inputs).any()
    assert len({replica.stream_of_shard(epoch, number) for epoch in range(5) for number in range(5)}) == 25
