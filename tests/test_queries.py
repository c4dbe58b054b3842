"""Every query against the real gensim on the same vectors."""

import pickle

import numpy as np
import pytest
from gensim.models import KeyedVectors

from fastw2v import InputError, UnknownWord, Vectors

N, DIM = 500, 12


@pytest.fixture(scope="module")
def both():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(N)]
    matrix = rng.normal(size=(N, DIM)).astype(np.float32)
    gensims = KeyedVectors(DIM)
    gensims.add_vectors(words, matrix)
    gensims.fill_norms()
    return Vectors(words, matrix, np.arange(N, 0, -1)), gensims


def same(got, expected):
    assert [word for word, _ in got] == [word for word, _ in expected]
    np.testing.assert_allclose([x for _, x in got], [x for _, x in expected], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("arguments", "options"), [
    (("w1",), {}),
    ((["w1", "w2"], ["w3"]), {}),
    ((["w1", ("w2", 0.5)], [("w3", 2.0)]), {}),
    (("w1",), {"topn": 3, "restrict_vocab": 50}),
    (("w1",), {"clip_start": 100, "clip_end": 200}),
    ((7,), {}),
    ((), {"negative": "w5"}),
    (("w1",), {"topn": 0}),
    (("w1",), {"topn": 10_000}),
])  # fmt: skip
def test_most_similar(both, arguments, options):
    vectors, gensims = both
    same(vectors.most_similar(*arguments, **options), gensims.most_similar(*arguments, **options))


def test_all_cosines(both):
    vectors, gensims = both
    np.testing.assert_allclose(vectors.most_similar("w1", topn=None), gensims.most_similar("w1", topn=None), atol=1e-6)


@pytest.mark.parametrize("arguments", [("w1",), (["w1", "w2"], ["w3"]), (["w1", "w2"], "w3")])
@pytest.mark.filterwarnings("ignore:Call to deprecated")  # gensim's own
def test_cosmul(both, arguments):
    vectors, gensims = both
    same(vectors.most_similar_cosmul(*arguments), gensims.most_similar_cosmul(*arguments))


def test_by_word_and_vector(both):
    vectors, gensims = both
    same(vectors.similar_by_word("w9", topn=4), gensims.similar_by_word("w9", topn=4))
    same(vectors.similar_by_key("w9"), gensims.similar_by_key("w9"))
    query = np.linspace(-1, 1, DIM).astype(np.float32)
    same(vectors.similar_by_vector(query, restrict_vocab=99), gensims.similar_by_vector(query, restrict_vocab=99))
    same(vectors.most_similar([query, "w1"]), gensims.most_similar([query, "w1"]))


