"""The walk over spans against the reference, draw by draw; subsampling and window by their rates."""

import numpy as np
import pytest
import reference

from fastw2v.kernels.alias import build_alias_table
from fastw2v.kernels.train import (
    LOGIT_SUM,
    LOSS_SUM,
    MAX_SHIFT,
    N_LOSSES,
    N_PREDICTIONS,
    N_TOKENS,
    STATISTICS,
    Sampling,
    Spans,
    train_spans,
    train_spans_serial,
)

N_WORDS = 50
SEED, EPOCH = 7, 2


def corpus(n=4000, seed=1):
    """Sentences of 1 to 30 words, none twice in a sentence (test_update.py has the repeats)."""
    rng = np.random.default_rng(seed)
    sentences = [np.append(rng.permutation(N_WORDS)[: rng.integers(1, 31)], -1) for _ in range(n)]
    ids = np.concatenate(sentences)[:n].astype(np.int32)
    ids.flags.writeable = False
    return ids


def sampling(window=3, fixed_window=False, negative=4, share_negatives=True, keep=1.0):
    noise = np.empty(N_WORDS, np.uint64)
    build_alias_table(0.9 ** np.arange(N_WORDS), noise)
    thresholds = np.full(N_WORDS, min(keep * 2**32, 2**32 - 1)).astype(np.uint32)
    return Sampling(thresholds, noise, window, fixed_window, negative, share_negatives)


def train(ids, chosen, numbers, length, dim=10, learning_rate=0.02):
    stride = -(-dim // 16) * 16
    inputs, outputs = np.zeros((2, N_WORDS, stride), np.float32)
    rng = np.random.default_rng(3)
    inputs[:, :dim], outputs[:, :dim] = rng.normal(size=(2, N_WORDS, dim), scale=0.3)
    expected = inputs.astype(np.float64), outputs.astype(np.float64)
    statistics = np.zeros((len(numbers), STATISTICS))
    rates = np.full(len(numbers), learning_rate, np.float32)
    spans = Spans(np.array(numbers), rates, length)
    train_spans_serial(ids, spans, inputs, outputs, chosen, np.uint64(SEED), np.uint64(EPOCH), statistics)
    return inputs, outputs, expected, statistics


@pytest.mark.parametrize("share_negatives", [True, False])
@pytest.mark.parametrize(("window", "fixed_window", "negative"), [(3, False, 4), (5, True, 5), (1, False, 9)])
def test_the_walk_is_the_reference_draw_by_draw(share_negatives, window, fixed_window, negative):
    ids, length, numbers = corpus(), 1000, [2, 0, 3]
    chosen = sampling(window, fixed_window, negative, share_negatives, keep=0.7)
    inputs, outputs, expected, statistics = train(ids, chosen, numbers, length)
    n_pairs, n_tokens = [], []
    for number in numbers:
        start = reference.start_of_span(ids, number, length, MAX_SHIFT)
        stop = reference.start_of_span(ids, number + 1, length, MAX_SHIFT)
        state = reference.stream(reference.stream(SEED, EPOCH), number)
        n_pairs.append(reference.train_span(ids, start, stop, *expected, chosen, np.float32(0.02), state))
        n_tokens.append(np.count_nonzero(ids[start:stop] >= 0))
    assert statistics[:, N_PREDICTIONS].tolist() == n_pairs
    assert statistics[:, N_TOKENS].tolist() == n_tokens
    np.testing.assert_allclose(inputs, np.pad(expected[0][:, :10], ((0, 0), (0, 6))), atol=1e-5)
    np.testing.assert_allclose(outputs, np.pad(expected[1][:, :10], ((0, 0), (0, 6))), atol=1e-5)


def test_parallel_and_serial_kernel_do_not_share_a_cache():
    # They are one function compiled twice, which Numba's cache cannot tell apart.
    assert train_spans.stats.cache_path != train_spans_serial.stats.cache_path


def test_spans_cover_every_token_once():
    ids = corpus()
    for length in (1000, 1234, 5000):
        numbers = list(range(-(-len(ids) // length)))
        statistics = train(ids, sampling(), numbers, length)[3]
        assert statistics[:, N_TOKENS].sum() == np.count_nonzero(ids >= 0)


def test_no_window_crosses_a_sentence_end():
    ids = np.array([0, -1, 1, -1, 2, -1], np.int32)
    ids.flags.writeable = False
    inputs, outputs, expected, statistics = train(ids, sampling(), [0], 1000)
    assert statistics[0, N_PREDICTIONS] == 0
    np.testing.assert_array_equal(inputs, expected[0].astype(np.float32))
    np.testing.assert_array_equal(outputs, expected[1].astype(np.float32))


def test_subsampling_and_window_rates():
    n = 200_000
    ids = np.zeros(n, np.int32)
    ids.flags.writeable = False
    keep, window = 0.3, 4
    chosen = sampling(window, negative=1, keep=keep)
    statistics = train(ids, chosen, [0], n)[3]
    # Each kept word has 2 b contexts, b uniform on 1..window, but at the two ends of the sentence.
    expected = n * keep * (window + 1)
    assert statistics[0, N_PREDICTIONS] == pytest.approx(expected, rel=5 * np.sqrt((1 / keep) / n))


def test_loss_of_untrained_vectors_is_log_2_for_each_output():
    ids = corpus(40_000)
    statistics = train(ids, sampling(negative=5), [0], 40_000, learning_rate=1e-9)[3]
    # Scale 0.3 at dim 10: logits of about 0.28, which raise the mean slightly above 6 log 2.
    got = statistics[0, LOSS_SUM] / statistics[0, N_LOSSES]
    assert got == pytest.approx(6 * np.log(2), rel=0.1)
    assert statistics[0, N_LOSSES] == pytest.approx(statistics[0, N_PREDICTIONS] / 256, rel=0.3)


def test_divergence_shows_in_the_statistics():
    statistics = train(corpus(), sampling(), [0, 1], 1000, learning_rate=100.0)[3]
    assert not np.isfinite(statistics[:, LOGIT_SUM]).all()
