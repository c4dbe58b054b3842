"""What each replica trains in a round, and how long a round is."""

import numpy as np
import pytest

from fastw2v.cluster.rounds import (
    FIRST_COSTS,
    MEASURED_ROUNDS,
    MIXED_SHARDS,
    MOST_WAITING,
    SHORT_EPOCH_BEATS,
    BeatTimes,
    Costs,
    Deal,
    RoundCosts,
    ShardedSpans,
    share_waited,
    spans_from_text,
    spans_to_text,
)
from fastw2v.errors import InputError
from fastw2v.training.schedule import Schedule


@pytest.mark.parametrize("n_replicas", [1, 2, 3, 7])
def test_every_span_is_dealt_once(n_replicas):
    schedule = Schedule(0, 1000, 1, 0.025, 1)
    spans = ShardedSpans.of([2500, 1, 9000, 4000], schedule)
    assert spans.starts.tolist() == [0, 3, 4, 13, 17]
    rng = np.random.default_rng(0)
    is_done = rng.random(spans.n) < 0.3
    deal = Deal.of(spans, is_done, [0, 1, 0, 2], n_replicas, (1, 0))
    lengths = [len(part) for part in deal.parts]
    assert max(lengths) - min(lengths) <= 1
    seen = []
    while deal.n_left > 0:
        seen += [span for part in deal.take(2) for span in part.tolist()]
    assert sorted(seen) == np.flatnonzero(~is_done).tolist()


def test_replicas_get_shards_they_have():
    spans = ShardedSpans(np.array([0, 10, 20, 30, 40]))
    deal = Deal.of(spans, np.zeros(40, np.bool_), [1, 0, 1, 0], 2, (1, 0))
    assert sorted(deal.parts[0]) == [*range(10, 20), *range(30, 40)]
    assert sorted(deal.parts[1]) == [*range(10), *range(20, 30)]
    other = Deal.of(spans, np.zeros(40, np.bool_), [1, 0, 1, 0], 2, (1, 1))
    assert deal.parts[0].tolist() != other.parts[0].tolist(), "each epoch in its own order"


def test_groups_of_shards_are_mixed():
    n_shards = 3 * MIXED_SHARDS
    spans = ShardedSpans(np.arange(0, 10 * n_shards + 1, 10))
    deal = Deal.of(spans, np.zeros(spans.n, np.bool_), [0] * n_shards, 1, (1, 0))
    groups = [{int(span) // 10 for span in deal.take(10 * MIXED_SHARDS)[0]} for _ in range(3)]
    assert [len(group) for group in groups] == [MIXED_SHARDS] * 3
    shards = deal.parts[0][: 10 * MIXED_SHARDS] // 10
    assert (np.diff(shards) != 0).mean() > 0.8, "not one shard after the other"


def test_rounds_of_an_epoch_are_about_equally_long():
    spans = ShardedSpans(np.array([0, 207]))
    deal = Deal.of(spans, np.zeros(207, np.bool_), [0], 2, (1, 0))
    rounds = []
    while deal.n_left > 0:
        rounds.append(deal.take_round(4, 10))
    lengths = [max(sum(len(beat[i]) for beat in beats) for i in range(2)) for beats in rounds]
    assert len(lengths) == 3, "104 spans of a replica, 40 in a round"
    assert max(lengths) - min(lengths) <= 4, "none is a short remainder"
    assert all(len(beats) == 4 for beats in rounds)
    taken = np.concatenate([part for beats in rounds for beat in beats for part in beat])
    assert sorted(taken.tolist()) == list(range(207))


def test_a_short_rest_has_no_empty_beats():
    deal = Deal.of(ShardedSpans(np.array([0, 3])), np.zeros(3, np.bool_), [0], 1, (1, 0))
    beats = deal.take_round(16, 100)
    assert [len(part) for beat in beats for part in beat] == [1, 1, 1]


def test_pieces():
    spans = ShardedSpans(np.array([0, 3, 4, 13]))
    pieces = spans.pieces(np.array([5, 4, 0, 2, 12]), np.arange(5, dtype=np.float32))
    got = [(piece.shard, piece.numbers.tolist(), piece.learning_rates.tolist()) for piece in pieces]
    assert got == [(2, [1, 0], [0, 1]), (0, [0, 2], [2, 3]), (2, [8], [4])]
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
    n_beats, n_spans = costs.length_of_round(1e9)
    waiting = costs.full + (n_beats - 1) * costs.frequent
    assert waiting / (waiting + n_beats * n_spans * costs.span) == pytest.approx(MOST_WAITING, rel=0.05)
    n_beats, n_spans = costs.length_of_round(100)
    assert (n_beats, n_beats * n_spans) == (SHORT_EPOCH_BEATS, 100)
    assert costs.length_of_round(1)[1] == 1


def test_costs_are_measured():
    costs = RoundCosts()
    assert costs.costs() == FIRST_COSTS
    # 30 spans in 3 s of kernels. The first beat's time outside of them is nobody's exchange: it starts the round.
    beats = [BeatTimes(1.5, 1.0, 10), BeatTimes(1.1, 1.0, 10), BeatTimes(1.3, 1.0, 10)]
    costs.measure(beats, seconds=4.9)
    assert costs.costs() == pytest.approx(Costs(full=4.9 - 3 - 2 * 0.2, frequent=0.2, span=0.1))


def test_costs_are_medians_of_the_last_rounds():
    costs = RoundCosts()
    for seconds in (100.0, *[2.0] * (MEASURED_ROUNDS // 2 + 1), *[3.0] * (MEASURED_ROUNDS // 2)):
        costs.measure([BeatTimes(1.0, 1.0, 1)], seconds)
    assert costs.costs().full == pytest.approx(1.0)
    assert costs.costs().frequent == FIRST_COSTS.frequent, "a round of one beat has no such exchange"


def test_costs_of_nothing_are_no_zeros():
    costs = RoundCosts()
    costs.measure([BeatTimes(1.0, 1.0, 1), BeatTimes(1.0, 1.0, 1)], 2.0)
    assert costs.costs() == Costs(full=1e-3, frequent=1e-3, span=1.0)


def test_share_waited():
    assert share_waited([BeatTimes(2.0, 1.0, 1), BeatTimes(3.0, 2.0, 1)], 6.0) == pytest.approx(0.5)
