"""KeyedVectors: vectors that may change, with gensim's names. All queries are those of `Vectors`."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, NamedTuple, NoReturn, ParamSpec, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import InputError
from ..files.names import PathLike
from ..matrix import as_float32, read_only
from ..modelfile import ModelFile
from ..vectors.search import Query, weighted
from ..vectors.vectors import Vectors
from . import storage, word2vec_format
from .log import logger
from .stored import Stored
from .table import KEY_TYPES, Key, KeyTable
from .transport import transport_cost

DERIVED = {"sample_int", "code", "point"}
"""The attributes of a model's words that follow from the counts; files do not keep them."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _query(
    method: Callable[Concatenate[Vectors, _Arguments], _Result],
) -> "Callable[Concatenate[KeyedVectors, _Arguments], _Result]":
    """Return a method of `KeyedVectors` that asks its `current` vectors."""

    def ask(self: "KeyedVectors", /, *args: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        answer: _Result = getattr(self.current, method.__name__)(*args, **options)
        return answer

    ask.__name__, ask.__qualname__, ask.__doc__ = method.__name__, method.__qualname__, method.__doc__
    ask.__wrapped__ = method  # type: ignore[attr-defined]  # whose signature `help` shows
    return ask


def _retired(name: str, advice: str) -> Any:
    """Return a property that stands in for an attribute that gensim 4 has removed. It raises AttributeError."""

    def refuse(self: "KeyedVectors") -> NoReturn:
        raise AttributeError(f"KeyedVectors have no {name} since gensim 4: use {advice}")

    return property(refuse)


class Correlation(NamedTuple):
    """A correlation, and the probability of one as large by chance."""

    statistic: float
    pvalue: float

    @property
    def correlation(self) -> float:
        """The statistic, under its older name."""
        return self.statistic


class KeyedVectors(KeyTable):
    """Keys, mostly words, and one vector for each, which may change. Queries are those of `Vectors`, in float32.

    The attributes are those of `KeyTable`. After a change in place, such as `kv.vectors[0] = 1`, call
    `fill_norms(force=True)`.
    """

    vectors_lockf: NDArray[np.float32]
    """Of the vectors of a `Word2Vec`: (n,) or (1,), 0 for a vector that training must not change, 1 for others."""

    distance = _query(Vectors.distance)
    distances = _query(Vectors.distances)
    closer_than = _query(Vectors.closer_than)
    rank = _query(Vectors.rank)
    most_similar_to_given = _query(Vectors.most_similar_to_given)
    most_similar_cosmul = _query(Vectors.most_similar_cosmul)
    most_similar_batch = _query(Vectors.most_similar_batch)
    doesnt_match = _query(Vectors.doesnt_match)
    rank_by_centrality = _query(Vectors.rank_by_centrality)
    get_mean_vector = _query(Vectors.get_mean_vector)
    get_normed_vectors = _query(Vectors.get_normed_vectors)
    matrix_for = _query(Vectors.matrix_for)
    to_gensim = _query(Vectors.to_gensim)
    index = _query(Vectors.index)
    cosine_similarities = staticmethod(Vectors.cosine_similarities)

    index2word = index2entity = _retired("index2word", "index_to_key")
    vocab = _retired("vocab", "key_to_index, and get_vecattr(key, 'count')")
    vectors_norm = _retired("vectors_norm", "get_normed_vectors()")

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[Any]:
        """The vector of a key, (vector_size,), read-only; at length 1 with `norm`."""
        return read_only(self.current.get_vector(key, norm=True) if norm else self.vectors[self.get_index(key)])

    def __getitem__(self, key_or_keys: Key | Sequence[Key]) -> NDArray[Any]:
        """The vector of one key, (vector_size,), or of several, (n, vector_size)."""
        if isinstance(key_or_keys, KEY_TYPES):
            return self.get_vector(key_or_keys)
        rows: NDArray[Any] = self.vectors[[self.get_index(key) for key in key_or_keys]]
        return rows

    def most_similar(
        self,
        positive: Query = None,
        negative: Query = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """`Vectors.most_similar`; indexer: an index of gensim's kind, whose `most_similar(vector, topn)` answers."""
        if topn is not None and topn < 1:
            return []
        if indexer is None or topn is None:
            return self.current.most_similar(positive, negative, topn, clip_start, clip_end, restrict_vocab)
        keys, weights = zip(*weighted(positive, 1.0), *weighted(negative, -1.0), strict=True)
        return indexer.most_similar(self.get_mean_vector(keys, weights, True, True, False), topn)

    def similarity(self, w1: Key, w2: Key) -> np.float32:
        """The cosine of the vectors of two keys."""
        return np.float32(self.current.similarity(w1, w2))

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to one key."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to one word."""
        return self.similar_by_key(word, topn, restrict_vocab)

    def similar_by_vector(self, vector: ArrayLike, topn: int | None = 10, restrict_vocab: int | None = None) -> Any:
        """`most_similar` to a vector, (vector_size,). No key is left out."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """The cosine of the means of two lists of keys, without unknown ones. Raises ZeroDivisionError for no keys."""
        if not (len(ws1) and len(ws2)):
            raise ZeroDivisionError("n_similarity needs keys in both lists")
        known1, known2 = ([key for key in keys if key in self] for keys in (ws1, ws2))
        return self.current.n_similarity(known1, known2) if known1 and known2 else 0.0

    def evaluate_word_pairs(
        self, pairs: PathLike, *args: Any, **options: Any
    ) -> tuple["Correlation", "Correlation", float]:
        """`Vectors.evaluate_word_pairs`, whose correlations have the names that SciPy gives theirs."""
        pearson, spearman, n_unknown = self.current.evaluate_word_pairs(pairs, *args, **options)
        return Correlation(*pearson), Correlation(*spearman), n_unknown

    def word_vec(self, word: Key, norm: bool = False) -> NDArray[Any]:
        """`get_vector`, under its name before gensim 4."""
        return self.get_vector(word, norm)

    def words_closer_than(self, w1: Key, w2: Key) -> list[Any]:
        """`closer_than`, under its name before gensim 4."""
        return self.closer_than(w1, w2)

    def relative_cosine_similarity(self, wa: Key, wb: Key, topn: int = 10) -> float:
        """The cosine of two keys over the sum of those of the `topn` nearest of the first (Leeuwenberg et al. 2016)."""
        neighbours = self.similar_by_word(wa, topn)
        if not neighbours:
            raise InputError(f"relative_cosine_similarity needs a neighbour of {wa!r}: topn is {topn}")
        return float(self.similarity(wa, wb)) / float(sum(cosine for _, cosine in neighbours))

    def wmdistance(self, document1: Sequence[Key], document2: Sequence[Key], norm: bool = True) -> float:
        """The Word Mover's distance of two documents (Kusner et al. 2015), which needs the package POT.

        Unknown words are left out; where that leaves a document without words, the distance is infinite.
        """
        known1, known2 = ([key for key in document if key in self] for document in (document1, document2))
        if not (known1 and known2):
            logger.warning("wmdistance: a document has no known words")
            return float("inf")
        words = list(dict.fromkeys([*known1, *known2]))
        vectors = np.array([self.get_vector(word, norm=norm) for word in words], np.float64)
        return transport_cost([words.index(word) for word in known1], [words.index(word) for word in known2], vectors)

    def evaluate_word_analogies(
        self,
        analogies: PathLike,
        restrict_vocab: int = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """`Vectors.evaluate_word_analogies`, always by `most_similar`: gensim too ignores another function."""
        if similarity_function != "most_similar":
            warnings.warn("similarity_function has no effect: analogies are solved by most_similar", stacklevel=2)
        return self.current.evaluate_word_analogies(analogies, restrict_vocab, case_insensitive, dummy4unknown)

    def init_sims(self, replace: bool = False) -> None:
        """What `fill_norms` and, with `replace`, `unit_normalize_all` were called before gensim 4."""
        advice = "call unit_normalize_all() instead" if replace else "leave it out, lengths are computed when needed"
        warnings.warn(f"init_sims is deprecated: {advice}", DeprecationWarning, stacklevel=2)
        if replace:
            self.unit_normalize_all()

    def vectors_for_all(
        self, keys: Iterable[Key], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> "KeyedVectors":
        """New KeyedVectors of the known ones of these keys, each once; `allow_inference` has no effect here.

        copy_vecattrs: take the attributes along; otherwise the counts fall from n to 1.
        """
        known = [key for key in dict.fromkeys(keys) if key in self]
        rows = [self.get_index(key) for key in known]
        chosen = KeyedVectors.of(known, self.vectors[rows], np.arange(len(rows), 0, -1))
        if copy_vecattrs:
            chosen.expandos = {name: values[rows] for name, values in self.expandos.items()}
        return chosen

    def save(self, fname: PathLike, **options: Any) -> None:
        """Write a native file, whatever its name; gensim's options for pickles have no effect.

        Vectors are written as float32. Attributes must be numbers or str. Raises InputError, RunError.
        """
        storage.check_options(options)
        storage.save(fname, self.stored())

    def stored(self) -> Stored:
        """What a file keeps of these vectors."""
        expandos = {name: values for name, values in self.expandos.items() if name not in DERIVED}
        lock = getattr(self, "vectors_lockf", None)
        if lock is not None and (np.asarray(lock) == 0).any():
            expandos["vectors_lockf"] = np.broadcast_to(lock, len(self)).copy()
        return Stored(self.index_to_key, self.vectors, expandos)

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The vectors that a file has kept."""
        keyed = cls.of(stored.keys, stored.vectors)
        keyed.expandos = dict(stored.expandos)
        if "vectors_lockf" in keyed.expandos:
            keyed.vectors_lockf = keyed.expandos.pop("vectors_lockf")
        return keyed

    @classmethod
    def load(cls, fname: PathLike, mmap: str | None = None) -> Self:
        """Read what `save` has written, or the vectors of a `Word2Vec`. mmap: "r" maps them, read-only.

        What gensim has saved is read too, whole, as far as it is plain data; nothing in it is executed. Raises
        InputError.
        """
        return cls.restored(storage.load(fname, mmap))

    def save_word2vec_format(
        self,
        fname: PathLike,
        fvocab: PathLike | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write word2vec's format, or GloVe's without a header, the keys by falling `sort_attr`, if they have it.

        fvocab: a file for lines `word count`. prefix: begins each word in the files. Raises as `Vectors.save` does, and
        for `append` and a `total_vec` that is not the number of keys: a file is written whole.
        """
        if append or total_vec not in (None, len(self)):
            raise InputError("a file is written whole: append, and total_vec for a longer file, are not supported")
        values = self.expandos.get(sort_attr)
        order = np.arange(len(self)) if values is None else np.argsort(-values, kind="stable")
        content = ModelFile(
            words=[f"{prefix}{self.index_to_key[row]}" for row in order],
            vectors=as_float32(self.vectors[order]),
            counts=None if values is None else values[order],
        )
        kind = "binary" if binary else "text" if write_header else "glove"
        word2vec_format.save(fname, content, kind, fvocab)

    @classmethod
    def load_word2vec_format(
        cls,
        fname: PathLike,
        fvocab: PathLike | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: DTypeLike = np.float32,
        no_header: bool = False,
    ) -> Self:
        """Read a file of word2vec, gensim or GloVe, gzipped or not; at most `limit` words, as numbers of `datatype`.

        fvocab: a file of lines `word count`; without one the counts fall from n to 1. Raises InputError, or CutOff,
        which is an EOFError, or UnicodeDecodeError.
        """
        if binary and no_header:
            raise NotImplementedError("word2vec's binary format always has a header")
        how = word2vec_format.Reading(bool(binary), encoding, unicode_errors, limit or None)
        content = word2vec_format.load(fname, how)
        counts = np.arange(len(content.words), 0, -1)
        if fvocab is not None:
            counts = word2vec_format.counts_of(fvocab, content.words, how)
        return cls.of(content.words, content.vectors.astype(datatype, copy=False), counts)

    def intersect_word2vec_format(
        self,
        fname: PathLike,
        lockf: float = 0.0,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
    ) -> None:
        """Give the keys that a file has the vectors of the file, and set their `vectors_lockf`."""
        content = word2vec_format.load(fname, word2vec_format.Reading(binary, encoding, unicode_errors))
        if (dim := content.vectors.shape[1]) != self.vector_size:
            raise InputError(f"{fname} has vectors of {dim} numbers: these have {self.vector_size}")
        common = [(self.key_to_index[word], row) for row, word in enumerate(content.words) if word in self.key_to_index]
        rows, places = np.array(common, np.int64).reshape(-1, 2).T
        self.vectors[rows] = content.vectors[places]
        if len(getattr(self, "vectors_lockf", ())) != len(self):
            self.vectors_lockf = np.ones(len(self), np.float32)
        self.vectors_lockf[rows] = lockf
        self._current = None
        logger.info("%s: took %d of %d vectors", fname, len(rows), len(content.words))
