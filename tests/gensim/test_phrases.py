"""Phrases against gensim's, on made sentences."""

import gensim.models.phrases
import numpy as np
import pytest

from fastw2v import InputError
from fastw2v.gensim import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, LineSentence, Phraser, Phrases


def some_sentences(seed=0, n=300):
    rng = np.random.default_rng(seed)
    words = np.array(["new", "york", "of", "the", "a_b", "a", "b", *(f"w{i}" for i in range(20))])
    weights = 1 / np.arange(1, len(words) + 1)
    return [rng.choice(words, rng.integers(0, 12), p=weights / weights.sum()).tolist() for _ in range(n)]


SENTENCES, MORE = some_sentences(), some_sentences(1)

OPTIONS = {
    "default": {"threshold": 1},
    "npmi": {"threshold": 0.1, "scoring": "npmi"},
    "connectors": {"threshold": 0.5, "connector_words": ENGLISH_CONNECTOR_WORDS},
    "delimiter": {"threshold": 1, "delimiter": " "},
    "min_count": {"threshold": 0.01, "min_count": 7.5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_counts_phrases_and_merges_are_gensims(options):
    ours, theirs = Phrases(SENTENCES, **options), gensim.models.phrases.Phrases(SENTENCES, **options)
    for _ in range(2):
        assert ours.vocab == theirs.vocab
        assert ours.corpus_word_count == theirs.corpus_word_count
        assert ours.export_phrases() == pytest.approx(theirs.export_phrases())
        assert ours.find_phrases(MORE) == pytest.approx(theirs.find_phrases(MORE))
        assert list(ours[MORE]) == list(theirs[MORE])
        assert list(ours.freeze()[MORE]) == list(theirs.freeze()[MORE])
        assert ours[MORE[0]] == theirs[MORE[0]]
        assert str(ours) == str(theirs)
        assert str(ours.freeze()) == str(theirs.freeze())
        ours.add_vocab(MORE)
        theirs.add_vocab(MORE)


def test_trigrams():
    def trigrams(module):
        first = module.Phrases(SENTENCES, threshold=0.5)
        return list(module.Phrases(first[SENTENCES], threshold=0.5)[first[SENTENCES]])

    import fastw2v.gensim

    assert trigrams(fastw2v.gensim) == trigrams(gensim.models.phrases)


def test_a_file_is_read_whole(tmp_path):
    (tmp_path / "t.txt").write_text("\n".join(map(" ".join, SENTENCES)))
    assert Phrases(LineSentence(tmp_path / "t.txt")).vocab == Phrases(iter(SENTENCES)).vocab


def a_scorer(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    return bigram_count


@pytest.mark.parametrize("scoring", ["default", "npmi", a_scorer])
@pytest.mark.parametrize("is_frozen", [True, False])
def test_saved_and_loaded(tmp_path, scoring, is_frozen):
    phrases = Phrases(SENTENCES, threshold=0.5, scoring=scoring, connector_words=["of"])
    if is_frozen:
        phrases = Phraser(phrases)
    phrases.save(tmp_path / "p.pkl", pickle_protocol=4)
    loaded = type(phrases).load(tmp_path / "p.pkl")
    assert vars(loaded) == vars(phrases)
    assert list(loaded[MORE]) == list(phrases[MORE])


def test_a_scorer_of_a_module_that_is_not_imported(tmp_path):
    phrases = Phrases(SENTENCES, scoring=a_scorer)
    phrases.save(tmp_path / "p")
    text = (tmp_path / "p").read_text()
    for name in ("elsewhere:scorer", "os:nothing", "os:system"):
        (tmp_path / "p").write_text(text.replace(f"{a_scorer.__module__}:a_scorer", name))
        with pytest.raises(InputError, match="import that module first|must take worda_count"):
            Phrases.load(tmp_path / "p")


@pytest.mark.parametrize(
    "data", [b"{}", b"no json", b'{"vocab": {"a": "b"}, "scoring": "npmi", "connector_words": []}']
)
def test_files_that_hold_no_phrases(tmp_path, data):
    (tmp_path / "p").write_bytes(data)
    for kind in (Phrases, FrozenPhrases):
        with pytest.raises(InputError, match="is damaged, or not a file of phrases"):
            kind.load(tmp_path / "p")


def test_the_vocabulary_is_bounded():
    phrases = Phrases(SENTENCES, max_vocab_size=20)
    assert 0 < len(phrases.vocab) <= 20
    phrases.add_vocab(MORE)
    assert 0 < len(phrases.vocab) <= 20


REFUSED = {
    "min_count": ({"min_count": 0}, "min_count is 0"),
    "threshold": ({"threshold": 0}, "with scoring default it must be above 0"),
    "npmi": ({"threshold": 2, "scoring": "npmi"}, "from -1 to 1"),
    "scoring": ({"scoring": "other"}, "scoring is 'other': it must be default or npmi, or a function"),
    "function": ({"scoring": lambda worda_count: 1}, "it lacks wordb_count, bigram_count"),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(options, message):
    with pytest.raises(InputError, match=message):
        Phrases(SENTENCES, **options)


def test_no_words():
    phrases = Phrases([])
    assert (phrases.vocab, phrases.corpus_word_count, list(phrases[[]])) == ({}, 0, [])
    assert phrases[["a"]] == ["a"]


def test_a_corpus_of_phrases_has_a_length_and_places():
    phrases = Phrases(SENTENCES, min_count=1, threshold=1)
    joined = phrases[SENTENCES]
    assert len(joined) == len(SENTENCES)
    assert joined[0] == phrases[SENTENCES[0]]
    assert list(joined[:3]) == [phrases[sentence] for sentence in SENTENCES[:3]]
