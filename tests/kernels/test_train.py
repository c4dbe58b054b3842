"""Training on spans against the reference, draw by draw, with every kind of objective and owner of rows."""

import numpy as np
import pytest
import reference
from kernel_cases import EPOCH, N_WORDS, SEED, case, corpus, random_matrices, read_only

from fastw2v.kernels.statistics import (
    LOGIT_SUM,
    LOSS,
    N_PREDICTIONS,
    N_SAMPLES,
    N_TOKENS,
    SIZE,
    STATISTICS,
    mean_loss,
)
from fastw2v.kernels.train import Job, Pass, train_span
from fastw2v.kernels.walk import MAX_SHIFT, Spans


def train(ids, setting, numbers, length, learning_rate=0.02, learn=True):
    """The words' rows, padding included, those before in float64, and the statistics."""
    matrices, before = random_matrices(setting.layout, dim=10)
    statistics = np.zeros((len(numbers), STATISTICS))
    spans = Spans(np.array(numbers), np.full(len(numbers), learning_rate, np.float32), length)
    visit = Pass(learn, np.uint64(SEED), np.uint64(EPOCH))
    inputs, outputs = matrices.input_vectors, matrices.output_vectors
    model = inputs, outputs, setting.windows, *setting.objective, setting.layout, visit
    train_piece = Job(ids, spans, *model, statistics).compile_kernel()
    for i in range(len(numbers)):
        train_span(train_piece, ids, spans, i, *model, statistics[i], 0)
    return inputs[:N_WORDS], outputs[:N_WORDS], before, statistics


def padded(rows):
    return np.pad(rows, ((0, 0), (0, 6)))


OPTIONS = [
    {"update": "window"},
    {"update": "pair"},
    {"window": 5, "fixed_window": True, "negative": 5},
    {"window": 1, "negative": 9, "shared_negatives": 9},
    {"negative": 15},
    {"negative": 2, "shared_negatives": 5},
    {"model": "cbow"},
    {"model": "cbow", "cbow_gradient": "exact", "negative": 7, "shared_negatives": 8},
    {"model": "cbow", "cbow_sum": True},
    {"model": "cbow", "cbow_sum": True, "cbow_gradient": "exact"},
    {"loss": "hs"},
    {"loss": "hs", "update": "pair"},
    {"model": "cbow", "loss": "hs"},
    {"threads": 2},
    {"threads": 2, "model": "cbow"},
    {"threads": 2, "loss": "hs"},
    {"n_frozen": 20},
    {"n_frozen": 20, "threads": 2},
    {"n_frozen": 20, "model": "cbow"},
    {"n_frozen": 20, "update": "pair", "threads": 2},
    {"n_frozen": 20, "loss": "hs", "model": "cbow", "threads": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_training_is_that_of_the_reference_draw_by_draw(options):
    ids, length, numbers = corpus(), 1000, [2, 0, 3]
    setting = case(keep=0.7, **options)
    inputs, outputs, expected, statistics = train(ids, setting, numbers, length)
    n_predictions, n_tokens = [], []
    for number in numbers:
        start = reference.start_of_span(ids, number, length, MAX_SHIFT)
        stop = reference.start_of_span(ids, number + 1, length, MAX_SHIFT)
        state = reference.stream(reference.stream(SEED, EPOCH), number)
        done = reference.train_span(
            ids, start, stop, *expected, setting.windows, setting.objective, np.float32(0.02), state
        )
        n_predictions.append(done)
        n_tokens.append(np.count_nonzero(ids[start:stop] >= 0))
    assert statistics[:, N_PREDICTIONS].tolist() == n_predictions
    assert statistics[:, N_TOKENS].tolist() == n_tokens
    np.testing.assert_allclose(inputs, padded(expected[0]), atol=2e-5)
    np.testing.assert_allclose(outputs, padded(expected[1]), atol=2e-5)


def test_nothing_moves_where_nothing_is_to_be_learnt():
    for options in ({}, {"model": "cbow"}, {"loss": "hs"}):
        inputs, outputs, before, statistics = train(corpus(), case(**options), [0], 4000, learn=False)
        np.testing.assert_array_equal(inputs, padded(before[0].astype(np.float32)))
        np.testing.assert_array_equal(outputs, padded(before[1].astype(np.float32)))
        assert statistics[0, SIZE] == statistics[0, N_PREDICTIONS]


def test_nothing_is_trained_across_sentence_ends():
    ids = read_only([0, -1, 1, -1, 2, -1])
    inputs, outputs, expected, statistics = train(ids, case(), [0], 1000)
    assert statistics[0, N_PREDICTIONS] == 0
    np.testing.assert_array_equal(inputs, padded(expected[0].astype(np.float32)))
    np.testing.assert_array_equal(outputs, padded(expected[1].astype(np.float32)))


def test_loss_of_untrained_vectors_is_log_2_for_each_output():
    statistics = train(corpus(40_000), case(negative=5), [0], 40_000, learn=False)[3]
    # Scale 0.3 at dim 10: logits of about 0.28, which raise the mean slightly above 6 log 2.
    assert mean_loss(statistics[0])[0] == pytest.approx(6 * np.log(2), rel=0.1)
    assert statistics[0, SIZE] == statistics[0, N_PREDICTIONS]


def test_training_takes_no_loss():
    statistics = train(corpus(), case(), [0], 4000)[3]
    assert statistics[0, N_PREDICTIONS] > 0
    assert not statistics[0, N_SAMPLES:].any()


def test_loss_of_a_path_is_log_2_for_each_node():
    setting = case(loss="hs")
    ids = corpus()
    statistics = train(ids, setting, [0], 4000, learn=False)[3]
    lengths = np.diff(setting.objective.paths.starts)
    expected = lengths[ids[ids >= 0]].mean() * np.log(2)
    assert statistics[0, LOSS] / statistics[0, N_SAMPLES] > expected
    assert mean_loss(statistics[0])[0] == pytest.approx(expected, rel=0.1)


def test_divergence_shows_in_the_statistics():
    statistics = train(corpus(), case(), [0, 1], 1000, learning_rate=100.0)[3]
    assert not np.isfinite(statistics[:, LOGIT_SUM]).all()
