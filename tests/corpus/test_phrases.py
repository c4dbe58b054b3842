"""The merges of the real gensim on the same text, and a text where the phrases are known."""

import numpy as np
import pytest
from gensim.models.phrases import Phrases as GensimPhrases

from fastw2v.corpus import idfile, phrases
from fastw2v.corpus.phrases import (
    ENGLISH_CONNECTOR_WORDS,
    THRESHOLDS,
    PhraseFinder,
    PhraseOptions,
    Phrases,
    compile_kernels,
)
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.sequences import from_sentences
from fastw2v.errors import InputError
from fastw2v.kernels import phrases as kernels
from fastw2v.threads import Pool

CONNECTORS = frozenset(["of", "the"])


def sentences(n=2000, seed=0):
    """Random words, among them `new york` and `bank of america` more often than by chance."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(40)] + ["new", "york", "city", "bank", "america", "of", "the"]
    planted = [["new", "york"], ["new", "york", "city"], ["bank", "of", "america"], ["bank", "of", "the", "america"]]
    text = []
    for _ in range(n):
        sentence = []
        for _ in range(rng.integers(1, 8)):
            sentence += planted[rng.integers(4)] if rng.random() < 0.3 else [words[rng.integers(len(words))]]
        text.append(sentence)
    return text


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences()))
    return path


def lines(path):
    return [line.split() for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 1.0},
        {"threshold": 0.2, "min_count": 1},
        {"scoring": "npmi", "threshold": 0.2},
        {"threshold": 1.0, "connector_words": CONNECTORS},
        {"threshold": 0.1, "min_count": 2, "connector_words": CONNECTORS},
        {"scoring": "npmi", "threshold": -0.05, "connector_words": CONNECTORS},
        {"threshold": 1.0, "delimiter": "+"},
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_merges_are_gensims(tmp_path, text, options, threads, monkeypatch):
    monkeypatch.setattr(phrases, "IDS_AT_A_TIME", 100)
    gensims = GensimPhrases(sentences(), **{"min_count": 5, **options})
    ours = Phrases.learn(text, output=tmp_path / "out.txt", threads=threads, **options)
    expected = [gensims[sentence] for sentence in sentences()]
    assert any(len(got) < len(whole) for got, whole in zip(expected, sentences(), strict=True))
    assert lines(tmp_path / "out.txt") == expected
    assert [ours[sentence] for sentence in sentences()] == expected
    theirs = gensims.export_phrases()
    got = ours.export_phrases()
    assert got.keys() == theirs.keys()
    np.testing.assert_allclose([got[name] for name in theirs], list(theirs.values()), rtol=1e-9)


def test_passes(tmp_path, text):
    first = GensimPhrases(sentences(), threshold=1.0)
    once = [first[sentence] for sentence in sentences()]
    second = GensimPhrases(once, threshold=1.0)
    ours = Phrases.learn(text, output=tmp_path / "out.txt", threads=2, threshold=1.0, passes=2)
    expected = [second[sentence] for sentence in once]
    assert "new_york_city" in {word for sentence in expected for word in sentence}
    assert lines(tmp_path / "out.txt") == expected
    assert [ours[sentence] for sentence in sentences()] == expected


def test_word2phrase_scores(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n" * 10 + "a d\n" * 10 + "b\n")
    got = Phrases.learn(path, threads=1, scoring="word2phrase", threshold=0.1, min_count=2).export_phrases()
    n = 51
    assert got == pytest.approx({"a_b": 8 / 20 / 11 * n, "b_c": 8 / 11 / 10 * n, "a_d": 8 / 20 / 10 * n})


def test_a_phrase_that_is_a_word_already(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b\n" * 20 + "a_b x\n" * 20)
    found = Phrases.learn(path, output=tmp_path / "o.txt", threads=1, threshold=0.1, passes=2)
    assert found.export_phrases().keys() == {"a_b", "a_b_x"}
    assert (tmp_path / "o.txt").read_text() == "a_b\n" * 20 + "a_b_x\n" * 20


@pytest.mark.parametrize("threads", [1, 2])
def test_lines_without_words_are_not_written(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(idfile, "IDS_AT_A_TIME", 7)
    path = tmp_path / "t.txt"
    path.write_text("\n \n\t\n" + "new york\n\n" * 20 + "x" * 1001 + "\nthe end\n\n \n")
    Phrases.learn(path, output=tmp_path / "o.txt", threads=threads, threshold=0.1)
    assert (tmp_path / "o.txt").read_text() == "new_york\n" * 20 + "the end\n"
    path.write_text("x" * 1001 + "\nnew york\n")
    Phrases.learn(path, output=tmp_path / "o.txt", threads=threads)
    assert (tmp_path / "o.txt").read_text() == "new york\n"


def test_counting_grows_and_works_in_parts(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 3000, 200_000).astype(np.int32)
    ids[rng.random(200_000) < 0.05] = -1
    ids.flags.writeable = False
    expected = {}
    for a, b in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        if a >= 0 and b >= 0:
            expected[(a << 32) + b + 1] = expected.get((a << 32) + b + 1, 0) + 1
    found = {}
    for part in range(3):
        table, state = np.zeros(256, np.uint64), np.array([0, -1, 0])
        while not kernels.count_pairs(ids, np.zeros(3000, bool), table, state, part, 3):
            larger = np.zeros(2 * len(table), np.uint64)
            kernels.rehash(table, larger)
            table = larger
        got = dict(zip(table[::2].tolist(), table[1::2].tolist(), strict=True))
        got.pop(0, None)
        assert len(got) == state[kernels.N_PAIRS]
        assert not found.keys() & got.keys()
        found.update(got)
    assert found == expected


def test_each_scoring_has_a_threshold():
    thresholds = {scoring: PhraseOptions(scoring=scoring).score_to_exceed for scoring in THRESHOLDS}
    assert thresholds == {"default": 10, "word2phrase": 100, "npmi": 0.5}
    assert PhraseOptions(scoring="npmi", threshold=0.2).score_to_exceed == 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": "x"}, "scoring is 'x': it must be one of default, word2phrase, npmi"),
        ({"scoring": "npmi", "threshold": 10.0}, "with npmi it must be from -1 to 1"),
        ({"min_count": 0}, "min_count is 0"),
        ({"passes": 0}, "passes 0"),
        ({"delimiter": " "}, "delimiter is ' '"),
        ({"delimiter": "\udcff"}, r"the word .* is not valid Unicode, so no file can hold it: rename it"),
    ],
)
def test_refused(text, options, message):
    with pytest.raises(InputError, match=message):
        Phrases.learn(text, **options)
    with pytest.raises(InputError, match="a sentence is a list of words"):
        Phrases([])["new york"]
    assert "of" in ENGLISH_CONNECTOR_WORDS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": -1}, "threads is -1"),
        ({"delimiter": 5}, "delimiter is 5"),
        ({"connector_words": "of the"}, "give a set"),
        ({"threshhold": 5}, "there is no option threshhold: the options are"),
        ({"threshold": np.inf}, "must be a finite number"),
        ({"threshold": 10**400}, "must be a finite number"),
        ({"min_count": 10**400}, "must be from 1 to"),
        ({"threads": 10**400}, "must be from 1 to 4096"),
    ],
)
def test_refused_options(tmp_path, options, message):
    (tmp_path / "t.txt").write_text("a b\n")
    with pytest.raises(InputError, match=message):
        Phrases.learn(tmp_path / "t.txt", **options)
    with pytest.raises(InputError, match="is the same file as the input"):
        Phrases.learn(tmp_path / "t.txt", output=tmp_path / "t.txt")
    with pytest.raises(InputError, match="lies in the corpus directory"):
        Phrases.learn((path for path in [tmp_path]), output=tmp_path / "p.txt")


def test_phrases_that_are_written_alike():
    assert Phrases([{("a_b", "c"): 1.0, ("a", "b_c"): 2.0}]).export_phrases() == {"a_b_c": 2.0}


def test_compiled_kernels_are_those_that_learning_needs(tmp_path, text):
    compile_kernels()
    Phrases.learn(text, output=tmp_path / "out.txt", threads=2, threshold=1.0, passes=2, connector_words=CONNECTORS)
    for name in ("count_ids", "count_pairs", "rehash", "fill_table", "locate_pairs", "merge_pairs", "write_words"):
        assert len(getattr(kernels, name).signatures) == 1, name


@pytest.mark.parametrize("options", [{}, {"threshold": 0, "min_count": 1}])
def test_a_text_that_begins_with_a_byte_order_mark_in_a_word(tmp_path, options):
    path, joined, again = (tmp_path / name for name in ("t.txt", "joined.txt", "again.txt"))
    path.write_text("\ufeff\ufeffking z\n\ufeffking z\n")  # the first of the file is none of the word
    Phrases.learn(path, output=joined, **options)
    Phrases.learn(joined, output=again, threshold=1e9)
    expected = ["\ufeffking_z"] * 2 if options else ["\ufeffking z"] * 2
    for output in joined, again:
        assert output.read_text("utf-8-sig").splitlines() == expected


def test_no_phrase_is_longer_than_a_word_of_a_text(tmp_path):
    path = tmp_path / "t.txt"
    long, short = "x" * 999, "x" * 498
    path.write_text(f"{long} y z\n" * 20 + f"{short} {short}é w\n" * 20 + "a b c d e f g\n" * 100)
    found = Phrases.learn(path, threshold=0.1, min_count=1).export_phrases()
    assert {f"{short}_{short}é", f"{short}é_w", "y_z", "a_b"} <= found.keys()
    assert f"{long}_y" not in found


@pytest.mark.parametrize("connectors", [frozenset(), CONNECTORS])
@pytest.mark.parametrize("threads", [1, 3])
def test_all_counts_are_gensims(connectors, threads):
    text = sentences(300)
    corpus = from_sentences(text, Pruning(min_count=1))
    with Pool(threads) as pool:
        finder = PhraseFinder(corpus, PhraseOptions(min_count=1, connector_words=connectors), pool, threads)
        got = finder.count_all("|")
    assert got == GensimPhrases(text, delimiter="|", connector_words=connectors).vocab
