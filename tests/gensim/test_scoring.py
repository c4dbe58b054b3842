"""Likelihoods and probabilities on a model that can be computed by hand."""

import numpy as np
import pytest

from fastw2v.gensim.scoring import log_likelihood, probabilities
from fastw2v.kernels.huffman import Paths

INPUTS = np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)
NODES = np.array([[0.5, 0.25], [0.0, 0.0]], np.float32)
PATHS = Paths(np.array([0, 1, 2]), np.zeros(2, np.int32), np.array([1.0, 0.0], np.float32), longest=1)
"""One node above two words, of which it chooses the first with s(x)."""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", ["skipgram", "mean", "sum"])
def test_two_words(kind):
    # Word 0 is predicted from word 1, whose logit is 0.5; word 1 from word 0, whose logit is 0.5 too.
    expected = np.log(sigmoid(0.5)) + np.log(sigmoid(-0.5))
    assert log_likelihood([0, 1], INPUTS, NODES, PATHS, 5, kind) == pytest.approx(expected)


def test_the_mean_and_each_word():
    # The word in the middle, 0, has the contexts 0 and 1 of logits 0.5 and 0.5; both others have one context.
    middle, ends = np.log(sigmoid(0.5)), np.log(sigmoid(0.5)) + np.log(sigmoid(-0.5))
    assert log_likelihood([0, 0, 1], INPUTS, NODES, PATHS, 1, "mean") == pytest.approx(middle + ends)
    assert log_likelihood([0, 0, 1], INPUTS, NODES, PATHS, 1, "skipgram") == pytest.approx(2 * middle + ends)


@pytest.mark.parametrize("words", [[], [1]])
def test_nothing_to_predict(words):
    assert log_likelihood(words, INPUTS, NODES, PATHS, 5, "skipgram") == 0


def test_nothing_to_predict_from():
    assert log_likelihood([1], INPUTS, NODES, PATHS, 5, "mean") == pytest.approx(-np.log(2)), "as in gensim"


def test_probabilities():
    expected = np.exp([0.25, 0.5])  # the mean is (0.5, 1), the outputs are (0.5, 0) and (1, 0)
    got = probabilities(INPUTS, np.array([[0.5, 0], [1, 0]], np.float32), [0, 1])
    np.testing.assert_allclose(got, expected / expected.sum())
