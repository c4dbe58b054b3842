"""Tokenizer: text to provisional ids, with counted words; and words, which are bytes to a tokenizer, as str."""

import re
import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.dictionary import UNKNOWN_ID, mark_invalid
from ..kernels.tokenize import MAX_TOKEN_BYTES, MAX_WORD_BYTES, N_IDS, N_OVERLONG, POSITION, Tokens, find_tokens
from ..modelfile import MappedWords
from .advice import LEAST_SHARE, advice_on, how_to_convert
from .pruning import WordCounts
from .words import WordCounter

TOKENS_AT_A_TIME = 1 << 12
"""The tokens that a part holds before they are looked up: all parts together fit into an L2 cache."""

MOST_INVALID = 0.5
"""The largest share of tokens whose bytes may not be UTF-8 if those are replaced: else hardly a word would be left."""

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
"""The separators of tokens that are no white space to Python."""


def problem_of(word: str) -> str:
    """Return why no token of a text can become this word, which the answer names, or ""."""
    if (n_bytes := len(word.encode())) > MAX_WORD_BYTES:
        return f"the word {word[:40]!r}... has {n_bytes:,} bytes: words of a text have up to {MAX_WORD_BYTES:,}"
    if _CONTROL.search(word) or word.split() != [word]:
        return f"the word {word[:40]!r} is empty or holds white space or a control character, which separate words"
    return ""


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

    def encode(self, text: NDArray[np.uint8], most_bytes: int = MAX_TOKEN_BYTES) -> NDArray[np.int32]:
        """Return the ids of a block that ends between tokens; -1 where a line ends. Longer tokens are dropped."""
        with self._lock:
            room = self._idle.pop() if self._idle else _Room(len(self.parts))
        state, ids = np.zeros(3, np.int64), room.ids(len(text) + 1)
        while state[POSITION] < len(text):
            find_tokens(text, state, room.tokens, ids, most_bytes)
            for part in self._free_first(room.next_parts()):
                try:
                    self.parts[part].look_up(text, room.tokens, part, ids)
                finally:
                    self._locks[part].release()
        ids = ids[: state[N_IDS]]
        ids = ids.copy() if self.parts[0].may_grow else _without_unknown(ids)
        with self._lock:
            self.n_overlong += int(state[N_OVERLONG])
            self._idle.append(room)
        return ids

    def _free_first(self, parts: list[int]) -> Iterator[int]:
        """Yield each part once its lock is acquired, those that no other thread holds first."""
        waiting = []
        for part in parts:
            if self._locks[part].acquire(blocking=False):
                yield part
            else:
                waiting.append(part)
        for part in waiting:
            self._locks[part].acquire()
            yield part

    def learn(self, words: list[str]) -> NDArray[np.int32]:
        """Add these words with counts of 0, and drop all others from now on; return the words' ids, (n,).

        Raises InputError.
        """
        text = "\n".join(words) + "\n"
        ids = self.encode(np.array(bytearray(text.encode())), MAX_WORD_BYTES)
        ids = ids[ids >= 0]
        if text.split() != words or _CONTROL.search(text) or self.n_overlong or self.n_words != len(words):
            raise InputError(
                f"the vocabulary cannot be used: {next(filter(None, map(problem_of, words)), 'a word is repeated')}; "
                "correct or remove it"
            )
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
    n_words = np.array([part.n_words for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    texts, lengths = [], []
    invalid: dict[int, bytes] = {}
    first = 0
    while parts:
        part = parts.pop(0)
        pieces, length_of_word, invalid_of_part = _without_invalid(part.text, part.ends)
        texts += pieces
        lengths.append(length_of_word)
        invalid |= {first + i: word for i, word in invalid_of_part.items()}
        first += part.n_words
    n_invalid = int(counts[list(invalid)].sum())
    advice = f"convert the text ({how_to_convert(invalid.values())})"
    example = f"such as {min(invalid.values(), default=b'')!r}"
    if invalid and invalid_utf8 == "refuse":
        raise InputError(
            f"{n_invalid:,} tokens of the corpus are not UTF-8, {example}: {advice}, or give --invalid-utf8 replace or "
            "keep"
        )
    n_tokens = int(counts.sum())
    if invalid_utf8 == "replace" and n_invalid > MOST_INVALID * n_tokens:
        raise InputError(
            f"{n_invalid:,} of {n_tokens:,} tokens of the corpus are not UTF-8, {example}: it is not text, or text in "
            f"another encoding; {advice}, or give --invalid-utf8 keep"
        )
    words, place_of_word = _as_text(texts, np.concatenate(lengths), invalid, invalid_utf8 == "replace")
    word_of_id = np.zeros(len(n_words) * n_words.max(), np.int32)
    for number, places in enumerate(np.split(place_of_word, np.cumsum(n_words)[:-1])):
        word_of_id[number :: len(n_words)][: len(places)] = places
    counts_of_places = np.zeros(len(words), np.int64)
    np.add.at(counts_of_places, place_of_word, counts)
    is_encoded_otherwise = n_invalid >= LEAST_SHARE * n_tokens > 0
    on_text = [f"{n_invalid / n_tokens:.0%} of the words are not UTF-8: {advice}"] if is_encoded_otherwise else []
    on_text += advice_on(words, counts_of_places)
    return WordCounts(words, counts_of_places, word_of_id, n_invalid, tuple(on_text))


def _without_invalid(
    text: NDArray[np.uint8], ends: NDArray[np.int64]
) -> tuple[list[NDArray[np.uint8]], NDArray[np.int64], dict[int, bytes]]:
    """Return the text in pieces between words that are not UTF-8, the lengths of all words, and the invalid ones.

    A word's length counts its newline. An invalid word has none, and is given as bytes by its number.
    """
    is_invalid = np.empty(len(ends), np.bool_)
    mark_invalid(text, ends, is_invalid)
    lengths = np.diff(ends, prepend=0)
    pieces, invalid, start = [], {}, 0
    for i in np.flatnonzero(is_invalid).tolist():
        end = int(ends[i])
        first = end - int(lengths[i])
        pieces.append(text[start:first])
        invalid[i] = text[first : end - 1].tobytes()
        start = end
    lengths[is_invalid] = 0
    return [*pieces, text[start:]], lengths, invalid


def _as_text(
    texts: list[NDArray[np.uint8]], lengths: NDArray[np.int64], invalid: dict[int, bytes], is_replaced: bool
) -> tuple[MappedWords, NDArray[np.int32]]:
    """Return the distinct words as str, and the place of each word in them, (len(lengths),).

    texts, lengths, invalid: as from `_without_invalid`. is_replaced: whether bad bytes become U+FFFD, or else \\xNN.
    """
    errors = "replace" if is_replaced else "backslashreplace"
    shown = [word.decode(errors=errors).encode() for word in invalid.values()]
    room = np.empty(sum(len(word) + 1 for word in shown), np.uint8)
    text = np.concatenate([*texts, room])
    n_bytes = len(text) - len(room)
    is_valid = lengths > 0
    lengths = lengths[is_valid]
    places = np.cumsum(is_valid, dtype=np.int32) - np.int32(1)
    # Words may become equal when their invalid bytes are replaced: to each other, or to a word that looks so by itself.
    place_of = _words_with("\ufffd" if is_replaced else "\\x", text[:n_bytes], np.cumsum(lengths)) if invalid else {}
    new: list[bytes] = []
    for i, word in zip(invalid, shown, strict=True):
        if word not in place_of:
            place_of[word] = len(lengths) + len(new)
            new.append(word + b"\n")
        places[i] = place_of[word]
    more = np.frombuffer(b"".join(new), np.uint8)
    text[n_bytes : n_bytes + len(more)] = more
    ends = np.cumsum(np.append(lengths, np.array([len(word) for word in new], np.int64)))
    return MappedWords(text[: n_bytes + len(more)], ends), places


def _words_with(part: str, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> dict[bytes, int]:
    """Return the words that hold a part, and their places."""
    found: dict[bytes, int] = {}
    for match in re.finditer(re.escape(part.encode()), text.data):
        place = int(np.searchsorted(ends, match.start(), "right"))
        start = ends[place - 1] if place else 0
        found[text[start : ends[place] - 1].tobytes()] = place
    return found
