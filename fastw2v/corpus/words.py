"""Distinct words as bytes, numbered and counted in arrays that grow."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels import dictionary as kernels
from ..kernels.dictionary import N_BYTES, N_UNKNOWN, N_WORDS, Dictionary
from ..kernels.tokenize import LENGTH_BITS, MAX_WORD_BYTES, Tokens

MAX_ID = 2**31 - 1


class WordCounter:
    """Words, numbered in the order in which they first occur, and how often each occurred.

    n_words: the words to have room for at first, a power of two.
    """

    def __init__(self, n_words: int = 1 << 12) -> None:
        self.may_grow = True
        self._state = np.zeros(3, np.int64)
        text = np.zeros(2 * (MAX_WORD_BYTES + 1) + 8 * n_words, np.uint8)  # half of it has room for any word
        self._words = Dictionary(np.zeros(2 * n_words, np.uint64), np.zeros((n_words, 2), np.int64), text)

    @classmethod
    def of(cls, words: list[bytes]) -> Self:
        """Return a counter of distinct words, in this order, with counts of 0."""
        counter = cls()
        lengths = np.array([len(word) for word in words], np.int64)
        entries = np.zeros((len(words), 2), np.int64)
        entries[:, 0] = (np.cumsum(lengths + 1) - lengths - 1) << LENGTH_BITS | lengths
        text = np.frombuffer(bytearray(b"".join(word + b"\n" for word in words)), np.uint8)
        counter._absorb(Dictionary(counter._words.table, entries, text))
        return counter

    def __getstate__(self) -> dict[str, Any]:
        """Return the words and counts without the room that is left, as they are sent to other processes."""
        words = Dictionary(np.zeros(0, np.uint64), self._entries, self.text)
        return {"words": words, "n_unknown": self.n_unknown, "may_grow": self.may_grow}

    def __setstate__(self, state: dict[str, Any]) -> None:
        WordCounter.__init__(self)
        self._absorb(Dictionary(*map(np.array, state["words"])))
        self._state[N_UNKNOWN] = state["n_unknown"]
        self.may_grow = state["may_grow"]

    def __sizeof__(self) -> int:
        return sum(part.nbytes for part in self._words)

    @property
    def n_words(self) -> int:
        return int(self._state[N_WORDS])

    @property
    def n_unknown(self) -> int:
        """The number of tokens that were none of the words, while `may_grow` was False."""
        return int(self._state[N_UNKNOWN])

    @property
    def _entries(self) -> NDArray[np.int64]:
        return self._words.entries[: self.n_words]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How often each word occurred, (n_words,)."""
        return self._entries[:, 1]

    @property
    def ends(self) -> NDArray[np.int64]:
        """The place in `text` behind the newline of each word, (n_words,)."""
        places = self._entries[:, 0]
        return (places >> LENGTH_BITS) + (places & ((1 << LENGTH_BITS) - 1)) + 1

    @property
    def text(self) -> NDArray[np.uint8]:
        """All words, a newline after each."""
        return self._words.text[: self._state[N_BYTES]]

    def look_up(self, text: NDArray[np.uint8], tokens: Tokens, part: int, ids: NDArray[np.int32]) -> None:
        """Count the tokens of a part and write their ids; new words are added if `may_grow`."""
        n, most_words = int(tokens.n[part]), MAX_ID // len(tokens.n)
        self._repeat(
            lambda done: kernels.look_up(self._words, self._state, text, tokens, part, done, ids, self.may_grow),
            n,
            most_words,
        )

    def absorb(self, other: Self) -> NDArray[np.int32]:
        """Add the words and counts of `other`; return the number that each of its words has here, (n_words,)."""
        return self._absorb(other._words._replace(entries=other._entries))

    def subset(self, numbers: NDArray[np.int64]) -> Self:
        """Return a counter of the words of these numbers, in their order, with counts of 0."""
        text, ends = self.text.tobytes(), self.ends
        starts = np.append(0, ends[:-1])
        return self.of([text[starts[i] : ends[i] - 1] for i in numbers.tolist()])

    def _absorb(self, other: Dictionary) -> NDArray[np.int32]:
        n = len(other.entries)
        numbers = np.empty(n, np.int32)
        self._repeat(lambda done: kernels.merge(self._words, self._state, other, n, done, numbers), n, MAX_ID)
        return numbers

    def _repeat(self, work: Callable[[int], int], n: int, most_words: int) -> None:
        """Do work from 0 to n, which goes on where it stopped after each growth of the dictionary."""
        done = work(0)
        while done < n:
            self._grow(most_words)
            done = work(done)

    def _grow(self, most_words: int) -> None:
        """Double the room of what is more than half full, up to `most_words` words."""
        n_words, (table, entries, text) = self.n_words, self._words
        if 2 * n_words >= len(entries):
            n_room = min(2 * len(entries), most_words)
            if n_words >= n_room:
                raise InputError(
                    f"the text has more than {n_words:,} distinct words, the most allowed. Is it split into words?"
                )
            entries = _enlarged(entries, n_room)
            table = np.zeros(1 << (2 * n_room - 1).bit_length(), np.uint64)
            kernels.rehash(self._words.table, table)
        if 2 * self._state[N_BYTES] >= len(text):
            text = _enlarged(text, 2 * len(text))
        self._words = Dictionary(table, entries, text)


def _enlarged(array: NDArray[Any], n: int) -> NDArray[Any]:
    """Return a copy of an array with n rows; the content of the new ones is undefined."""
    larger = np.empty((n, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
