"""TrainedModel: both matrices, the words and the options of a training, saved, loaded and trained further."""

from dataclasses import replace

import numpy as np
import pytest

import fastw2v
from fastw2v import InputError, RunError, TrainConfig, TrainedModel, Vectors, Vocabulary, modelfile
from fastw2v.modelfile import ModelFile
from fastw2v.training.model import check_model_output, last_vectors, training_kind

SMALL = {"dim": 12, "min_count": 1, "epochs": 2, "sample": 0, "threads": 1, "lr": 0.05}


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    config = TrainConfig(dim=3, window=7, model="cbow", seed=5, min_count=2, max_vocab=50)
    vocabulary = Vocabulary(["the", "été", "c"], np.array([30, 20, 10]))
    # Views of wider rows, as those of matrices in training are.
    inputs, outputs = rng.normal(size=(2, 5, 16)).astype(np.float32)
    return TrainedModel(config, vocabulary, inputs[:3, :3], outputs[:3, :3])


def test_a_model_is_saved_and_loaded_whole(model, tmp_path):
    model.save(tmp_path / "m.fw2v")
    loaded = TrainedModel.load(tmp_path / "m.fw2v")
    assert loaded.config == model.config
    assert loaded.vocabulary.words == model.vocabulary.words
    np.testing.assert_array_equal(loaded.vocabulary.counts, model.vocabulary.counts)
    np.testing.assert_array_equal(loaded.input_vectors, model.input_vectors)
    np.testing.assert_array_equal(loaded.output_vectors, model.output_vectors)


def test_a_saved_model_is_a_file_of_vectors(model, tmp_path):
    model.save(tmp_path / "m.fw2v")
    vectors = Vectors.load(tmp_path / "m.fw2v")
    assert list(vectors) == model.vocabulary.words
    np.testing.assert_array_equal(vectors.vectors, model.input_vectors)
    np.testing.assert_array_equal(vectors.counts, model.vocabulary.counts)


def test_the_vectors_of_a_model(model):
    inputs, outputs = model.input_vectors.copy(), model.output_vectors.copy()
    expected = {"input": inputs, "output": outputs, "average": (inputs + outputs) / 2}
    for which, matrix in expected.items():
        np.testing.assert_array_equal(model.vectors(which).vectors, matrix)
        np.testing.assert_array_equal(model.input_vectors, inputs)
        np.testing.assert_array_equal(model.output_vectors, outputs)
    assert np.shares_memory(model.vectors("input").vectors, model.input_vectors), "a view"
    assert np.shares_memory(model.vectors("output").vectors, model.output_vectors), "a view"


def test_the_option_says_which_vectors(model):
    for which in ("input", "output", "average"):
        config = TrainConfig(dim=3, vectors=which)
        chosen = TrainedModel(config, model.vocabulary, model.input_vectors, model.output_vectors)
        np.testing.assert_array_equal(chosen.vectors().vectors, model.vectors(which).vectors)


def test_the_vectors_of_a_model_are_the_same_when_asked_for_again(model, tmp_path):
    model.save(tmp_path / "m.fw2v")
    for trained in (model, TrainedModel.load(tmp_path / "m.fw2v")):  # whose matrices are mapped
        for which in ("average", "output", "input"):
            first = trained.vectors(which).vectors.copy()
            np.testing.assert_array_equal(trained.vectors(which).vectors, first)
            np.testing.assert_array_equal(model.vectors(which).vectors, first)


def test_the_last_average_takes_the_place_of_the_output_vectors(model):
    inputs, expected = model.input_vectors.copy(), model.vectors("average").vectors
    average = last_vectors(replace(model, config=replace(model.config, vectors="average")))
    np.testing.assert_array_equal(average.vectors, expected)
    assert np.shares_memory(average.vectors, model.output_vectors), "no new memory"
    np.testing.assert_array_equal(model.input_vectors, inputs)
    np.testing.assert_array_equal(average.counts, model.vocabulary.counts)
    assert np.shares_memory(last_vectors(model).vectors, model.input_vectors)


