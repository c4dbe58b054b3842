"""Vectors: words and their matrix; similarity, neighbours, analogies, by the names of gensim's KeyedVectors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UnknownWord
from . import formats

Key = str
KeyOrVector = str | NDArray[np.float32]


class Vectors:
    """Words and one float32 vector for each.

    index_to_key: (n,) list of str, each once. vectors: (n, dim) float32. counts: (n,) int64 or None where unknown.
    """

    def __init__(
        self, index_to_key: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
    ) -> None:
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or len(vectors) != len(index_to_key):
            raise InputError(f"{len(index_to_key)} words need vectors of shape ({len(index_to_key)}, dim), "
                             f"found {vectors.shape}")  # fmt: skip
        self.index_to_key = list(index_to_key)
        self.vectors = vectors
        self.counts = counts
        self.key_to_index = {word: index for index, word in enumerate(self.index_to_key)}
        if len(self.key_to_index) < len(self.index_to_key):
            raise InputError(f"{len(self.index_to_key) - len(self.key_to_index)} words stand there more than once")

    @property
    def vector_size(self) -> int:
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return key in self.key_to_index

    def __getitem__(self, key: Key | Sequence[Key]) -> NDArray[np.float32]:
        """The vector of one word, (dim,), or of several, (n, dim)."""
        if isinstance(key, str):
            return self.get_vector(key)
        return self.vectors[[self.get_index(word) for word in key]]

    def __repr__(self) -> str:
        return f"<Vectors: {len(self):,} words x {self.vector_size}>"

    def get_index(self, key: Key) -> int:
        """The row of a word. Raises UnknownWord, a KeyError."""
        try:
            return self.key_to_index[key]
        except KeyError:
            raise UnknownWord(key, self.index_to_key) from None

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """The vector of a word, (dim,) float32; of length 1 with `norm`."""
        index = self.get_index(key)
        vector: NDArray[np.float32] = self.vectors[index]
        return vector / self.norms[index] if norm else vector

    @cached_property
    def norms(self) -> NDArray[np.float32]:
        """The length of each vector, (n,) float32; 1 for a zero vector, which is similar to nothing."""
        norms = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        return np.where(norms == 0, np.float32(1), norms)

    def similarity(self, w1: Key, w2: Key) -> float:
        """The cosine of two words."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def most_similar(
        self,
        positive: KeyOrVector | Sequence[KeyOrVector] | None = None,
        negative: KeyOrVector | Sequence[KeyOrVector] | None = None,
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        """The `topn` words of highest cosine to the sum of the positive less the negative ones, unit vectors each.

        `v.most_similar(["king", "woman"], ["man"])` answers "man is to king as woman is to ...". Words asked with are
        left out. restrict_vocab: look only at the first so many words, the most frequent.
        """
        weighted = [(key, 1.0) for key in _as_list(positive)] + [(key, -1.0) for key in _as_list(negative)]
        if not weighted:
            raise InputError("most_similar needs at least one positive or negative word")
        query = np.zeros(self.vector_size, np.float32)
        asked = set()
        for key, weight in weighted:
            if isinstance(key, str):
                asked.add(self.get_index(key))
                query += np.float32(weight) * self.get_vector(key, norm=True)
            else:
                query += np.float32(weight) * key / np.float32(np.linalg.norm(key) or 1)
        n = min(restrict_vocab or len(self), len(self))
        cosines = self.vectors[:n] @ query / self.norms[:n] / np.float32(np.linalg.norm(query) or 1)
        n_wanted = min(topn + len(asked), n)
        best = np.argpartition(-cosines, n_wanted - 1)[:n_wanted]
        best = best[np.argsort(-cosines[best], kind="stable")]
        return [(self.index_to_key[i], float(cosines[i])) for i in best if i not in asked][:topn]

    def save_word2vec_format(self, fname: str | os.PathLike[str], binary: bool = False) -> None:
        """Write word2vec's text format, or the binary one. Raises InputError, RunError; an old file stays whole."""
        formats.save(fname, self.index_to_key, self.vectors, "binary" if binary else "text")

    @classmethod
    def load_word2vec_format(cls, fname: str | os.PathLike[str], binary: bool = False) -> Vectors:
        """Read a file of word2vec, gensim or fastw2v. Raises InputError for one that is damaged."""
        return cls(*formats.load(fname, "binary" if binary else "text"))

    def save(self, fname: str | os.PathLike[str]) -> None:
        """Write word2vec's format: binary where the name ends in .bin, else text."""
        formats.save(fname, self.index_to_key, self.vectors, formats.format_of(fname))

    @classmethod
    def load(cls, fname: str | os.PathLike[str]) -> Vectors:
        """Read word2vec's format: binary where the name ends in .bin, else text."""
        return cls(*formats.load(fname, formats.format_of(fname)))


def _as_list(keys: KeyOrVector | Sequence[KeyOrVector] | None) -> Sequence[KeyOrVector]:
    if keys is None:
        return []
    if isinstance(keys, str):
        return [keys]
    if isinstance(keys, np.ndarray):
        return [keys] if keys.ndim == 1 else list(keys)
    return keys
