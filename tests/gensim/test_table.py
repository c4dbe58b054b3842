"""Tables of keys: each change against the real gensim, and queries after changes."""

import copy
import pickle

import gensim.models
import numpy as np
import pytest
from keyed import assert_same, matrix

from fastw2v.gensim import KeyedVectors

CHANGES = {
    "add one": lambda kv: kv.add_vector("e", [1, 2, 3]),
    "add and keep": lambda kv: kv.add_vectors(["a", "e"], matrix(2, seed=1)),
    "replace": lambda kv: kv.add_vectors(["a", "e"], matrix(2, seed=1), replace=True),
    "set one": lambda kv: kv.__setitem__("b", np.ones(3)),
    "set several": lambda kv: kv.__setitem__(["b", "x"], [np.ones(3), np.arange(3)]),
    "an attribute": lambda kv: kv.set_vecattr("b", "colour", "red"),
    "sort": lambda kv: kv.sort_by_descending_frequency(),
    "unit": lambda kv: kv.unit_normalize_all(),
    "nothing": lambda kv: kv.allocate_vecattrs(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.filterwarnings("ignore:Adding single vectors")
def test_a_change_is_gensims(both, change):
    for kv in both:
        _ = kv.most_similar("a")  # lengths are known, and must be forgotten
        change(kv)
        kv.allocate_vecattrs()
    assert_same(*both)
    ours, theirs = both
    theirs.fill_norms(force=True)
    assert [word for word, _ in ours.most_similar("a", topn=9)] == [
        word for word, _ in theirs.most_similar("a", topn=9)
    ]
    np.testing.assert_allclose(ours.distances("b"), theirs.distances("b"), atol=1e-6)


def test_reserved_rows():
    ours, theirs = KeyedVectors(2, count=3), gensim.models.KeyedVectors(2, count=3)
    for kv in (ours, theirs):
        assert (kv.add_vector("a", [1, 2]), kv.add_vector("b", [3, 4])) == (0, 1)
    assert ours.index_to_key == theirs.index_to_key == ["a", "b", None]
    np.testing.assert_array_equal(ours.vectors, theirs.vectors)


def test_resized():
    kv = KeyedVectors(4)
    kv.add_vectors(["a"], np.ones((1, 4)))
    kv.index_to_key.append("b")
    kv.key_to_index["b"] = 1
    kv.resize_vectors(seed=3)
    assert kv.vectors.shape == (2, 4)
    assert kv.vectors.dtype == np.float32
    assert (kv.vectors[0] == 1).all()
    assert 0 < np.abs(kv.vectors[1]).max() <= 1 / 4


def test_a_vector_cannot_be_written_to(both):
    for kv in both:
        for vector in (kv["a"], kv.get_vector("a", norm=True)):
            with pytest.raises(ValueError, match="read-only"):
                vector[0] = 1


def test_keys_that_are_integers():
    ours, theirs = KeyedVectors(3), gensim.models.KeyedVectors(3)
    for kv in (ours, theirs):
        kv.add_vectors([7, 9, 1], matrix(3))
    for key in (7, 9, 1, 0, 2):
        np.testing.assert_array_equal(ours[key], theirs[key])
    assert [key for key, _ in ours.most_similar(9)] == [key for key, _ in theirs.most_similar(9)]


def test_extras_come_along():
    kv = KeyedVectors(3)
    kv.add_vectors(["a", "b"], matrix(2), extras={"count": np.array([5, 6])})
    kv.add_vectors(["b", "c"], matrix(2), extras={"count": np.array([7, 8])}, replace=True)
    assert [kv.get_vecattr(word, "count") for word in "abc"] == [5, 7, 8]


def test_changes_in_place_are_seen_after_fill_norms(both):
    for kv in both:
        kv.fill_norms()
        kv.vectors[0] *= 3
        kv.fill_norms(force=True)
        assert kv.similarity("a", "a") == pytest.approx(1)
        assert kv.norms[0] == pytest.approx(np.linalg.norm(kv.vectors[0]))


@pytest.mark.parametrize("of", [copy.deepcopy, lambda kv: pickle.loads(pickle.dumps(kv))])
def test_a_copy_is_whole_and_its_own(both, of):
    ours = both[0]
    other = of(ours)
    assert_same(other, ours)
    other["a"] = np.zeros(3)
    assert ours["a"].any()
    assert other.similarity("a", "b") == 0


def test_vectors_that_do_not_fit_change_nothing(both):
    ours = both[0]
    for call in (
        lambda: ours.add_vectors(["e"], [["x", "y", "z"]]),
        lambda: ours.add_vectors(["e", "f"], matrix(2), extras={"count": np.array([1])}),
    ):
        with pytest.raises(ValueError, match="could not convert|has 1 values of 'count' for 2 keys"):
            call()
        assert ("e" in ours, len(ours)) == (False, 4)


def test_no_keys_change_nothing(both):
    for kv in both:
        kv.add_vectors([], np.empty((0, 3)))
        assert len(kv) == 4
