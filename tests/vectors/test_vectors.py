"""Every query against the real gensim on the same vectors."""

import copy
import pickle

import numpy as np
import pytest
from gensim.models import KeyedVectors
from native_files import native_file
from vector_samples import assert_same_neighbours, some_vectors

from fastw2v import InputError, UnknownWord, Vectors, modelfile

N, DIM = 500, 12


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("w1",), {}),
        ((["w1", "w2"], ["w3"]), {}),
        ((["w1", ("w2", 0.5)], [("w3", 2.0)]), {}),
        (("w1",), {"topn": 3, "restrict_vocab": 50}),
        (("w1",), {"clip_start": 100, "clip_end": 200}),
        ((7,), {}),
        ((), {"negative": "w5"}),
        (("w1",), {"topn": 0}),
        (("w1",), {"topn": 10_000}),
    ],
)
def test_most_similar(both, arguments, options):
    vectors, gensims = both
    assert_same_neighbours(vectors.most_similar(*arguments, **options), gensims.most_similar(*arguments, **options))


def test_all_cosines(both):
    vectors, gensims = both
    np.testing.assert_allclose(vectors.most_similar("w1", topn=None), gensims.most_similar("w1", topn=None), atol=1e-6)


@pytest.mark.parametrize("arguments", [("w1",), (["w1", "w2"], ["w3"]), (["w1", "w2"], "w3")])
@pytest.mark.filterwarnings("ignore:Call to deprecated")  # gensim's own
def test_cosmul(both, arguments):
    vectors, gensims = both
    assert_same_neighbours(vectors.most_similar_cosmul(*arguments), gensims.most_similar_cosmul(*arguments))


def test_by_word_and_vector(both):
    vectors, gensims = both
    assert_same_neighbours(vectors.similar_by_word("w9", topn=4), gensims.similar_by_word("w9", topn=4))
    assert_same_neighbours(vectors.similar_by_key("w9"), gensims.similar_by_key("w9"))
    query = np.linspace(-1, 1, DIM).astype(np.float32)
    assert_same_neighbours(
        vectors.similar_by_vector(query, restrict_vocab=99), gensims.similar_by_vector(query, restrict_vocab=99)
    )
    assert_same_neighbours(vectors.most_similar([query, "w1"]), gensims.most_similar([query, "w1"]))


@pytest.mark.parametrize(
    "call",
    [
        lambda v: v.similarity("w1", "w2"),
        lambda v: v.distance("w1", "w2"),
        lambda v: v.distances("w1"),
        lambda v: v.distances("w1", ["w2", "w3"]),
        lambda v: v.distances(np.ones(DIM, np.float32)),
        lambda v: v.n_similarity(["w1", "w2"], ["w3", "w4", "w5"]),
        lambda v: v.rank("w1", "w77"),
        lambda v: len(v.closer_than("w1", "w77")),
        lambda v: v.get_vector("w3", norm=True),
        lambda v: v.get_normed_vectors(),
        lambda v: v.get_mean_vector(["w1", "w2", "unknown"]),
        lambda v: v.get_mean_vector(["w1", "w2"], [1, -2], pre_normalize=False, post_normalize=True),
        lambda v: v.cosine_similarities(np.ones(DIM, np.float32), v.vectors[:5]),
        lambda v: v[["w1", "w5"]],
        lambda v: v["w1"],
        lambda v: v.vectors,
        lambda v: v.norms,
    ],
)
def test_numbers(both, call):
    vectors, gensims = both
    np.testing.assert_allclose(call(vectors), call(gensims), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda v: v.doesnt_match(["w1", "w2", "w3", "w4"]),
        lambda v: v.most_similar_to_given("w1", ["w2", "w3", "w4"]),
        lambda v: [word for _, word in v.rank_by_centrality(["w1", "w2", "w3"])],
        lambda v: v.closer_than("w1", "w77"),
        lambda v: (
            v.vector_size,
            len(v),
            "w3" in v,
            "x" in v,
            v.index_to_key[:3],
            v.key_to_index["w4"],
            v.get_index("w5"),
        ),
        lambda v: v.get_index("x", default=-1),
    ],
)
def test_words(both, call):
    vectors, gensims = both
    assert call(vectors) == call(gensims)


