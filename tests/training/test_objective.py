"""Options as the tables and rows of the kernels, and which trainer they choose."""

import numpy as np
import pytest
import reference

from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.statistics import (
    LOGIT_SUM,
    N_PREDICTIONS,
    N_SAMPLES,
    SIZE,
    SIZE_SIZE,
    STATISTICS,
    mean_loss,
)
from fastw2v.kernels.walk import Spans
from fastw2v.training import objective
from fastw2v.training.matrices import new_matrices
from fastw2v.training.objective import (
    HogwildTrainer,
    JointTrainer,
    length_of_paths,
    objective_of,
    span_trainer,
    windows_of,
)
from fastw2v.training.softmax import SoftmaxTrainer

COUNTS = np.array([400, 200, 100, 50, 25])
VOCABULARY = Vocabulary(list("abcde"), COUNTS)


def test_noise_is_that_of_the_exponent():
    noise = objective_of(VOCABULARY, TrainConfig(ns_exponent=0.5)).negatives.noise
    expected = COUNTS**0.5 / (COUNTS**0.5).sum()
    np.testing.assert_allclose(reference.alias_probabilities(noise), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"window": 5, "negative": 5}, (3, 5 / 3, 11, objective.TURNS)),
        ({"negative": 15}, (7, 15 / 7, 11, objective.TURNS)),
        ({"window": 100, "shared_negatives": 14}, (14, 0.5, objective.MOST_DRAWS, objective.TURNS)),
        ({"negative": 2, "model": "cbow"}, (2, 1, 11, objective.TURNS)),
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


@pytest.mark.parametrize("options", [{}, {"update": "pair"}, {"model": "cbow"}, {"loss": "hs"}, {"loss": "softmax"}])
def test_a_trainer_learns_or_takes_the_loss_of_every_prediction(options):
    config = TrainConfig(dim=10, sample=0, **options)
    matrices = new_matrices(5, config, 2)
    trainer = span_trainer(matrices, VOCABULARY, config, 2)
    assert isinstance(trainer, SoftmaxTrainer if config.loss == "softmax" else HogwildTrainer)
    ids = np.tile(np.array([0, 1, 2, 3, 4, 0, -1], np.int32), 200)
    ids.flags.writeable = False
    spans = Spans(np.arange(2), np.full(2, 0.05, np.float32), 700)
    before = matrices.word_inputs.copy()
    statistics = np.zeros((2, STATISTICS))
    trainer(ids, spans, 0, statistics, learn=False)
    np.testing.assert_array_equal(matrices.word_inputs, before)
    assert not matrices.word_outputs.any()
    np.testing.assert_array_equal(statistics[:, SIZE], statistics[:, N_PREDICTIONS])
    assert (statistics[:, N_SAMPLES] > 0).all()
    if config.model == "skipgram":
        assert (statistics[:, N_SAMPLES] < statistics[:, N_PREDICTIONS]).all(), "a window is a sample"
    trainer(ids, spans, 0, np.zeros((2, STATISTICS)))
    assert matrices.word_outputs.any()
    trainer(ids, spans, 1, np.zeros((2, STATISTICS)))
    assert (matrices.word_inputs != before).all()


def test_more_threads_than_rows_are_refused():
    config = TrainConfig(dim=3)
    with pytest.raises(ValueError, match="3 threads, but the layout has rows for 2"):
        span_trainer(new_matrices(5, config, 2), VOCABULARY, config, 3)


MISFITS = [
    ({}, {"loss": "hs"}, "the hot output rows of the layout are not those of a tree"),
    ({"loss": "hs"}, {}, "the hot output rows of the layout are those of a tree"),
    ({"window": 3}, {"window": 4}, "8 frozen words in a window, but the layout has rows for 6"),
]


@pytest.mark.parametrize(("of_matrices", "of_trainer", "message"), MISFITS)
def test_rows_that_were_made_for_other_options_are_refused(of_matrices, of_trainer, message):
    matrices = new_matrices(5, TrainConfig(dim=3, **of_matrices), 2, np.array([True, False, False, False, False]))
    with pytest.raises(ValueError, match=message):
        span_trainer(matrices, VOCABULARY, TrainConfig(dim=3, **of_trainer), 2)


@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_rows_for_another_number_of_words_are_refused(loss):
    config = TrainConfig(dim=3, loss=loss)
    for n_words in (4, 6):
        with pytest.raises(ValueError, match=f"a table of 5 words, but the layout has rows for {n_words}"):
            span_trainer(new_matrices(n_words, config, 2), VOCABULARY, config, 2)
    is_frozen = np.array([True, False, False, False])
    if loss != "softmax":
        with pytest.raises(ValueError, match="a table of 4 words"):
            span_trainer(new_matrices(5, config, 2, is_frozen), VOCABULARY, config, 2)


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


def test_the_loss_of_several_objectives_is_the_sum_of_theirs():
    rng = np.random.default_rng(0)
    each = rng.uniform(1, 2, (2, 3, STATISTICS))
    each[:, :, [N_PREDICTIONS, SIZE, N_SAMPLES, SIZE_SIZE]] = 10

    def trainer(number):
        def train(ids, spans, epoch, statistics, learn=True):
            statistics += each[number]

        return train

    statistics = np.zeros((3, STATISTICS))
    spans = Spans(np.arange(3), np.ones(3, np.float32), 10)
    JointTrainer([trainer(0), trainer(1)])(np.zeros(30, np.int32), spans, 0, statistics)
    total, (one, other) = statistics.sum(axis=0), each.sum(axis=1)
    assert mean_loss(total)[0] == pytest.approx(mean_loss(one)[0] + mean_loss(other)[0])
    np.testing.assert_allclose(statistics[:, [N_PREDICTIONS, SIZE]], 10)
    np.testing.assert_allclose(statistics[:, LOGIT_SUM], each[:, :, LOGIT_SUM].sum(axis=0))
