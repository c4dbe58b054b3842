"""Corpora from Python: sentences as lists of words, lines of text, walks and other sequences of integers."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count, islice
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .corpus import Corpus
from .idfile import IDS_AT_A_TIME
from .pruning import DEFAULT_PRUNING, Pruning
from .source import blocks_of_lines

Integers = NDArray[np.integer[Any]]
Walks = Integers | tuple[Integers, Integers] | Iterable[Sequence[int] | Integers]

ROWS_AT_A_TIME = 1 << 16
"""The number of walks, or rows of an Arrow column, that are converted at a time."""

MOST_LABEL = 1 << 24
"""Labels below this, or below four times their number, are looked up in an array; larger ones by binary search."""


def from_sentences(
    sentences: Iterable[Sequence[str]], pruning: Pruning = DEFAULT_PRUNING, temp_dir: str | None = None
) -> Corpus:
    """Read lists of words from any iterable, once. Raises InputError for a sentence that is a str."""
    id_of: defaultdict[str, int] = defaultdict(count().__next__)

    def words() -> list[str]:
        for wrong in (word for word in id_of if not isinstance(word, str)):
            raise InputError(
                f"the sentences hold {wrong!r}, of type {type(wrong).__name__}: words are str. Convert them "
                "([str(item) for item in sentence]), or give arrays of integers as walks"
            )
        return list(id_of)

    pieces = ids_of_sentences(iterated(sentences, "sentences"), id_of)
    return Corpus.from_ids(pieces, words, pruning, temp_dir)


def ids_of_sentences(sentences: Iterator[Sequence[str]], id_of: dict[str, int]) -> Iterator[NDArray[np.int32]]:
    """Yield the ids of the sentences in pieces, -1 after each sentence. id_of: a dict that numbers new words."""
    ids = array("i")
    to_id = id_of.__getitem__
    for number, sentence in enumerate(sentences, 1):
        if isinstance(sentence, (str, bytes)):
            raise InputError(
                f"sentence {number} is the string {sentence[:40]!r}, not a list of words: split it "
                "([line.split() for line in lines]), or give the strings as lines"
            )
        try:
            ids.extend(map(to_id, sentence))
        except TypeError as error:
            kind = type(sentence).__name__
            raise InputError(f"sentence {number} is of type {kind}: it must be a list of words") from error
        ids.append(-1)
        if len(ids) >= IDS_AT_A_TIME:
            yield np.frombuffer(ids, np.int32)
            ids = array("i")
    yield np.frombuffer(ids, np.int32) if ids else np.empty(0, np.int32)


def from_lines(lines: Iterable[str], pruning: Pruning = DEFAULT_PRUNING, **options: Any) -> Corpus:
    """Read strings of words between white space from any iterable, with the options of ReadOptions.

    Raises InputError for what is not a str.
    """
    return Corpus.from_blocks(blocks_of_lines(iterated(lines, "lines")), pruning, **options)


def iterated(items: Any, what: str) -> Iterator[Any]:
    """Return an iterator over a list, a column, the groups of a `groupby`, or another iterable. Raises InputError."""
    if isinstance(items, (str, bytes)):
        raise InputError(f"{what} is the string {items[:40]!r}: give a list or another iterable; name files as corpus")
    if hasattr(items, "get_group"):  # a groupby of pandas, whose items are (key, group)
        if getattr(items, "ndim", 1) == 2:
            raise InputError(f"{what} is a groupby of tables: choose a column, as in groupby('customer')['item']")
        return (group for _, group in items)
    if hasattr(items, "to_list"):  # a column of pandas or Polars, whose lists are faster
        items = items.to_list()
    if hasattr(items, "to_pylist"):  # the items of an Arrow column are Arrow's own objects, not str
        pieces = (items.slice(first, ROWS_AT_A_TIME).to_pylist() for first in range(0, len(items), ROWS_AT_A_TIME))
        return chain.from_iterable(pieces)
    if hasattr(items, "columns"):
        raise InputError(f"{what} is a table: give one of its columns, as in lines=table['text']")
    try:
        return iter(items)
    except TypeError as error:
        raise InputError(f"{what} is of type {type(items).__name__}: it must be a list or another iterable") from error


def from_walks(walks: Walks, pruning: Pruning = DEFAULT_PRUNING, temp_dir: str | None = None) -> Corpus:
    """Read sequences of integers, such as nodes of a graph or items of a basket. The words are their decimals.

    walks: (n, length) integers; or (labels, offsets), where walk i is labels[offsets[i] : offsets[i + 1]]; or a list,
    another iterable or a Series of sequences of integers, of any lengths. Any negative number is padding, -1 as well
    as -100: it is not a word, and what stands before it and behind it are two walks. Raises InputError.
    """
    labels, offsets = _checked(walks)
    largest = int(labels.max()) if labels.size else -1
    if largest < 0:
        raise InputError("the walks are empty or hold only negative numbers, which are padding: labels are 0 or more")
    if largest < max(MOST_LABEL, 4 * labels.size):
        occurs = np.zeros(largest + 1, bool)
        for piece in _closed_pieces(labels, offsets):
            occurs[piece[piece >= 0]] = True
        distinct = np.flatnonzero(occurs)
        id_of_label = np.cumsum(occurs, dtype=np.int32) - 1
    else:
        distinct = np.unique(labels[labels >= 0]).astype(np.int64)  # with uint64, NumPy would compare as floats
        id_of_label = None

    def ids_of(piece: NDArray[np.int64]) -> NDArray[np.int32]:
        ids = np.searchsorted(distinct, piece) if id_of_label is None else id_of_label[piece]
        return np.where(piece >= 0, ids, -1).astype(np.int32)

    words = [str(label) for label in distinct.tolist()]
    return Corpus.from_ids(map(ids_of, _closed_pieces(labels, offsets)), words, pruning, temp_dir)


def _flat(walks: Iterable[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ragged walks as (labels, offsets)."""
    pieces, lengths = [np.empty(0, np.int64)], [0]
    rows = iterated(walks, "walks")
    while some := list(islice(rows, ROWS_AT_A_TIME)):
        try:
            lengths += map(len, some)
            labels = np.array(list(chain.from_iterable(some))) if any(map(len, some)) else pieces[0]
        except (TypeError, ValueError) as error:
            raise InputError(f"the walks hold something that is not a sequence of integers: {error}") from error
        if labels.dtype.kind not in "iu":
            wrong = next(item for row in some for item in row if not isinstance(item, Integral))
            raise InputError(
                f"the walks hold {wrong!r}, of type {type(wrong).__name__}: labels must be integers; for words give "
                "sentences"
            )
        pieces.append(labels.astype(np.int64))
    return np.concatenate(pieces), np.cumsum(lengths if len(lengths) > 1 else [0, 0])


