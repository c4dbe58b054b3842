"""Models before they are trained: vocabularies against the real gensim, and what follows from them."""

import gensim.models
import numpy as np
import pytest
from planted import planted_text

from fastw2v.gensim import Word2Vec

SENTENCES = [line.split() for line in planted_text(n_sentences=400).splitlines()]
SMALL = {"vector_size": 12, "min_count": 1, "sample": 0, "workers": 1, "epochs": 1}


def test_the_vocabulary_is_gensims():
    options = {"min_count": 20, "vector_size": 4, "epochs": 1}
    for change in ({}, {"max_final_vocab": 30}, {"min_count": 40}, {"max_vocab_size": 50}):
        ours, theirs = (kind(SENTENCES, **{**options, **change}) for kind in (Word2Vec, gensim.models.Word2Vec))
        assert set(ours.wv.index_to_key) == set(theirs.wv.index_to_key), change
        for word in ours.wv.index_to_key:
            for name in ("count", "sample_int"):
                assert ours.wv.get_vecattr(word, name) == pytest.approx(theirs.wv.get_vecattr(word, name), rel=1e-6)
        assert (ours.corpus_count, ours.corpus_total_words) == (theirs.corpus_count, theirs.corpus_total_words)
        assert ours.effective_min_count == theirs.effective_min_count


def test_what_follows_from_a_vocabulary():
    trained, theirs = (kind(SENTENCES, **SMALL) for kind in (Word2Vec, gensim.models.Word2Vec))
    assert trained.estimate_memory().keys() == theirs.estimate_memory().keys()
    assert trained.cum_table[-1] == theirs.cum_table[-1]
    np.testing.assert_allclose(trained.cum_table, theirs.cum_table, rtol=0.1)
    assert trained.layer1_size == 12
    model = Word2Vec(vector_size=5)
    model.reset_from(trained)
    assert model.wv.index_to_key == trained.wv.index_to_key
    assert model.wv.vectors.shape == (96, 5)


def test_frequencies():
    counts = {"a": 30, "b": 20, "c": 10, "d": 1}
    ours, theirs = (kind(vector_size=4, min_count=2) for kind in (Word2Vec, gensim.models.Word2Vec))
    for model in (ours, theirs):
        model.build_vocab_from_freq(counts, corpus_count=7)
        model.build_vocab_from_freq({"a": 5, "e": 3}, update=True)
    assert ours.wv.key_to_index == theirs.wv.key_to_index
    assert ours.wv.expandos["count"].tolist() == theirs.wv.expandos["count"].tolist() == [35, 20, 10, 3]


def test_a_dry_run_changes_nothing():
    model = Word2Vec(SENTENCES, **SMALL)
    words, vectors = list(model.wv.index_to_key), model.wv.vectors.copy()
    model.scan_vocab([["new", "t0w1", "word"], ["another", "new"]] * 10)
    report = model.prepare_vocab(min_count=15, dry_run=True)
    assert report == {
        "drop_unique": 3,
        "retain_total": 20,
        "downsample_unique": 0,
        "downsample_total": 20,
        "num_retained_words": 1,
    }
    assert model.wv.index_to_key == words
    np.testing.assert_array_equal(model.wv.vectors, vectors)
    assert model.raw_vocab
    everything = model.prepare_vocab(dry_run=True)["downsample_total"]
    assert model.prepare_vocab(dry_run=True, sample=1e-3)["downsample_total"] < everything
