"""KeyedVectors: queries and files against the real gensim."""

import gensim.models
import numpy as np
import pytest
from keyed import WORDS, assert_same, matrix

from fastw2v import InputError, UnknownWord, Vectors
from fastw2v.gensim import KeyedVectors

QUERIES = {
    "one": lambda kv: kv["a"].tolist(),
    "a list": lambda kv: kv[["b", "a"]].tolist(),
    "row numbers": lambda kv: kv[[1, 0]].tolist(),
    "index": lambda kv: [kv.get_index("c"), kv.get_index("nobody", -5), kv.get_index(3)],
    "membership": lambda kv: ["a" in kv, "e" in kv, 3 in kv, 4 in kv, kv.has_index_for("e")],
    "unit": lambda kv: kv.get_vector("d", norm=True).tolist(),
    "similarity": lambda kv: [kv.similarity("a", 1), kv.n_similarity(["a", "nobody"], ["b"])],
    "relative": lambda kv: kv.relative_cosine_similarity("a", "b", 3),
    "words moved": lambda kv: kv.wmdistance(["a", "b", "b"], ["c", "a", "nobody"]),
    "words not moved": lambda kv: kv.wmdistance(["a"], ["a", "a"]),
    "no words": lambda kv: kv.wmdistance(["nobody"], ["a"]),
    "all": lambda kv: kv.vectors_for_all(["c", "e", "c", "a"]).index_to_key,
    "mean": lambda kv: kv.get_mean_vector(["a", "b"], [1, 2]).tolist(),
    "central": lambda kv: [word for _, word in kv.rank_by_centrality(WORDS)],
    "lengths": lambda kv: (kv.fill_norms(), kv.norms.tolist())[1],
    "text": str,
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_an_answer_is_gensims(both, query):
    ours, theirs = map(query, both)
    if np.asarray(theirs).dtype.kind in "biuf":
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    else:
        assert ours == theirs


def test_errors(both):
    ours = both[0]
    for kv in both:
        for call in (kv.get_vector, kv.most_similar, lambda word, kv=kv: kv.get_vecattr(word, "count")):
            with pytest.raises(KeyError):
                call("nobody")
        with pytest.raises(KeyError):
            kv.get_vecattr("a", "nothing")
        with pytest.raises(TypeError):
            kv.set_vecattr("a", "count", "text")
        with pytest.raises(ZeroDivisionError):
            kv.n_similarity([], ["a"])
        for name in ("index2word", "vocab", "vectors_norm"):
            with pytest.raises(AttributeError, match="gensim 4|Gensim 4"):
                getattr(kv, name)
    with pytest.raises(UnknownWord, match="similarly spelled words are a"):
        ours["A"]
    with pytest.raises(InputError, match="have 2 numbers: these have a vector_size of 3"):
        ours.add_vectors(["e"], np.ones((1, 2)))
    with pytest.raises(InputError, match="a neighbour of 'a': topn is 0"):
        ours.relative_cosine_similarity("a", "b", 0)
    with pytest.raises(InputError, match="no counts to sort by"):
        KeyedVectors.of(["a"], matrix(1)).sort_by_descending_frequency()
    with pytest.warns(DeprecationWarning, match="init_sims is deprecated: call unit_normalize_all"):
        ours.init_sims(replace=True)
    np.testing.assert_allclose(np.linalg.norm(ours.vectors, axis=1), 1, rtol=1e-6)


def test_another_index_answers(both):
    class Index:
        def most_similar(self, vector, topn):
            return [("found", round(float(np.linalg.norm(vector)), 4))] * topn

    for kv in both:
        assert kv.most_similar(["a"], ["b"], topn=2, indexer=Index()) == [("found", 1.0)] * 2
        assert kv.most_similar("a", topn=None, indexer=Index()).shape == (4,)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_saved_and_loaded(both, tmp_path, dtype):
    ours = both[0]
    ours.vectors = ours.vectors.astype(dtype)
    ours.set_vecattr("b", "colour", "red")
    ours.vectors_lockf = np.array([0, 1, 1, 0], np.float32)
    ours.save(tmp_path / "kv.anything", separately=["vectors"])
    loaded = KeyedVectors.load(tmp_path / "kv.anything")
    assert_same(loaded, ours)
    assert loaded.vectors_lockf.tolist() == [0, 1, 1, 0]
    loaded["new"] = np.ones(3)
    mapped = KeyedVectors.load(tmp_path / "kv.anything", mmap="r")
    np.testing.assert_array_equal(mapped.vectors, ours.vectors)
    assert mapped.most_similar("a") == KeyedVectors.load(tmp_path / "kv.anything").most_similar("a")
    assert Vectors.load(tmp_path / "kv.anything", "native").index_to_key == WORDS, "a native file as any other"


def test_what_a_file_cannot_keep(tmp_path):
    kv = KeyedVectors.of(["a", 1], matrix(2))
    with pytest.raises(InputError, match="the keys are of the types int, str"):
        kv.save(tmp_path / "x")
    kv = KeyedVectors.of(["a", "b"], matrix(2))
    kv.expandos["thing"] = np.array([object(), 1], object)
    with pytest.raises(InputError, match="the attribute 'thing' holds other values"):
        kv.save(tmp_path / "x")
    with pytest.raises(TypeError, match="save has no option 'color'"):
        kv.save(tmp_path / "x", color=1)
    with pytest.raises(InputError, match="mmap is 'w'"):
        KeyedVectors.load(tmp_path / "x", mmap="w")
    with pytest.raises(FileNotFoundError):
        KeyedVectors.load(tmp_path / "nothing")


@pytest.mark.parametrize("binary", [True, False])
def test_word2vecs_format_is_gensims(both, tmp_path, binary):
    ours, theirs = both
    ours.save_word2vec_format(tmp_path / "v", tmp_path / "counts", binary=binary)
    read = gensim.models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), str(tmp_path / "counts"), binary=binary)
    assert_same(KeyedVectors.load_word2vec_format(tmp_path / "v", tmp_path / "counts", binary=binary), read)
    assert read.index_to_key == ["b", "d", "a", "c"], "by falling count"
    theirs.save_word2vec_format(str(tmp_path / "v"), binary=binary)
    got = KeyedVectors.load_word2vec_format(tmp_path / "v", binary=binary, limit=3, datatype=np.float64)
    expected = gensim.models.KeyedVectors.load_word2vec_format(
        str(tmp_path / "v"), binary=binary, limit=3, datatype=np.float64
    )
    assert_same(got, expected)


