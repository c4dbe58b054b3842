"""TrainableModel: trained in place, extended, by one loss or by both."""

from dataclasses import replace

import numpy as np
import pytest

import fastw2v
from fastw2v import InputError, TrainConfig, Vocabulary
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.sequences import from_sentences
from fastw2v.events import EpochEnded
from fastw2v.kernels.jit import MAX_THREADS
from fastw2v.training import trainable
from fastw2v.training.trainable import TrainableModel

CONFIG = TrainConfig(dim=10, min_count=1, epochs=2, sample=0, lr=0.05)
SENTENCES = [["a", "b", "c", "d"], ["b", "c"], ["d", "a", "e"]] * 60


@pytest.fixture
def corpus():
    return from_sentences(SENTENCES, Pruning(min_count=1))


@pytest.mark.parametrize("loss", ["ns", "hs"])
@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_it_trains_as_train(corpus, model, loss):
    config = replace(CONFIG, model=model, loss=loss, threads=1)
    options = {name: getattr(config, name) for name in ("dim", "min_count", "epochs", "sample", "lr", "model", "loss")}
    expected = fastw2v.train_model(sentences=SENTENCES, threads=1, **options)
    got = TrainableModel(corpus.vocabulary, config, [loss], threads=1)
    got.train(corpus, config, threads=1)
    np.testing.assert_array_equal(got.inputs, expected.input_vectors)
    np.testing.assert_array_equal(got.outputs[loss], expected.output_vectors)


def test_both_losses_train_the_same_input_vectors(corpus):
    losses = []

    def listen(event):
        if isinstance(event, EpochEnded):
            losses.append(event.loss)

    model = TrainableModel(corpus.vocabulary, CONFIG, ["hs", "ns"], threads=1)
    model.train(corpus, replace(CONFIG, epochs=30), 1, callback=listen)
    assert all((matrix != 0).any() for matrix in model.outputs.values())
    assert losses[-1] < 0.95 * losses[0]
    assert losses[0] > 3, "the sum of both"


def test_a_second_training_copies_nothing(corpus):
    model = TrainableModel(corpus.vocabulary, CONFIG, ["ns"], threads=1)
    inputs, outputs = model.inputs, model.outputs["ns"]
    for _ in range(2):
        before = inputs.copy()
        model.train(corpus, CONFIG, 1)
        assert model.inputs is inputs
        assert model.outputs["ns"] is outputs
        assert (inputs != before).any()


@pytest.mark.parametrize("losses", [["ns"], ["hs"], ["hs", "ns"]])
def test_arrays_from_elsewhere_are_taken(corpus, losses):
    model = TrainableModel(corpus.vocabulary, CONFIG, losses, threads=1)
    given = np.random.default_rng(0).normal(size=model.inputs.shape).astype(np.float32)
    model.inputs = given
    model.outputs = {loss: given + i for i, loss in enumerate(losses)}
    model.prepare(CONFIG, threads=min(2, MAX_THREADS), has_frozen=True)
    np.testing.assert_array_equal(model.inputs, given)
    for i, loss in enumerate(losses):
        np.testing.assert_array_equal(model.outputs[loss], given + i)
    assert not np.shares_memory(model.inputs, given)


def test_extended(corpus):
    model = TrainableModel(corpus.vocabulary, CONFIG, ["hs", "ns"], threads=1)
    model.train(corpus, CONFIG, 1)
    inputs, outputs = model.inputs.copy(), {loss: matrix.copy() for loss, matrix in model.outputs.items()}
    words, counts = corpus.vocabulary.words, corpus.vocabulary.counts
    vocabulary = Vocabulary(["new", *words, "rare"], np.array([900, *counts, 1]))
    model.extend(vocabulary, np.array([-1, *range(len(words)), -1]), CONFIG, threads=1)
    np.testing.assert_array_equal(model.inputs[1:-1], inputs)
    assert (model.inputs[[0, -1]] != 0).any()
    for loss, matrix in model.outputs.items():
        np.testing.assert_array_equal(matrix[1:-1], outputs[loss])
        assert (matrix[[0, -1]] == 0).all()


@pytest.mark.parametrize("threads", range(1, min(2, MAX_THREADS) + 1))
@pytest.mark.parametrize("losses", [["ns"], ["hs"], ["hs", "ns"]])
def test_frozen_words(corpus, losses, threads):
    model = TrainableModel(corpus.vocabulary, CONFIG, losses, threads)
    before = model.inputs.copy()
    is_frozen = np.arange(len(before)) % 2 == 0
    model.train(corpus, CONFIG, threads, is_frozen)
    np.testing.assert_array_equal((model.inputs == before).all(axis=1), is_frozen)


def test_too_little_memory(corpus, monkeypatch):
    def refuse(estimated):
        raise InputError(f"too little memory: {estimated}")

    monkeypatch.setattr(trainable, "check_memory", refuse)
    with pytest.raises(InputError, match="too little memory: training needs"):
        TrainableModel(corpus.vocabulary, CONFIG, ["ns"], threads=1)