@pytest.mark.parametrize("call", [
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
])  # fmt: skip
def test_numbers(both, call):
    vectors, gensims = both
    np.testing.assert_allclose(call(vectors), call(gensims), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("call", [
    lambda v: v.doesnt_match(["w1", "w2", "w3", "w4"]),
    lambda v: v.most_similar_to_given("w1", ["w2", "w3", "w4"]),
    lambda v: [word for _, word in v.rank_by_centrality(["w1", "w2", "w3"])],
    lambda v: v.closer_than("w1", "w77"),
    lambda v: (v.vector_size, len(v), "w3" in v, "x" in v, v.index_to_key[:3], v.key_to_index["w4"], v.get_index("w5")),
    lambda v: v.get_index("x", default=-1),
])  # fmt: skip
def test_words(both, call):
    vectors, gensims = both
    assert call(vectors) == call(gensims)


def test_a_batch_answers_as_one_by_one(both, monkeypatch):
    vectors, _ = both
    for rows_at_a_time in (7, 64, 1 << 14):
        monkeypatch.setattr("fastw2v.vectors.vectors.ROWS_AT_LEAST", rows_at_a_time)
        for options in ({}, {"topn": 3}, {"topn": 20, "restrict_vocab": 15}):
            keys = [f"w{i}" for i in range(0, N, 9)]
            for key, got in zip(keys, vectors.most_similar_batch(keys, **options), strict=True):
                same(got, vectors.most_similar(key, **options))
    queries = np.random.default_rng(1).normal(size=(5, DIM)).astype(np.float32)
    for query, got in zip(queries, vectors.most_similar_batch(queries), strict=True):
        same(got, vectors.similar_by_vector(query))
    assert vectors.most_similar_batch(["w1", "w2"], topn=0) == [[], []]
    with pytest.raises(InputError, match=r"queries must be \(n, 12\), found \(2, 3\)"):
        vectors.most_similar_batch(np.zeros((2, 3), np.float32))


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
    made = vectors.to_gensim()
    assert made.index_to_key == gensims.index_to_key
    np.testing.assert_array_equal(made.vectors, gensims.vectors)
    assert made.get_vecattr("w7", "count") == N - 7
    same(made.most_similar("w1"), vectors.most_similar("w1"))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda v: v.most_similar("x1"), UnknownWord, "'x1' has no vector"),
    (lambda v: v.most_similar([]), InputError, "at least one positive or negative word"),
    (lambda v: v.most_similar_cosmul(None, "w1"), InputError, "at least one positive word"),
    (lambda v: v.most_similar(N), InputError, "index 500 is not one of 0 to 499"),
    (lambda v: v.most_similar([-1]), InputError, "index -1 is not one of"),
    (lambda v: v.most_similar("w1", restrict_vocab=-5), InputError, "restrict_vocab is -5"),
    (lambda v: v.most_similar_cosmul([("w1", 5.0), "w2"]), InputError, "knows no weights"),
    (lambda v: v.n_similarity("w1", ["w2"]), InputError, "'w1' is one word where a list"),
    (lambda v: v.most_similar_batch("w1"), InputError, "'w1' is one word where a list"),
    (lambda v: v.distances("w1", "w2"), InputError, "'w2' is one word where a list"),
    (lambda v: v.similar_by_vector(np.full(12, np.nan)), InputError, "holds NaN"),
    (lambda v: v.most_similar_batch(np.full((1, 12), np.inf)), InputError, "holds NaN or infinite"),
    (lambda v: v.get_mean_vector(["w1"], [np.nan]), InputError, "they must be finite"),
    (lambda v: Vectors(["a"], np.full((1, 2), np.nan)).most_similar("a"), InputError, "hold NaN"),
    (lambda v: Vectors(["a"], np.ones((1, 2)), np.ones(3, int)), InputError, "1 words need as many counts"),
    (lambda v: v.similar_by_vector(np.zeros(3)), InputError, r"must have shape \(12,\), found \(3,\)"),
    (lambda v: v.n_similarity([], ["w1"]), InputError, "needs words in both lists"),
    (lambda v: v.doesnt_match(["x", "y"]), InputError, "none of the words has a vector"),
    (lambda v: v.get_mean_vector([]), InputError, "at least one word"),
    (lambda v: v.get_mean_vector(["w1"], [1, 2]), InputError, "1 words need as many weights, found 2"),
    (lambda v: v.get_mean_vector(["x"], ignore_missing=False), UnknownWord, "'x' has no vector"),
])  # fmt: skip
def test_refused(both, call, error, message):
    with pytest.raises(error, match=message):
        call(both[0])


# Evaluation


def evaluated(both, tmp_path):
    """Files of pairs and analogies with unknown words, mixed case, comments and lines that are no data."""
    rng = np.random.default_rng(3)
    pairs = tmp_path / "pairs.tsv"
    lines = [f"{'Ww'[i % 2]}{rng.integers(N + 50)}\tw{rng.integers(N + 50)}\t{rng.integers(10)}.5" for i in range(300)]
    pairs.write_text("# a comment\nword 1\tword 2\thuman\n\nonly two\tfields\n" + "\n".join(lines) + "\n")
    analogies = tmp_path / "analogies.txt"
    words = [" ".join(f"w{i}" for i in rng.integers(N + 20, size=4)) for _ in range(200)]
    vectors = both[0]
    solved = [f"w{i} w{i + 1} {'Ww'[i % 2]}{i + 2} " + vectors.most_similar([f"w{i + 1}", f"w{i + 2}"], [f"w{i}"])[0][0]
              for i in range(0, 60, 3)]  # fmt: skip
    analogies.write_text(
        "\n".join([": capitals", *words[:100], "three words only", ": gram1-x", *words[100:], *solved])
    )
    return pairs, analogies