def test_answers_are_gensims(tmp_path):
    vectors = some_vectors(200, 7)
    gensims = KeyedVectors(7)
    gensims.add_vectors(vectors.index_to_key, vectors.vectors)
    for arguments in [("king",), (["king", "queen"], ["été"]), ([], ["king"]), (["king"], "queen")]:
        got, expected = vectors.most_similar(*arguments), gensims.most_similar(*arguments)
        if arguments != (["king"], "queen"):
            assert [word for word, _ in got] == [word for word, _ in expected]
            np.testing.assert_allclose([x for _, x in got], [x for _, x in expected], rtol=1e-4)
    assert vectors.similarity("king", "queen") == pytest.approx(gensims.similarity("king", "queen"), rel=1e-5)
    np.testing.assert_allclose(vectors.get_vector("king", norm=True), gensims.get_vector("king", norm=True), rtol=1e-5)
    np.testing.assert_array_equal(vectors[["king", "queen"]], gensims[["king", "queen"]])
    got = vectors.most_similar("king", restrict_vocab=20, topn=3)
    assert [word for word, _ in got] == [word for word, _ in gensims.most_similar("king", restrict_vocab=20, topn=3)]


def test_vectors_as_queries_and_a_zero_row():
    vectors = Vectors(["a", "b", "zero"], np.array([[1, 0], [0.9, 0.1], [0, 0]], np.float32))
    assert [word for word, _ in vectors.most_similar(vectors["a"])] == ["a", "b", "zero"]
    assert vectors.similarity("a", "zero") == 0
    assert vectors.most_similar("a", topn=99)[0][0] == "b"


def test_a_batch_answers_as_one_by_one(both, monkeypatch):
    vectors, _ = both
    for rows_at_a_time in (7, 64, 1 << 14):
        monkeypatch.setattr("fastw2v.vectors.search.ROWS_AT_LEAST", rows_at_a_time)
        for options in ({}, {"topn": 3}, {"topn": 20, "restrict_vocab": 15}):
            keys = [f"w{i}" for i in range(0, N, 9)]
            for key, got in zip(keys, vectors.most_similar_batch(keys, **options), strict=True):
                assert_same_neighbours(got, vectors.most_similar(key, **options))
    queries = np.random.default_rng(1).normal(size=(5, DIM)).astype(np.float32)
    for query, got in zip(queries, vectors.most_similar_batch(queries), strict=True):
        assert_same_neighbours(got, vectors.similar_by_vector(query))
    assert vectors.most_similar_batch(["w1", "w2"], topn=0) == [[], []]
    with pytest.raises(InputError, match=r"queries must be \(n, 12\), found \(2, 3\)"):
        vectors.most_similar_batch(np.zeros((2, 3), np.float32))


ASKING = {
    "most_similar": "a",
    "similar_by_word": "a",
    "similar_by_key": "a",
    "similar_by_vector": np.ones(2),
    "most_similar_cosmul": "a",
    "most_similar_batch": ["a"],
}


@pytest.mark.parametrize("method", ASKING)
def test_a_topn_that_is_no_number_of_words(method):
    ask = getattr(Vectors(["a", "b"], np.eye(2)), method)
    for topn in -1, 2.5, np.float64(1), "3", -(10**400):
        with pytest.raises(InputError, match="topn is .*: it must be a whole number, 0 or more"):
            ask(ASKING[method], topn=topn)
    assert len(ask(ASKING[method], topn=0)) == (method == "most_similar_batch")
    assert ask(ASKING[method], topn=np.int64(2)) == ask(ASKING[method], topn=10**400)
    assert ask(ASKING[method], topn=False) == ask(ASKING[method], topn=0)
    if method == "most_similar_batch":
        with pytest.raises(InputError, match="topn is None: it must be a whole number, 0 or more$"):
            ask(ASKING[method], topn=None)
    else:
        assert ask(ASKING[method], topn=None).shape == (2,)


