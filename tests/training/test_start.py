"""Training that starts from given vectors or from an earlier model: what stays, what is new, what is refused."""

import errno
import re

import numpy as np
import pytest
from listeners import Recorder
from planted import planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import InputError, RunError, TrainConfig, TrainedModel, Vectors, Vocabulary
from fastw2v.events import CorpusRead
from fastw2v.training.matrices import new_matrices
from fastw2v.training.start import Start

OPTIONS = {"dim": 12, "min_count": 1, "epochs": 2, "sample": 0, "threads": 1}
STILL = {**OPTIONS, "lr": 1e-30}  # moves nothing


@pytest.fixture
def given():
    rng = np.random.default_rng(0)
    words = ["not there", *(f"t{topic}w{i}" for topic in range(4) for i in range(12))]
    return Vectors(words, rng.normal(size=(len(words), 12), scale=0.1))


@pytest.mark.parametrize("as_file", [False, True])
def test_words_start_from_the_vectors_given_and_others_at_random(planted, given, tmp_path, as_file):
    given.save(tmp_path / "given.fw2v")
    recorder = Recorder()
    init_vectors = tmp_path / "given.fw2v" if as_file else given
    got = fastw2v.train(planted, init_vectors=init_vectors, callback=recorder, **STILL)
    anew = fastw2v.train(planted, **STILL)
    assert [event.n_started for event in recorder.of(CorpusRead)] == [48]
    assert len(got) == 96
    for word in got:
        np.testing.assert_array_equal(got[word], (given if word in given else anew)[word])


OF_FREEZING = [
    {},
    {"threads": 2},
    {"model": "cbow"},
    {"update": "pair"},
    {"loss": "hs", "threads": 2},
    {"loss": "softmax"},
    {"loss": "softmax", "model": "cbow", "cbow_gradient": "exact"},
]


