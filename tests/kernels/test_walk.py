"""Spans, subsampling and windows, against the reference and by their rates."""

import numpy as np
import pytest
import reference
from kernel_cases import N_WORDS, case, corpus, read_only

from fastw2v.kernels.softmax import Predictions, gather_predictions
from fastw2v.kernels.walk import MAX_SHIFT

SEED, EPOCH = np.uint64(3), np.uint64(1)


def windows_of_span(ids, number, length, windows):
    """The centre word and the contexts of each window of a span, and the tokens read."""
    room = 2 * windows.window * len(ids) + 1
    contexts, centres, numbers = np.zeros((3, room), np.int32)
    predictions = Predictions(contexts, np.zeros(room + 1, np.int64), centres, numbers)
    n, n_tokens = gather_predictions(ids, number, length, windows, SEED, EPOCH, predictions)
    groups = [(int(centres[i]), contexts[predictions.starts[i] : predictions.starts[i + 1]].tolist()) for i in range(n)]
    return groups, n_tokens


@pytest.mark.parametrize("length", [1000, 1234, 5000])
def test_spans_cover_every_token_once(length):
    ids = corpus()
    windows = case().windows
    n_tokens = [windows_of_span(ids, number, length, windows)[1] for number in range(-(-len(ids) // length))]
    assert sum(n_tokens) == np.count_nonzero(ids >= 0)


@pytest.mark.parametrize("options", [{}, {"window": 1}, {"window": 6, "fixed_window": True}], ids=str)
def test_windows_are_those_of_the_reference(options):
    ids, length = corpus(), 1500
    windows = case(keep=0.6, model="cbow", **options).windows
    for number in range(3):
        start, stop = (reference.start_of_span(ids, n, length, MAX_SHIFT) for n in (number, number + 1))
        draws = reference.Draws(reference.stream(reference.stream(int(SEED), int(EPOCH)), number))
        sentences = reference.kept_sentences(ids[start:stop], windows.keep, draws)
        expected = [window for window in reference.windows_of_sentences(sentences, windows, draws) if window[1]]
        groups, n_tokens = windows_of_span(ids, number, length, windows)
        assert groups == expected
        assert n_tokens == np.count_nonzero(ids[start:stop] >= 0)


def test_no_window_crosses_a_sentence_end():
    ids = read_only([0, -1, 1, -1, -1, 2, -1, 3, 4, -1, -1])
    groups, _ = windows_of_span(ids, 0, 1000, case(model="cbow").windows)
    assert groups == [(3, [4]), (4, [3])]


def test_text_without_tokens():
    for ids in ([], [-1, -1], [5]):
        groups, n_tokens = windows_of_span(read_only(ids), 0, 1000, case().windows)
        assert groups == []
        assert n_tokens == len([word for word in ids if word >= 0])


def test_a_span_starts_with_a_sentence_if_one_is_near():
    ids = np.full(4000, 1, np.int32)
    ids[1100], ids[3990] = -1, -1
    windows = case().windows
    n_tokens = [windows_of_span(read_only(ids), number, 1000, windows)[1] for number in range(4)]
    assert n_tokens == [1100, 899, 1000, 999]


def test_subsampling_and_window_rates():
    n, keep, window = 200_000, 0.3, 4
    windows = case(keep, window=window).windows
    groups, n_tokens = windows_of_span(read_only(np.zeros(n)), 0, n, windows)
    assert n_tokens == n
    # Each kept word has 2 b contexts, b uniform on 1 to window, but at the two ends of the sentence.
    assert len(groups) == pytest.approx(n * keep * (window + 1), rel=5 * np.sqrt((1 / keep) / n))


def test_keep_is_by_word():
    windows = case().windows
    keep = windows.keep.copy()
    keep[N_WORDS // 2 :] = 0
    groups, _ = windows_of_span(corpus(), 0, 4000, windows._replace(keep=keep))
    assert {word for centre, contexts in groups for word in (centre, *contexts)} == set(range(N_WORDS // 2))