def test_indices_are_words_too(both):
    vectors, gensims = both
    assert 0 in vectors
    assert N not in vectors
    assert vectors.vectors[0] not in vectors
    assert vectors.doesnt_match([1, 2, 3]) == gensims.doesnt_match([1, 2, 3])
    assert_same_neighbours(vectors.most_similar(("w1", 2.0)), vectors.most_similar("w1"))
    assert_same_neighbours(vectors.most_similar(["w1", 3]), gensims.most_similar(["w1", 3]))


def test_subset_and_counts(both):
    vectors, _ = both
    part = vectors.subset(["w7", "w3"])
    assert part.index_to_key == ["w7", "w3"]
    assert part.counts.tolist() == [N - 7, N - 3]
    np.testing.assert_array_equal(part.vectors, vectors[["w7", "w3"]])
    assert vectors.get_vecattr("w7", "count") == N - 7
    with pytest.raises(InputError, match="have no 'colour'; there is 'count'"):
        vectors.get_vecattr("w7", "colour")


def test_to_gensim(both):
    vectors, gensims = both
    keyed_vectors = vectors.to_gensim()
    assert keyed_vectors.index_to_key == gensims.index_to_key
    np.testing.assert_array_equal(keyed_vectors.vectors, gensims.vectors)
    assert keyed_vectors.get_vecattr("w7", "count") == N - 7
    assert_same_neighbours(keyed_vectors.most_similar("w1"), vectors.most_similar("w1"))


def test_basics():
    vectors = some_vectors(200, 7)
    assert len(vectors) == 200
    assert vectors.vector_size == 7
    assert "king" in vectors
    assert "nothing" not in vectors
    assert list(vectors)[:2] == ["king", "queen"]
    assert vectors.key_to_index["queen"] == 1
    assert repr(vectors) == "<Vectors: 200 words x 7>"
    with pytest.raises(UnknownWord, match="the word 'quen' has no vector; similarly spelled words are queen"):
        vectors["quen"]
    with pytest.raises(KeyError):
        vectors.similarity("king", "quen")
    with pytest.raises(InputError, match="at least one positive or negative word"):
        vectors.most_similar()


def test_bad_arguments():
    with pytest.raises(InputError, match=r"2 words need vectors of shape \(2, dim\), found \(3, 4\)"):
        Vectors(["a", "b"], np.zeros((3, 4)))
    with pytest.raises(InputError, match="1 words occur more than once: give each word once"):
        Vectors(["a", "a"], np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: v.most_similar("x1"), UnknownWord, "'x1' has no vector"),
        (lambda v: v.most_similar([]), InputError, "at least one positive or negative word"),
        (lambda v: v.most_similar_cosmul(None, "w1"), InputError, "at least one positive word"),
        (lambda v: v.most_similar(N), InputError, "index 500 is not one of 0 to 499"),
        (lambda v: v.most_similar([-1]), InputError, "index -1 is not one of"),
        (lambda v: v.most_similar("w1", restrict_vocab=-5), InputError, "restrict_vocab is -5"),
        (lambda v: v.most_similar_cosmul([("w1", 5.0), "w2"]), InputError, "takes no weights"),
        (lambda v: v.n_similarity("w1", ["w2"]), InputError, "'w1' is one word, but a list"),
        (lambda v: v.most_similar_batch("w1"), InputError, "'w1' is one word, but a list"),
        (lambda v: v.distances("w1", "w2"), InputError, "'w2' is one word, but a list"),
        (lambda v: v.similar_by_vector(np.full(12, np.nan)), InputError, "holds NaN"),
        (lambda v: v.most_similar_batch(np.full((1, 12), np.inf)), InputError, "hold NaN, or numbers beyond"),
        (lambda v: v.get_mean_vector(["w1"], [np.nan]), InputError, "they must be finite"),
        (lambda v: Vectors(["a"], np.full((1, 2), np.nan)).most_similar("a"), InputError, "hold NaN"),
        (lambda v: Vectors(["a"], np.ones((1, 2)), np.ones(3, int)), InputError, "1 words need as many counts"),
        (lambda v: Vectors(["a"], np.ones((1, 2)), [-2]), InputError, "is -2: counts are whole numbers, 0 or more"),
        (lambda v: Vectors(["a"], np.ones((1, 2)), [0.5]), InputError, "is 0.5: counts are whole numbers, 0 or more"),
        (lambda v: Vectors(["a", 7], np.ones((2, 2))), InputError, "the word 7 is of type int: words must be str"),
        (
            lambda v: Vectors([["a"]], np.ones((1, 2))),
            InputError,
            r"the word \['a'\] is of type list: words must be str",
        ),
        (lambda v: v.similar_by_vector(np.zeros(3)), InputError, r"must have shape \(12,\), found \(3,\)"),
        (lambda v: v.n_similarity([], ["w1"]), InputError, "needs words in both lists"),
        (lambda v: v.doesnt_match(["x", "y"]), InputError, "none of the words has a vector"),
        (lambda v: v.get_mean_vector([]), InputError, "at least one word"),
        (lambda v: v.get_mean_vector(["w1"], [1, 2]), InputError, "1 words need as many weights, found 2"),
        (lambda v: v.get_mean_vector(["x"], ignore_missing=False), UnknownWord, "'x' has no vector"),
    ],
)
def test_refused(both, call, error, message):
    with pytest.raises(error, match=message):
        call(both[0])


