"""The walk over spans against the reference, draw by draw; subsampling and window by their rates."""

import numpy as np
import pytest
import reference

from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.jit import in_parallel
from fastw2v.kernels.train import (
    LOGIT_SUM,
    LOSS,
    MAX_SHIFT,
    N_PREDICTIONS,
    N_SAMPLES,
    N_TOKENS,
    SIZE,
    STATISTICS,
    Spans,
    train_spans,
    train_spans_serial,
)
from fastw2v.training.objective import new_model, objective_of, windows_of
from fastw2v.training.trainer import mean_loss

N_WORDS = 50
SEED, EPOCH = 7, 2


def corpus(n=4000, seed=1):
    """Sentences of 1 to 30 words, none twice in a sentence (test_update.py has the repeats)."""
    rng = np.random.default_rng(seed)
    sentences = [np.append(rng.permutation(N_WORDS)[: rng.integers(1, 31)], -1) for _ in range(n)]
    ids = np.concatenate(sentences)[:n].astype(np.int32)
    ids.flags.writeable = False
    return ids


def setting(keep=1.0, threads=1, n_frozen=0, **options):
    """(windows, objective) for a vocabulary of falling counts."""
    config = TrainConfig(**{"window": 3, "negative": 4, "ns_exponent": 1.0, "sample": 0, **options})
    vocabulary = Vocabulary([f"w{i}" for i in range(N_WORDS)], np.array([int(1e6 * 0.9**i) for i in range(N_WORDS)]))
    thresholds = np.full(N_WORDS, min(keep * 2**32, 2**32 - 1)).astype(np.uint32)
    is_frozen = np.random.default_rng(5).permutation(N_WORDS) < n_frozen
    windows = windows_of(vocabulary, config)._replace(
        keep=thresholds, is_frozen=is_frozen[: N_WORDS if n_frozen else 0]
    )
    return windows, objective_of(vocabulary, config, threads), len(new_model(N_WORDS, config, threads).output_vectors)


