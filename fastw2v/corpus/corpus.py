"""Corpus: a vocabulary, and the text as ids in a memory-mapped file."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import queue
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RunError
from ..kernels.tokenize import renumber
from .paths import find_files
from .reading import Reading
from .source import read_blocks
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary

MAX_TOKENIZERS = 8
"""Each holds a vocabulary of its own while reading; eight together outrun any disk."""

PIECE = 1 << 20
"""Ids renumbered at a time by one thread: 4 MB."""


@dataclass(frozen=True)
class Corpus:
    """Text ready to train on.

    ids: (n,) int32, read only, memory-mapped; -1 ends a sentence. n_tokens: how many of them are words. checksum: the
    ids' CRC-32.
    The file behind `ids` has no name: it is gone when the last user is, however the process ends.
    """

    vocabulary: Vocabulary
    ids: NDArray[np.int32]
    n_tokens: int
    reading: Reading
    checksum: int = 0

    @classmethod
    def from_text(cls, corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], **options: Any) -> Corpus:
        """Read files, globs, directories or stdin (`-`) once. options: those of `from_blocks`.

        Raises InputError for what cannot be read.
        """
        return cls.from_blocks(read_blocks(find_files(corpus)), **options)

    @classmethod
    def from_blocks(
        cls,
        blocks: Iterable[tuple[int, NDArray[np.uint8]]],
        *,
        min_count: int = 5,
        max_vocab: int | None = None,
        vocabulary: Vocabulary | None = None,
        earlier: Vocabulary | None = None,
        least_words: int = 2,
        invalid_utf8: str = "replace",
        threads: int = 1,
        temp_dir: str | None = None,
        on_bytes: Callable[[int], object] = lambda n_bytes: None,
    ) -> Corpus:
        """Text from pairs of the bytes read for it and a block, uint8, that ends between tokens.

        Memory grows with the distinct words only. vocabulary: train on these words and counts instead of those found,
        whatever min_count. earlier: the vocabulary of an earlier run, to which the words and counts of the text are
        added. invalid_utf8: what to do with tokens that are not UTF-8: `replace` their bad bytes by U+FFFD, `keep` them
        as \\xNN, or `refuse`. temp_dir: where the ids go, 4 bytes a token. on_bytes is called with the bytes read so
        far. Raises InputError for what leaves fewer than `least_words` words.
        """
        n_tokenizers = min(threads, MAX_TOKENIZERS)
        tokenizers = [Tokenizer(first, n_tokenizers) for first in range(n_tokenizers)]
        if vocabulary is not None:
            vocabulary = given(vocabulary, max_vocab)
            for tokenizer in tokenizers:
                tokenizer.learn(vocabulary.words)
        with temporary_file(temp_dir) as spool, ThreadPoolExecutor(n_tokenizers) as pool:
            n_bytes = _encode(blocks, tokenizers, pool, spool, on_bytes)
            n_unknown = sum(tokenizer.n_unknown for tokenizer in tokenizers)
            n_overlong = sum(tokenizer.n_overlong for tokenizer in tokenizers)
            found = unite(tokenizers, invalid_utf8)
            tokenizers.clear()  # and their memory
            n_known = int(found.counts.sum())
            reading = Reading(n_bytes, n_known + n_unknown, len(found.words), n_overlong, n_unknown, found.n_invalid)
            return cls._pruned(found, reading, spool, pool, min_count, max_vocab, vocabulary, earlier, least_words)

    @classmethod
    def from_ids(
        cls,
        pieces: Iterable[NDArray[np.int32]],
        words: Sequence[str] | Callable[[], Sequence[str]],
        *,
        min_count: int = 5,
        max_vocab: int | None = None,
        vocabulary: Vocabulary | None = None,
        earlier: Vocabulary | None = None,
        least_words: int = 2,
        temp_dir: str | None = None,
    ) -> Corpus:
        """Sentences as ids of `words`, int32 with -1 behind each; `words` may be known only after the last piece.

        The options are as in `from_blocks`.
        """
        if vocabulary is not None:
            vocabulary = given(vocabulary, max_vocab)
        counts = np.zeros(0, np.int64)
        with temporary_file(temp_dir) as spool, ThreadPoolExecutor(1) as pool:
            for ids in pieces:
                more = np.bincount(ids[ids >= 0], minlength=len(counts))
                more[: len(counts)] += counts
                counts = more
                write_ids(spool, ids)
            names = words() if callable(words) else words
            counts = np.append(counts, np.zeros(len(names) - len(counts), np.int64))
            n_tokens, n_unknown = int(counts.sum()), 0
            if vocabulary is not None:  # number the words as the vocabulary does, others -1
                place_of = {word: place for place, word in enumerate(vocabulary.words)}
                numbers = np.array([place_of.get(word, -1) for word in names], np.int32)
                known = np.zeros(len(vocabulary), np.int64)
                np.add.at(known, numbers[numbers >= 0], counts[numbers >= 0])
                n_unknown = n_tokens - int(known.sum())
                found = Found(vocabulary.words, known, numbers, 0)
            else:
                found = Found(names, counts, np.arange(len(names), dtype=np.int32), 0)
            reading = Reading(0, n_tokens, len(names), 0, n_unknown, 0)
            return cls._pruned(found, reading, spool, pool, min_count, max_vocab, vocabulary, earlier, least_words)

    @classmethod
    def _pruned(
        cls,
        found: Found,
        reading: Reading,
        spool: BinaryIO,
        pool: ThreadPoolExecutor,
        min_count: int,
        max_vocab: int | None,
        vocabulary: Vocabulary | None,
        earlier: Vocabulary | None,
        least_words: int,
    ) -> Corpus:
        """Prune the words, or take those of `vocabulary`, which are those found, and number the text anew."""
        if vocabulary is None:
            vocabulary, numbers = prune(found, min_count, max_vocab, earlier, least_words)
        else:
            numbers = np.arange(len(vocabulary), dtype=np.int32)
        n_tokens = int(found.counts[numbers >= 0].sum())
        check_known(n_tokens)
        new_ids = np.where(found.word_of_id >= 0, numbers[found.word_of_id], -1).astype(np.int32)
        checksum = _renumber(spool, new_ids, pool)
        return cls(vocabulary, mapped(spool), n_tokens, reading, checksum)

    @property
    def n_ids(self) -> int:
        return len(self.ids)

    def let_go(self) -> None:
        """Give back the memory that holds pages of the file of ids; they come again when they are read."""
        memory = getattr(self.ids.base, "obj", None)  # behind NumPy's view of it
        if isinstance(memory, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            memory.madvise(mmap.MADV_DONTNEED)


def prune(
    found: Found, min_count: int, max_vocab: int | None, earlier: Vocabulary | None, least_words: int = 2
) -> tuple[Vocabulary, NDArray[np.int32]]:
    """The vocabulary, and the id in it of each word that was found, or -1. Raises InputError if that is too little."""
    numbers: NDArray[np.int32]
    if earlier is not None:
        vocabulary, numbers = earlier.extended(found.words, found.counts, min_count)
        if not (numbers >= 0).any():
            raise InputError(f"the corpus holds no word of the earlier run, and none {min_count} times")
        return vocabulary, numbers
    vocabulary, places = Vocabulary.from_counts(found.words, found.counts, min_count, max_vocab)
    _check_enough(found, vocabulary, min_count, least_words)
    numbers = np.full(len(found.words), -1).astype(np.int32)
    numbers[places] = np.arange(len(vocabulary), dtype=np.int32)
    return vocabulary, numbers


def check_known(n_tokens: int) -> None:
    """Raises InputError if there are no words to train on."""
    if n_tokens == 0:
        raise InputError("the corpus holds no word of the vocabulary that was given")


def given(vocabulary: Vocabulary, max_vocab: int | None) -> Vocabulary:
    """A vocabulary that was given, pruned. Raises InputError if too little is left."""
    vocabulary = vocabulary.pruned(0, max_vocab)
    if len(vocabulary) < 2:
        raise InputError(f"the vocabulary that was given has {len(vocabulary)} words: a context needs two")
    return vocabulary


@contextlib.contextmanager
def temporary_file(directory: str | None) -> Iterator[BinaryIO]:
    """A nameless file for ids; a full disk becomes advice."""
    try:
        directory = directory or tempfile.gettempdir()
        spool = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
    except OSError as error:
        raise InputError(
            f"cannot keep ids in {directory or 'a temporary directory'}: {error.strerror}. "
            "Name another directory with --temp-dir"
        ) from error
    with spool as file:
        try:
            yield file  # type: ignore[misc]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise RunError(
                f"no room left in {directory}, with {file.tell() / 1e6:.0f} MB of ids written: they take 4 bytes a "
                "word, about the size of the text. Name a roomier directory with --temp-dir"
            ) from error


def _encode(
    blocks: Iterable[tuple[int, NDArray[np.uint8]]], tokenizers: list[Tokenizer], pool: ThreadPoolExecutor,
    spool: BinaryIO, on_bytes: Callable[[int], object],
) -> int:  # fmt: skip
    """Append the provisional ids of the text to `spool`, in order; return the bytes of text."""
    idle: queue.SimpleQueue[Tokenizer] = queue.SimpleQueue()
    for tokenizer in tokenizers:
        idle.put(tokenizer)

    def encode(text: NDArray[np.uint8]) -> NDArray[np.int32]:
        tokenizer = idle.get()
        try:
            return tokenizer.encode(text)
        finally:
            idle.put(tokenizer)

    pending: deque[Future[NDArray[np.int32]]] = deque()
    n_bytes = 0
    for n_read, text in blocks:
        pending.append(pool.submit(encode, text))
        n_bytes += n_read
        if len(pending) > 2 * len(tokenizers):
            write_ids(spool, pending.popleft().result())
            on_bytes(n_bytes)
    while pending:
        write_ids(spool, pending.popleft().result())
    on_bytes(n_bytes)
    return n_bytes


def write_ids(file: BinaryIO, ids: NDArray[np.int32]) -> None:
    rest = ids.data.cast("B")
    while rest:
        rest = rest[file.write(rest) :]


@dataclass(frozen=True)
class Found:
    """All distinct words of the text, unsorted."""

    words: Sequence[str]
    counts: NDArray[np.int64]
    word_of_id: NDArray[np.int32]  # provisional id -> place in words, or -1
    n_invalid: int


def unite(tokenizers: list[Tokenizer], invalid_utf8: str) -> Found:
    """The words of all tokenizers as text, equal ones merged."""
    first = tokenizers[0]
    places = [np.arange(first.n_words, dtype=np.int32)] + [first.absorb(other) for other in tokenizers[1:]]
    words, word_of_place, n_invalid = _as_text(first, invalid_utf8)
    word_of_id = np.zeros(len(tokenizers) * max(map(len, places)), np.int32)
    for tokenizer, place in zip(tokenizers, places, strict=True):
        word_of_id[tokenizer.first :: tokenizer.step][: len(place)] = word_of_place[place]
    counts = np.zeros(len(words), np.int64)
    np.add.at(counts, word_of_place, first.counts)
    return Found(words, counts, word_of_id, n_invalid)


class _Words(Sequence[str]):
    """The words of a dictionary, made into str only when asked for: most are too rare to be."""

    def __init__(self, dictionary: Tokenizer, arena: bytes) -> None:
        self._arena = arena
        self._offsets = memoryview(dictionary.offsets.data)  # which gives int, not NumPy's slow scalars

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        return self._arena[self._offsets[index] : self._offsets[index + 1] - 1].decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arena.decode().split("\n")[:-1])


def _as_text(dictionary: Tokenizer, invalid_utf8: str) -> tuple[Sequence[str], NDArray[np.int32], int]:
    """The words as str, the place among them of each word of the dictionary, and the number of invalid tokens."""
    arena = dictionary.arena
    if _is_utf8(arena):
        return _Words(dictionary, arena), np.arange(dictionary.n_words, dtype=np.int32), 0
    lines = arena.split(b"\n")[:-1]
    invalid = [i for i, line in enumerate(lines) if not _is_utf8(line)]
    n_invalid = int(dictionary.counts[invalid].sum())
    if invalid_utf8 == "refuse":
        raise InputError(
            f"{n_invalid} words of the corpus are not UTF-8, the first is {lines[invalid[0]]!r}: convert the text "
            "(iconv -t UTF-8), or give --invalid-utf8 replace or keep"
        )
    errors = "replace" if invalid_utf8 == "replace" else "backslashreplace"
    place_of: dict[str, int] = {}
    places = [place_of.setdefault(line.decode(errors=errors), len(place_of)) for line in lines]
    return list(place_of), np.array(places, np.int32), n_invalid


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_enough(found: Found, kept: Vocabulary, min_count: int, least_words: int) -> None:
    if len(found.words) == 0:
        raise InputError("the corpus holds no words: it is empty or all white space")
    if len(kept) == 0:
        top = int(found.counts.argmax())
        raise InputError(
            f"no word of the corpus occurs min_count = {min_count} times: it has {found.counts.sum()} words, "
            f"{len(found.words)} distinct, the most frequent {found.words[top]!r} {found.counts[top]} times. "
            "Lower --min-count or give more text"
        )
    if len(kept) < least_words:
        raise InputError(
            f"the vocabulary is one word, {kept.words[0]!r}, of {len(found.words)} distinct ones found: a context "
            f"needs two. Lower --min-count ({min_count}) or give more text"
        )


def _renumber(spool: BinaryIO, new_ids: NDArray[np.int32], pool: ThreadPoolExecutor) -> int:
    """Rewrite the file from provisional to final ids, in place and in bounded memory; return their CRC-32."""
    n_read = n_written = checksum = 0
    n_ids = spool.seek(0, os.SEEK_END) // 4
    while n_read < n_ids:
        spool.seek(4 * n_read)
        stop = min(n_ids, n_read + MAX_TOKENIZERS * PIECE)
        pieces = [np.empty(min(PIECE, stop - first), np.int32) for first in range(n_read, stop, PIECE)]
        for piece in pieces:
            _read(spool, piece)
        n_read += sum(map(len, pieces))
        spool.seek(4 * n_written)
        for piece, n_left in zip(pieces, pool.map(lambda piece: renumber(piece, new_ids), pieces), strict=True):
            write_ids(spool, piece[:n_left])
            checksum = zlib.crc32(piece[:n_left].data, checksum)
            n_written += n_left
    spool.truncate(4 * n_written)
    return checksum


def _read(file: BinaryIO, ids: NDArray[np.int32]) -> None:
    rest = ids.data.cast("B")
    while rest:
        n_read = file.readinto(rest)  # type: ignore[attr-defined]
        if not n_read:
            raise RunError("the file of ids became shorter while it was read: was its directory cleaned?")
        rest = rest[n_read:]


def mapped(file: BinaryIO) -> NDArray[np.int32]:
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.int32)