FLAGS = [
    ("norm", lambda vectors, no: vectors.get_vector("a", norm=no)),
    ("pre_normalize", lambda vectors, no: vectors.get_mean_vector(["a"], pre_normalize=no)),
    ("post_normalize", lambda vectors, no: vectors.get_mean_vector(["a"], post_normalize=no)),
    ("ignore_missing", lambda vectors, no: vectors.get_mean_vector(["a"], ignore_missing=no)),
    ("use_norm", lambda vectors, no: vectors.rank_by_centrality(["a"], use_norm=no)),
    ("case_insensitive", lambda vectors, no: vectors.evaluate_word_pairs("none", case_insensitive=no)),
    ("dummy4unknown", lambda vectors, no: vectors.evaluate_word_analogies("none", dummy4unknown=no)),
    ("binary", lambda vectors, no: vectors.save_word2vec_format("none/v", binary=no)),
    ("write_header", lambda vectors, no: vectors.save_word2vec_format("none/v", write_header=no)),
    ("binary", lambda vectors, no: vectors.load_word2vec_format("none", binary=no)),
    ("verify", lambda vectors, no: vectors.load("none", verify=no)),
]


@pytest.mark.parametrize(("name", "call"), FLAGS)
@pytest.mark.parametrize("value", ["no", 1, None])
def test_flags_are_true_or_false(name, call, value):
    with pytest.raises(InputError, match=f"^{name} is {value!r}: it must be of type bool$"):
        call(Vectors(["a"], np.eye(1)), value)


def test_lengths_beyond_the_squares_of_float32():
    vectors = Vectors(["a", "b", "c"], np.array([[3e25, 4e25], [3e-25, 4e-25], [0, 0]], np.float32))
    np.testing.assert_allclose(vectors.norms, [5e25, 5e-25, 1])
    assert vectors.similarity("a", "b") == pytest.approx(1)


def test_a_mapped_word_that_stands_there_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(modelfile, "CHECKED_WHOLE", 0)
    path = tmp_path / "v.fw2v"
    path.write_bytes(native_file("aab", np.eye(3)))
    for use in (
        lambda vectors: vectors["b"],
        lambda vectors: vectors.save(tmp_path / "v.txt"),
        lambda vectors: vectors.save(tmp_path / "w.fw2v"),
        lambda vectors: vectors.to_gensim(),
    ):
        with pytest.raises(InputError, match="1 words occur more than once: give each word once"):
            use(Vectors.load(path))
    with pytest.raises(InputError, match="v.fw2v holds 1 words more than once"):
        Vectors.load(path, verify=True)
    assert [path.name for path in tmp_path.iterdir()] == ["v.fw2v"]


