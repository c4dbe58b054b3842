"""Rounds of replicas: what each trains, how long, and what is made of it; without a cluster."""

import numpy as np
import pytest
from reference import combine_replicas

from fastw2v import InputError, TrainConfig
from fastw2v.corpus.shards import EncodedShard
from fastw2v.training import replica
from fastw2v.training.combine import combine
from fastw2v.training.replica import Job, Rows, Work, combine_block, train_beat
from fastw2v.training.rounds import (
    LEAST_BEATS,
    MIXED_SHARDS,
    MOST_WAITING,
    Costs,
    Deal,
    Piece,
    ShardedSpans,
    length_of_round,
    spans_from_text,
    spans_to_text,
)
from fastw2v.training.schedule import Schedule


def test_combine_is_the_reference():
    rng = np.random.default_rng(0)
    before = rng.normal(size=(50, 7)).astype(np.float32)
    changes = [rng.normal(size=(50, 7)).astype(np.float32) * rng.integers(0, 2, (50, 1)) for _ in range(3)]
    got = before + combine([change.astype(np.float32) for change in changes])
    np.testing.assert_allclose(got, combine_replicas(before, changes), rtol=2e-5, atol=1e-6)


def test_combine_by_hand():
    one = np.array([[1, 0], [1, 0], [1, 0], [0, 0]], np.float32)
    other = np.array([[1, 0], [0, 1], [0, 0], [0, 0]], np.float32)
    # The same direction: the mean. Another: the sum. Only one moved: its step. None: nothing, and no NaN.
    np.testing.assert_allclose(combine([one, other]), [[1, 0], [1, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(combine([one, -one]), 0)
    np.testing.assert_array_equal(combine([one]), one)


def test_combine_does_not_mind_the_order():
    rng = np.random.default_rng(1)
    changes = list(rng.normal(size=(3, 20, 5)).astype(np.float32))
    np.testing.assert_allclose(combine(changes), combine(changes[::-1]), atol=1e-6)


@pytest.mark.parametrize("n_replicas", [1, 2, 3, 7])
def test_every_span_is_dealt_once(n_replicas):
    schedule = Schedule(0, 1000, 1, 0.025, 1)
    spans = ShardedSpans.of([2500, 1, 9000, 4000], schedule)
    assert spans.starts.tolist() == [0, 3, 4, 13, 17]
    rng = np.random.default_rng(0)
    is_done = rng.random(spans.n) < 0.3
    deal = Deal.of(spans, is_done, [0, 1, 0, 2], n_replicas, 1, 0)
    lengths = [len(part) for part in deal.parts]
    assert max(lengths) - min(lengths) <= 1
    seen = []
    while deal.n_left > 0:
        seen += [span for part in deal.take(2) for span in part.tolist()]
    assert sorted(seen) == np.flatnonzero(~is_done).tolist()


def test_replicas_get_shards_they_have():
    spans = ShardedSpans(np.array([0, 10, 20, 30, 40]))
    deal = Deal.of(spans, np.zeros(40, np.bool_), [1, 0, 1, 0], 2, 1, 0)
    assert sorted(deal.parts[0]) == [*range(10, 20), *range(30, 40)]
    assert sorted(deal.parts[1]) == [*range(10), *range(20, 30)]
    other = Deal.of(spans, np.zeros(40, np.bool_), [1, 0, 1, 0], 2, 1, 1)
    assert deal.parts[0].tolist() != other.parts[0].tolist(), "each epoch in its own order"


def test_groups_of_shards_are_mixed():
    n_shards = 3 * MIXED_SHARDS
    spans = ShardedSpans(np.arange(0, 10 * n_shards + 1, 10))
    deal = Deal.of(spans, np.zeros(spans.n, np.bool_), [0] * n_shards, 1, 1, 0)
    groups = [{int(span) // 10 for span in deal.take(10 * MIXED_SHARDS)[0]} for _ in range(3)]
    assert [len(group) for group in groups] == [MIXED_SHARDS] * 3
    shards = deal.parts[0][: 10 * MIXED_SHARDS] // 10
    assert (np.diff(shards) != 0).mean() > 0.8, "not one shard after the other"


def test_pieces():
    spans = ShardedSpans(np.array([0, 3, 4, 13]))
    pieces = spans.pieces(np.array([5, 4, 0, 2, 12]), np.arange(5, dtype=np.float32))
    assert [(piece.shard, piece.numbers.tolist(), piece.learning_rates.tolist()) for piece in pieces] == [
        (2, [1, 0], [0, 1]), (0, [0, 2], [2, 3]), (2, [8], [4])]  # fmt: skip
    assert spans.pieces(np.zeros(0, np.int64), np.zeros(0, np.float32)) == []


def test_spans_done_as_text():
    is_done = np.random.default_rng(0).random(1003) < 0.5
    np.testing.assert_array_equal(spans_from_text(spans_to_text(is_done), 1003), is_done)
    assert not spans_from_text("", 5).any()
    for text, n in (("?", 5), ("AAAA", 5), (spans_to_text(is_done), 20)):
        with pytest.raises(InputError, match="damaged"):
            spans_from_text(text, n)


def test_rounds_are_as_long_as_exchanges_cost():
    costs = Costs(full=0.4, frequent=0.05, span=0.005)
    n_beats, n_spans = length_of_round(costs, 1e9)
    waiting = costs.full + (n_beats - 1) * costs.frequent
    assert waiting / (waiting + n_beats * n_spans * costs.span) == pytest.approx(MOST_WAITING, rel=0.05)
    n_beats, n_spans = length_of_round(costs, 100)
    assert (n_beats, n_beats * n_spans) == (LEAST_BEATS, 100)
    assert length_of_round(costs, 1)[1] == 1


def corpus(n_words=12, n_ids=6000, seed=0):
    ids = np.random.default_rng(seed).integers(0, n_words, n_ids).astype(np.int32)
    ids[::20] = -1
    return EncodedShard(3, ids, int((ids >= 0).sum()), 0)


def round_of(job, shard, numbers, beats, loss="ns"):
    """The blocks after one replica's round of several beats, and its statistics."""
    model = job.new_model(1, is_random=True)
    rows = job.by_frequency(model)
    blocks = [Rows(*(np.ascontiguousarray(part) for part in job.block(rows, number))) for number in range(job.n_blocks)]
    before, frequent, told = None, [], []
    for beat, part in enumerate(np.array_split(numbers, beats)):
        is_last = beat == beats - 1
        work = Work(0, [Piece(0, part, np.full(len(part), 0.05, np.float32))])
        before = train_beat(job, 1, work, is_last, [shard], blocks if is_last or beat == 0 else [], before, frequent)
        told.append(replica.take_statistics(before)[0])
        if not frequent and not is_last:
            frequent = [replica.take_frequent(job, block, number) for number, block in enumerate(blocks)]
        made = [combine_block(blocks[number : number + 1] if is_last else [], frequent[number : number + 1],
                              [replica.take_changes(before, number)]) for number in range(job.n_blocks)]  # fmt: skip
        frequent = made
    return made, np.sum(told, axis=0)


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"update": "pair"}])
def test_one_replica_is_plain_training(options):
    """However many blocks and beats there are."""
    config = TrainConfig(dim=5, window=2, sample=0, min_count=1, **options)
    counts = np.arange(12, 0, -1) * 100
    found = []
    for n_blocks, beats in ((1, 1), (3, 1), (2, 3)):
        job = Job(config, counts, span_length=1000, n_blocks=n_blocks)
        blocks, statistics = round_of(job, corpus(), np.arange(6), beats)
        rows = Rows(np.zeros((12, 5), np.float32), np.zeros((12, 5), np.float32))
        for number, block in enumerate(blocks):
            replica.put(job.block(rows, number), block)
        found.append((rows, statistics))
    for rows, statistics in found[1:]:
        np.testing.assert_allclose(rows.inputs, found[0][0].inputs, atol=2e-5)
        np.testing.assert_allclose(rows.outputs, found[0][0].outputs, atol=2e-5)
        np.testing.assert_allclose(statistics, found[0][1], rtol=1e-4)


def test_tasks_leave_their_inputs_alone_and_repeat():
    config = TrainConfig(dim=5, window=2, sample=0, min_count=1)
    job = Job(config, np.arange(12, 0, -1) * 100, span_length=1000, n_blocks=2)
    shard = corpus()
    rows = job.by_frequency(job.new_model(1, is_random=True))
    blocks = [Rows(*(np.ascontiguousarray(part) for part in job.block(rows, number))) for number in range(2)]
    for arrays in (*blocks, [shard.ids]):
        for array in arrays:
            array.flags.writeable = False  # as what comes over a wire
    work = Work(0, [Piece(0, np.arange(3), np.full(3, 0.05, np.float32))])
    first = train_beat(job, 1, work, False, [shard], blocks, None, [])
    frequent = [replica.take_frequent(job, block, number) for number, block in enumerate(blocks)]
    for array in first.replica:
        array.flags.writeable = False
    one, other = (train_beat(job, 1, work, True, [shard], blocks, first, frequent) for _ in range(2))
    for got, expected in zip(one.changes, other.changes, strict=True):
        np.testing.assert_array_equal(got.inputs, expected.inputs)
        np.testing.assert_array_equal(got.outputs, expected.outputs)


def test_a_replica_goes_on_with_other_threads():
    """As where a task is run again on another worker."""
    job = Job(TrainConfig(dim=5, window=2, sample=0, min_count=1), np.arange(12, 0, -1) * 100, span_length=1000)
    rows = job.by_frequency(job.new_model(1, is_random=True))
    block = Rows(*(np.ascontiguousarray(matrix) for matrix in rows))
    work = Work(0, [Piece(0, np.arange(3), np.full(3, 0.05, np.float32))])
    first = train_beat(job, 2, work, False, [corpus()], [block], None, [])
    last = train_beat(job, 1, work, True, [corpus()], [block], first, [replica.take_frequent(job, block, 0)])
    assert np.isfinite(last.changes[0].inputs).all()


def test_frozen_words_stay():
    is_frozen = np.zeros(12, np.bool_)
    is_frozen[[0, 5, 11]] = True
    job = Job(TrainConfig(dim=5, window=2, sample=0, min_count=1), np.arange(12, 0, -1) * 100, is_frozen, 1000, 2)
    blocks, _ = round_of(job, corpus(), np.arange(6), 2)
    rows = job.by_frequency(job.new_model(1, is_random=True))
    for number, block in enumerate(blocks):
        moved = (block.inputs != job.block(rows, number).inputs).any(axis=1)
        np.testing.assert_array_equal(moved, ~is_frozen[number::2])
