"""The search for rows against all cosines, sorted."""

import numpy as np
import pytest

from fastw2v import InputError
from fastw2v.matrix import norms_of
from fastw2v.vectors import search
from fastw2v.vectors.search import Rows, best_places, unit, unit_rows, weighted


def some_rows(n=300, dim=6):
    vectors = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    return Rows(vectors, norms_of(vectors))


def all_cosines(rows, queries):
    return queries @ (rows.vectors / rows.norms[:, None]).T


@pytest.mark.parametrize("rows_at_least", [1, 16, 1 << 10])
@pytest.mark.parametrize("topn", [1, 7, 300])
def test_nearest_are_the_first_of_all_in_order(monkeypatch, rows_at_least, topn):
    monkeypatch.setattr(search, "ROWS_AT_LEAST", rows_at_least)
    rows = some_rows()
    queries = unit_rows(np.random.default_rng(1).normal(size=(20, 6)).astype(np.float32))
    cosines = all_cosines(rows, queries)
    got = rows.nearest(queries, topn)
    assert got.rows.shape == got.cosines.shape == (20, topn)
    np.testing.assert_array_equal(got.rows, np.argsort(-cosines, axis=1)[:, :topn])
    np.testing.assert_allclose(got.cosines, -np.sort(-cosines, axis=1)[:, :topn], rtol=1e-5, atol=1e-6)


def test_rows_that_queries_leave_out():
    rows = some_rows(5)
    excluded = np.array([0, -1, 4])
    got = rows.nearest(unit_rows(rows.vectors[[0, 1, 4]]), 5, excluded)
    assert got.cosines[:, -1].tolist() == [-np.inf, pytest.approx(got.cosines[1, -1]), -np.inf]
    assert got.rows[1, 0] == 1
    assert 0 not in got.rows[0, :4]
    assert 4 not in got.rows[2, :4]


def test_cosmul_by_hand():
    rows = Rows(np.array([[1, 0], [0, 2]], np.float32), np.array([1, 2], np.float32))
    x, y = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(rows.cosmul([x], []), [1, 0.5], rtol=1e-5)
    np.testing.assert_allclose(rows.cosmul([x], [y]), [2, 0.5], rtol=1e-5)


def test_best_places():
    scores = np.array([1, 5, 3, 4], np.float32)
    assert best_places(scores, 2).tolist() == [1, 3]
    assert best_places(scores, 99).tolist() == [1, 3, 2, 0]
    assert best_places(scores[:0], 3).tolist() == []


def test_lengths():
    assert unit(np.array([3, 4], np.float32)).tolist() == pytest.approx([0.6, 0.8])
    assert unit(np.zeros(2, np.float32)).tolist() == [0, 0]
    for length in (2e38, 1e-38):
        assert unit(np.full(2, length, np.float32)).tolist() == pytest.approx([0.5**0.5] * 2)
    np.testing.assert_allclose(unit_rows(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    with pytest.raises(InputError, match="a query holds NaN or infinite"):
        unit_rows(np.array([[np.inf, 1]], np.float32))


def test_queries():
    assert weighted(None, 1.0) == []
    assert weighted("king", -1.0) == [("king", -1.0)]
    assert weighted(7, 1.0) == [(7, 1.0)]
    assert weighted(("king", 2.0), 1.0) == [("king", 2.0)]
    assert weighted(["king", ("queen", 0.5)], 1.0) == [("king", 1.0), ("queen", 0.5)]
    ((vector, weight),) = weighted(np.ones(3, np.float32), 1.0)
    assert (vector.tolist(), weight) == ([1, 1, 1], 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_damaged_rows_are_no_neighbours(bad):
    """Their lengths are those of before the damage, as in a file that is mapped."""
    rows = some_rows()
    rows.vectors[200, 3] = bad
    query = unit(np.abs(rows.vectors[7]))
    for search_rows in (
        rows.cosines,
        lambda query: rows.nearest(query[None], 5),
        lambda query: rows.cosmul([query], []),
    ):
        with pytest.raises(InputError, match="a cosine is (nan|inf|.*e[+]2.): .*`fastw2v info FILE` checks all of it"):
            search_rows(query)
    assert len(Rows(rows.vectors[:0], rows.norms[:0]).cosines(query)) == 0
