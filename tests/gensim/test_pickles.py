"""What gensim has pickled is read as plain data; nothing that a file names is imported or called."""

import io
import os
import pickle

import gensim.models
import numpy as np
import pytest
from planted import planted_text

from fastw2v import InputError
from fastw2v.gensim import KeyedVectors, Phrases, Word2Vec, pickles

SENTENCES = [line.split() for line in planted_text(n_sentences=100).splitlines()]


@pytest.mark.parametrize(
    "options", [{}, {"hs": 1, "negative": 0, "sg": 1}, {"window": 2, "epochs": 1, "ns_exponent": 0.5}]
)
@pytest.mark.parametrize("how", [{}, {"sep_limit": 0}])
def test_models_of_gensim(tmp_path, options, how):
    path = str(tmp_path / "model")
    theirs = gensim.models.Word2Vec(SENTENCES, min_count=1, vector_size=6, **options)
    theirs.save(path, **how)
    ours = Word2Vec.load(path)
    assert ours.wv.index_to_key == theirs.wv.index_to_key
    np.testing.assert_array_equal(ours.wv.vectors, theirs.wv.vectors)
    np.testing.assert_array_equal(ours.wv.expandos["count"], theirs.wv.expandos["count"])
    for name in {"syn1", "syn1neg"} & vars(theirs).keys():
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    for name in ("window", "epochs", "sg", "hs", "negative", "ns_exponent", "corpus_count", "alpha", "min_count"):
        assert getattr(ours, name) == getattr(theirs, name)
    ours.build_vocab([["new", "word"]] * 9, update=True)
    ours.train(SENTENCES, total_examples=1, epochs=1)
    theirs.wv.save(path, **how)
    np.testing.assert_array_equal(KeyedVectors.load(path).vectors, theirs.wv.vectors)


def test_attributes_come_along(tmp_path):
    theirs = gensim.models.KeyedVectors(3)
    theirs.add_vectors(["a", "b"], np.ones((2, 3)))
    theirs.set_vecattr("a", "count", 5)
    theirs.set_vecattr("b", "colour", "red")
    theirs.save(str(tmp_path / "kv"))
    ours = KeyedVectors.load(tmp_path / "kv")
    assert (ours.get_vecattr("a", "count"), ours.get_vecattr("b", "colour")) == (5, "red")


class Evil:
    """What a pickle calls when it is loaded as a pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_is_executed(tmp_path):
    mark = tmp_path / "executed"
    kv = gensim.models.KeyedVectors(2)
    kv.add_vectors(["a"], np.ones((1, 2)))
    kv.evil = Evil(str(mark))
    kv.save(str(tmp_path / "kv"))
    assert len(KeyedVectors.load(tmp_path / "kv")) == 1, "what is not asked for does no harm"
    assert not mark.exists()
    (tmp_path / "evil").write_bytes(pickle.dumps(Evil(str(mark)), protocol=2))
    with pytest.raises(InputError, match="load_word2vec_format"):
        KeyedVectors.load(tmp_path / "evil")
    assert not mark.exists()
    KeyedVectors.load  # noqa: B018
    pickle.loads((tmp_path / "evil").read_bytes())
    assert mark.exists(), "the test is one"


@pytest.mark.parametrize("what", [[1, 2], {"a": 1}, np.ones(3), "text", None])
def test_other_pickles(tmp_path, what):
    (tmp_path / "p").write_bytes(pickle.dumps(what, protocol=2))
    for load in (KeyedVectors.load, Word2Vec.load, Phrases.load):
        with pytest.raises(InputError, match="load_word2vec_format|not a file of phrases"):
            load(tmp_path / "p")


def test_damaged_pickles(tmp_path):
    kv = gensim.models.KeyedVectors(3)
    kv.add_vectors(["a", "b"], np.ones((2, 3)))
    kv.save(str(tmp_path / "kv"))
    data = (tmp_path / "kv").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
        damaged[rng.integers(1, len(damaged)) if len(damaged) > 1 else 0] = rng.integers(256)
        damaged[0] = 0x80
        (tmp_path / "d").write_bytes(damaged)
        try:
            KeyedVectors.load(tmp_path / "d")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_missing_array(tmp_path):
    kv = gensim.models.KeyedVectors(3)
    kv.add_vectors(["a", "b"], np.ones((2, 3)))
    kv.save(str(tmp_path / "kv"), sep_limit=0)
    os.remove(tmp_path / "kv.vectors.npy")
    with pytest.raises(InputError, match=r"cannot read .*kv.vectors.npy: No such file"):
        KeyedVectors.load(tmp_path / "kv")


def test_names_of_arrays_are_no_paths(tmp_path):
    found = pickles.Item()
    vars(found)["__numpys"] = ["../x"]
    with pytest.raises(ValueError, match="its attributes are called"):
        pickles._complete(found, str(tmp_path / "kv"))


def test_stand_ins_for_all_that_is_named():
    data = pickle.dumps([os.system, np.float32(2.5), frozenset("a"), 10**30], protocol=2)
    called, number, words, large = pickles._Unpickler(io.BytesIO(data), encoding="latin1").load()
    assert issubclass(called, pickles.Item)
    assert (number, words, large) == (2.5, {"a"}, 10**30)
