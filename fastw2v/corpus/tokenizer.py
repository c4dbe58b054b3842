"""A dictionary that grows, and text to ids with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels import tokenize as kernels
from ..kernels.tokenize import ARENA_USED, MAX_TOKEN_BYTES, N_IDS, N_OVERLONG, N_UNKNOWN, N_WORDS, POSITION, Dictionary

MAX_ID = 2**31 - 1


class Tokenizer:
    """Turns blocks of text into provisional ids: words in the order of their first sight.

    The id of word i is `first + i * step`: tokenizers that work side by side on parts of one text, `step` of them,
    give ids that do not meet. n_words, a power of two: room at the start. The grammar stands in kernels/tokenize.py.
    """

    def __init__(self, first: int = 0, step: int = 1, n_words: int = 1 << 15) -> None:
        self.first = first
        self.step = step
        self.may_grow = True
        self._ids = np.empty(0, np.int32)  # kept: fresh memory costs more than the words that fill it
        self._state = np.zeros(6, np.int64)
        self._words = Dictionary(
            np.zeros(2 * n_words, np.uint64), np.zeros(n_words + 1, np.int64), np.zeros(n_words, np.int64),
            np.zeros(2 * MAX_TOKEN_BYTES + 8 * n_words, np.uint8),
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        """To another process go the words and counts without the room between and around them."""
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
        """Tokens dropped because they were longer than MAX_TOKEN_BYTES."""
        return int(self._state[N_OVERLONG])

    @property
    def n_unknown(self) -> int:
        """Tokens dropped because they are not among the words to `learn`."""
        return int(self._state[N_UNKNOWN])

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each word came, (n_words,)."""
        return self._words.counts[: self.n_words]

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Word i is `arena[offsets[i] : offsets[i + 1] - 1]`, (n_words + 1,)."""
        return self._words.offsets[: self.n_words + 1]

    @property
    def arena(self) -> bytes:
        """All words, a newline behind each."""
        return self._words.arena[: self._state[ARENA_USED]].tobytes()

    def encode(self, text: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The ids of a block that ends between tokens; -1 where a line ends."""
        self._state[POSITION] = self._state[N_IDS] = 0
        if len(self._ids) <= len(text):
            self._ids = np.empty(len(text) + 1, np.int32)
        while not kernels.tokenize(text, self._words, self._state, self._ids, self.first, self.step, self.may_grow):
            self._grow(MAX_ID // self.step)
        return self._ids[: self._state[N_IDS]].copy()

    def learn(self, words: list[str]) -> None:
        """Know these words, in this order, and from now on no others; counts start at 0. Raises InputError."""
        self.encode(np.array(bytearray("\n".join(words).encode() + b"\n")))
        if self.n_words != len(words) or self.n_overlong:
            raise InputError(f"a word of the vocabulary holds a separator or more than {MAX_TOKEN_BYTES} bytes")
        self._words.counts[:] = 0
        self.may_grow = False

    def absorb(self, other: Tokenizer) -> NDArray[np.int32]:
        """Add the words and counts of `other`; return the place here of each of its words."""
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

    def add_overlong(self, n_tokens: int) -> None:
        """Count tokens that others dropped."""
        self._state[N_OVERLONG] += n_tokens

    def subset(self, places: NDArray[np.int64]) -> Tokenizer:
        """A dictionary of the words at these places, in their order, without counts."""
        arena, offsets = self.arena, self.offsets.tolist()
        made = Tokenizer()
        words = b"".join([arena[offsets[place] : offsets[place + 1]] for place in places.tolist()])
        made.encode(np.frombuffer(bytearray(words), np.uint8))
        return made

    def _grow(self, most_words: int) -> None:
        """Double what is more than half full, up to `most_words` words."""
        n_words, words = self.n_words, self._words
        n_room = len(words.counts)
        if 2 * n_words >= n_room:
            n_room = min(2 * n_room, most_words)
            if n_words >= n_room:
                raise InputError(f"more than {n_words} distinct words: ids are 32 bits. Is this text split into words?")
        n_more_bytes = len(words.arena) if 2 * self._state[ARENA_USED] > len(words.arena) else 0
        self._words = Dictionary(
            np.zeros(1 << (2 * n_room - 1).bit_length(), np.uint64),
            np.append(words.offsets, np.zeros(n_room - len(words.counts), np.int64)),
            np.append(words.counts, np.zeros(n_room - len(words.counts), np.int64)),
            np.append(words.arena, np.zeros(n_more_bytes, np.uint8)),
        )
        kernels.rehash(self._words, n_words)
