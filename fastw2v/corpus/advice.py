"""Advice on a text from a look at its most frequent words: punctuation, capitals, no spaces, another encoding."""

import re
import string
import unicodedata
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ..modelfile import MappedWords

WORDS_LOOKED_AT = 20_000
"""At most so many of the most frequent words, which make up most of any text. To look at them takes 20 ms."""

LEAST_SHARE = 0.02
"""The share of the tokens from which on punctuation, capitals or another encoding are worth a line."""

LEAST_UNSPACED_SHARE, LONGEST_MEAN = 0.1, 8.0
"""Text without spaces: at least this share of the tokens is in a script without them, and so long on average, in
characters, where words of these scripts have 2 to 5."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")

_SEGMENTERS = {
    "[\u3040-\u30ff]": ("Japanese", "sudachipy"),
    "[\u3400-\u4dbf\u4e00-\u9fff]": ("Chinese", "jieba"),
    "[\u0e00-\u0e7f]": ("Thai", "pythainlp"),
    "": ("Lao, Burmese or Khmer", "a segmenter for its language"),
}
"""What a text is in whose words a character like this is frequent, and what segments it."""


def advice_on(words: Sequence[str], counts: NDArray[np.int64]) -> list[str]:
    """Return what to say of a text with these words, sentences without full stops. counts: (len(words),) int64."""
    least = 1
    while np.count_nonzero(counts >= least) > WORDS_LOOKED_AT:  # to sort millions of words would take their memory
        least *= 2
    places = np.flatnonzero(counts >= least)
    places = places[np.argsort(-counts[places], kind="stable")]
    names = words.at(places) if isinstance(words, MappedWords) else [words[i] for i in places.tolist()]
    count_of = dict(zip(names, counts[places].tolist(), strict=True))
    if on_blanks := _on_blanks(count_of):
        return [on_blanks]
    return [text for text in (_on_punctuation(count_of), _on_capitals(count_of)) if text]


def _on_blanks(count_of: dict[str, int]) -> str:
    unspaced = {word: count for word, count in count_of.items() if _UNSPACED.search(word)}
    n_tokens = sum(unspaced.values())
    n_characters = sum(len(word) * count for word, count in unspaced.items())
    if n_tokens < LEAST_UNSPACED_SHARE * sum(count_of.values()) or n_characters <= LONGEST_MEAN * n_tokens:
        return ""

    def is_frequent(pattern: str) -> bool:
        return 4 * sum(count for word, count in unspaced.items() if re.search(pattern, word)) > n_tokens

    language, segmenter = next(names for pattern, names in _SEGMENTERS.items() if is_frequent(pattern))
    return f"the text seems to be {language}, without spaces between words: split it into words first, with {segmenter}"


def _on_punctuation(count_of: dict[str, int]) -> str:
    ending = {word: count for word, count in count_of.items() if _ends_in_punctuation(word)}
    twins = [word for word in ending if word.rstrip(string.punctuation) in count_of]
    words = [word for word in ending if word[0].isalpha()]
    return _advice(ending, [*twins, *words, *ending], count_of, "end in punctuation", "--strip-punctuation removes it")


def _ends_in_punctuation(word: str) -> bool:
    last = word[-1]
    is_punctuation = last in string.punctuation or (last > "\x7f" and unicodedata.category(last)[0] == "P")
    return is_punctuation and any(map(str.isalnum, word))


def _on_capitals(count_of: dict[str, int]) -> str:
    twins = {word: count for word, count in count_of.items() if word.lower() != word and word.lower() in count_of}
    return _advice(twins, [*twins], count_of, "also occur in lower case", "--lower makes them one word")


def _advice(found: dict[str, int], examples: list[str], count_of: dict[str, int], do_what: str, remedy: str) -> str:
    share = sum(found.values()) / max(1, sum(count_of.values()))
    if share < LEAST_SHARE:
        return ""
    return f"{share:.0%} of the words {do_what}, such as {examples[0][:40]!r}: {remedy}"


def how_to_convert(invalid: Collection[bytes]) -> str:
    """Return the command that makes a text UTF-8 which holds these words, as far as they tell its encoding.

    They seem to be Latin-1, or Windows-1252, which holds it, if most of them are then words of mostly ASCII letters.
    """
    n_western = sum(
        word.decode("cp1252", "replace").strip(string.punctuation).isalpha()
        and 3 * sum(byte >= 0x80 for byte in word) <= len(word)
        for word in invalid
    )
    return f"iconv -f {'WINDOWS-1252' if 2 * n_western > len(invalid) else 'ENCODING'} -t UTF-8"
