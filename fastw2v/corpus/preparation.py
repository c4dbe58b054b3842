"""Text preparation: which characters are letters, digits and punctuation, and what becomes of them."""

import string
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.preparation import (
    DIGIT,
    DROP,
    JOINER,
    KEEP,
    LETTER,
    N_CODES,
    OTHER,
    POINT,
    PUNCTUATION,
    ROOM_PER_BYTE,
    RUN,
    SEPARATOR,
    ZERO,
    prepare,
)

JOINERS = "'\u2019\u05f3\u05f4-\u2010\u2011\u05be\u00b7_"
"""What stays inside a word: apostrophes, hyphens, their Hebrew forms, Catalan's middle dot, and `_`, which joins
the words of a phrase."""

POINTS = ".,"
"""What stays between digits."""

DIGITS = {"keep": KEEP, "zero": ZERO, "drop": DROP}


@dataclass(frozen=True)
class Preparation:
    """What is done to text before it is cut into words.

    lower: make all letters lower case, each by itself as Unicode says; a sigma at the end of a word becomes its final
    form, and a dotted capital I an i. strip_punctuation: remove punctuation, the signs of mathematics and currencies,
    which separate words as spaces do; apostrophes and hyphens inside a word, and . and , between digits stay. digits:
    `keep` them, write each as 0 (`zero`), or `drop` words with digits and without letters.
    """

    lower: bool = False
    strip_punctuation: bool = False
    digits: str = "keep"

    def apply(self, text: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a text, uint8, which ends between tokens, as it is prepared."""
        if self == UNCHANGED:
            return text
        prepared = np.empty(int(ROOM_PER_BYTE * len(text)) + RUN, np.uint8)
        tables = _tables(self.lower, self.strip_punctuation)
        return prepared[: prepare(text, *tables, DIGITS[self.digits], self.lower, prepared)]


UNCHANGED = Preparation()
"""The preparation that leaves text as it is."""


class _Tables(NamedTuple):
    """For each code point its kind, (N_CODES,) uint8, and what it becomes, (N_CODES,) int32."""

    kinds: NDArray[np.uint8]
    lowers: NDArray[np.int32]


@cache
def _tables(lower: bool, strip_punctuation: bool) -> _Tables:
    characters = [chr(code) for code in range(N_CODES)]
    kinds = np.array([_kind(character) for character in characters], np.uint8)
    lowers = np.arange(N_CODES, dtype=np.int32)
    if not strip_punctuation:
        kinds[kinds == PUNCTUATION] = OTHER
        kinds[kinds >= JOINER] = OTHER
    if lower:
        changed = [(ord(character), character.lower()) for character in characters if character.lower() != character]
        lowers[[code for code, _ in changed]] = [ord(lowered[0]) for _, lowered in changed]
    return _Tables(kinds, lowers)


def _kind(character: str) -> int:
    if character in JOINERS:
        return JOINER
    if character in POINTS:
        return POINT
    if character <= " " or character == "\x7f" or (character.isspace() and character not in "\x1c\x1d\x1e\x1f"):
        return SEPARATOR
    category = unicodedata.category(character)
    if category == "Nd":
        return DIGIT
    if category[0] == "P" or category in ("Sm", "Sc") or character in string.punctuation:
        return PUNCTUATION
    return LETTER if category[0] in "LMC" or category == "Nl" else OTHER