def train(ids, chosen, numbers, length, dim=10, learning_rate=0.02, loss_every=256, learn=True):
    windows, objective, n_rows = chosen
    stride = -(-dim // 16) * 16
    inputs, outputs = np.zeros((2, n_rows + 2 * N_WORDS, stride), np.float32)
    rng = np.random.default_rng(3)
    inputs[:N_WORDS, :dim], outputs[:N_WORDS, :dim] = rng.normal(size=(2, N_WORDS, dim), scale=0.3)
    expected = inputs[:N_WORDS].astype(np.float64), outputs[:N_WORDS].astype(np.float64)
    statistics = np.zeros((len(numbers), STATISTICS))
    spans = Spans(np.array(numbers), np.full(len(numbers), learning_rate, np.float32), length)
    with in_parallel(1):
        train_spans_serial(ids, spans, inputs, outputs, windows, objective, loss_every, learn, np.uint64(SEED),
                           np.uint64(EPOCH), statistics)  # fmt: skip
    return inputs[:N_WORDS], outputs[:N_WORDS], expected, statistics


@pytest.mark.parametrize("options", [
    {"update": "window"}, {"update": "pair"}, {"window": 5, "fixed_window": True, "negative": 5},
    {"window": 1, "negative": 9},
    {"model": "cbow"}, {"model": "cbow", "cbow_gradient": "exact", "negative": 7}, {"loss": "hs"},
    {"loss": "hs", "update": "pair"}, {"model": "cbow", "loss": "hs"}, {"threads": 2}, {"threads": 2, "model": "cbow"},
    {"threads": 2, "loss": "hs"},
    {"n_frozen": 20}, {"n_frozen": 20, "threads": 2}, {"n_frozen": 20, "model": "cbow"},
    {"n_frozen": 20, "update": "pair", "threads": 2}, {"n_frozen": 20, "loss": "hs", "model": "cbow", "threads": 2},
], ids=str)  # fmt: skip
def test_the_walk_is_the_reference_draw_by_draw(options):
    ids, length, numbers = corpus(), 1000, [2, 0, 3]
    chosen = setting(keep=0.7, **options)
    inputs, outputs, expected, statistics = train(ids, chosen, numbers, length)
    n_predictions, n_tokens = [], []
    for number in numbers:
        start = reference.start_of_span(ids, number, length, MAX_SHIFT)
        stop = reference.start_of_span(ids, number + 1, length, MAX_SHIFT)
        state = reference.stream(reference.stream(SEED, EPOCH), number)
        done = reference.train_span(ids, start, stop, *expected, *chosen[:2], np.float32(0.02), state)
        n_predictions.append(done)
        n_tokens.append(np.count_nonzero(ids[start:stop] >= 0))
    assert statistics[:, N_PREDICTIONS].tolist() == n_predictions
    assert statistics[:, N_TOKENS].tolist() == n_tokens
    np.testing.assert_allclose(inputs, np.pad(expected[0][:, :10], ((0, 0), (0, 6))), atol=2e-5)
    np.testing.assert_allclose(outputs, np.pad(expected[1][:, :10], ((0, 0), (0, 6))), atol=2e-5)


def test_nothing_moves_where_nothing_is_to_be_learnt():
    for options in ({}, {"model": "cbow"}, {"loss": "hs"}):
        inputs, outputs, before, statistics = train(corpus(), setting(**options), [0], 4000, loss_every=1, learn=False)
        np.testing.assert_array_equal(inputs, before[0].astype(np.float32))
        np.testing.assert_array_equal(outputs, before[1].astype(np.float32))
        assert statistics[0, SIZE] == statistics[0, N_PREDICTIONS]


def test_parallel_and_serial_kernel_do_not_share_a_cache():
    # They are one function compiled twice, which Numba's cache cannot tell apart.
    assert train_spans.stats.cache_path != train_spans_serial.stats.cache_path


def test_spans_cover_every_token_once():
    ids = corpus()
    for length in (1000, 1234, 5000):
        numbers = list(range(-(-len(ids) // length)))
        statistics = train(ids, setting(), numbers, length)[3]
        assert statistics[:, N_TOKENS].sum() == np.count_nonzero(ids >= 0)


def test_no_window_crosses_a_sentence_end():
    ids = np.array([0, -1, 1, -1, 2, -1], np.int32)
    ids.flags.writeable = False
    inputs, outputs, expected, statistics = train(ids, setting(), [0], 1000)
    assert statistics[0, N_PREDICTIONS] == 0
    np.testing.assert_array_equal(inputs, expected[0].astype(np.float32))
    np.testing.assert_array_equal(outputs, expected[1].astype(np.float32))


def test_subsampling_and_window_rates():
    n = 200_000
    ids = np.zeros(n, np.int32)
    ids.flags.writeable = False
    keep, window = 0.3, 4
    chosen = setting(keep, window=window, negative=1)
    statistics = train(ids, chosen, [0], n)[3]
    # Each kept word has 2 b contexts, b uniform on 1..window, but at the two ends of the sentence.
    expected = n * keep * (window + 1)
    assert statistics[0, N_PREDICTIONS] == pytest.approx(expected, rel=5 * np.sqrt((1 / keep) / n))


def test_loss_of_untrained_vectors_is_log_2_for_each_output():
    ids = corpus(40_000)
    statistics = train(ids, setting(negative=5), [0], 40_000, learning_rate=1e-9)[3]
    # Scale 0.3 at dim 10: logits of about 0.28, which raise the mean slightly above 6 log 2.
    mean, error = mean_loss(statistics[0])
    assert mean == pytest.approx(6 * np.log(2), rel=0.1)
    assert statistics[0, SIZE] == pytest.approx(statistics[0, N_PREDICTIONS] / 256, rel=0.3)
    exact, smaller_error = mean_loss(
        train(ids, setting(negative=5), [0], 40_000, learning_rate=1e-9, loss_every=1)[3][0]
    )
    assert abs(mean - exact) < 4 * error
    assert smaller_error < error / 10
    assert np.isnan(mean_loss(np.zeros(STATISTICS))).all()


def test_loss_of_a_path_is_log_2_for_each_node():
    chosen = setting(loss="hs")
    ids = corpus()
    statistics = train(ids, chosen, [0], 4000, learning_rate=1e-9, loss_every=1)[3]
    lengths = np.diff(chosen[1].path_starts)
    expected = lengths[ids[ids >= 0]].mean() * np.log(2)
    assert statistics[0, LOSS] / statistics[0, N_SAMPLES] > expected
    assert mean_loss(statistics[0])[0] == pytest.approx(expected, rel=0.1)


def test_divergence_shows_in_the_statistics():
    statistics = train(corpus(), setting(), [0, 1], 1000, learning_rate=100.0)[3]
    assert not np.isfinite(statistics[:, LOGIT_SUM]).all()
