"""The choice of the vocabulary."""

import pickle

import numpy as np
import pytest
from corpora import read

from fastw2v.corpus.pruning import Pruning, WordCounts
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import InputError


def test_max_vocab_keeps_the_most_frequent(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("c c c b b a a d")
    assert read(path, Pruning(1, max_vocab=3)).vocabulary.words == ["c", "a", "b"]


def counts_of(**counts):
    return WordCounts(list(counts), np.array(list(counts.values())), np.arange(len(counts), dtype=np.int32))


def test_ids_are_places_in_the_vocabulary_or_minus_one():
    vocabulary, ids = Pruning(2).choose(counts_of(a=2, b=1, c=7))
    assert (vocabulary.words, vocabulary.counts.tolist()) == (["c", "a"], [7, 2])
    assert (ids.tolist(), ids.dtype) == ([1, -1, 0], np.int32)


def test_an_earlier_vocabulary_keeps_its_words_and_gains_counts():
    earlier = Vocabulary(["a", "old"], np.array([5, 3]))
    vocabulary, ids = Pruning(2, max_vocab=1, earlier=earlier).choose(counts_of(a=1, new=2, rare=1))
    assert (vocabulary.words, vocabulary.counts.tolist()) == (["a", "old", "new"], [6, 3, 2])
    assert ids.tolist() == [0, 2, -1]
    with pytest.raises(InputError, match="holds no word of the earlier run, and no other word 2 times"):
        Pruning(2, earlier=earlier).choose(counts_of(rare=1))


def test_a_fixed_vocabulary_is_pruned_once_and_pickles():
    pruning = Pruning(max_vocab=2, vocabulary=Vocabulary(["a", "b", "c"], np.array([3, 2, 1])))
    assert Pruning().fixed is None
    assert pruning.fixed.words == ["a", "b"]
    assert pruning.fixed is pruning.fixed
    got = pickle.loads(pickle.dumps(pruning))
    assert got.fixed.words == ["a", "b"]
    assert got.vocabulary.words == ["a", "b", "c"]


def test_counts_of_a_vocabulary():
    counts = WordCounts(["a", "b", "c"], np.array([3, 2, 1]), np.array([2, 0, 1], np.int32))
    got = counts.of_vocabulary(Vocabulary(["c", "x", "a"], np.array([9, 8, 7])))
    assert (got.words, got.counts.tolist(), got.n_tokens) == (["c", "x", "a"], [1, 0, 3], 4)
    assert got.word_of_id.tolist() == [0, 2, -1]


def test_a_single_word_is_enough_if_least_words_says_so():
    assert Pruning(1, least_words=1).choose(counts_of(a=2))[0].words == ["a"]
    with pytest.raises(InputError, match="the vocabulary is one word, 'a', of 1 distinct words"):
        Pruning(1).choose(counts_of(a=2))


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (["a", "b"], r"the vocabulary is of type list: it must be a fastw2v.Vocabulary\(words, counts\)"),
        (Vocabulary(["a", 5], [2, 1]), "holds 5, of type int: words are str"),
        (Vocabulary(["a", "b", "a"], [3, 2, 1]), "has 2 distinct words for 3 counts: give each word once"),
        (Vocabulary([], [3, 2, 1]), "has 0 distinct words for 3 counts"),
        (Vocabulary(["a", "\ud800"], [3, 2]), "is not valid Unicode"),
    ],
)
def test_vocabularies_that_cannot_be_used(vocabulary, message):
    with pytest.raises(InputError, match=message):
        _ = Pruning(vocabulary=vocabulary).fixed


def test_a_vocabulary_keeps_its_words_of_count_0():
    fixed = Pruning(vocabulary=Vocabulary(["b", "a", "c"], np.zeros(3, int))).fixed
    assert (fixed.words, fixed.counts.tolist()) == (["a", "b", "c"], [0, 0, 0])