def test_a_search_among_mapped_rows_that_are_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr(modelfile, "CHECKED_WHOLE", 0)
    path = tmp_path / "v.fw2v"
    for bad in (np.nan, np.inf, 1e30):
        matrix = np.eye(3)
        matrix[2, 0] = bad
        path.write_bytes(native_file("abc", matrix, norms=[1, 1, 1]))
        vectors = Vectors.load(path)
        for ask in (
            lambda vectors: vectors.most_similar("a"),
            lambda vectors: vectors.most_similar_cosmul("a"),
            lambda vectors: vectors.most_similar_batch(["a"]),
            lambda vectors: vectors.distances("a"),
            lambda vectors: vectors.rank("a", "b"),
        ):
            with pytest.raises(InputError, match="a cosine is .*Is their file damaged"):
                ask(vectors)


def test_integers_are_labels_where_all_words_are_decimals():
    vectors = Vectors(["30", "7", "0"], np.eye(3, dtype=np.float32))
    assert vectors.has_labels
    assert np.array_equal(vectors[7], vectors["7"])
    assert np.array_equal(vectors[np.int64(30)], [1, 0, 0])
    assert [30 in vectors, 1 in vectors, 0 in vectors] == [True, False, True]
    assert vectors.most_similar(7, topn=1) == vectors.most_similar("7", topn=1)
    assert vectors.similarity(7, 30) == 0
    with pytest.raises(UnknownWord, match="the word '1' has no vector"):
        vectors.most_similar(1)
    for words in (["a", "7", "0"], ["07", "7", "0"], ["-1", "7", "0"], ["\u0663", "7", "0"], ["", "7", "0"]):
        assert not Vectors(words, np.eye(3, dtype=np.float32)).has_labels
        assert 2 in Vectors(words, np.eye(3, dtype=np.float32))


def test_a_matrix_in_the_order_of_the_words():
    vectors = Vectors(["a", "b", "c"], np.eye(3, dtype=np.float32))
    assert np.array_equal(vectors.matrix_for(["c", "a", "c"]), vectors.vectors[[2, 0, 2]])
    got = vectors.matrix_for(iter(["b", "x"]), missing=np.nan)
    assert np.array_equal(got[0], [0, 1, 0])
    assert np.isnan(got[1]).all()
    assert vectors.matrix_for([]).shape == (0, 3)
    with pytest.raises(UnknownWord):
        vectors.matrix_for(["b", "x"])
    got[:] = 5
    assert vectors["b"].max() == 1, "a copy"


def test_vectors_cannot_be_written_to(tmp_path):
    """A change would leave their lengths behind, and answers that are wrong."""
    own = np.arange(6, dtype=np.float32).reshape(3, 2)
    vectors = Vectors(["a", "b", "c"], own)
    vectors.save(tmp_path / "v.fw2v")
    for some in (
        vectors,
        copy.deepcopy(vectors),
        pickle.loads(pickle.dumps(vectors)),
        Vectors.load(tmp_path / "v.fw2v"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            some.vectors[:] = 1
        with pytest.raises(ValueError, match="read-only"):
            some["a"][0] = 1
    assert np.shares_memory(vectors.vectors, own), "no copy"
    own[:] = 1  # the caller's array is still the caller's


def test_a_word_is_exactly_as_similar_to_itself_as_can_be():
    rng = np.random.default_rng(0)
    vectors = Vectors([*map(str, range(200))], rng.normal(size=(200, 37)).astype(np.float32) * 1e-12)
    assert all(vectors.similarity(i, i) == 1 and vectors.distance(i, i) == 0 for i in range(200))
    assert all(vectors.n_similarity([i], [i + 9]) == vectors.similarity(i, i + 9) for i in range(9))