@pytest.mark.parametrize("options", OF_FREEZING, ids=str)
def test_frozen_vectors_stay_and_others_learn_from_them(planted, options, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    topics = np.repeat(np.eye(4, 12), 12, axis=0)
    given = Vectors([f"t{topic}w{i}" for topic in range(4) for i in range(12)], topics)
    half = given.subset(word for word in given if int(word.split("w")[1]) < 6)
    got = fastw2v.train(planted, init_vectors=half, freeze=True, lr=0.05, **{**OPTIONS, "epochs": 8, **options})
    np.testing.assert_array_equal(got[half.index_to_key], half.vectors)
    others = [word for word in given if word not in half]
    nearest = [int(np.argmax([got.similarity(word, f"t{topic}w0") for topic in range(4)])) for word in others]
    assert np.mean([topic == int(word[1]) for topic, word in zip(nearest, others, strict=True)]) > 0.9


def test_freezing_a_model_keeps_its_input_vectors_and_trains_its_output_vectors():
    sentences = [["a", "b", "c"]] * 50
    options = {"dim": 12, "min_count": 1, "sample": 0, "threads": 1, "lr": 0.05}
    old = fastw2v.train_model(sentences=sentences, **options)
    got = fastw2v.train_model(sentences=[*sentences, ["a", "new"] * 9], continue_from=old, freeze=True, **options)
    for word, before_in, before_out in zip(old.vocabulary.words, old.input_vectors, old.output_vectors, strict=True):
        row = got.vocabulary.words.index(word)
        np.testing.assert_array_equal(got.input_vectors[row], before_in)
        assert np.abs(got.output_vectors[row] - before_out).max() > 1e-4


def test_a_corpus_is_added_to_a_run(tmp_path):
    (tmp_path / "old.txt").write_text("a b c\n" * 5 + "d a\n" * 2)
    (tmp_path / "new.txt").write_text("b e f\n" * 4 + "rare b\n")
    options = {**STILL, "min_count": 2}
    old_model, new_model = tmp_path / "old.fw2v", tmp_path / "new.fw2v"
    old = fastw2v.train(tmp_path / "old.txt", save_model=old_model, **{**options, "lr": 0.05})
    got = fastw2v.train(tmp_path / "new.txt", continue_from=old_model, save_model=new_model, **options)
    assert dict(zip(got, got.counts.tolist(), strict=True)) == {"b": 10, "a": 7, "c": 5, "e": 4, "f": 4, "d": 2}
    assert got.index_to_key == ["b", "a", "c", "e", "f", "d"]
    for word in old:
        np.testing.assert_array_equal(got[word], old[word])
    before, after = TrainedModel.load(old_model), TrainedModel.load(new_model)
    assert np.abs(before.output_vectors).max() > 0
    for word in got:
        expected = before.output_vectors[old.get_index(word)] if word in old else np.zeros(12)
        np.testing.assert_allclose(after.output_vectors[got.get_index(word)], expected, atol=1e-20)
    np.testing.assert_array_equal(Vectors.load(new_model).vectors, got.vectors)


def test_sentences_and_walks_are_added_to_a_run(tmp_path):
    path = tmp_path / "m.fw2v"
    fastw2v.train(walks=np.tile([1, 2, 3], (10, 1)), save_model=path, **OPTIONS)
    got = fastw2v.train(walks=np.tile([3, 4], (10, 1)), continue_from=path, **STILL)
    assert got.index_to_key == ["3", "1", "2", "4"]
    got = fastw2v.train(sentences=[["1", "x"]] * 3, continue_from=path, **STILL)
    assert got.index_to_key == ["1", "2", "3", "x"]


def test_more_text_of_the_same_kind_makes_the_vectors_better(tmp_path):
    for seed in (1, 2):
        (tmp_path / f"{seed}.txt").write_text(planted_text(seed, n_sentences=120))
    options = {**OPTIONS, "lr": 0.05}
    first = fastw2v.train(tmp_path / "1.txt", save_model=tmp_path / "m.fw2v", **options)
    second = fastw2v.train(tmp_path / "2.txt", continue_from=tmp_path / "m.fw2v", **options)
    assert share_of_planted_neighbours(second) > share_of_planted_neighbours(first) + 0.1


FROM_VECTORS, FROM_MODEL = {"init_vectors": "v.txt", "lr": 0.01}, {"continue_from": "m.fw2v", "lr": 0.01}

REFUSED = [
    ({"freeze": True}, "freeze needs vectors to keep"),
    ({"init_vectors": "v.txt"}, "needs an explicit lr: 0.025, the default of a new run"),
    ({**FROM_VECTORS, **FROM_MODEL}, "are both vectors to start from"),
    ({**FROM_VECTORS, "dim": 5}, "have 12 dimensions, and dim is 5: give dim 12"),
    ({**FROM_VECTORS, "vectors": "output"}, "vectors is 'output'"),
    ({**FROM_VECTORS, "init_vectors": "other.txt"}, "none of the 96 words of the vocabulary is among the 1 with vec"),
    (
        {**FROM_VECTORS, "init_vectors": "all.txt", "freeze": True},
        "freeze would leave only output vectors to learn: .* all 96 wo",
    ),
    ({**FROM_MODEL, "freeze": True}, "as all 96 words have one; give text with new words, which occur min_count times"),
    ({**FROM_VECTORS, "init_vectors": 5}, "init_vectors is of type int: it must be Vectors"),
    ({**FROM_MODEL, "continue_from": "v.fw2v"}, "holds vectors only: continue_from needs what save_model wrote"),
    ({**FROM_MODEL, "continue_from": "none.fw2v"}, "cannot read vectors none.fw2v"),
    ({"continue_from": "m.fw2v"}, "needs an explicit lr"),
    ({**FROM_MODEL, "loss": "hs"}, "continue_from needs loss ns or softmax"),
    ({**FROM_MODEL, "max_vocab": 50}, "leave out the vocabulary and max_vocab"),
    ({**FROM_MODEL, "vocabulary": Vocabulary(["a", "b"], np.ones(2, int))}, "leave out the vocabulary and max_vocab"),
    ({**FROM_MODEL, "model": "cbow"}, "m.fw2v was trained with .*skipgram.*, this run has .*cbow"),
    ({**FROM_MODEL, "save_model": "m.fw2v"}, "is the same file as the input"),
    ({"save_model": "nowhere/m.fw2v"}, "directory .*nowhere does not exist"),
    ({"save_model": "m.txt"}, "its name must end in .fw2v"),
    ({"save_model": "n.fw2v", "loss": "hs"}, "save_model needs loss ns or softmax"),
]


@pytest.mark.filterwarnings("ignore:min_count has no effect")
@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refused(planted, given, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    given.subset(given.index_to_key[1:]).save("v.txt")
    given.save("v.fw2v")
    Vectors(["x"], np.ones((1, 12))).save("other.txt")
    fastw2v.train(planted, save_model="m.fw2v", **OPTIONS).save("all.txt")
    with pytest.raises(InputError, match=message):
        fastw2v.train(planted, **{**OPTIONS, **options})


def test_a_model_in_memory_of_another_kind_is_refused(planted):
    model = fastw2v.train_model(planted, **OPTIONS)
    with pytest.raises(InputError, match=r"the model was trained with .*skipgram.*, this run has .*cbow"):
        fastw2v.train(planted, continue_from=model, model="cbow", **STILL)


def test_vectors_to_start_from_that_are_not_finite(planted, given):
    vectors = given.vectors.copy()
    vectors[3, 2] = np.inf
    with pytest.raises(InputError, match="the vectors to start from hold NaN or infinite numbers"):
        fastw2v.train(planted, init_vectors=Vectors(given.index_to_key, vectors), **STILL)


def test_starting_takes_no_second_matrix(traced_peak):
    words = [str(i) for i in range(200_000)]
    given = Vectors(words, np.ones((len(words), 50), np.float32))
    start = Start(given, given.vectors)
    matrices = new_matrices(len(words), TrainConfig(dim=50), 1)
    assert traced_peak(lambda: start.fill(matrices, np.arange(len(words))[::-1].copy())) < 0.8 * given.vectors.nbytes


def test_the_rows_of_words(given):
    start = Start(given)
    vocabulary = Vocabulary(["t3w11", "other", "t0w0"], np.array([3, 2, 1]))
    assert start.rows(vocabulary).tolist() == [48, -1, 1]


def test_damaged_models_are_refused(planted, tmp_path):
    fastw2v.train(planted, save_model=tmp_path / "m.fw2v", **OPTIONS)
    data = bytearray((tmp_path / "m.fw2v").read_bytes())
    data[-2000] ^= 1
    (tmp_path / "m.fw2v").write_bytes(data)
    with pytest.raises(InputError, match="is damaged: the checksum of its output_vectors does not match"):
        fastw2v.train(planted, continue_from=tmp_path / "m.fw2v", **STILL)


def test_a_corpus_without_words_for_an_earlier_run(tmp_path):
    fastw2v.train(sentences=[["a", "b"]] * 3, save_model=tmp_path / "m.fw2v", **OPTIONS)
    with pytest.raises(InputError, match="holds no word of the earlier run, and no other word 2 times"):
        fastw2v.train(sentences=[["c", "d"]], continue_from=tmp_path / "m.fw2v", **{**STILL, "min_count": 2})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RunError(f"cannot write the model: {errno.ENOSPC}"), "cannot write the model"),
        (MemoryError("Unable to allocate 191. MiB"), "too little memory to write the model .*m.fw2v"),
    ],
)
def test_vectors_are_there_where_the_model_cannot_be_written(planted, tmp_path, monkeypatch, run, error, message):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("fastw2v.modelfile.write", fail)
    with pytest.raises(RunError, match=message) as failed:
        fastw2v.train(planted, save_model=tmp_path / "m.fw2v", **OPTIONS)
    assert len(failed.value.vectors) == 96
    code, _, err = run("train", planted, "-o", tmp_path / "o.txt", "--save-model", tmp_path / "m.fw2v", "--dim", 12)
    assert code == 1
    assert re.search(message, err)
    assert len(Vectors.load(tmp_path / "o.txt")) == 96


def test_command_line(planted, tmp_path, run):
    text, model, npz = (tmp_path / name for name in ("o.txt", "m.fw2v", "p.npz"))
    command = ("train", planted, "--dim", 12, "--min-count", 1, "--epochs", 1)
    assert run(*command, "-o", text, "--save-model", model)[0] == 0
    code, _, err = run(*command, "-o", npz, "--continue-from", model, "--lr", 0.001)
    assert code == 0
    assert "96 of 96 words start from given vectors" in err
    assert Vectors.load(npz).counts.sum() == 2 * Vectors.load(model).counts.sum()
    code, _, err = run(*command, "-o", model, "--init-vectors", model, "--lr", 0.01, "--overwrite")
    assert code == 2
    assert "is the same file as the input" in err
