"""A table of keys, one vector for each, and attributes, which grows and changes as gensim's KeyedVectors do."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import InputError, UnknownWord
from ..matrix import as_float32, read_only
from ..vectors.vectors import Vectors

Key = Any
"""A word, or anything else that can be a key of a dict. An integer that is no key is the number of a row."""

KEY_TYPES = str, int, np.integer


class CurrentVectors(Vectors):
    """The vectors of a `KeyTable` as they are now, whose keys are found as gensim finds them."""

    def __init__(self, table: "KeyTable") -> None:
        self._table = table
        self.vectors = read_only(as_float32(table.vectors))
        self.counts = table.expandos.get("count")
        vars(self).update(index_to_key=table.index_to_key, key_to_index=table.key_to_index, has_labels=False)

    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a key."""
        return self._table.get_index(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    has_index_for = __contains__


class KeyTable:
    """Keys, mostly words, and one vector for each, which may be added, replaced and removed.

    vectors: (n, vector_size) of any dtype of floats. index_to_key: (n,) list; None where `count` has reserved a row.
    key_to_index: the row of each key. expandos: arrays, (n,), of the attributes that `set_vecattr` sets.

    What `current` computes from the vectors, such as their lengths, it keeps. All methods here see to it that this is
    up to date; after a change in place, such as `kv.vectors[0] = 1`, call `fill_norms(force=True)`.
    """

    _current: CurrentVectors | None
    """The vectors as of the last change; None if nothing was asked since then."""

    def __init__(
        self,
        vector_size: int,
        count: int = 0,
        dtype: DTypeLike = np.float32,
        mapfile_path: Any = None,  # which gensim does not use either
    ) -> None:
        self.vector_size = int(vector_size)
        self.index_to_key: list[Key] = [None] * count
        self.key_to_index: dict[Key, int] = {}
        self.expandos: dict[str, NDArray[Any]] = {}
        self.next_index = 0
        self.vectors = np.zeros((count, self.vector_size), dtype)

    @classmethod
    def of(cls, keys: Sequence[Key], vectors: NDArray[Any], counts: NDArray[np.int64] | None = None) -> Self:
        """Return distinct keys with these vectors, (n, dim), which are not copied, and counts, (n,)."""
        keyed = cls(vectors.shape[1])
        keyed.set_keys(list(keys))
        keyed.vectors = vectors
        if counts is not None:
            keyed.expandos["count"] = np.array(counts, np.int64)
        return keyed

    def set_keys(self, keys: list[Key]) -> None:
        """Replace the keys by others, which must be distinct."""
        self.index_to_key, self.next_index = keys, len(keys)
        self.key_to_index = {key: index for index, key in enumerate(keys)}
        self._current = None

    @property
    def vectors(self) -> NDArray[Any]:
        """The vectors, (n, vector_size)."""
        return self._vectors

    @vectors.setter
    def vectors(self, vectors: NDArray[Any]) -> None:
        self._vectors, self._current = vectors, None

    @property
    def current(self) -> Vectors:
        """The vectors as they are now, as `Vectors`."""
        if self._current is None or self._current.index_to_key is not self.index_to_key:
            self._current = CurrentVectors(self)
        return self._current

    @property
    def norms(self) -> NDArray[np.float32]:
        """The length of each vector, (n,) float32; 1 for a zero vector."""
        return self.current.norms

    def forget(self) -> None:
        """Let queries see vectors that were changed in place."""
        self._current = None

    def fill_norms(self, force: bool = False) -> None:
        """Compute the lengths of the vectors; again with `force`, after a change in place."""
        if force:
            self._current = None
        _ = self.norms

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_current": None}

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key)

    def __str__(self) -> str:
        return f"{type(self).__name__}<vector_size={self.vector_size}, {len(self)} keys>"

    def __repr__(self) -> str:
        return f"<{self}>"

    def get_index(self, key: Key, default: int | None = None) -> int:
        """The row of a key; for an unknown one `default`, or UnknownWord, a KeyError, where that is None."""
        index = self.key_to_index.get(key)
        if index is None and isinstance(key, (int, np.integer)) and 0 <= key < len(self):
            index = int(key)
        if index is None:
            index = default
        if index is None:
            raise UnknownWord(key, self.index_to_key)
        return index

    def has_index_for(self, key: Key) -> bool:
        """Whether the key has a vector."""
        return self.get_index(key, -1) >= 0

    def add_vector(self, key: Key, vector: ArrayLike) -> int:
        """Give a new key a vector, (vector_size,), in a row that `count` reserved if one is left; return its row."""
        index = self.next_index
        if index < len(self) and self.index_to_key[index] is None:
            self.vectors[index] = vector
            self.index_to_key[index], self.key_to_index[key] = key, index
            self._current = None
        else:
            index = len(self)
            self.add_vectors([key], np.reshape(vector, (1, -1)))
        self.next_index = index + 1
        return index

    def add_vectors(
        self,
        keys: Key | Sequence[Key],
        weights: ArrayLike,
        extras: dict[str, NDArray[Any]] | None = None,
        replace: bool = False,
    ) -> None:
        """Give keys vectors, (n, vector_size). Those that have one keep it, unless `replace` is True.

        extras: attributes by name, each an array, (n,), for `get_vecattr`.
        """
        keys = [keys] if isinstance(keys, KEY_TYPES) else keys
        if len(keys) == 0:
            return
        matrix = np.asarray(weights, self.vectors.dtype).reshape(len(keys), -1)
        if matrix.shape[1] != self.vector_size:
            raise InputError(f"vectors have {matrix.shape[1]} numbers: these have a vector_size of {self.vector_size}")
        extras = extras or {}
        if wrong := next((name for name, values in extras.items() if len(values) != len(keys)), None):
            raise InputError(f"extras has {len(extras[wrong])} values of {wrong!r} for {len(keys)} keys")
        self.allocate_vecattrs(list(extras), [values.dtype for values in extras.values()])
        places = {}  # of the keys that take their vectors from `weights`
        n_before = len(self)
        for place, key in enumerate(keys):
            if key not in self.key_to_index:
                self.key_to_index[key] = len(self.index_to_key)
                self.index_to_key.append(key)
                places[key] = place
            elif replace:
                places[key] = place
        rows, chosen = [self.key_to_index[key] for key in places], list(places.values())
        if len(self) > n_before:
            grown = np.zeros((len(self), self.vector_size), self.vectors.dtype)
            grown[:n_before] = self.vectors
            self.vectors = grown
        self.allocate_vecattrs()
        self.vectors[rows] = matrix[chosen]
        for name, values in extras.items():
            self.expandos[name][rows] = values[chosen]
        self._current = None

    def __setitem__(self, keys: Key | Sequence[Key], weights: ArrayLike) -> None:
        self.add_vectors(keys, weights, replace=True)

    def set_vecattr(self, key: Key, attr: str, val: Any) -> None:
        """Set an attribute of a key. The first value of an attribute says which type its values have."""
        self.allocate_vecattrs([attr], [type(val)])
        self.expandos[attr][self.get_index(key)] = val
        self._current = None

    def get_vecattr(self, key: Key, attr: str) -> Any:
        """An attribute of a key, such as its "count". Raises KeyError for an attribute that no key has."""
        index = self.get_index(key)
        if attr not in self.expandos:
            raise KeyError(f"there is no attribute {attr!r}; the attributes are: {', '.join(self.expandos) or 'none'}")
        return self.expandos[attr][index]

    def allocate_vecattrs(self, attrs: Sequence[str] | None = None, types: Sequence[Any] | None = None) -> None:
        """Make room for attributes of these types, one value for each key; by default for the existing ones."""
        if attrs is None or types is None:
            attrs, types = list(self.expandos), [values.dtype for values in self.expandos.values()]
        for name, kind in zip(attrs, types, strict=True):
            wanted = np.dtype(object if kind is str else np.int64 if kind is int else kind)
            values = self.expandos.get(name, np.zeros(0, wanted))
            if not np.issubdtype(wanted, values.dtype):
                raise TypeError(f"the attribute {name!r} has values of type {values.dtype}, not {wanted}")
            if name not in self.expandos or len(values) != len(self):
                room = np.zeros(len(self), values.dtype)
                n_kept = min(len(values), len(self))
                room[:n_kept] = values[:n_kept]
                self.expandos[name] = room

    def resize_vectors(self, seed: int = 0) -> None:
        """Give each key in `index_to_key` a row; new ones are random, U(-1, 1) / vector_size."""
        n_before, n = len(self.vectors), len(self)
        if n_before != n:
            rows = np.random.default_rng(seed).uniform(-1, 1, (n, self.vector_size)) / self.vector_size
            rows[:n_before] = self.vectors[:n]
            self.vectors = rows.astype(self.vectors.dtype)
        self.allocate_vecattrs()
        self._current = None

    def unit_normalize_all(self) -> None:
        """Scale all vectors to length 1, in place."""
        self.vectors /= self.norms[:, None].astype(self.vectors.dtype)

    def sort_by_descending_frequency(self) -> None:
        """Sort the keys by descending count; of equal ones, the last comes first, as in gensim."""
        if len(self) == 0:
            return
        if "count" not in self.expandos:
            raise InputError("these vectors have no counts to sort by: set them by set_vecattr(key, 'count', n)")
        order = np.lexsort((-np.arange(len(self)), -self.expandos["count"].astype(np.int64)))
        if len(self.vectors):
            self.vectors = self.vectors[order]
        self.expandos = {name: values[order] for name, values in self.expandos.items()}
        self.set_keys([self.index_to_key[row] for row in order])
