"""Neighbours through an index against the exact ones."""

import sys

import numpy as np
import pytest

from fastw2v import InputError, UnknownWord, Vectors


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(50, 16))
    matrix = centres[rng.integers(0, 50, 2000)] + 0.3 * rng.normal(size=(2000, 16))
    return Vectors([f"w{i}" for i in range(2000)], matrix.astype(np.float32))


@pytest.fixture(scope="module")
def index(vectors):
    return vectors.index()


def recall(exact, found):
    hits = [len({w for w, _ in a} & {w for w, _ in b}) / len(a) for a, b in zip(exact, found, strict=True)]
    return sum(hits) / len(hits)


def test_most_of_the_nearest_are_found(vectors, index):
    words = vectors.index_to_key[:200]
    exact = vectors.most_similar_batch(words, topn=10)
    found = index.most_similar_batch(words, topn=10)
    assert recall(exact, found) > 0.95
    assert all(word not in dict(row) for word, row in zip(words, found, strict=True))
    for (word, cosine), (other, expected) in zip(found[0][:3], exact[0][:3], strict=True):
        assert word == other
        assert cosine == pytest.approx(expected, abs=1e-5)


def test_queries_are_those_of_vectors(vectors, index):
    for query in (("w1",), (["w1", "w2"], ["w3"]), ([("w1", 0.5), "w2"],), (vectors["w5"],)):
        found, exact = index.most_similar(*query, topn=5), vectors.most_similar(*query, topn=5)
        assert len(found) == 5
        assert recall([exact], [found]) >= 0.8
    assert index.most_similar("w1", topn=0) == []
    assert index.most_similar_batch([]) == []
    assert len(index.most_similar("w1", topn=5000)) <= 1999
    with pytest.raises(UnknownWord):
        index.most_similar("nobody")
    with pytest.raises(InputError, match="at least one"):
        index.most_similar()


def test_a_file_of_an_index(vectors, index, tmp_path):
    index.save(tmp_path / "index")
    again = vectors.index(path=tmp_path / "index")
    assert again.most_similar("w1") == index.most_similar("w1")
    assert repr(again) == "<VectorIndex: 2,000 words x 16>"
    with pytest.raises(
        InputError, match="is the index of 2,000 words x 16, and these vectors are 10 x 16: build it again"
    ):
        vectors.subset(vectors.index_to_key[:10]).index(path=tmp_path / "index")
    others = Vectors(vectors.index_to_key, -vectors.vectors)
    with pytest.raises(InputError, match="is the index of other vectors: build it again"):
        others.index(path=tmp_path / "index")
    (tmp_path / "index").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged, or not an index"):
        vectors.index(path=tmp_path / "index")
    with pytest.raises(InputError, match="cannot read the index"):
        vectors.index(path=tmp_path / "none")


def test_a_missing_package_is_named(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(InputError, match="an index needs the package usearch: pip install 'usearch'"):
        vectors.index()
