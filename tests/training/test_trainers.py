"""The trainers: which one the options choose, what each of them refuses, and what does not change the result."""

import numpy as np
import pytest

from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.jit import MAX_THREADS
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
from fastw2v.training.matrices import new_matrices
from fastw2v.training.softmax import SoftmaxTrainer
from fastw2v.training.trainers import HogwildTrainer, JointTrainer, TrackTrainer, span_trainer

VOCABULARY = Vocabulary(list("abcde"), np.array([400, 200, 100, 50, 25]))


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


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"loss": "softmax"}], ids=str)
def test_tracks_take_the_place_of_threads(options):
    config = TrainConfig(dim=10, sample=0, deterministic=True, tracks=3, **options)
    ids = np.random.default_rng(0).integers(-1, 5, 9000).astype(np.int32)
    ids.flags.writeable = False
    results = []
    for threads, slices in (1, (9,)), (2, (3, 6)), (min(5, MAX_THREADS), (6, 3)):
        matrices = new_matrices(5, config, threads)
        trainer = span_trainer(matrices, VOCABULARY, config, threads)
        assert isinstance(trainer, SoftmaxTrainer if config.loss == "softmax" else TrackTrainer)
        first, statistics = 0, []
        for n in slices:
            statistics.append(np.zeros((n, STATISTICS)))
            spans = Spans(np.arange(first, first + n), np.full(n, 0.05, np.float32), 1000)
            trainer(ids, spans, 0, statistics[-1])
            trainer(ids, spans, 0, np.zeros((n, STATISTICS)), learn=False)  # which changes nothing
            first += n
        results.append((matrices.word_inputs.copy(), matrices.word_outputs.copy(), np.concatenate(statistics)))
    for result in results[1:]:
        for got, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(got, expected)
