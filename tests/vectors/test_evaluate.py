"""Evaluation against the real gensim, statistics against SciPy, and files that cannot be used."""

import numpy as np
import pytest
from scipy import stats

from fastw2v import InputError
from fastw2v.vectors.evaluate import correlation

N = 500


def evaluated(both, tmp_path):
    """Files of pairs and analogies with unknown words, mixed case, comments and lines that are no data."""
    rng = np.random.default_rng(3)
    pairs = tmp_path / "pairs.tsv"
    lines = [f"{'Ww'[i % 2]}{rng.integers(N + 50)}\tw{rng.integers(N + 50)}\t{rng.integers(10)}.5" for i in range(300)]
    pairs.write_text("# a comment\nword 1\tword 2\thuman\n\nonly two\tfields\n" + "\n".join(lines) + "\n")
    analogies = tmp_path / "analogies.txt"
    words = [" ".join(f"w{i}" for i in rng.integers(N + 20, size=4)) for _ in range(200)]
    vectors = both[0]
    answers = [vectors.most_similar([f"w{i + 1}", f"w{i + 2}"], [f"w{i}"])[0][0] for i in range(0, 60, 3)]
    solved = [f"w{i} w{i + 1} {'Ww'[i % 2]}{i + 2} {answers[i // 3]}" for i in range(0, 60, 3)]
    lines = [": capitals", *words[:100], "three words only", ": gram1-x", *words[100:], *solved]
    analogies.write_text("\n".join(lines))
    return pairs, analogies


@pytest.mark.filterwarnings("ignore:.* do not hold four words")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"case_insensitive": False},
        {"dummy4unknown": True},
        {"restrict_vocab": 200},
    ],
    ids=str,
)
def test_evaluation_is_gensims(both, tmp_path, options):
    vectors, gensims = both
    pairs, analogies = evaluated(both, tmp_path)
    got, expected = vectors.evaluate_word_pairs(pairs, **options), gensims.evaluate_word_pairs(str(pairs), **options)
    expected = [tuple(part) if i < 2 else part for i, part in enumerate(expected)]
    np.testing.assert_allclose(np.hstack(got), np.hstack(expected), rtol=1e-5, atol=1e-7)
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
    rng = np.random.default_rng(n)
    x, noise = rng.normal(size=(2, n))
    y = r * x + np.sqrt(1 - r * r) * noise
    np.testing.assert_allclose(correlation(x, y), tuple(stats.pearsonr(x, y)), rtol=1e-8, atol=1e-12)
    assert np.isnan(correlation(x, np.ones(n))).all()


def test_files_that_begin_with_a_byte_order_mark(both, tmp_path):
    vectors, path = both[0], tmp_path / "file"
    a, b, c, d = vectors.index_to_key[:4]
    path.write_text(f"\ufeff{a}\t{b}\t1\n{a}\t{c}\t2\n{a}\t{d}\t3\n", encoding="utf8")
    assert vectors.evaluate_word_pairs(path)[2] == 0
    path.write_text(f"\ufeff: first\n{a} {b} {c} {d}\n{a} {b} {c}\n", encoding="utf8")
    with pytest.warns(RuntimeWarning, match="file: left out 1 lines that do not hold four words$"):
        _, (section, _) = vectors.evaluate_word_analogies(path)
    assert len(section["correct"]) + len(section["incorrect"]) == 1


def test_evaluation_refuses_what_it_cannot_use(both, tmp_path):
    vectors = both[0]
    path = tmp_path / "file"
    with pytest.raises(InputError, match="cannot read .*file: No such file"):
        vectors.evaluate_word_pairs(path)
    path.write_text("x\ty\t3\n")
    with pytest.raises(InputError, match=r"holds no pair of known words \(1 have unknown ones\)"):
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


@pytest.mark.parametrize("scale", [1e308, 1e-308, 5e-324])
def test_scores_of_any_size_correlate(scale):
    x, y = np.array([1.0, -1.0, 1.0, 0.0]), np.array([0.3, -0.2, 0.9, 0.5])
    np.testing.assert_allclose(correlation(scale * x, y), correlation(x, y), rtol=1e-12)
    assert np.isnan(correlation(np.full(4, scale), y)).all()
