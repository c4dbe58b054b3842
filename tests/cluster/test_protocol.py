"""The tasks of a round, run in this process at once instead of on a cluster."""

import numpy as np
import pytest
from reference import combine_replicas

from fastw2v.cluster import protocol, replica
from fastw2v.cluster.protocol import Share, bytes_of_round, exchange_bytes, submit_round, tasks_of_exchange
from fastw2v.cluster.replica import Job, Rows, Work
from fastw2v.cluster.rounds import Piece
from fastw2v.config import TrainConfig
from fastw2v.corpus.shards import EncodedShard
from fastw2v.kernels.statistics import N_SAMPLES
from fastw2v.training.matrices import new_matrices

COUNTS = np.arange(12, 0, -1) * 100


def shard_of(n_ids=6000, seed=0):
    ids = np.random.default_rng(seed).integers(0, 12, n_ids).astype(np.int32)
    ids[::20] = -1
    return EncodedShard(3, ids, int((ids >= 0).sum()), 0)


def run_at_once(function, *arguments, at):
    """A `Submit` whose futures are the results."""
    return function(*arguments)


def share(numbers):
    return Share(Work(0, 1, [Piece(0, numbers, np.full(len(numbers), 0.05, np.float32))]), [shard_of()])


def round_of(job, numbers, n_beats, n_replicas=1):
    """The rows before and after a round of replicas that share the spans, and its summed statistics."""
    before = job.by_frequency(new_matrices(job.n_words, job.config, 1))
    blocks = [job.copy_of_block(before, number) for number in range(job.n_blocks)]
    beats = [
        [share(part) for part in np.array_split(of_beat, n_replicas)] for of_beat in np.array_split(numbers, n_beats)
    ]
    outcome = submit_round(run_at_once, job, blocks, [f"w{i}" for i in range(n_replicas)], beats)
    after = Rows(*(np.full((12, 5), np.nan, np.float32) for _ in range(2)))
    for number, block in enumerate(outcome.blocks):
        job.block(after, number).fill(block)
    return before, after, np.sum([one.total for beat in outcome.statistics for one in beat], axis=0)


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"update": "pair"}])
def test_one_replica_is_plain_training(options):
    """However many blocks and beats there are."""
    config = TrainConfig(dim=5, window=2, sample=0, min_count=1, **options)
    outcomes = []
    for n_blocks, n_beats in ((1, 1), (3, 1), (2, 3)):
        job = Job(config, COUNTS, span_length=1000, n_blocks=n_blocks)
        outcomes.append(round_of(job, np.arange(6), n_beats))
    (before, expected, statistics), *others = outcomes
    assert (before.inputs != expected.inputs).any()
    assert statistics[0] == shard_of().n_tokens
    for _, rows, other_statistics in others:
        np.testing.assert_allclose(rows.inputs, expected.inputs, atol=2e-5)
        np.testing.assert_allclose(rows.outputs, expected.outputs, atol=2e-5)
        # The loss is taken after each beat, however many there are.
        np.testing.assert_allclose(other_statistics[:N_SAMPLES], statistics[:N_SAMPLES], rtol=1e-4)


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
def test_two_replicas_are_combined_as_the_reference_does(n_blocks):
    """A round of one beat is what each replica makes of it alone, combined."""
    job = Job(TrainConfig(dim=5, window=2, sample=0, min_count=1), COUNTS, span_length=1000, n_blocks=n_blocks)
    before, after, _ = round_of(job, np.arange(6), 1, n_replicas=2)
    alone = [round_of(job, part, 1)[1] for part in np.array_split(np.arange(6), 2)]
    for name in Rows._fields:
        start = getattr(before, name)
        changes = [getattr(rows, name) - start for rows in alone]
        np.testing.assert_allclose(getattr(after, name), combine_replicas(start, changes), rtol=1e-4, atol=1e-5)


def test_frequent_rows_are_exchanged_after_each_beat(monkeypatch):
    """Between two beats a replica gets what the others changed in the frequent rows, and in no others."""
    job = Job(TrainConfig(dim=5, window=2, sample=0, min_count=1), COUNTS, span_length=1000, n_blocks=2)
    monkeypatch.setattr(replica, "FREQUENT_SHARE", 0.25)  # rows 0, 1, 2
    starts, train = [], replica._train

    def note(job, matrices, threads, work, shards):
        starts.append(matrices.word_inputs.copy())
        return train(job, matrices, threads, work, shards)

    monkeypatch.setattr(replica, "_train", note)
    round_of(job, np.arange(6), 3, n_replicas=2)
    first, second = [starts[i::2] for i in range(2)]
    np.testing.assert_array_equal(first[0], second[0])
    for one, other in zip(first[1:], second[1:], strict=True):
        np.testing.assert_array_equal(one[:3], other[:3])
        assert (one[3:] != other[3:]).any(axis=1).all()


def test_frozen_words_stay():
    is_frozen = np.zeros(12, np.bool_)
    is_frozen[[0, 5, 11]] = True
    job = Job(TrainConfig(dim=5, window=2, sample=0, min_count=1), COUNTS, is_frozen, 1000, 2)
    before, after, _ = round_of(job, np.arange(6), 2)
    np.testing.assert_array_equal((after.inputs != before.inputs).any(axis=1), ~is_frozen)


def submitted(n_workers, n_beats):
    """(name of the function, worker) of all tasks of a round."""
    tasks = []
    blocks, workers = [None] * protocol.n_blocks_for(n_workers), [f"w{i}" for i in range(n_workers)]
    beats = [[share(np.arange(1))] * n_workers] * n_beats
    submit_round(lambda function, *_, at: tasks.append((function.__name__, at)), None, blocks, workers, beats)
    return tasks


@pytest.mark.parametrize("n_workers", [1, 2, 16, 40])
def test_tasks_of_an_exchange(n_workers):
    """Train, tell, take the changes of each block on every worker; combine each block."""
    n_blocks = min(n_workers, protocol.MOST_BLOCKS)
    expected = n_workers * (2 + n_blocks) + n_blocks
    assert tasks_of_exchange(n_workers) == expected == len(submitted(n_workers, 1))
    assert len(submitted(n_workers, 3)) == 3 * expected + n_blocks, "the frequent rows are taken once a round"


def test_workers_get_equal_parts():
    tasks = submitted(4, 2)
    for worker in range(4):
        of_worker = [name for name, at in tasks if at == f"w{worker}"]
        assert of_worker.count("train_beat") == of_worker.count("take_statistics") == 2
        assert of_worker.count("combine_block") == 2
        assert of_worker.count("take_changes") == 8
        assert of_worker.count("take_frequent") == 1


def test_bytes_of_an_exchange():
    # 3 workers: each sends 2 of 3 parts of its changes, and its combined part to 2 others.
    assert exchange_bytes(3, 30, 5) == (20 + 2 * 10) * 2 * 4 * 5
    assert exchange_bytes(1, 30, 5) == 0
    assert bytes_of_round(2, 1000, 5, n_beats=3) == exchange_bytes(2, 1000 + 2 * 50, 5)
