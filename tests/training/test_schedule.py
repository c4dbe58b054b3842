"""Learning rate, order and position: from the global position alone; how long a slice is."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from fastw2v.config import LOWEST_LR, TrainConfig
from fastw2v.kernels.statistics import LOSS, N_PREDICTIONS, N_TOKENS, STATISTICS
from fastw2v.training.schedule import SLICE_SECONDS, Position, Schedule, SliceLength


def test_learning_rate_falls_linearly_to_its_floor():
    schedule = Schedule.of(100_000, TrainConfig(epochs=2, lr=0.5))
    assert schedule.span_length == 1562
    rates = schedule.learning_rates(np.array([0, 1, 64, 128, 1000]))
    # lr * max(1e-4, 1 - position / (epochs * n + 1))
    expected = [*0.5 * (1 - 1562 * np.array([0, 1, 64, 128]) / 200_001), 5e-5]
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


@pytest.mark.parametrize("min_lr", [0.001, 0.4, 0.5])
def test_learning_rate_falls_linearly_to_min_lr(min_lr):
    schedule = Schedule.of(100_000, TrainConfig(epochs=2, lr=0.5, min_lr=min_lr))
    rates = schedule.learning_rates(np.array([0, 64, 128, 1000]))
    expected = [*0.5 + (min_lr - 0.5) * 1562 * np.array([0, 64, 128]) / 200_001, min_lr]
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


def test_no_learning_rate_leaves_the_normal_numbers():
    last = Schedule.of(100_000, TrainConfig(epochs=2, lr=LOWEST_LR)).learning_rates(np.array([1000]))
    assert last > 1000 * np.finfo(np.float32).tiny


@pytest.mark.parametrize("n_ids", [1, 999, 1000, 1001, 64_000, 10**6, 10**8])
def test_spans_cover_the_corpus(n_ids):
    schedule = Schedule.of(n_ids, TrainConfig())
    assert (schedule.n_spans - 1) * schedule.span_length < n_ids <= schedule.n_spans * schedule.span_length
    assert 1000 <= schedule.span_length <= 16_384


def test_heavy_settings_have_short_spans():
    assert Schedule.of(10**8, TrainConfig(dim=1000, shared_negatives=50, window=20)).span_length == 1000


def test_softmax_has_short_spans():
    assert Schedule.of(10**8, TrainConfig(loss="softmax")).span_length == 1000


def test_every_epoch_has_an_order_of_its_own():
    schedule = Schedule.of(10**6, TrainConfig(seed=3))
    first, second = schedule.order(0), schedule.order(1)
    assert sorted(first) == sorted(second) == list(range(schedule.n_spans))
    assert first.tolist() != second.tolist()
    assert first.tolist() == Schedule.of(10**6, TrainConfig(seed=3)).order(0).tolist()
    assert first.tolist() != Schedule.of(10**6, TrainConfig(seed=4)).order(0).tolist()


def statistics(n_tokens, n_predictions, loss):
    total = np.zeros(STATISTICS)
    total[[N_TOKENS, N_PREDICTIONS, LOSS]] = n_tokens, n_predictions, loss
    return total


def test_a_position_adds_up_what_was_trained():
    start = Position()
    one = start.after(statistics(100, 700, 2.5), n_spans=3, seconds=0.5)
    two = replace(one, spans_done="1f").after(statistics(50, 300, 1.5), n_spans=2, seconds=0.25)
    assert start == Position()
    assert (two.epoch, two.n_spans, two.n_words, two.n_predictions, two.seconds) == (0, 5, 150, 1000, 0.75)
    assert two.epoch_total == statistics(150, 1000, 4).tolist()
    assert (one.spans_done, two.spans_done) == ("", "1f")


def test_the_next_epoch_begins_with_nothing_done():
    position = Position(spans_done="7").after(statistics(100, 700, 2.5), 3, 0.5).at_next_epoch()
    assert position == Position(epoch=1, n_words=100, n_predictions=700, seconds=0.5)


def test_a_position_goes_through_json():
    position = Position().after(statistics(100, 700, 0.1), n_spans=3, seconds=0.5)
    assert Position(**json.loads(json.dumps(asdict(position)))) == position


@pytest.mark.parametrize(("options", "threads", "least"), [({}, 1, 1), ({}, 4, 4), ({"loss": "softmax"}, 4, 1)])
def test_a_slice_has_a_span_for_each_thread(options, threads, least):
    length = SliceLength(TrainConfig(**options), threads)
    assert length.n_spans == least
    length.adapt(least, 1000 * SLICE_SECONDS)
    assert length.n_spans == least


def test_slices_take_about_as_long_as_they_should():
    length = SliceLength(TrainConfig(), 2)
    for expected in (8, 32, 128):  # at most four times as many as the last
        length.adapt(length.n_spans, 1e-6)
        assert length.n_spans == expected
    length.adapt(100, 2 * SLICE_SECONDS)
    assert length.n_spans == 50
    length.adapt(50, 0.5 * SLICE_SECONDS)
    assert length.n_spans == 100
