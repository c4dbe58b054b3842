"""Learning rate and order: from the position alone."""

import numpy as np
import pytest

from fastw2v.config import TrainConfig
from fastw2v.training.schedule import Schedule


def test_learning_rate_falls_linearly_to_its_floor():
    schedule = Schedule.of(100_000, TrainConfig(epochs=2, lr=0.5))
    assert schedule.span_length == 1562
    rates = schedule.learning_rates(np.array([0, 1, 64, 128, 1000]))
    # lr * max(1e-4, 1 - position / (epochs * n + 1))
    expected = [
        0.5,
        0.5 * (1 - 1562 / 200_001),
        0.5 * (1 - 64 * 1562 / 200_001),
        0.5 * (1 - 128 * 1562 / 200_001),
        5e-5,
    ]
    np.testing.assert_allclose(rates, expected, rtol=1e-4)


@pytest.mark.parametrize("n_ids", [1, 999, 1000, 1001, 64_000, 10**6, 10**8])
def test_spans_cover_the_corpus(n_ids):
    schedule = Schedule.of(n_ids, TrainConfig())
    assert (schedule.n_spans - 1) * schedule.span_length < n_ids <= schedule.n_spans * schedule.span_length
    assert 1000 <= schedule.span_length <= 16_384


def test_heavy_settings_have_short_spans():
    assert Schedule.of(10**8, TrainConfig(dim=1000, negative=50, window=20)).span_length == 1000


def test_softmax_has_short_spans():
    assert Schedule.of(10**8, TrainConfig(loss="softmax")).span_length == 1000


def test_every_epoch_has_an_order_of_its_own():
    schedule = Schedule.of(10**6, TrainConfig(seed=3))
    first, second = schedule.order(0), schedule.order(1)
    assert sorted(first) == sorted(second) == list(range(schedule.n_spans))
    assert first.tolist() != second.tolist()
    assert first.tolist() == Schedule.of(10**6, TrainConfig(seed=3)).order(0).tolist()
    assert first.tolist() != Schedule.of(10**6, TrainConfig(seed=4)).order(0).tolist()
