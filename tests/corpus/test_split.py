"""A share of the sentences, kept out: nothing is lost or twice, and the draws depend on the seed alone."""

import itertools

import numpy as np
import pytest
from corpora import sentences_of

from fastw2v.corpus import split as splitting
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.split import split
from fastw2v.errors import InputError


def corpus_of(sentences):
    ids = np.array([i for sentence in sentences for i in [*sentence, -1]], np.int32)
    n_words = max(map(max, sentences)) + 1
    return Corpus.from_ids([ids], [f"w{i:05}" for i in range(n_words)], Pruning(min_count=1))


def numbered(lengths):
    """Sentences of these lengths, no token of which occurs twice."""
    first = np.cumsum([0, *lengths])
    return [[*range(a, b)] for a, b in itertools.pairwise(first)]


@pytest.mark.parametrize("ids_at_a_time", [1 << 20, 7, 1])
def test_every_sentence_is_in_one_part(monkeypatch, ids_at_a_time):
    whole = corpus_of(numbered(np.random.default_rng(1).integers(1, 20, 400)))
    expected = [*map(sentences_of, split(whole, 0.2, seed=3))]
    monkeypatch.setattr(splitting, "IDS_AT_A_TIME", ids_at_a_time)
    trained, held_out = split(whole, 0.2, seed=3)
    assert [sentences_of(trained), sentences_of(held_out)] == expected
    assert sorted(sentences_of(trained) + sentences_of(held_out)) == sorted(sentences_of(whole))
    assert 50 < len(sentences_of(held_out)) < 110
    assert trained.n_tokens + held_out.n_tokens == whole.n_tokens
    for part in (trained, held_out):
        assert part.n_tokens == np.count_nonzero(part.ids >= 0)
        assert part.ids[-1] == -1
        assert not part.ids.flags.writeable
    assert held_out.reading.n_tokens == held_out.n_tokens
    assert sentences_of(split(whole, 0.2, seed=4)[1]) != sentences_of(held_out)


@pytest.mark.parametrize("ids_at_a_time", [1 << 20, 13])
def test_a_text_of_one_line_is_cut(monkeypatch, ids_at_a_time):
    monkeypatch.setattr(splitting, "LONGEST", 10)
    monkeypatch.setattr(splitting, "IDS_AT_A_TIME", ids_at_a_time)
    whole = corpus_of(numbered([1005, 3]))
    trained, held_out = split(whole, 0.3, seed=1)
    words = [word for part in (trained, held_out) for sentence in sentences_of(part) for word in sentence]
    assert sorted(words) == sorted(whole.vocabulary.words)
    assert len(sentences_of(trained)) > 10
    for sentence in sentences_of(trained) + sentences_of(held_out):
        numbers = [int(word[1:]) for word in sentence]
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers))], "no window spans what was taken out"


@pytest.mark.parametrize(("share", "what"), [(0.0, "out of training"), (1.0, "to train on")])
def test_a_part_without_sentences(share, what):
    with pytest.raises(InputError, match=f"leaves no sentence {what}"):
        split(corpus_of(numbered([3, 4])), share, seed=1)