def test_a_model_that_is_not_finite_is_not_saved(model, tmp_path):
    for matrix in (model.input_vectors, model.output_vectors):
        for bad in (np.nan, np.inf):
            before, matrix[1, 1] = matrix[1, 1], bad
            with pytest.raises(RunError, match="m.fw2v was not written"):
                model.save(tmp_path / "m.fw2v")
            matrix[1, 1] = before
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "softmax"}, {"vectors": "average"}], ids=str)
def test_train_model_is_train_with_both_matrices(planted, options, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    model = fastw2v.train_model(planted, **SMALL, **options)
    expected = fastw2v.train(planted, **SMALL, **options)
    assert model.config == TrainConfig(**SMALL, **options)
    np.testing.assert_array_equal(model.vectors().vectors, expected.vectors)
    assert model.vectors().index_to_key == expected.index_to_key
    np.testing.assert_array_equal(model.vocabulary.counts, expected.counts)
    assert np.abs(model.output_vectors).max() > 0


def test_a_model_in_memory_is_trained_further_as_one_in_a_file_is(planted, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("t0w0 new t0w1 words\n" * 20)
    path = tmp_path / "m.fw2v"
    model = fastw2v.train_model(planted, save_model=path, **SMALL)
    before = model.input_vectors.copy(), model.output_vectors.copy(), model.vocabulary.counts.copy()
    again = {**SMALL, "lr": 0.01}
    expected = fastw2v.train_model(more, continue_from=path, **again)
    got = fastw2v.train_model(more, continue_from=model, **again)
    assert got.vocabulary.words == expected.vocabulary.words
    assert len(got.vocabulary) == 98
    np.testing.assert_array_equal(got.vocabulary.counts, expected.vocabulary.counts)
    assert got.input_vectors.tobytes() == expected.input_vectors.tobytes()
    assert got.output_vectors.tobytes() == expected.output_vectors.tobytes()
    after = model.input_vectors, model.output_vectors, model.vocabulary.counts
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other, "the model that was continued from stays as it is")


def test_vectors_of_a_kind_that_does_not_exist(model):
    with pytest.raises(InputError, match="vectors is 'mean': it must be one of input, output, average"):
        model.vectors("mean")


def test_a_checkpoint_is_a_model(planted, tmp_path):
    model = fastw2v.train_model(planted, checkpoint=tmp_path / "c", **SMALL)
    loaded = TrainedModel.load(tmp_path / "c" / modelfile.CHECKPOINT)
    assert loaded.config == model.config
    np.testing.assert_array_equal(loaded.output_vectors, model.output_vectors)


def test_a_model_of_hierarchical_softmax_is_not_saved(model, tmp_path):
    model = TrainedModel(TrainConfig(dim=3, loss="hs"), model.vocabulary, model.input_vectors, model.output_vectors)
    with pytest.raises(InputError, match="save_model needs loss ns or softmax: with hs the output vectors belong"):
        model.save(tmp_path / "m.fw2v")
    assert not list(tmp_path.iterdir())


def test_a_model_has_one_format(model, tmp_path):
    with pytest.raises(InputError, match=r"m.txt: its name must end in .fw2v, the only format that holds a model"):
        model.save(tmp_path / "m.txt")
    with pytest.raises(RunError, match="cannot write .*nowhere.*No such file or directory"):
        model.save(tmp_path / "nowhere" / "m.fw2v")
    (tmp_path / "m.fw2v").touch()
    with pytest.raises(InputError, match="is the same file as the input"):
        check_model_output(tmp_path / "m.fw2v", model.config, [tmp_path / "m.fw2v"])


def write(path, model, **changes):
    """Write a file with the parts of a model, some of them changed."""
    about = {"config": {"dim": 3, "window": 7}, **training_kind(model.config)}
    parts = {"counts": model.vocabulary.counts, "output_vectors": model.output_vectors, "training": about, **changes}
    modelfile.write(path, ModelFile(model.vocabulary.words, model.input_vectors, **parts))


@pytest.mark.parametrize("part", ["counts", "output_vectors"])
def test_a_file_of_vectors_is_no_model(model, tmp_path, part):
    write(tmp_path / "m.fw2v", model, **{part: None})
    with pytest.raises(InputError, match="m.fw2v holds vectors only: continue_from needs what save_model wrote"):
        TrainedModel.load(tmp_path / "m.fw2v")


KIND = {"model": "skipgram", "loss": "ns"}


@pytest.mark.parametrize(
    "about",
    [
        None,
        [],
        "model",
        {},
        {"model": "skipgram"},
        {"loss": "ns"},
        {**KIND, "model": "other"},
        {**KIND, "loss": 5},
        {**KIND, "config": {"window": "wide"}},
        {**KIND, "config": {"window": -1}},
    ],
    ids=str,
)
def test_a_file_that_does_not_say_how_it_was_trained(model, tmp_path, about):
    write(tmp_path / "m.fw2v", model, training=about)
    with pytest.raises(InputError, match="m.fw2v does not say how it was trained: "):
        TrainedModel.load(tmp_path / "m.fw2v")
    with pytest.raises(InputError, match="m.fw2v does not say how it was trained: "):
        fastw2v.train(sentences=[["the", "c"]] * 5, continue_from=tmp_path / "m.fw2v", **{**SMALL, "dim": 3})


@pytest.mark.parametrize("config", [{}, {"dim": 100}, {"of a later version": 3}, None, []], ids=str)
def test_options_that_a_file_does_not_name_are_the_defaults(model, tmp_path, config):
    write(tmp_path / "m.fw2v", model, training={**KIND, "config": config})
    assert TrainedModel.load(tmp_path / "m.fw2v").config == TrainConfig(dim=3)


def test_matrices_that_do_not_fit_the_words_or_dim_are_refused(model):
    for name in ("input_vectors", "output_vectors"):
        for misfit in (model.input_vectors[:2], model.input_vectors[:, :2]):
            with pytest.raises(InputError, match=rf"{name} have the shape .*: .* needs \(3, 3\)"):
                replace(model, **{name: misfit})
    with pytest.raises(InputError, match=r"needs \(3, 4\)"):
        replace(model, config=TrainConfig(dim=4))
