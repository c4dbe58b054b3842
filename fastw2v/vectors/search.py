"""Queries, and the search among the rows of a matrix for those that are most similar to a query."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..matrix import norms_of

Key = str | int
"""A word, or its index or label."""

KeyOrVector = Key | NDArray[np.float32]
Weighted = KeyOrVector | tuple[KeyOrVector, float]
Query = Weighted | Sequence[Weighted] | None
"""One word or vector, several, or none; each may have a weight."""

Neighbours = list[tuple[str, float]]
"""Words and their cosines or other scores, the highest first."""

COSINES_AT_A_TIME, ROWS_AT_LEAST = 1 << 21, 1 << 10
"""How many cosines a batch computes at a time, 8 MB, which stay in the cache; and the rows that it takes at least."""

COSMUL_EPSILON = 1e-6

_HIGHEST_COSINE = 1.01

_quietly = np.errstate(over="ignore", invalid="ignore")
"""Infinite numbers, which only a damaged file holds, become NaN without a warning: `_sound` refuses it."""


class Nearest(NamedTuple):
    """The nearest rows of each query, the nearest first; where there are too few rows the cosine is -inf."""

    rows: NDArray[np.int64]  # (queries, topn)
    cosines: NDArray[np.float32]  # (queries, topn)


class Rows(NamedTuple):
    """The rows that are searched, and their lengths."""

    vectors: NDArray[np.float32]  # (n, dim)
    norms: NDArray[np.float32]  # (n,), 1 for a zero vector

    @_quietly
    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of each row to a query of length 1, (n,). Raises InputError for numbers that are no cosines."""
        cosines: NDArray[np.float32] = self.vectors @ query
        cosines /= self.norms
        return _sound(cosines)

    def cosmul(
        self, positive: Sequence[NDArray[np.float32]], negative: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """The product of (1 + cosine) / 2 to the positive queries over that to the negative ones, (n,).

        Levy and Goldberg (2014), "Linguistic regularities", equation 4. All queries should have length 1.
        """
        dividend, divisor = np.ones((2, len(self.norms)), np.float32)
        for query in positive:
            dividend *= (1 + self.cosines(query)) / 2
        for query in negative:
            divisor *= (1 + self.cosines(query)) / 2
        return dividend / (divisor + np.float32(COSMUL_EPSILON))

    @_quietly
    def nearest(self, queries: NDArray[np.float32], topn: int, excluded: NDArray[np.int64] | None = None) -> Nearest:
        """The `topn` rows of highest cosine to each query.

        queries: (queries, dim), each of length 1. topn: up to n. excluded: (queries,), a row that each one leaves out.
        """
        n, n_queries = len(self.norms), len(queries)
        excluded = np.full(n_queries, -1) if excluded is None else excluded
        best = Nearest(np.zeros((n_queries, topn), np.int64), np.full((n_queries, topn), -np.inf, np.float32))
        most_rows = max(ROWS_AT_LEAST, COSINES_AT_A_TIME // max(1, n_queries))
        first, stop = 0, min(n, max(topn, ROWS_AT_LEAST))
        while first < n:
            cosines = queries @ self.vectors[first:stop].T
            cosines /= self.norms[first:stop]
            _sound(cosines)
            here = np.flatnonzero((first <= excluded) & (excluded < stop))
            cosines[here, excluded[here] - first] = -np.inf
            best = _merged(best, cosines, first)
            # The better the best so far, the fewer rows beat them: search twice as many each time.
            first, stop = stop, min(n, stop + min(stop, most_rows))
        return best


def _sound(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same cosines. Raises InputError for NaN, and for numbers above 1 by more than rounding."""
    highest = cosines.max(initial=-1)  # NaN, if one is there
    if not highest < _HIGHEST_COSINE:
        reason = "the vectors hold NaN, infinite or too large numbers, or their stored norms are wrong"
        raise InputError(
            f"a cosine is {highest:.3g}: {reason}. Is their file damaged? `fastw2v info FILE` checks all of it"
        )
    return cosines


def _merged(best: Nearest, cosines: NDArray[np.float32], first: int) -> Nearest:
    """The best of the rows in `best` and of the rows from `first` on; cosines: those of the latter, (queries, rows)."""
    (n_queries, topn), n_rows = best.rows.shape, cosines.shape[1]
    worst = best.cosines[:, -1]
    if first == 0 and n_rows > topn:
        worst = np.partition(cosines, n_rows - topn, axis=1)[:, n_rows - topn]
    candidates = np.flatnonzero(cosines >= worst[:, None])  # few; np.nonzero takes 5 times as long
    asking, columns = np.divmod(candidates, n_rows)
    queries = np.concatenate([np.repeat(np.arange(n_queries), topn), asking])
    scores = np.concatenate([best.cosines.ravel(), cosines[asking, columns]])
    rows = np.concatenate([best.rows.ravel(), columns + first])
    order = np.lexsort((-scores, queries))
    starts = np.searchsorted(queries[order], np.arange(n_queries))
    chosen = order[starts[:, None] + np.arange(topn)]
    return Nearest(rows[chosen], scores[chosen])


def best_places(scores: NDArray[np.floating], n_wanted: int) -> NDArray[np.int64]:
    """The places of the `n_wanted` highest scores, or of all where there are fewer, the highest first."""
    best = np.argpartition(-scores, n_wanted - 1)[:n_wanted] if n_wanted < len(scores) else np.arange(len(scores))
    return best[np.argsort(-scores[best], kind="stable")]


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The cosine of two vectors, (dim,), in float64: exactly 1 for a vector and itself, 0 for a zero vector."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / (lengths or 1.0)


@_quietly
def unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1; a zero vector stays as it is."""
    exact = np.linalg.norm(vector.astype(np.float64))  # the squares may leave the range of float32
    return (vector / (exact or 1)).astype(np.float32)


@_quietly
def unit_rows(queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of (queries, dim) at length 1. Raises InputError for NaN and infinite numbers."""
    queries = queries / norms_of(queries)[:, None]
    if not np.isfinite(queries).all():
        raise InputError("a query holds NaN or infinite numbers")
    return queries


def weighted(query: Query, sign: float) -> list[tuple[KeyOrVector, float]]:
    """The words and vectors of a query, each with its weight; `sign` where it has none."""
    if query is None:
        return []
    is_vector = isinstance(query, np.ndarray) and query.ndim == 1
    is_pair = isinstance(query, tuple) and len(query) == 2 and isinstance(query[1], float)
    keys: Any = [query] if isinstance(query, (str, int, np.integer)) or is_vector or is_pair else query
    return [key if isinstance(key, tuple) else (key, sign) for key in keys]


def listed(keys: Any) -> Any:
    """The keys, unless that is a single word, whose letters would be taken for words: then it raises InputError."""
    if isinstance(keys, (str, bytes)):
        raise InputError(f"{keys!r} is one word, but a list of words is needed: [{keys!r}]")
    return keys


def check_topn(topn: Any, may_be_none: bool = True) -> None:
    """Raise InputError unless topn is a whole number from 0 up, or None where that stands for all words."""
    if topn is None and may_be_none:
        return
    if not isinstance(topn, (int, np.integer)) or topn < 0:
        allowed = "a whole number, 0 or more" + ", or None for all cosines" * may_be_none
        raise InputError(f"topn is {topn!r}: it must be {allowed}")
