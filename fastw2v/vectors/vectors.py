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
from ..matrix import as_float32, fingerprint_of, norms_of, read_only
from ..modelfile import MappedWords, ModelFile
from . import formats, search
from .evaluate import Evaluation
from .names import format_of, format_to_write
from .search import Key, KeyOrVector, Neighbours, Query, Rows, check_topn, listed, unit, weighted

if TYPE_CHECKING:
    from .index import VectorIndex


class Vectors:
    """Words and one float32 vector for each.

    index_to_key: the words, each once, (n,).
    vectors: the vector of each word, (n, dim) float32: a read-only view of what was given.
    counts: how often each word occurred, (n,) int64, or None if that is unknown.

    An unknown word raises UnknownWord, which is a KeyError. Methods that take a word also take an integer. If all words
    are integers in digits, as those of walks are, the integer stands for such a word, 17 for "17"; otherwise it is the
    index of a word, from 0. Raises InputError for shapes that do not fit each other, and for repeated words.
    """

    def __init__(
        self, index_to_key: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64] | None = None
    ) -> None:
        self.vectors, n_words = read_only(as_float32(vectors)), len(index_to_key)
        if self.vectors.ndim != 2 or len(self) != n_words:
            raise InputError(f"{n_words} words need vectors of shape ({n_words}, dim), found {self.vectors.shape}")
        if counts is not None and np.shape(counts) != (n_words,):
            raise InputError(f"{n_words} words need as many counts, found {np.shape(counts)}")
        self.counts, self._words = counts, index_to_key
        if not isinstance(index_to_key, MappedWords):  # those are decoded and checked when they are needed
            self.counts = None if counts is None else Vocabulary([], counts).counts
            self.key_to_index  # noqa: B018

    def __setstate__(self, state: dict[str, Any]) -> None:  # a copied or pickled array forgets that it is read-only
        vars(self).update(state)
        self.vectors = read_only(self.vectors)

    @computed_once
    def index_to_key(self) -> list[str]:
        """The words, (n,)."""
        return list(self._words)

    @computed_once
    def key_to_index(self) -> dict[str, int]:
        """The row of each word. Raises InputError if a word occurs twice or is not a str."""
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
        """The length of each vector, (n,) float32. It is 1 for a zero vector, which is then similar to nothing."""
        return norms_of(self.vectors)

    @computed_once
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the words and the vectors: equal if all bytes of both are."""
        return fingerprint_of(self.index_to_key, self.vectors)

    @property
    def vector_size(self) -> int:
        """The number of dimensions."""
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
        """Return the row of a word, or `default` for an unknown word. Raises UnknownWord if that is None."""
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
        """Return the vector of a word, (dim,) float32; with `norm`, scaled to length 1."""
        check_flags(norm=norm)
        index = self.get_index(key)
        vector: NDArray[np.float32] = self.vectors[index]
        return vector / self.norms[index] if norm else vector

    def matrix_for(self, keys: Iterable[Key], missing: float | None = None) -> NDArray[np.float32]:
        """Return the vectors of words or labels in the given order, (n, dim), as features for another model.

        missing: a number for the rows of unknown words, such as 0 or NaN. If it is None, they raise UnknownWord.
        """
        absent = None if missing is None else -1
        rows = np.array([self.get_index(key, absent) for key in keys], np.int64)
        matrix = self.vectors[rows]
        if missing is not None:
            matrix[rows < 0] = missing
        return matrix

    def get_normed_vectors(self) -> NDArray[np.float32]:
        """Return a copy of the vectors, each scaled to length 1, (n, dim)."""
        return self.vectors / self.norms[:, None]

    def get_vecattr(self, key: Key, attr: str) -> int:
        """Return the count of a word; "count" is the only attribute."""
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
        """Return the weighted mean of vectors: the sum of weight * vector over the sum of |weight|, (dim,) float32.

        keys: words, or vectors as arrays.
        weights: a number for each key; by default 1.
        pre_normalize: scale the vectors of words to length 1 first. Arrays among the keys stay as they are.
        post_normalize: scale the mean to length 1.
        ignore_missing: leave out unknown words, instead of raising UnknownWord. The mean of none is a zero vector.
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
        """Return the cosine of the vectors of two words."""
        return search.cosine(self.get_vector(w1), self.get_vector(w2))

    def distance(self, w1: Key, w2: Key) -> float:
        """Return 1 - similarity."""
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: KeyOrVector, other_words: Sequence[Key] = ()) -> NDArray[np.float32]:
        """Return 1 - cosine of a word or vector with each of the other words, or with all words, (n,) float32."""
        query = self._checked(self._vector_of(word_or_vector, norm=False))
        if len(listed(other_words)) == 0:
            return 1 - self._rows(0, len(self)).cosines(unit(query))
        return 1 - self.cosine_similarities(query, self[other_words])

    @staticmethod
    def cosine_similarities(vector_1: NDArray[np.float32], vectors_all: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of a vector, (dim,), with each row of a matrix, (n, dim)."""
        return Rows(vectors_all, norms_of(vectors_all)).cosines(unit(vector_1))

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """Return the cosine of the mean vectors of two lists of words."""
        if not (len(listed(ws1)) and len(listed(ws2))):
            raise InputError("n_similarity needs words in both lists")
        return search.cosine(self[ws1].mean(axis=0), self[ws2].mean(axis=0))

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """Return the words that are closer to key1 than key2 is."""
        distances = self.distances(key1)
        index = self.get_index(key1)
        closer = np.flatnonzero(distances < distances[self.get_index(key2)])
        return [self.index_to_key[i] for i in closer if i != index]

    def rank(self, key1: Key, key2: Key) -> int:
        """Return the position of key2 among the neighbours of key1, from 1."""
        return len(self.closer_than(key1, key2)) + 1

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[Key]) -> Key:
        """Return the word of `keys_list` that is most similar to key1."""
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def doesnt_match(self, words: Sequence[str]) -> str:
        """Return the word furthest from the mean of the vectors at length 1. Unknown words are left out."""
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(self, words: Sequence[str], use_norm: bool = True) -> list[tuple[float, str]]:
        """Return (cosine with the mean, word) for each known word, the most central one first."""
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
        """Return the `topn` words nearest to the positive minus the negative words: (word, cosine), the nearest first.

        `v.most_similar(["king", "woman"], ["man"])` answers "man is to king as woman is to ...". The query is the mean
        of the vectors, each scaled to length 1. The words of the query are left out of the result.

        positive, negative: a word, a vector, or a list of them. A word may have a weight, as in (word, weight); a
        weight below 0 counts as negative.
        topn: how many words; None for the cosines of all words that are searched, (n,) float32.
        clip_start, clip_end: search only the rows from clip_start up to clip_end.
        restrict_vocab: search only the first (most frequent) words, up to this many.
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
        """Return the words `most_similar` to one word."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(self, vector: NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None) -> Any:
        """Return the words `most_similar` to a vector, (dim,). No word is left out."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self, positive: Query = None, negative: Query = None, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Neighbours | NDArray[np.float32]:
        """Return (word, score): the product of (1 + cosine) / 2 for the positive words, over that for the negative.

        A single large cosine weighs less than in `most_similar` (Levy and Goldberg 2014). Arrays in the query should
        have length 1.

        topn: how many words; None for the scores of all words.
        restrict_vocab: search only the first (most frequent) words, up to this many.
        """
        check_topn(topn)
        if topn == 0:
            return []
        n = self._n_searched(restrict_vocab)
        query = weighted(positive, 1.0) + weighted(negative, -1.0)
        if any(abs(weight) != 1 for _, weight in query):
            raise InputError("most_similar_cosmul takes no weights: leave them out")
        if not any(weight == 1 for _, weight in query):
            raise InputError("most_similar_cosmul needs at least one positive word")
        wanted, unwanted = ([self._vector_of(key, norm=True) for key, weight in query if weight == x] for x in (1, -1))
        return self._best(self._rows(0, n).cosmul(wanted, unwanted), 0, topn, [key for key, _ in query])

    def most_similar_batch(
        self, keys: Sequence[Key] | NDArray[np.float32], topn: int = 10, restrict_vocab: int | None = None
    ) -> list[Neighbours]:
        """Return what `most_similar` does for each of many words, or rows of an array (n, dim), but much faster."""
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
        """Return an index that finds most of the nearest words among millions in a fraction of the time.

        It needs the package usearch. The first three options are those of HNSW (see `VectorIndex`): larger numbers find
        more of the nearest words, and take longer.

        connectivity: the links of each word in the graph.
        expansion_add, expansion_search: how many candidates are kept while a word is added, and during a search.
        threads: the threads that build the index; 0 for all cores.
        path: a file that `VectorIndex.save` has written for these vectors. It is read instead of building an index;
        only expansion_search has an effect then.
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
        """Return the vectors of these words only, in this order, as a copy."""
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
        """Correlate cosines with human ratings: (Pearson's r, p), (Spearman's rho, p), unknown pairs in %.

        pairs: a file of lines `word <delimiter> word <delimiter> score`; # starts a comment.
        restrict_vocab: use only the first (most frequent) words, up to this many.
        case_insensitive: ignore the case of letters.
        dummy4unknown: count a pair with an unknown word as similarity 0, instead of leaving it out.
        """
        return self._evaluation(restrict_vocab, case_insensitive, dummy4unknown).word_pairs(pairs, delimiter, encoding)

    def evaluate_word_analogies(
        self,
        analogies: PathLike,
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """Return the share of analogies that are solved (by 3CosAdd), and the solved and unsolved ones by section.

        Each section has the lists `correct` and `incorrect`; the last one, 'Total accuracy', has those of all sections.

        analogies: a file of lines `a b c d` (a is to b as c is to d) under headings `: section`.
        restrict_vocab: use only the first (most frequent) words, up to this many.
        case_insensitive: ignore the case of letters.
        dummy4unknown: count a line with an unknown word as not solved, instead of leaving it out.
        """
        return self._evaluation(restrict_vocab, case_insensitive, dummy4unknown).word_analogies(analogies)

    def _evaluation(self, n: int, case_insensitive: bool, dummy4unknown: bool) -> Evaluation:
        check_flags(case_insensitive=case_insensitive, dummy4unknown=dummy4unknown)
        return Evaluation(self.index_to_key[:n], self._rows(0, n), case_insensitive, dummy4unknown)

    def to_gensim(self) -> Any:
        """Return a gensim KeyedVectors with a copy of the vectors and the counts."""
        try:
            from gensim.models.keyedvectors import KeyedVectors
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
        """Write word2vec's format, or GloVe's, which has no header. Raises what `save` raises.

        fvocab: a file for lines `word count`.
        """
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
        """Read a file of word2vec, gensim or GloVe, compressed by gzip or not.

        limit: read only this many words, the first ones.

        Raises InputError for a file that is damaged or not of this format.
        """
        check_flags(binary=binary)
        return cls.load(fname, "binary" if binary else "text", limit)

    def save(self, fname: PathLike, kind: str | None = None) -> None:
        """Write the vectors to a file, replacing an old one.

        kind: text, binary, glove, tensorboard, npz, native, safetensors or model2vec; by default that of the extension.

        Raises InputError for words that the format cannot hold, and RunError for NaN or if the file cannot be written.
        """
        self.key_to_index  # noqa: B018  a mapped file may hold a word twice
        formats.save(fname, ModelFile(self.index_to_key, self.vectors, self.counts), kind or format_to_write(fname))

    @classmethod
    def load(cls, fname: PathLike, kind: str | None = None, limit: int | None = None, *, verify: bool = False) -> Self:
        """Read a file of vectors. Raises InputError for a file that is damaged or not of this format.

        kind: the format, as for `save`.
        limit: read only this many words, the first ones.
        verify: check a native (.fw2v) file of more than 8 MB completely. It is otherwise only mapped into memory, so
        that flipped bits, NaN and wrong norms may go unnoticed. A search over all words still finds NaN
        and numbers that are too large; `save` and looking up a word still find repeated words. Other formats are always
        checked.
        """
        check_flags(verify=verify)
        return cls.of(formats.load(fname, kind or format_of(fname), limit, verify))

    @classmethod
    def of(cls, content: ModelFile) -> Self:
        """Return the vectors of a file that has been read, with the norms that it holds."""
        vectors = cls(content.words, content.vectors, content.counts)
        if content.norms is not None:
            vectors.norms = content.norms
        return vectors


def _is_label(word: str) -> bool:
    """Whether a word is the decimal of an integer, 0 or more."""
    return word.isascii() and word.isdigit() and (word == "0" or word[0] != "0")
