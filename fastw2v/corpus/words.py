"""The words of tokenizers, which are bytes, as str."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .pruning import WordCounts
from .tokenizer import Tokenizer


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


class _LazyWords(Sequence[str]):
    """The words of a tokenizer, each made into a str only on demand: most words are too rare to be needed."""

    def __init__(self, tokenizer: Tokenizer, arena: bytes) -> None:
        self._arena = arena
        self._offsets = memoryview(tokenizer.offsets.data)  # its items are int, not NumPy's slow scalars

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        return self._arena[self._offsets[index] : self._offsets[index + 1] - 1].decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self._arena.decode().split("\n")[:-1])


def _as_text(tokenizer: Tokenizer, invalid_utf8: str) -> tuple[Sequence[str], NDArray[np.int32], int]:
    """Return the distinct words as str, the place of each of the tokenizer's there, and how many tokens are invalid."""
    arena = tokenizer.arena
    with contextlib.suppress(UnicodeDecodeError):
        arena.decode()
        return _LazyWords(tokenizer, arena), np.arange(tokenizer.n_words, dtype=np.int32), 0
    lines = arena.split(b"\n")[:-1]
    invalid = [i for i, line in enumerate(lines) if line.decode(errors="ignore").encode() != line]
    n_invalid = int(tokenizer.counts[invalid].sum())
    if invalid_utf8 == "refuse":
        raise InputError(
            f"{n_invalid} words of the corpus are not UTF-8, the first is {lines[invalid[0]]!r}: convert the text "
            "(iconv -t UTF-8), or give --invalid-utf8 replace or keep"
        )
    errors = "replace" if invalid_utf8 == "replace" else "backslashreplace"
    place_of: dict[str, int] = {}  # words may become equal when their invalid bytes are replaced
    places = [place_of.setdefault(line.decode(errors=errors), len(place_of)) for line in lines]
    return list(place_of), np.array(places, np.int32), n_invalid
