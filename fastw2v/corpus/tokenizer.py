"""Tokenizer: text to provisional ids, with counted words; and words, which are bytes to a tokenizer, as str."""

import threading

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.dictionary import UNKNOWN_ID, mark_invalid
from ..kernels.tokenize import MAX_TOKEN_BYTES, N_IDS, N_OVERLONG, POSITION, Tokens, find_tokens
from ..modelfile import MappedWords
from .pruning import WordCounts
from .words import WordCounter

TOKENS_AT_A_TIME = 1 << 12
"""The tokens that a part holds before they are looked up: all parts together fit into an L2 cache."""


class Tokenizer:
    """Turns blocks of text into provisional ids; several threads may do so at once.

    parts: the counters among which the words are divided by their hash, so that each word is held once and threads
    rarely wait for each other. The id of word i of counter p is p + i * n_parts. The grammar of tokens is in
    kernels/tokenize.py.
    """

    def __init__(self, n_parts: int = 1, n_words: int = 1 << 12) -> None:
        """n_parts: a power of two. n_words: the words for which each part has room at first, a power of two."""
        self.parts = [WordCounter(n_words) for _ in range(n_parts)]
        self.n_overlong = 0
        """The number of tokens dropped because they were longer than MAX_TOKEN_BYTES."""
        self._locks = [threading.Lock() for _ in self.parts]
        self._lock = threading.Lock()
        self._idle: list[_Room] = []

    @property
    def n_words(self) -> int:
        return sum(part.n_words for part in self.parts)

    @property
    def n_unknown(self) -> int:
        """The number of tokens dropped because they were not among the words to `learn`."""
        return sum(part.n_unknown for part in self.parts)

    def encode(self, text: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the ids of a block that ends between tokens; -1 where a line ends."""
        with self._lock:
            room = self._idle.pop() if self._idle else _Room(len(self.parts))
        state, ids = np.zeros(3, np.int64), room.ids(len(text) + 1)
        while state[POSITION] < len(text):
            find_tokens(text, state, room.tokens, ids)
            for part in room.next_parts():
                with self._locks[part]:
                    self.parts[part].look_up(text, room.tokens, part, ids)
        ids = ids[: state[N_IDS]]
        ids = ids.copy() if self.parts[0].may_grow else _without_unknown(ids)
        with self._lock:
            self.n_overlong += int(state[N_OVERLONG])
            self._idle.append(room)
        return ids

    def learn(self, words: list[str]) -> NDArray[np.int32]:
        """Add these words with counts of 0, and drop all others from now on; return the words' ids, (n,).

        Raises InputError.
        """
        ids = self.encode(np.array(bytearray("\n".join(words).encode() + b"\n")))
        ids = ids[ids >= 0]
        if len(ids) != len(words) or self.n_words != len(words):
            raise InputError(f"a word of the vocabulary holds a separator or more than {MAX_TOKEN_BYTES} bytes")
        for part in self.parts:
            part.counts[:] = 0
            part.may_grow = False
        return ids


class _Room:
    """The working memory of a thread, which is reused: to get fresh memory costs more than to fill it."""

    def __init__(self, n_parts: int) -> None:
        shape = n_parts, TOKENS_AT_A_TIME
        spans, hashes, places = np.empty(shape, np.int64), np.empty(shape, np.uint64), np.empty(shape, np.int32)
        self.tokens = Tokens(np.zeros(n_parts, np.int64), spans, hashes, places)
        self._ids = np.empty(0, np.int32)
        self._first = 0

    def ids(self, n: int) -> NDArray[np.int32]:
        if len(self._ids) < n:
            self._ids = np.empty(n, np.int32)
        return self._ids

    def next_parts(self) -> list[int]:
        """Return the parts in an order that begins with another one each time."""
        n_parts = len(self.tokens.n)
        self._first = (self._first + n_parts // 2 + 1) % n_parts
        return [*range(self._first, n_parts), *range(self._first)]


def _without_unknown(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the ids of known words, and of the ends of sentences, none of which follows another."""
    ids = ids[ids != UNKNOWN_ID]
    return ids[(ids >= 0) | (np.append(0, ids[:-1]) >= 0)]


def count_words(parts: list[WordCounter], invalid_utf8: str) -> WordCounts:
    """Return the words of the counters of a tokenizer, which are removed from the list to free their memory.

    Raises InputError if `invalid_utf8` refuses some of them.
    """
    n_parts, n_words = len(parts), [part.n_words for part in parts]
    texts, ends, counts = [], [], []
    n_bytes = 0
    while parts:
        part = parts.pop(0)
        texts.append(part.text)
        ends.append(part.ends + n_bytes)
        counts.append(part.counts.copy())
        n_bytes += len(part.text)
    text, end_of_word, count_of_word = np.concatenate(texts), np.concatenate(ends), np.concatenate(counts)
    texts.clear()
    words, place_of_word, n_invalid = _as_text(text, end_of_word, count_of_word, invalid_utf8)
    word_of_id = np.zeros(n_parts * max(n_words), np.int32)
    first = 0
    for part_number, n in enumerate(n_words):
        word_of_id[part_number::n_parts][:n] = place_of_word[first : first + n]
        first += n
    counts_of_places = np.zeros(len(words), np.int64)
    np.add.at(counts_of_places, place_of_word, count_of_word)
    return WordCounts(words, counts_of_places, word_of_id, n_invalid)


def _as_text(
    text: NDArray[np.uint8], ends: NDArray[np.int64], counts: NDArray[np.int64], invalid_utf8: str
) -> tuple[MappedWords, NDArray[np.int32], int]:
    """Return the distinct words as str, the place of each given word in them, and the number of invalid tokens."""
    is_invalid = np.empty(len(ends), np.bool_)
    mark_invalid(text, ends, is_invalid)
    invalid = np.flatnonzero(is_invalid)
    if not len(invalid):
        return MappedWords(text, ends), np.arange(len(ends), dtype=np.int32), 0
    n_invalid = int(counts[invalid].sum())
    starts = np.append(0, ends[:-1])
    raw = [text[starts[i] : ends[i] - 1].tobytes() for i in invalid.tolist()]
    if invalid_utf8 == "refuse":
        raise InputError(
            f"{n_invalid:,} tokens of the corpus are not UTF-8, such as {min(raw)!r}: convert the text "
            "(iconv -t UTF-8), or give --invalid-utf8 replace or keep"
        )
    is_replaced = invalid_utf8 == "replace"
    valid = text[np.repeat(~is_invalid, ends - starts)]
    valid_ends = np.cumsum((ends - starts)[~is_invalid])
    # Words may become equal when their invalid bytes are replaced: to each other, or to a word that looks so by itself.
    place_of = _words_with("\ufffd" if is_replaced else "\\x", valid, valid_ends)
    places = np.cumsum(~is_invalid, dtype=np.int32) - np.int32(1)
    new: list[bytes] = []
    for i, word in zip(invalid.tolist(), raw, strict=True):
        shown = word.decode(errors="replace" if is_replaced else "backslashreplace").encode()
        if shown not in place_of:
            place_of[shown] = len(valid_ends) + len(new)
            new.append(shown + b"\n")
        places[i] = place_of[shown]
    more = np.frombuffer(b"".join(new), np.uint8)
    ends_of_new = np.cumsum([len(word) for word in new], dtype=np.int64) + len(valid)
    words = MappedWords(np.append(valid, more), np.append(valid_ends, ends_of_new))
    return words, places, n_invalid


def _words_with(part: str, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> dict[bytes, int]:
    """Return the words that hold a part, and their places."""
    data, searched = text.tobytes(), part.encode()
    found: dict[bytes, int] = {}
    at = data.find(searched)
    while at >= 0:
        place = int(np.searchsorted(ends, at, "right"))
        end = int(ends[place])
        found[data[ends[place - 1] if place else 0 : end - 1]] = place
        at = data.find(searched, end)
    return found
