"""An index of vectors, by which millions of words are searched without comparing the query with all of them."""

from collections.abc import Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra
from ..files.names import PathLike
from ..files.replace import replacing
from .search import Key, Neighbours, Query, check_topn, listed, unit_rows, weighted

ROWS_AT_A_TIME = 1 << 16

ROWS_COMPARED = 100
"""The rows by which an index is known to be that of these vectors."""


class Indexed(Protocol):
    """What an index knows of the `Vectors` that it searches."""

    @property
    def vectors(self) -> NDArray[np.float32]: ...
    @property
    def vector_size(self) -> int: ...
    @property
    def index_to_key(self) -> list[str]: ...
    def __len__(self) -> int: ...
    def get_index(self, key: Key) -> int: ...
    def get_mean_vector(
        self, keys: Any, weights: Any, pre_normalize: bool, post_normalize: bool, ignore_missing: bool
    ) -> NDArray[np.float32]: ...


class VectorIndex:
    """An index that finds most of the nearest words without comparing the query with all words.

    `Vectors.index` makes one. It is a graph of neighbours (HNSW, Malkov and Yashunin 2018), built by usearch. The
    larger `expansion_search` is, the more of the nearest words are found, and the longer a search takes.
    """

    def __init__(self, vectors: Indexed, graph: Any) -> None:
        self.vectors, self._graph = vectors, graph

    @classmethod
    def of(cls, vectors: Indexed, connectivity: int, expansion_add: int, expansion_search: int, threads: int) -> Self:
        """Build an index of all vectors. threads: how many threads build it; 0 for all cores."""
        graph = _new_graph(vectors.vector_size, connectivity, expansion_add, expansion_search)
        for first in range(0, len(vectors), ROWS_AT_A_TIME):
            rows = unit_rows(vectors.vectors[first : first + ROWS_AT_A_TIME])
            graph.add(np.arange(first, first + len(rows)), rows, threads=threads)
        return cls(vectors, graph)

    def __len__(self) -> int:
        return len(self._graph)

    def __repr__(self) -> str:
        return f"<VectorIndex: {len(self):,} words x {self.vectors.vector_size}>"

    def most_similar(self, positive: Query = None, negative: Query = None, topn: int = 10) -> Neighbours:
        """Return the `topn` words nearest to a query, as `Vectors.most_similar` does. A few of them may be missed."""
        check_topn(topn, may_be_none=False)
        query = weighted(positive, 1.0) + weighted(negative, -1.0)
        if not query:
            raise InputError("most_similar needs at least one positive or negative word")
        keys, weights = zip(*query, strict=True)
        mean = self.vectors.get_mean_vector(keys, weights, True, post_normalize=True, ignore_missing=False)
        own = {self.vectors.get_index(key) for key in keys if not isinstance(key, np.ndarray)}
        return self._search(mean[None], topn, [own])[0]

    def most_similar_batch(self, keys: Sequence[Key], topn: int = 10) -> list[Neighbours]:
        """Return what `most_similar` does for each of many words."""
        check_topn(topn, may_be_none=False)
        rows = [self.vectors.get_index(key) for key in listed(keys)]
        return self._search(unit_rows(self.vectors.vectors[rows]), topn, [{row} for row in rows])

    def _search(self, queries: NDArray[np.float32], topn: int, own: list[set[int]]) -> list[Neighbours]:
        """The neighbours of each query, (n, dim), at length 1, without its own rows."""
        n = min(len(self), topn + max(map(len, own), default=0))
        if topn == 0 or not len(queries):
            return [[] for _ in queries]
        words, neighbours = self.vectors.index_to_key, []
        for first in range(0, len(queries), ROWS_AT_A_TIME):
            found = self._graph.search(queries[first : first + ROWS_AT_A_TIME], n)
            rows, distances = np.atleast_2d(found.keys), np.atleast_2d(found.distances)
            counts = found.counts if hasattr(found, "counts") else [rows.shape[1]]  # it may find fewer than it should
            for row, distance, count, left_out in zip(rows, distances, counts, own[first:], strict=False):
                pairs = zip(row[:count].tolist(), distance[:count].tolist(), strict=True)
                neighbours.append([(words[i], 1 - d) for i, d in pairs if i not in left_out][:topn])
        return neighbours

    def save(self, path: PathLike) -> None:
        """Write the index to a file, for `Vectors.index(path=...)` with the same vectors."""
        with replacing(path) as file:
            file.write(self._graph.save())

    @classmethod
    def load(cls, vectors: Indexed, path: PathLike, expansion_search: int = 64) -> Self:
        """Read an index that `save` has written for these vectors. Raises InputError for one of other vectors."""
        graph = _new_graph(vectors.vector_size)
        try:
            with open(path, "rb") as file:
                graph.load(file.read())
        except OSError as error:
            raise InputError(f"cannot read the index {path}: {error.strerror or error}") from error
        except Exception as error:  # usearch raises whatever a damaged file leads it to
            raise InputError(f"{path} is damaged, or not an index: {error}") from error
        if len(graph) != len(vectors) or graph.ndim != vectors.vector_size:
            claim = f"{len(graph):,} words x {graph.ndim}"
            raise InputError(
                f"{path} is the index of {claim}, and these vectors are {len(vectors):,} x {vectors.vector_size}: "
                "build it again, with index() and save()"
            )
        looked_at = np.linspace(0, len(vectors) - 1, ROWS_COMPARED).astype(int)
        if not np.allclose(np.array(graph.get(looked_at)), unit_rows(vectors.vectors[looked_at]), atol=1e-5):
            raise InputError(f"{path} is the index of other vectors: build it again, with index() and save()")
        graph.expansion_search = expansion_search
        return cls(vectors, graph)


def _new_graph(dim: int, connectivity: int = 16, expansion_add: int = 128, expansion_search: int = 64) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise MissingExtra("an index", "usearch") from error
    return Index(
        ndim=dim,
        metric="cos",
        dtype="f32",
        connectivity=connectivity,
        expansion_add=expansion_add,
        expansion_search=expansion_search,
    )