def _checked(walks: Walks) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Return labels, (n, length), and None; or labels, (n,), and the offsets of the walks in them."""
    if not isinstance(walks, tuple | np.ndarray):
        walks = _flat(walks)
    try:
        labels, offsets = map(np.asanyarray, walks) if isinstance(walks, tuple) else (walks, None)
    except ValueError as error:  # not two, or not arrays
        raise InputError(f"walks are a tuple that is not (labels, offsets): {error}") from error
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1 + (offsets is None):
        kind = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise InputError(
            f"walks are {kind}: they must be integers of shape (n, length), or (labels, offsets), both flat"
        )
    if labels.size and labels.max() > np.iinfo(np.int64).max:
        raise InputError(f"the walks hold {labels.max()}: the largest label is {np.iinfo(np.int64).max}")
    if np.ma.is_masked(labels):
        raise InputError("the walks are a masked array: give it with its padding as -1, as in walks.filled(-1)")
    if offsets is None:
        return labels, None
    if offsets.dtype.kind == "u":
        offsets = offsets.astype(np.int64)  # else the differences of falling offsets would wrap around
    is_rising = offsets.ndim == 1 and offsets.dtype.kind in "iu" and len(offsets) > 1 and (np.diff(offsets) >= 0).all()
    if not is_rising or offsets[0] != 0 or offsets[-1] != len(labels):
        raise InputError(
            f"the offsets, {offsets.dtype} {offsets.shape}, do not divide {len(labels)} labels: they must be integers "
            f"that never fall, from 0 to {len(labels)}"
        )
    return labels, offsets.astype(np.int64)


def _closed_pieces(labels: NDArray[Any], offsets: NDArray[np.int64] | None) -> Iterator[NDArray[np.int64]]:
    """Yield the labels in pieces of whole walks, -1 after each walk and for all padding."""
    if offsets is None:
        n, length = labels.shape
        n_rows = max(1, IDS_AT_A_TIME // (length + 1))
        for first in range(0, n, n_rows):
            rows = labels[first : first + n_rows]
            piece = np.full((len(rows), length + 1), -1, np.int64)
            piece[:, :-1] = rows
            yield np.maximum(piece, -1, out=piece).ravel()
        return
    for first in range(0, len(offsets) - 1, ROWS_AT_A_TIME):
        ends = offsets[first : first + ROWS_AT_A_TIME + 1]
        part = labels[ends[0] : ends[-1]]
        piece = np.full(len(part) + len(ends) - 1, -1, np.int64)
        piece[np.arange(len(part)) + np.repeat(np.arange(len(ends) - 1), np.diff(ends))] = part
        yield np.maximum(piece, -1, out=piece)
