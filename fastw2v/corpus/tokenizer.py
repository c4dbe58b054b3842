"""Tokenizer: text to ids, with a dictionary that grows; and the words of tokenizers, which are bytes, as str."""

import contextlib
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels import tokenize as kernels
from ..kernels.tokenize import ARENA_USED, MAX_TOKEN_BYTES, N_IDS, N_OVERLONG, N_UNKNOWN, N_WORDS, POSITION, Dictionary
from ..modelfile import MappedWords
from .pruning import WordCounts

MAX_ID = 2**31 - 1


class Tokenizer:
    """A dictionary that turns blocks of text into provisional ids; words are numbered in the order they first occur.

    The id of word i is `first + i * step`: the ids of `step` tokenizers that share a text in parallel are distinct.
    n_words: the words to have room for at first, a power of two. The grammar of tokens is in kernels/tokenize.py.
    """

    def __init__(self, first: int = 0, step: int = 1, n_words: int = 1 << 15) -> None:
        self.first = first
        self.step = step
        self.may_grow = True
        self._ids = np.empty(0, np.int32)  # reused: to get fresh memory costs more than to fill it
        self._state = np.zeros(6, np.int64)
        table, offsets = np.zeros(2 * n_words, np.uint64), np.zeros(n_words + 1, np.int64)
        arena = np.zeros(2 * MAX_TOKEN_BYTES + 8 * n_words, np.uint8)
        self._words = Dictionary(table, offsets, np.zeros(n_words, np.int64), arena)

    def __getstate__(self) -> dict[str, Any]:
        """Return the words and counts without the room that is left, as they are sent to other processes."""
        words = Dictionary(np.zeros(0, np.uint64), self.offsets, self.counts, self._words.arena[: self.offsets[-1]])
        return {"first": self.first, "step": self.step, "may_grow": self.may_grow, "state": self._state, "words": words}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Tokenizer.__init__(self, state["first"], state["step"])
        self._absorb(Dictionary(*map(np.array, state["words"])))
        self._state[[N_OVERLONG, N_UNKNOWN]] = state["state"][[N_OVERLONG, N_UNKNOWN]]
        self.may_grow = state["may_grow"]

    def __sizeof__(self) -> int:
        return sum(part.nbytes for part in self._words) + self._ids.nbytes

    @property
    def n_words(self) -> int:
        return int(self._state[N_WORDS])

    @property
    def n_overlong(self) -> int:
        """The number of tokens dropped because they were longer than MAX_TOKEN_BYTES."""
        return int(self._state[N_OVERLONG])

    @property
    def n_unknown(self) -> int:
        """The number of tokens dropped because they were not among the words to `learn`."""
        return int(self._state[N_UNKNOWN])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each word occurred, (n_words,)."""
        return self._words.counts[: self.n_words]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """The bounds of the words, (n_words + 1,): word i is `arena[offsets[i] : offsets[i + 1] - 1]`."""
        return self._words.offsets[: self.n_words + 1]

    @property
    def arena(self) -> bytes:
        """All words, a newline after each."""
        return self._words.arena[: self._state[ARENA_USED]].tobytes()

    def encode(self, text: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the ids of a block that ends between tokens; -1 where a line ends."""
        self._state[POSITION] = self._state[N_IDS] = 0
        if len(self._ids) <= len(text):
            self._ids = np.empty(len(text) + 1, np.int32)
        while not kernels.tokenize(text, self._words, self._state, self._ids, self.first, self.step, self.may_grow):
            self._grow(MAX_ID // self.step)
        return self._ids[: self._state[N_IDS]].copy()

    def learn(self, words: list[str]) -> None:
        """Add these words, in this order, with counts of 0, and drop all others from now on. Raises InputError."""
        self.encode(np.array(bytearray("\n".join(words).encode() + b"\n")))
        if self.n_words != len(words) or self.n_overlong:
            raise InputError(f"a word of the vocabulary holds a separator or more than {MAX_TOKEN_BYTES} bytes")
        self._words.counts[:] = 0
        self.may_grow = False

    def absorb(self, other: Self) -> NDArray[np.int32]:
        """Add the words, counts and dropped tokens of `other`; return the number that each of its words has here."""
        self._state[[N_OVERLONG, N_UNKNOWN]] += other._state[[N_OVERLONG, N_UNKNOWN]]
        return self._absorb(other._words._replace(counts=other.counts))

    def _absorb(self, other: Dictionary) -> NDArray[np.int32]:
        n_words = len(other.counts)
        places = np.empty(n_words, np.int32)
        done = 0
        while True:
            done = kernels.merge(self._words, self._state, other, n_words, done, places)
            if done == n_words:
                return places
            self._grow(MAX_ID)

    def subset(self, places: NDArray[np.int64]) -> Self:
        """Return a tokenizer of the words of these numbers, in their order, each counted once."""
        arena, offsets = self.arena, self.offsets.tolist()
        subset = type(self)()
        words = b"".join([arena[offsets[place] : offsets[place + 1]] for place in places.tolist()])
        subset.encode(np.frombuffer(bytearray(words), np.uint8))
        return subset

    def _grow(self, most_words: int) -> None:
        """Double the room of what is more than half full, up to `most_words` words."""
        n_words, words = self.n_words, self._words
        n_room = len(words.counts)
        if 2 * n_words >= n_room:
            n_room = min(2 * n_room, most_words)
            if n_words >= n_room:
                raise InputError(f"more than {n_words} distinct words: ids are 32 bits. Is this text split into words?")
        n_more_bytes = len(words.arena) if 2 * self._state[ARENA_USED] > len(words.arena) else 0
        more_words, more_bytes = np.zeros(n_room - len(words.counts), np.int64), np.zeros(n_more_bytes, np.uint8)
        table = np.zeros(1 << (2 * n_room - 1).bit_length(), np.uint64)
        offsets, counts = np.append(words.offsets, more_words), np.append(words.counts, more_words)
        self._words = Dictionary(table, offsets, counts, np.append(words.arena, more_bytes))
        kernels.rehash(self._words, n_words)


def count_words(tokenizers: list[Tokenizer], invalid_utf8: str) -> WordCounts:
    """Let the first tokenizer absorb the others; return its words. Raises InputError if `invalid_utf8` refuses them."""
    first = tokenizers[0]
    places = [np.arange(first.n_words, dtype=np.int32)] + [first.absorb(other) for other in tokenizers[1:]]
    words, word_of_place, n_invalid = _as_text(first, invalid_utf8)
    word_of_id = np.zeros(len(tokenizers) * max(map(len, places)), np.int32)
    for tokenizer, place in zip(tokenizers, places, strict=True):
        word_of_id[tokenizer.first :: tokenizer.step][: len(place)] = word_of_place[place]
    counts = np.zeros(len(words), np.int64)
    np.add.at(counts, word_of_place, first.counts)
    return WordCounts(words, counts, word_of_id, n_invalid)


def _as_text(tokenizer: Tokenizer, invalid_utf8: str) -> tuple[Sequence[str], NDArray[np.int32], int]:
    """Return the distinct words as str, the place of each of the tokenizer's words in them, and the invalid tokens."""
    arena = tokenizer.arena
    with contextlib.suppress(UnicodeDecodeError):
        arena.decode()
        words = MappedWords(np.frombuffer(arena, np.uint8), tokenizer.offsets[1:])
        return words, np.arange(tokenizer.n_words, dtype=np.int32), 0
    lines = arena.split(b"\n")[:-1]
    invalid = [i for i, line in enumerate(lines) if line.decode(errors="ignore").encode() != line]
    n_invalid = int(tokenizer.counts[invalid].sum())
    if invalid_utf8 == "refuse":
        raise InputError(
            f"{n_invalid} tokens of the corpus are not UTF-8, the first is {lines[invalid[0]]!r}: convert the text "
            "(iconv -t UTF-8), or give --invalid-utf8 replace or keep"
        )
    errors = "replace" if invalid_utf8 == "replace" else "backslashreplace"
    place_of: dict[str, int] = {}  # words may become equal when their invalid bytes are replaced
    places = [place_of.setdefault(line.decode(errors=errors), len(place_of)) for line in lines]
    return list(place_of), np.array(places, np.int32), n_invalid
