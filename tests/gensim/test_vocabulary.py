"""gensim's rules for the vocabulary."""

import numpy as np
import pytest

from fastw2v.corpus.pruning import WordCounts
from fastw2v.gensim import vocabulary
from fastw2v.gensim.corpora import Source
from fastw2v.gensim.vocabulary import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP, Chosen, kept, least_count_for


def test_rules_are_those_of_gensim():
    from gensim import utils

    for name in ("RULE_DEFAULT", "RULE_DISCARD", "RULE_KEEP"):
        assert getattr(vocabulary, name) == getattr(utils, name)


def test_which_words_stay():
    rulings = {"a": RULE_DISCARD, "b": RULE_KEEP}
    seen = []

    def rule(word, count, min_count):
        seen.append((word, count, min_count))
        return rulings.get(word, RULE_DEFAULT)

    counts = {"d": 5, "b": 1, "a": 9, "c": 5, "e": 2}
    assert list(kept(counts, 3, rule).items()) == [("c", 5), ("d", 5), ("b", 1)]
    assert ("e", 2, 3) in seen
    assert list(kept(counts, 3, None)) == ["a", "c", "d"]
    assert kept({}, 1, None) == {}
    assert list(kept({7: 1, "x": 3, (1, 2): 3}, 1, None)) == ["x", (1, 2), 7]


def test_the_least_count_for_a_number_of_words():
    counts = {"a": 9, "b": 5, "c": 5, "d": 1}
    assert [least_count_for(counts, n, 2) for n in (None, 1, 2, 3, 4)] == [2, 6, 6, 2, 2]


def test_scanning_in_bounds_drops_as_gensim():
    from gensim.models import Word2Vec

    rng = np.random.default_rng(0)
    sentences = [[f"w{i}" for i in rng.zipf(1.5, 20) if i < 300] for _ in range(200)]
    theirs = Word2Vec(max_vocab_size=60)
    n_words, n_sentences = theirs.scan_vocab(sentences)
    counts, *got = vocabulary.scanned_in_bounds(Source(sentences), 60, None)
    assert counts == dict(theirs.raw_vocab)
    assert got == [n_words, n_sentences]


def test_chosen_words_have_the_ids_of_their_places():
    counts = WordCounts(["a", "b", "c"], np.array([1, 2, 3]), np.arange(3, dtype=np.int32))
    chosen, ids = Chosen(choose_words=lambda counts: ["c", "x", "a"]).choose(counts)
    assert chosen.words == ["c", "x", "a"]
    assert chosen.counts.tolist() == [3, 0, 1]
    assert ids.tolist() == [2, -1, 0]


def test_words_of_files_are_str():
    vocabulary.check_words_of_files(["a"])
    with pytest.raises(ValueError, match=r"holds \(1,\), a tuple"):
        vocabulary.check_words_of_files(["a", (1,)])
