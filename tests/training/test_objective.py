"""Options as the tables of the kernels."""

import numpy as np
import pytest
import reference

from fastw2v import TrainConfig, Vocabulary
from fastw2v.training import pieces
from fastw2v.training.objective import length_of_paths, objective_of, windows_of

COUNTS = np.array([400, 200, 100, 50, 25])
VOCABULARY = Vocabulary(list("abcde"), COUNTS)


def test_noise_is_that_of_the_exponent():
    noise = objective_of(VOCABULARY, TrainConfig(ns_exponent=0.5)).negatives.noise
    expected = COUNTS**0.5 / (COUNTS**0.5).sum()
    np.testing.assert_allclose(reference.alias_probabilities(noise), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"window": 5, "negative": 5}, (3, 5 / 3, 11, pieces.TURNS)),
        ({"negative": 15}, (7, 15 / 7, 11, pieces.TURNS)),
        ({"window": 100, "shared_negatives": 14}, (14, 0.5, pieces.MOST_DRAWS, pieces.TURNS)),
        ({"negative": 2, "model": "cbow"}, (2, 1, 11, pieces.TURNS)),
        ({"update": "pair"}, (7, 1, 2, 1)),
    ],
)
def test_draws_of_negatives(options, expected):
    negatives = objective_of(VOCABULARY, TrainConfig(**{"negative": 7, **options})).negatives
    assert (negatives.n, negatives.weight, negatives.n_draws, negatives.n_turns) == pytest.approx(expected)


def test_a_tree_takes_the_place_of_negatives():
    negatives, paths = objective_of(VOCABULARY, TrainConfig(loss="hs"))
    assert negatives.n == len(negatives.noise) == 0
    assert np.diff(paths.starts).tolist() == [1, 2, 3, 4, 4]
    assert paths.longest == 4
    negatives, paths = objective_of(VOCABULARY, TrainConfig())
    assert paths.longest == len(paths.nodes) == 0
    assert paths.starts.tolist() == [0] * 6


def test_windows():
    config = TrainConfig(window=3, fixed_window=True, model="cbow", cbow_gradient="exact", sample=1e-3)
    windows = windows_of(VOCABULARY, config)
    assert (windows.window, windows.fixed_window, windows.by_window) == (3, True, True)
    assert (windows.by_mean, windows.exact_mean) == (True, True)
    pairs = windows_of(VOCABULARY, TrainConfig(update="pair"))
    assert (pairs.by_window, pairs.by_mean, pairs.fixed_window) == (False, False, False)
    assert len(windows.is_frozen) == 0
    keep = VOCABULARY.keep_probability(1e-3, config.sample_formula)
    np.testing.assert_allclose(windows.keep / 2.0**32, keep, atol=1e-9)
    assert (windows_of(VOCABULARY, TrainConfig(sample=0)).keep == 2**32 - 1).all()


@pytest.mark.parametrize("counts", [[0] * 5, [9, 9, 1, 0, 0], COUNTS])
def test_the_length_of_all_paths(counts):
    vocabulary = Vocabulary(list("abcde"), counts)
    paths = objective_of(vocabulary, TrainConfig(loss="hs")).paths
    assert length_of_paths(vocabulary) == len(paths.nodes) == len(paths.labels)


@pytest.mark.parametrize("seed", range(3))
def test_a_tree_of_words_in_any_order(seed):
    """A vocabulary that has grown is no longer sorted; each word keeps the path that it has in a sorted one."""
    order = np.random.default_rng(seed).permutation(5)
    paths, shuffled = (
        objective_of(vocabulary, TrainConfig(loss="hs")).paths
        for vocabulary in (VOCABULARY, Vocabulary([VOCABULARY.words[i] for i in order], COUNTS[order]))
    )
    for place, word in enumerate(order):
        for name in ("nodes", "labels"):
            expected = getattr(paths, name)[paths.starts[word] : paths.starts[word + 1]]
            got = getattr(shuffled, name)[shuffled.starts[place] : shuffled.starts[place + 1]]
            np.testing.assert_array_equal(got, expected)
    assert length_of_paths(VOCABULARY) == len(shuffled.nodes)