def test_options_of_word2vecs_format(both, tmp_path):
    ours, theirs = both
    for kv, name in (ours, "ours"), (theirs, "theirs"):
        kv.set_vecattr("c", "rank", 3)
        kv.save_word2vec_format(
            str(tmp_path / name), str(tmp_path / f"{name}.counts"), prefix="*", sort_attr="rank", write_header=False
        )
    assert (tmp_path / "ours").read_text() == (tmp_path / "theirs").read_text()
    assert (tmp_path / "ours.counts").read_text() == (tmp_path / "theirs.counts").read_text()
    for options in ({"append": True}, {"total_vec": 9}):
        with pytest.raises(InputError, match="a file is written whole"):
            ours.save_word2vec_format(tmp_path / "x", **options)
    with pytest.raises(InputError, match="no counts to write to fvocab"):
        KeyedVectors.of(["a"], matrix(1)).save_word2vec_format(tmp_path / "x", tmp_path / "y")
    with pytest.raises(NotImplementedError, match="always has a header"):
        KeyedVectors.load_word2vec_format(tmp_path / "ours", binary=True, no_header=True)


def test_intersection(both, tmp_path):
    ours = both[0]
    KeyedVectors.of(["b", "x"], np.array([[1, 2, 3], [4, 5, 6]], np.float32)).save_word2vec_format(tmp_path / "v")
    before = ours.vectors.copy()
    ours.intersect_word2vec_format(tmp_path / "v", lockf=0.0)
    assert ours.vectors[1].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(ours.vectors[[0, 2, 3]], before[[0, 2, 3]])
    assert ours.vectors_lockf.tolist() == [1, 0, 1, 1]
    assert "x" not in ours
    KeyedVectors.of(["b"], np.ones((1, 5), np.float32)).save_word2vec_format(tmp_path / "w")
    with pytest.raises(InputError, match="has vectors of 5 numbers: these have 3"):
        ours.intersect_word2vec_format(tmp_path / "w")


def test_another_similarity_function_is_not_ignored_silently(both, tmp_path):
    (tmp_path / "q.txt").write_text(": section\na b c d\n")
    with pytest.warns(UserWarning, match="similarity_function has no effect"):
        both[0].evaluate_word_analogies(tmp_path / "q.txt", similarity_function="most_similar_cosmul")


def test_answers_have_gensims_types(both):
    for kv in both:
        assert kv.similarity("a", "b").dtype == np.float32
        assert kv.most_similar("a", topn=-1) == []
        assert kv.similar_by_key(key="a", topn=1)
    assert both[0].word_vec("a").shape == (3,)
    assert both[0].words_closer_than("a", "b") == both[1].closer_than("a", "b")
