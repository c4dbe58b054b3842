"""Vectors: words and their matrix; similarity, neighbours, analogies, by the names of gensim's KeyedVectors."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..config import check_flags
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError, MissingExtra, UnknownWord
from ..files.names import PathLike
from ..lazy import computed_once
from ..matrix import as_float32, norms_of
from ..modelfile import MappedWords, ModelFile
from . import formats, search
from .evaluate import Evaluation
from .names import format_of, format_to_write
from .search import Key, KeyOrVector, Neighbours, Query, Rows, check_topn, listed, unit, weighted

if TYPE_CHECKING:
    from .index import VectorIndex


class Vectors:
    """Words and one float32 vector for each.

    index_to_key: (n,) list of str, each once. vectors: (n, dim) float32. counts: (n,) int64 from 0 up, or None if
    unknown. An unknown word raises UnknownWord, which is a KeyError. Methods that take a word take an integer too. If
    all words are decimals of integers, as those of walks are, it is such a label, 17 for "17"; else it is the index of
    a word, from 0 on.
    """

    def __init__(
        self, index_to_key: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
    ) -> None:
        self.vectors, n_words = as_float32(vectors), len(index_to_key)
        if self.vectors.ndim != 2 or len(self) != n_words:
            raise InputError(f"{n_words} words need vectors of shape ({n_words}, dim), found {self.vectors.shape}")
        if counts is not None and np.shape(counts) != (n_words,):
            raise InputError(f"{n_words} words need as many counts, found {np.shape(counts)}")
        self.counts, self._words = counts, index_to_key
        if not isinstance(index_to_key, MappedWords):  # those are decoded and checked when they are needed
            self.counts = None if counts is None else Vocabulary([], counts).counts
            self.key_to_index  # noqa: B018

    @computed_once
    def index_to_key(self) -> list[str]:
        """The words, (n,)."""
        return list(self._words)

    @computed_once
    def key_to_index(self) -> dict[str, int]:
        """The row of each word. Raises InputError where a word occurs twice, or is not a str."""
        if not all(issubclass(kind, str) for kind in set(map(type, self.index_to_key))):
            bad = next(word for word in self.index_to_key if not isinstance(word, str))
            raise InputError(f"the word {bad!r} is of type {type(bad).__name__}: words must be str")
        indices = {word: index for index, word in enumerate(self.index_to_key)}
        if len(indices) < len(self):
            raise InputError(f"{len(self) - len(indices)} words occur more than once: give each word once")
        return indices

    @computed_once
    def has_labels(self) -> bool:
        """Whether all words are the decimals of integers, so that integers are labels and not indices."""
        return len(self) > 0 and _is_label(self._words[0]) and all(map(_is_label, self.index_to_key))

    @computed_once
    def norms(self) -> NDArray[np.float32]:
        """The length of each vector, (n,) float32; 1 for a zero vector, which is similar to nothing."""
        return norms_of(self.vectors)

    @property
    def vector_size(self) -> int:
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[str]:
        return iter(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        """Whether the word has a vector."""
        if isinstance(key, (int, np.integer)):
            return str(key) in self.key_to_index if self.has_labels else bool(0 <= key < len(self))
        return isinstance(key, str) and key in self.key_to_index

    has_index_for = __contains__

    def __getitem__(self, key: Key | Sequence[Key]) -> NDArray[np.float32]:
        """The vector of one word, (dim,), or of several, (n, dim)."""
        if isinstance(key, (str, int, np.integer)):
            return self.get_vector(key)
        return self.vectors[[self.get_index(word) for word in listed(key)]]

    def __repr__(self) -> str:
        return f"<Vectors: {len(self):,} words x {self.vector_size}>"

    def get_index(self, key: Key, default: int | None = None) -> int:
        """The row of a word; for an unknown word `default`, or UnknownWord where that is None."""
        if isinstance(key, (int, np.integer)):
            if not self.has_labels:
                if key not in self:
                    raise InputError(f"index {key} is not one of 0 to {len(self) - 1}")
                return int(key)
            key = str(key)
        index = self.key_to_index.get(key, default) if isinstance(key, str) else default
        if index is None:
            raise UnknownWord(key, self.index_to_key)
        return index

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """The vector of a word, (dim,) float32; at length 1 with `norm`."""
        check_flags(norm=norm)
        index = self.get_index(key)
        vector: NDArray[np.float32] = self.vectors[index]
        return vector / self.norms[index] if norm else vector

    def matrix_for(self, keys: Iterable[Key], missing: float | None = None) -> NDArray[np.float32]:
        """The vectors of words or labels in the order given, (n, dim), as features for another model.

        missing: a number that fills the rows of unknown words, such as 0 or NaN; None raises UnknownWord for them.
        """
        absent = None if missing is None else -1
        rows = np.array([self.get_index(key, absent) for key in keys], np.int64)
        matrix = self.vectors[rows]
        if missing is not None:
            matrix[rows < 0] = missing
        return matrix

    def get_normed_vectors(self) -> NDArray[np.float32]:
        """A copy of the vectors, each at length 1, (n, dim)."""
        return self.vectors / self.norms[:, None]

    def get_vecattr(self, key: Key, attr: str) -> int:
        """The count of a word: "count" is the only attribute."""
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

        pre_normalize: take the vectors of words at length 1; arrays among the keys stay as they are. post_normalize:
        return the mean at length 1. ignore_missing: leave out unknown words.
        """
        check_flags(pre_normalize=pre_normalize, post_normalize=post_normalize, ignore_missing=ignore_missing)
        if len(keys) == 0:
            raise InputError("a mean needs at least one word")
        weights = [1.0] * len(listed(keys)) if weights is None else weights
        if len(weights) != len(keys):
            raise InputError(f"{len(keys)} words need as many weights, found {len(weights)}")
        if not np.isfinite(weights).all():
            raise InputError(f"weights are {list(weights)}: they must be finite")
        total, mean = 0.0, np.zeros(self.vector_size, np.float32)
        for key, weight in zip(keys, weights, strict=True):
            if not ignore_missing or isinstance(key, np.ndarray) or key in self:
                mean += np.float32(weight) * self._vector_of(key, norm=pre_normalize)
                total += abs(weight)
        if total > 0:
            mean /= np.float32(total)
        return unit(mean) if post_normalize else mean

    def similarity(self, w1: Key, w2: Key) -> float:
        """The cosine of two words."""
        return float(self.get_vector(w1, norm=True) @ self.get_vector(w2, norm=True))

    def distance(self, w1: Key, w2: Key) -> float:
        """1 - similarity."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: KeyOrVector, other_words: Sequence[Key] = ()) -> NDArray[np.float32]:
        """1 - cosine of a word or vector to each of the other words, or to all words, (n,) float32."""
        query = self._checked(self._vector_of(word_or_vector, norm=False))
        if len(listed(other_words)) == 0:
            return 1 - self._rows(0, len(self)).cosines(unit(query))
        return 1 - self.cosine_similarities(query, self[other_words])

    @staticmethod
    def cosine_similarities(vector_1: NDArray[np.float32], vectors_all: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine of a vector, (dim,), to each row of (n, dim)."""
        return Rows(vectors_all, norms_of(vectors_all)).cosines(unit(vector_1))

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """The cosine of the means of two lists of words."""
        if not (len(listed(ws1)) and len(listed(ws2))):
            raise InputError("n_similarity needs words in both lists")
        return float(unit(self[ws1].mean(axis=0)) @ unit(self[ws2].mean(axis=0)))

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """The words that are closer to key1 than key2 is."""
        distances = self.distances(key1)
        index = self.get_index(key1)
        closer = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[i] for i in closer if i != index]

    def rank(self, key1: Key, key2: Key) -> int:
        """The place of key2 among the neighbours of key1, counted from 1."""
        return len(self.closer_than(key1, key2)) + 1

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """The word of `keys_list` that is most similar to key1."""
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word furthest from the mean of all, taken at length 1; unknown words are left out."""
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(self, words: Sequence[str], use_norm: bool = True) -> list[tuple[float, str]]:
        """(cosine to the mean, word) of the known words, the most central first."""
        check_flags(use_norm=use_norm)
        known = [word for word in listed(words) if word in self]
        if not known:
            raise InputError("none of the words has a vector")
        mean = self.get_mean_vector(known, pre_normalize=use_norm, post_normalize=True)
        cosines = np.array([self.get_vector(word, norm=use_norm) for word in known]) @ mean
        return sorted(zip(cosines.tolist(), known, strict=True), reverse=True)

    def most_similar(
        self,
        positive: Query = None,
        negative: Query = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
    ) -> Neighbours | NDArray[np.float32]:
        """The `topn` words of highest cosine to the mean of the positive less the negative words, each at length 1.

        `v.most_similar(["king", "woman"], ["man"])` answers "man is to king as woman is to ...". The words of the query
        are left out. A word may come with a weight, as (word, weight); below 0 it counts as negative. restrict_vocab:
        search only the first so many words, the most frequent; clip_start, clip_end: only these rows. topn None: all
        cosines, (rows,) float32.
        """
        check_topn(topn)
        if topn == 0:
            return []
        stop = len(self) if clip_end is None else clip_end
        first, stop, _ = slice(clip_start, min(stop, self._n_searched(restrict_vocab))).indices(len(self))
        query = weighted(positive, 1.0) + weighted(negative, -1.0)
        if not query:
            raise InputError("most_similar needs at least one positive or negative word")
        keys, weights = zip(*query, strict=True)
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        return self._best(self._rows(first, stop).cosines(mean), first, topn, keys)

    def similar_by_word(self, word: Key, topn: int = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to one word."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(self, vector: NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to a vector, (dim,); no word is left out."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self, positive: Query = None, negative: Query = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Neighbours | NDArray[np.float32]:
        """The words of highest product of (1 + cosine) / 2 to the positive over that to the negative words.

        Levy and Goldberg (2014): a single large cosine weighs less than in `most_similar`. restrict_vocab: search only
        the first so many words. Arrays in the query should have length 1.
        """
        check_topn(topn)
        if topn == 0:
            return []
        n = self._n_searched(restrict_vocab)
        query = weighted(positive, 1.0) + weighted(negative, -1.0)
        if any(abs(weight) != 1 for _, weight in query):
            raise InputError("most_similar_cosmul knows no weights: leave them out")
        if not any(weight == 1 for _, weight in query):
            raise InputError("most_similar_cosmul needs at least one positive word")
        wanted, unwanted = ([self._vector_of(key, norm=True) for key, weight in query if weight == x] for x in (1, -1))
        return self._best(self._rows(0, n).cosmul(wanted, unwanted), 0, topn, [key for key, _ in query])

    def most_similar_batch(
        self, keys: Sequence[Key] | NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None
    ) -> list[Neighbours]:
        """`most_similar` of many words, or of many vectors, (queries, dim), by one matrix product."""
        check_topn(topn, may_be_none=False)
        own = None
        if not (isinstance(keys, np.ndarray) and keys.ndim == 2):
            own = np.array([self.get_index(key) for key in listed(keys)], np.int64)
        queries = as_float32(keys) if own is None else self.vectors[own]
        if queries.shape[1:] != (self.vector_size,):
            raise InputError(f"queries must be (n, {self.vector_size}), found {queries.shape}")
        queries = search.unit_rows(queries)
        if topn == 0:
            return [[] for _ in queries]
        n = self._n_searched(restrict_vocab)
        nearest = self._rows(0, n).nearest(queries, min(topn, n), own)
        pairs = (zip(*row, strict=True) for row in zip(nearest.rows.tolist(), nearest.cosines.tolist(), strict=True))
        return [[(self.index_to_key[i], cosine) for i, cosine in row if cosine > -np.inf] for row in pairs]

    def index(
        self,
        connectivity: int = 16,
        expansion_add: int = 128,
        expansion_search: int = 64,
        threads: int = 0,
        path: PathLike | None = None,
    ) -> "VectorIndex":
        """An approximate index, much faster on millions of words; it may miss neighbours. It needs usearch.

        The first three options are those of HNSW: larger values miss fewer neighbours and take longer. threads: for
        building, 0 for all cores. path: a file that `VectorIndex.save` has written for these vectors, which is read
        instead of building; then only expansion_search has an effect.
        """
        from .index import VectorIndex

        if path is not None:
            return VectorIndex.load(self, path, expansion_search)
        return VectorIndex.of(self, connectivity, expansion_add, expansion_search, threads)

    def _rows(self, first: int, stop: int) -> Rows:
        return Rows(self.vectors[first:stop], self.norms[first:stop])

    def _n_searched(self, restrict_vocab: int | None) -> int:
        if restrict_vocab is not None and restrict_vocab < 0:
            raise InputError(f"restrict_vocab is {restrict_vocab}: it must be at least 0 (0 or None: all words)")
        return min(restrict_vocab or len(self), len(self))

    def _best(
        self, scores: NDArray[np.float32], first: int, topn: int | None, query: Sequence[KeyOrVector]
    ) -> Neighbours | NDArray[np.float32]:
        """The words of the `topn` highest scores, without those of the query; scores[0] is that of row `first`."""
        if topn is None:
            return scores
        own = {self.get_index(key) for key in query if not isinstance(key, np.ndarray)}
        places = search.best_places(scores, topn + len(own)).tolist()
        return [(self.index_to_key[first + i], float(scores[i])) for i in places if first + i not in own][:topn]

    def _vector_of(self, key: KeyOrVector, norm: bool) -> NDArray[np.float32]:
        """The vector of a word, at length 1 with `norm`; an array is checked and stays as it is."""
        return self._checked(key if isinstance(key, np.ndarray) else self.get_vector(key, norm))

    def _checked(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if vector.shape != (self.vector_size,):
            raise InputError(f"a vector must have shape ({self.vector_size},), found {vector.shape}")
        if not np.isfinite(vector).all():
            raise InputError("the vector holds NaN or infinite numbers")
        return vector.astype(np.float32, copy=False)

    def subset(self, keys: Iterable[Key]) -> "Vectors":
        """Vectors of these words alone, in this order, with a copy of their rows."""
        rows = [self.get_index(key) for key in keys]
        counts = None if self.counts is None else self.counts[rows]
        return Vectors([self.index_to_key[row] for row in rows], self.vectors[rows], counts)

    def evaluate_word_pairs(
        self,
        pairs: PathLike,
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """Correlation with human similarity: (Pearson's r, p), (Spearman's rho, p), share of unknown pairs in %.

        pairs: a file of lines `word <delimiter> word <delimiter> score`; # starts a comment. dummy4unknown: a pair with
        an unknown word counts as similarity 0; otherwise it is left out.
        """
        return self._evaluation(restrict_vocab, case_insensitive, dummy4unknown).word_pairs(pairs, delimiter, encoding)

    def evaluate_word_analogies(
        self,
        analogies: PathLike,
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """The share of analogies that 3CosAdd solves, and the sections with their `correct` and `incorrect` ones.

        analogies: a file of lines `a b c d` (a is to b as c is to d) under headings `: section`. The last section is
        'Total accuracy'. dummy4unknown: a line with an unknown word counts as not solved; otherwise it is left out.
        """
        return self._evaluation(restrict_vocab, case_insensitive, dummy4unknown).word_analogies(analogies)

    def _evaluation(self, n: int, case_insensitive: bool, dummy4unknown: bool) -> Evaluation:
        check_flags(case_insensitive=case_insensitive, dummy4unknown=dummy4unknown)
        return Evaluation(self.index_to_key[:n], self._rows(0, n), case_insensitive, dummy4unknown)

    def to_gensim(self) -> Any:
        """A gensim KeyedVectors with a copy of the vectors, and the counts."""
        try:
            from gensim.models import KeyedVectors
        except ImportError as error:
            raise MissingExtra("to_gensim", "gensim") from error
        keyed_vectors = KeyedVectors(self.vector_size, count=0)
        keyed_vectors.add_vectors(list(self.key_to_index), self.vectors)
        if self.counts is not None:
            keyed_vectors.allocate_vecattrs(["count"], [np.int64])
            keyed_vectors.expandos["count"][:] = self.counts
        return keyed_vectors

    def save_word2vec_format(
        self, fname: PathLike, fvocab: PathLike | None = None, binary: bool = False, *, write_header: bool = True
    ) -> None:
        """Write word2vec's format, or GloVe's without a header; to fvocab lines `word count`. Raises as `save` does."""
        check_flags(binary=binary, write_header=write_header)
        if binary and not write_header:
            raise InputError("word2vec's binary format always has a header")
        if fvocab is not None and self.counts is None:
            raise InputError("these vectors have no counts to write to fvocab")
        self.save(fname, "binary" if binary else "text" if write_header else "glove")
        if fvocab is not None and self.counts is not None:
            Vocabulary(self.index_to_key, self.counts).save(fvocab)

    @classmethod
    def load_word2vec_format(cls, fname: PathLike, *, binary: bool = False, limit: int | None = None) -> Self:
        """Read a file of word2vec, gensim or GloVe, gzipped or not; at most `limit` words. Raises InputError."""
        check_flags(binary=binary)
        return cls.load(fname, "binary" if binary else "text", limit)

    def save(self, fname: PathLike, kind: str | None = None) -> None:
        """Write a file in one of `VECTOR_FORMATS`, by default as its name ends. Raises InputError, RunError."""
        self.key_to_index  # noqa: B018  a mapped file may hold a word twice
        formats.save(fname, ModelFile(self.index_to_key, self.vectors, self.counts), kind or format_to_write(fname))

    @classmethod
    def load(cls, fname: PathLike, kind: str | None = None, limit: int | None = None, *, verify: bool = False) -> Self:
        """Read what `save` has written; at most `limit` words. Raises InputError for a damaged file.

        A native file is mapped into memory instead of read. One of more than 8 MB is therefore not checked for flipped
        bits, NaN, or lengths that are not those of its vectors, unless `verify` says so, which reads all of it; `save`
        and looking up a word find words that occur twice, and a search of all words finds NaN and numbers that are too
        large. Other formats are always checked.
        """
        check_flags(verify=verify)
        return cls.of(formats.load(fname, kind or format_of(fname), limit, verify))

    @classmethod
    def of(cls, content: ModelFile) -> Self:
        """The vectors of a file that has been read; the norms that it holds are not computed again."""
        vectors = cls(content.words, content.vectors, content.counts)
        if content.norms is not None:
            vectors.norms = content.norms
        return vectors


def _is_label(word: str) -> bool:
    """Whether a word is the decimal of an integer from 0 up."""
    return word.isascii() and word.isdigit() and (word == "0" or word[0] != "0")