@pytest.mark.parametrize("options", [
    {}, {"case_insensitive": False}, {"dummy4unknown": True}, {"restrict_vocab": 200},
], ids=str)  # fmt: skip
def test_evaluation_is_gensims(both, tmp_path, options):
    vectors, gensims = both
    pairs, analogies = evaluated(both, tmp_path)
    got, expected = vectors.evaluate_word_pairs(pairs, **options), gensims.evaluate_word_pairs(str(pairs), **options)
    expected = [tuple(part) if i < 2 else part for i, part in enumerate(expected)]
    np.testing.assert_allclose(np.hstack(got), np.hstack(expected),
                               rtol=1e-5, atol=1e-7)  # fmt: skip
    score, sections = vectors.evaluate_word_analogies(analogies, **options)
    expected_score, expected_sections = gensims.evaluate_word_analogies(str(analogies), **options)
    assert score == pytest.approx(expected_score)
    assert score > 0.05
    assert [s["section"] for s in sections] == [s["section"] for s in expected_sections]
    for ours, theirs in zip(sections, expected_sections, strict=True):
        assert sorted(ours["correct"]) == sorted(theirs["correct"])
        assert sorted(ours["incorrect"]) == sorted(theirs["incorrect"])


@pytest.mark.parametrize(("r", "n"), [(0.5, 10), (-0.9, 5), (0.01, 300), (1.0, 4), (0.0, 8), (0.3, 2000)])
def test_p_of_a_correlation_is_scipys(r, n):
    from scipy import stats

    from fastw2v.vectors.evaluate import correlation

    rng = np.random.default_rng(n)
    x, noise = rng.normal(size=(2, n))
    y = r * x + np.sqrt(1 - r * r) * noise
    np.testing.assert_allclose(correlation(x, y), tuple(stats.pearsonr(x, y)), rtol=1e-8, atol=1e-12)
    assert np.isnan(correlation(x, np.ones(n))).all()


def test_evaluation_refuses_what_it_cannot_use(both, tmp_path):
    vectors = both[0]
    path = tmp_path / "file"
    with pytest.raises(InputError, match="cannot read .*file: No such file"):
        vectors.evaluate_word_pairs(path)
    path.write_text("x\ty\t3\n")
    with pytest.raises(InputError, match=r"holds no pair of known words \(1 of unknown ones\)"):
        vectors.evaluate_word_pairs(path)
    path.write_text("w1 w2 w3 w4\n")
    with pytest.raises(InputError, match="line 1 stands before the first ': section'"):
        vectors.evaluate_word_analogies(path)
    path.write_text(": x\na b c d\n")
    with pytest.raises(InputError, match="holds no analogy of known words"):
        vectors.evaluate_word_analogies(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not text in utf8"):
        vectors.evaluate_word_pairs(path)


def test_indices_are_words_too(both):
    vectors, gensims = both
    assert 0 in vectors
    assert N not in vectors
    assert vectors.vectors[0] not in vectors
    assert vectors.doesnt_match([1, 2, 3]) == gensims.doesnt_match([1, 2, 3])
    same(vectors.most_similar(("w1", 2.0)), vectors.most_similar("w1"))
    same(vectors.most_similar(["w1", 3]), gensims.most_similar(["w1", 3]))


def test_lengths_beyond_the_squares_of_float32():
    vectors = Vectors(["a", "b", "c"], np.array([[3e25, 4e25], [3e-25, 4e-25], [0, 0]], np.float32))
    np.testing.assert_allclose(vectors.norms, [5e25, 5e-25, 1])
    assert vectors.similarity("a", "b") == pytest.approx(1)


def test_unknown_word_crosses_processes():
    error = pickle.loads(pickle.dumps(UnknownWord("wrod", ["word"])))
    assert str(error) == "the word 'wrod' has no vector; close are word"
