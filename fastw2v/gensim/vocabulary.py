"""gensim's rules for the vocabulary: which words stay, in which order."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpus.pruning import Pruning, WordCounts
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from .corpora import Counted, Source

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2
"""What a `trim_rule` returns, as in gensim.utils."""

TrimRule = Callable[[Any, int, int], int]
"""trim_rule(word, count, min_count) returns one of the rules above."""

Counts = Mapping[Any, int]


def is_kept(word: Any, count: int, min_count: int, trim_rule: TrimRule | None) -> bool:
    """Return whether a word stays: the rule decides or, if it has no opinion, `min_count`."""
    ruling = RULE_DEFAULT if trim_rule is None else trim_rule(word, count, min_count)
    return ruling == RULE_KEEP or (ruling != RULE_DISCARD and count >= min_count)


def kept(counts: Counts, min_count: int, trim_rule: TrimRule | None) -> dict[Any, int]:
    """Return the words that stay, by falling count; equal ones in the order of their bytes, if all are str."""
    if trim_rule is None:
        staying = {word: count for word, count in counts.items() if count >= min_count}
    else:
        staying = {word: count for word, count in counts.items() if is_kept(word, count, min_count, trim_rule)}
    words, numbers = list(staying), np.fromiter(staying.values(), np.int64, len(staying))
    if all(isinstance(word, str) for word in words):
        words = Vocabulary.from_counts(words, numbers)[0].words if words else []
    else:
        words = [words[place] for place in np.argsort(-numbers, kind="stable")]
    return {word: staying[word] for word in words}


def least_count_for(counts: Counts, max_words: int | None, min_count: int) -> int:
    """Return the least count that leaves at most `max_words` words, at least `min_count`."""
    if max_words is None or max_words >= len(counts):
        return min_count
    return max(min_count, sorted(counts.values(), reverse=True)[max_words] + 1)


def scanned_in_bounds(source: Source, most_words: int, trim_rule: TrimRule | None) -> tuple[Counts, int, int]:
    """Count words, and after a sentence that leaves more than `most_words` drop the rare ones, as gensim does.

    The limit rises by one each time: below 1, below 2, ... Returns the counts, the number of words and the number
    of sentences. This is plain Python, as slow as gensim.
    """
    counts: defaultdict[Any, int] = defaultdict(int)
    n_words, rare = 0, 1
    sentences = Counted(source.read_sentences())
    for sentence in sentences:
        for word in sentence:
            counts[word] += 1
        n_words += len(sentence)
        if len(counts) > most_words:
            for word in [word for word, count in counts.items() if not is_kept(word, count, rare, trim_rule)]:
                del counts[word]
            rare += 1
    return counts, n_words, sentences.n_sentences


@dataclass(frozen=True)
class Chosen(Pruning):
    """The rule that a function chooses the words of a text, in their order, when all of them have been counted."""

    choose_words: Callable[[Counts], Sequence[Any]] = field(default=list)

    def choose(self, counts: WordCounts, n_unknown: int = 0) -> tuple[Vocabulary, NDArray[np.int32]]:
        """Return the vocabulary, and the id in it of each word of the text, (n_words,) int32, or -1."""
        count_of = dict(zip(counts.words, counts.counts.tolist(), strict=True))
        words = self.choose_words(count_of)
        id_of = {word: i for i, word in enumerate(words)}
        of_text = np.array([count_of.get(word, 0) for word in words], np.int64)
        return Vocabulary(list(words), of_text), np.array([id_of.get(word, -1) for word in count_of], np.int32)


@dataclass(frozen=True)
class Known(Pruning):
    """The rule that only the words of `vocabulary` are read, with its counts and in its order."""

    @property
    def fixed(self) -> Vocabulary:  # type: ignore[override]
        """The vocabulary."""
        assert self.vocabulary is not None
        return self.vocabulary

    def choose(self, counts: WordCounts, n_unknown: int = 0) -> tuple[Vocabulary, NDArray[np.int32]]:
        """Return the vocabulary, and the id of each of its words."""
        return self.fixed, np.arange(len(self.fixed), dtype=np.int32)


def check_words_of_files(words: Sequence[Any]) -> None:
    """Raise InputError for words that no file holds."""
    wrong = next((word for word in words if not isinstance(word, str)), None)
    if wrong is not None:
        raise InputError(f"the vocabulary holds {wrong!r}, a {type(wrong).__name__}: the words of a file are str")
