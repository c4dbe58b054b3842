"""Vectors: words and their matrix; similarity, neighbours, analogies, by the names of gensim's KeyedVectors."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra, UnknownWord
from ..files import replacing
from . import containers, formats
from .names import format_of

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

Key = str | int
"""A word, or the index of its row."""

KeyOrVector = Key | NDArray[np.float32]
Weighted = KeyOrVector | tuple[KeyOrVector, float]
Neighbours = list[tuple[str, float]]

COSINES_AT_A_TIME = 1 << 21
"""Of a batch of queries and some rows: 8 MB. They should not wander through memory too often."""

ROWS_AT_LEAST = 1 << 10

COSMUL_EPSILON = 1e-6


class Vectors:
    """Words and one float32 vector for each.

    index_to_key: (n,) list of str, each once. vectors: (n, dim) float32. counts: (n,) int64 or None where unknown.
    Wherever a word is asked for, its index does too, from 0 on. An unknown word raises UnknownWord, a KeyError.
    """

    is_model = False
    """Whether the file they were loaded from has output vectors too, which are not here."""

    def __init__(
        self, index_to_key: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
    ) -> None:
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or len(vectors) != len(index_to_key):
            raise InputError(f"{len(index_to_key)} words need vectors of shape ({len(index_to_key)}, dim), "
                             f"found {vectors.shape}")  # fmt: skip
        if counts is not None and np.shape(counts) != (len(vectors),):
            raise InputError(f"{len(vectors)} words need as many counts, found {np.shape(counts)}")
        self.vectors = vectors
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self._words = index_to_key
        if not isinstance(index_to_key, containers.MappedWords):  # those are decoded when they are needed
            self.key_to_index  # noqa: B018

    @cached_property
    def index_to_key(self) -> list[str]:
        """The words, (n,)."""
        return list(self._words)

    @cached_property
    def key_to_index(self) -> dict[str, int]:
        """The row of each word. Raises InputError where a word stands twice."""
        found = {word: index for index, word in enumerate(self.index_to_key)}
        if len(found) < len(self):
            raise InputError(f"{len(self) - len(found)} words stand there more than once")
        return found

    @property
    def vector_size(self) -> int:
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, (int, np.integer)):
            return bool(0 <= key < len(self))
        return isinstance(key, str) and key in self.key_to_index

    def __getitem__(self, key: Key | Sequence[Key]) -> NDArray[np.float32]:
        """The vector of one word, (dim,), or of several, (n, dim)."""
        if isinstance(key, (str, int, np.integer)):
            return self.get_vector(key)
        return self.vectors[[self.get_index(word) for word in _listed(key)]]

    def __repr__(self) -> str:
        return f"<Vectors: {len(self):,} words x {self.vector_size}>"

    def has_index_for(self, key: Key) -> bool:
        """Whether there is a vector of the word."""
        return key in self

    def get_index(self, key: Key, default: int | None = None) -> int:
        """The row of a word; of an unknown one `default`, or UnknownWord is raised."""
        if isinstance(key, (int, np.integer)):
            if key not in self:
                raise InputError(f"index {key} is not one of 0 to {len(self) - 1}")
            return int(key)
        index = self.key_to_index.get(key, default) if isinstance(key, str) else default
        if index is None:
            raise UnknownWord(key, self.index_to_key)
        return index

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """The vector of a word, (dim,) float32; of length 1 with `norm`."""
        index = self.get_index(key)
        vector: NDArray[np.float32] = self.vectors[index]
        return vector / self.norms[index] if norm else vector

    def get_normed_vectors(self) -> NDArray[np.float32]:
        """A copy of the vectors, each of length 1, (n, dim)."""
        return self.vectors / self.norms[:, None]

    def get_vecattr(self, key: Key, attr: str) -> int:
        """The only attribute is "count"."""
        if attr != "count" or self.counts is None:
            raise InputError(f"these vectors have no {attr!r}" + ("" if attr == "count" else "; there is 'count'"))
        return int(self.counts[self.get_index(key)])

    def get_mean_vector(
        self,
        keys: Sequence[KeyOrVector],
        weights: Sequence[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> NDArray[np.float32]:
        """The sum of weight * vector over the sum of |weight|, (dim,) float32.

        pre_normalize: take words' vectors at length 1; vectors that are given stay as they are. post_normalize: the
        mean is brought to length 1. ignore_missing: leave out unknown words.
        """
        if len(keys) == 0:
            raise InputError("a mean needs at least one word")
        if weights is None:
            weights = [1.0] * len(_listed(keys))
        if len(weights) != len(keys):
            raise InputError(f"{len(keys)} words need as many weights, found {len(weights)}")
        if not np.isfinite(weights).all():
            raise InputError(f"weights are {list(weights)}: they must be finite")
        total, mean = 0.0, np.zeros(self.vector_size, np.float32)
        for key, weight in zip(keys, weights, strict=True):
            if isinstance(key, np.ndarray):
                vector = self._checked(key)
            elif ignore_missing and key not in self:
                continue
            else:
                vector = self.get_vector(key, norm=pre_normalize)
            mean += np.float32(weight) * vector
            total += abs(weight)
        if total > 0:
            mean /= np.float32(total)
        return _unit(mean) if post_normalize else mean

    @cached_property
    def norms(self) -> NDArray[np.float32]:
        """The length of each vector, (n,) float32; 1 for a zero vector, which is similar to nothing."""
        return containers.norms_of(self.vectors)

    def similarity(self, w1: Key, w2: Key) -> float:
        """The cosine of two words."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def distance(self, w1: Key, w2: Key) -> float:
        """1 - similarity."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: KeyOrVector, other_words: Sequence[Key] = ()) -> NDArray[np.float32]:
        """1 - cosine of a word or vector to each of the other words, or to all words, (n,) float32."""
        query = word_or_vector if isinstance(word_or_vector, np.ndarray) else self.get_vector(word_or_vector)
        if len(_listed(other_words)) == 0:
            return 1 - self._cosines(_unit(self._checked(query)), 0, len(self))
        return 1 - self.cosine_similarities(self._checked(query), self[other_words])

    @staticmethod
    def cosine_similarities(vector_1: NDArray[np.float32], vectors_all: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of a vector, (dim,), to each row of (n, dim)."""
        found: NDArray[np.float32] = vectors_all @ _unit(vector_1) / containers.norms_of(vectors_all)
        return found

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """The cosine of the means of two lists of words."""
        if not (len(_listed(ws1)) and len(_listed(ws2))):
            raise InputError("n_similarity needs words in both lists")
        return float(_unit(self[ws1].mean(axis=0)) @ _unit(self[ws2].mean(axis=0)))

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """The words that are closer to key1 than key2 is."""
        distances = self.distances(key1)
        index = self.get_index(key1)
        closer = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[i] for i in closer if i != index]

    def rank(self, key1: Key, key2: Key) -> int:
        """The place of key2 among the neighbours of key1, from 1 on."""
        return len(self.closer_than(key1, key2)) + 1

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """The one of `keys_list` that is most similar to key1."""
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word furthest from the mean of all, unit vectors each; unknown words are left out."""
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(self, words: Sequence[str], use_norm: bool = True) -> list[tuple[float, str]]:
        """(cosine to the mean, word) of the known words, the most central first."""
        known = [word for word in _listed(words) if word in self]
        if not known:
            raise InputError("none of the words has a vector")
        vectors = np.array([self.get_vector(word, norm=use_norm) for word in known])
        cosines = vectors @ self.get_mean_vector(known, pre_normalize=use_norm, post_normalize=True)
        return sorted(zip(cosines.tolist(), known, strict=True), reverse=True)

    def most_similar(
        self,
        positive: Weighted | Sequence[Weighted] | None = None,
        negative: Weighted | Sequence[Weighted] | None = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Neighbours | NDArray[np.float32]:
        """The `topn` words of highest cosine to the mean of the positive less the negative ones, unit vectors each.

        `v.most_similar(["king", "woman"], ["man"])` answers "man is to king as woman is to ...". Words asked with are
        left out. A word may come with a weight, as (word, weight), below 0 to count as negative. restrict_vocab: look
        only at the first so many words, the most frequent; clip_start, clip_end: only at those rows. topn None: all
        cosines, (rows,) float32.
        """
        if topn is not None and topn < 1:
            return []
        stop = len(self) if clip_end is None else clip_end
        first, stop, _ = slice(clip_start, min(stop, self._n_searched(restrict_vocab))).indices(len(self))
        asked_with = _weighted(positive, 1.0) + _weighted(negative, -1.0)
        if not asked_with:
            raise InputError("most_similar needs at least one positive or negative word")
        keys, weights = [key for key, _ in asked_with], [weight for _, weight in asked_with]
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        cosines = self._cosines(mean, first, stop)
        if topn is None:
            return cosines
        asked = {self.get_index(key) for key in keys if not isinstance(key, np.ndarray)}
        return self._best(cosines, first, topn, asked)

    def similar_by_word(self, word: Key, topn: int = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to one word."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(
        self, vector: NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None
    ) -> Any:  # fmt: skip
        """`most_similar` to a vector, (dim,); no word is left out."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self,
        positive: KeyOrVector | Sequence[KeyOrVector] | None = None,
        negative: KeyOrVector | Sequence[KeyOrVector] | None = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Neighbours | NDArray[np.float32]:
        """The words of highest product of (1 + cosine) / 2 to the positive over that to the negative ones.

        Levy and Goldberg (2014), "Linguistic regularities", equation 4: less prone than `most_similar` to one large
        cosine. restrict_vocab: look only at the first so many words. Vectors that are given should have length 1.
        """
        if topn is not None and topn < 1:
            return []
        n = self._n_searched(restrict_vocab)
        asked_with = [*_weighted(positive, 1.0), *_weighted(negative, -1.0)]
        if any(abs(weight) != 1 for _, weight in asked_with):
            raise InputError("most_similar_cosmul knows no weights: leave them out")
        wanted, unwanted = ([key for key, weight in asked_with if weight == sign] for sign in (1, -1))
        if not wanted:
            raise InputError("most_similar_cosmul needs at least one positive word")

        def product(keys: list[KeyOrVector]) -> NDArray[np.float32]:
            shifted = np.ones(n, np.float32)
            for key in keys:
                vector = self._checked(key) if isinstance(key, np.ndarray) else self.get_vector(key, norm=True)
                shifted *= (1 + self._cosines(vector, 0, n)) / 2
            return shifted

        scores = product(wanted) / (product(unwanted) + np.float32(COSMUL_EPSILON))
        if topn is None:
            return scores
        asked = {self.get_index(key) for key in [*wanted, *unwanted] if not isinstance(key, np.ndarray)}
        return self._best(scores, 0, topn, asked)

    def most_similar_batch(
        self, keys: Sequence[Key] | NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None
    ) -> list[Neighbours]:
        """`most_similar` of many words, or of many vectors, (queries, dim): one matrix product for all of them."""
        if isinstance(keys, np.ndarray) and keys.ndim == 2:
            queries, own = np.asarray(keys, np.float32), np.full(len(keys), -1)
        else:
            own = np.array([self.get_index(key) for key in _listed(keys)], np.int64)
            queries = self.vectors[own]
        if queries.shape[1:] != (self.vector_size,):
            raise InputError(f"queries must be (n, {self.vector_size}), found {queries.shape}")
        queries = queries / containers.norms_of(queries)[:, None]
        if not np.isfinite(queries).all():
            raise InputError("a query holds NaN or infinite numbers")
        if topn < 1:
            return [[] for _ in queries]
        n = self._n_searched(restrict_vocab)
        places, cosines = self._nearest(queries, own, min(topn, n), n)
        return [
            [(self.index_to_key[i], float(cosine)) for i, cosine in zip(row, values, strict=True) if cosine > -np.inf]
            for row, values in zip(places.tolist(), cosines, strict=True)
        ]

    def _nearest(
        self, queries: NDArray[np.float32], own: NDArray[np.int64], topn: int, n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows among the first n and cosines of the `topn` nearest of each query, (queries, topn), the nearest first.

        The row `own` of a query is left out; where there are too few rows the cosine is -inf.
        """
        n_queries = len(queries)
        scores = np.full(n_queries * topn, -np.inf, np.float32)
        rows = np.zeros(n_queries * topn, np.int64)
        of_query = np.repeat(np.arange(n_queries), topn)
        most_rows = max(ROWS_AT_LEAST, COSINES_AT_A_TIME // max(1, n_queries))
        first, stop = 0, min(n, max(topn, ROWS_AT_LEAST))
        while first < n:
            cosines = queries @ self.vectors[first:stop].T
            cosines /= self.norms[first:stop]
            here = np.flatnonzero((first <= own) & (own < stop))
            cosines[here, own[here] - first] = -np.inf
            if first == 0 and stop > topn:
                worst = np.partition(cosines, stop - topn, axis=1)[:, stop - topn]
            else:
                worst = scores[topn - 1 :: topn]
            is_candidate = cosines >= worst[:, None]  # few are
            found, columns = np.divmod(np.flatnonzero(is_candidate), stop - first)  # np.nonzero takes 5 times as long
            scores = np.concatenate([scores, cosines[found, columns]])
            rows = np.concatenate([rows, columns + first])
            queries_of = np.concatenate([of_query, found])
            order = np.lexsort((-scores, queries_of))
            starts = np.searchsorted(queries_of[order], np.arange(n_queries))
            best = order[(starts[:, None] + np.arange(topn)).ravel()]
            scores, rows = scores[best], rows[best]
            # The better the best so far, the fewer rows beat them: look at twice as many each time.
            first, stop = stop, min(n, stop + min(stop, most_rows))
        return rows.reshape(n_queries, topn), scores.reshape(n_queries, topn)

    def _n_searched(self, restrict_vocab: int | None) -> int:
        if restrict_vocab is not None and restrict_vocab < 0:
            raise InputError(f"restrict_vocab is {restrict_vocab}: it must be at least 0 (0 or None: all words)")
        return min(restrict_vocab or len(self), len(self))

    def _cosines(self, query: NDArray[np.float32], first: int, stop: int) -> NDArray[np.float32]:
        """Of a vector of length 1 to the rows first, ..., stop - 1."""
        found: NDArray[np.float32] = self.vectors[first:stop] @ query
        found /= self.norms[first:stop]
        return found

    def _best(self, scores: NDArray[np.float32], first: int, topn: int, asked: set[int]) -> Neighbours:
        if len(scores) == 0:
            return []
        n_wanted = min(topn + len(asked), len(scores))
        best = np.argpartition(-scores, n_wanted - 1)[:n_wanted]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(self.index_to_key[first + i], float(scores[i])) for i in best.tolist() if first + i not in asked][
            :topn
        ]

    def _checked(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if vector.shape != (self.vector_size,):
            raise InputError(f"a vector must have shape ({self.vector_size},), found {vector.shape}")
        if not np.isfinite(vector).all():
            raise InputError("the vector holds NaN or infinite numbers")
        return vector.astype(np.float32, copy=False)

    def subset(self, keys: Iterable[Key]) -> Vectors:
        """New Vectors of these words alone, in this order, with a copy of their rows."""
        rows = [self.get_index(key) for key in keys]
        counts = None if self.counts is None else self.counts[rows]
        return Vectors([self.index_to_key[row] for row in rows], self.vectors[rows], counts)

    def evaluate_word_pairs(
        self,
        pairs: str | os.PathLike[str],
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """Correlation with human similarity: (Pearson's r, p), (Spearman's rho, p), share of unknown pairs in %.

        pairs: a file of lines `word <delimiter> word <delimiter> score`; # starts a comment. dummy4unknown: a pair with
        an unknown word counts as similarity 0, else it is left out.
        """
        from .evaluate import word_pairs

        return word_pairs(self, pairs, delimiter, encoding, restrict_vocab, case_insensitive, dummy4unknown)

    def evaluate_word_analogies(
        self,
        analogies: str | os.PathLike[str],
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Share of analogies solved by 3CosAdd, and for each section its `correct` and `incorrect` ones.

        analogies: a file of lines `a b c d` (a is to b as c is to d) under headings `: section`. The last section is
        'Total accuracy'. dummy4unknown: a line with an unknown word counts as not solved, else it is left out.
        """
        from .evaluate import word_analogies

        return word_analogies(self, analogies, restrict_vocab, case_insensitive, dummy4unknown)

    def to_gensim(self) -> KeyedVectors:
        """A gensim KeyedVectors with a copy of the vectors, and the counts."""
        try:
            from gensim.models import KeyedVectors
        except ImportError as error:
            raise MissingExtra("to_gensim", "gensim") from error
        made = KeyedVectors(self.vector_size, count=0)
        made.add_vectors(self.index_to_key, self.vectors)
        if self.counts is not None:
            made.allocate_vecattrs(["count"], [np.int64])
            made.expandos["count"][:] = self.counts
        return made

    def save_word2vec_format(
        self, fname: str | os.PathLike[str], fvocab: str | os.PathLike[str] | None = None, binary: bool = False, *,
        write_header: bool = True,
    ) -> None:  # fmt: skip
        """Write word2vec's text format, or the binary one; without a header GloVe's.

        fvocab: also write lines `word count` there. Raises InputError, RunError; an old file stays whole.
        """
        if binary and not write_header:
            raise InputError("word2vec's binary format always has a header")
        if fvocab is not None and self.counts is None:
            raise InputError("these vectors have no counts to write to fvocab")
        kind = "binary" if binary else "text" if write_header else "glove"
        formats.save(fname, self.index_to_key, self.vectors, kind)
        if fvocab is not None and self.counts is not None:
            with replacing(fvocab) as file:
                lines = (f"{word} {count}\n" for word, count in zip(self.index_to_key, self.counts, strict=True))
                file.write("".join(lines).encode())

    @classmethod
    def load_word2vec_format(
        cls, fname: str | os.PathLike[str], *, binary: bool = False, limit: int | None = None
    ) -> Vectors:  # fmt: skip
        """Read a file of word2vec, gensim, GloVe or fastw2v; at most `limit` words. Text may be compressed by gzip.

        Raises InputError for one that is damaged.
        """
        return cls.of(formats.load(fname, "binary" if binary else "text", limit))

    def save(self, fname: str | os.PathLike[str], kind: str | None = None) -> None:
        """Write a format of `names.FORMATS`, by default what the name ends in: .bin, .npz, .fw2v, .tsv, else text."""
        formats.save(fname, self.index_to_key, self.vectors, kind or format_of(fname), self.counts)

    @classmethod
    def load(cls, fname: str | os.PathLike[str], kind: str | None = None, limit: int | None = None) -> Vectors:
        """Read what `save` has written; at most `limit` words. A file of the native format is mapped, not read."""
        return cls.of(formats.load(fname, kind or format_of(fname), limit))

    @classmethod
    def of(cls, content: containers.Content) -> Vectors:
        """What was read from a file."""
        made = cls(content.words, content.vectors, content.counts)
        if content.norms is not None:
            made.norms = content.norms
        made.is_model = content.output_vectors is not None
        return made


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """At length 1; a zero vector stays."""
    return vector / np.float32(np.linalg.norm(vector) or 1)


def _weighted(keys: Weighted | Sequence[Weighted] | None, sign: float) -> list[tuple[KeyOrVector, float]]:
    """One key or many as pairs of key and weight: the one that is given, or `sign`."""
    if keys is None:
        return []
    is_vector = isinstance(keys, np.ndarray) and keys.ndim == 1
    is_pair = isinstance(keys, tuple) and len(keys) == 2 and isinstance(keys[1], float)
    listed: Any = [keys] if isinstance(keys, (str, int, np.integer)) or is_vector or is_pair else keys
    return [key if isinstance(key, tuple) else (key, sign) for key in listed]


def _listed(keys: Any) -> Any:
    """Raises InputError for a single word where several are asked for: its letters would be taken for words."""
    if isinstance(keys, (str, bytes)):
        raise InputError(f"{keys!r} is one word where a list of words is asked for: [{keys!r}]")
    return keys
