"""The choice of the vocabulary from the words of a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.checks import check_unicode
from ..lazy import computed_once
from .vocabulary import Vocabulary


@dataclass(frozen=True)
class WordCounts:
    """All distinct words of a text, in any order, and how often each of them occurs.

    counts: (n_words,) int64. word_of_id: int32, the place in `words` of each provisional id, or -1 if the word is
    dropped. n_invalid: the number of tokens whose bytes are not UTF-8. advice: as in a `Reading`.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]
    word_of_id: NDArray[np.int32]
    n_invalid: int = 0
    advice: tuple[str, ...] = ()

    @property
    def n_tokens(self) -> int:
        return int(self.counts.sum())

    def of_vocabulary(self, vocabulary: Vocabulary) -> Self:
        """Return the counts of the words of a vocabulary, in its order; all other words are dropped."""
        id_of = {word: i for i, word in enumerate(vocabulary.words)}
        ids = np.array([id_of.get(word, -1) for word in self.words], np.int32)
        counts = np.zeros(len(vocabulary), np.int64)
        np.add.at(counts, ids[ids >= 0], self.counts[ids >= 0])
        return type(self)(vocabulary.words, counts, ids[self.word_of_id], self.n_invalid)

    def in_order(self, words: Sequence[str], ids: NDArray[np.int32]) -> Self:
        """Return the counts of given words, in their order. ids: the provisional id of each, (n,)."""
        word_of_id = np.full(len(self.word_of_id), -1, np.int32)
        word_of_id[ids] = np.arange(len(ids), dtype=np.int32)
        return type(self)(words, self.counts[self.word_of_id[ids]], word_of_id, self.n_invalid)


@dataclass(frozen=True)
class Pruning:
    """The rule that chooses the vocabulary from the words of a text.

    min_count: words that occur less often are dropped. max_vocab: at most so many words are kept, the most frequent.
    vocabulary: these words and counts are used instead of those of the text, whatever `min_count`. earlier: the
    vocabulary of an earlier run, to which the words and counts of the text are added; `max_vocab` does not apply.
    least_words: a text that leaves fewer words is refused.
    """

    min_count: int = 5
    max_vocab: int | None = None
    vocabulary: Vocabulary | None = None
    earlier: Vocabulary | None = None
    least_words: int = 2

    @computed_once
    def fixed(self) -> Vocabulary | None:
        """The most frequent `max_vocab` words of `vocabulary`, or None.

        Raises InputError for fewer than two words, and for words that are repeated or no text.
        """
        if self.vocabulary is None:
            return None
        if not isinstance(self.vocabulary, Vocabulary):
            kind = type(self.vocabulary).__name__
            raise InputError(f"the vocabulary is of type {kind}: it must be a fastw2v.Vocabulary(words, counts)")
        words = self.vocabulary.words
        wrong = next((word for word in words if not isinstance(word, str)), None)
        if wrong is not None:
            raise InputError(f"the vocabulary holds {wrong!r}, of type {type(wrong).__name__}: words are str")
        if len(words) != len(self.vocabulary) or len(set(words)) < len(words):
            n_distinct, n = len(set(words)), len(self.vocabulary)
            raise InputError(f"the vocabulary has {n_distinct:,} distinct words for {n:,} counts: give each word once")
        check_unicode(words)
        fixed = self.vocabulary.pruned(0, self.max_vocab)
        if len(fixed) < 2:
            raise InputError(f"training needs at least two words, and the given vocabulary has {len(fixed)}")
        return fixed

    def choose(self, counts: WordCounts, n_unknown: int = 0) -> tuple[Vocabulary, NDArray[np.int32]]:
        """Return the vocabulary, and the id in it of each word of the text, (n_words,) int32, or -1.

        Where the vocabulary is `fixed`, `counts` holds its words in its order, and `n_unknown` is the number of other
        tokens. Raises InputError for too few words.
        """
        if self.fixed is not None:
            if counts.n_tokens == 0:
                if n_unknown == 0:
                    raise InputError("the text holds no words: it is empty or all white space")
                others, advice = f"(all {n_unknown:,} tokens are other words)", "is it in another language or case?"
                raise InputError(f"the text holds no word of the vocabulary {others}: {advice}")
            return self.fixed, np.arange(len(self.fixed), dtype=np.int32)
        if self.earlier is not None:
            vocabulary, ids = self.earlier.extended(counts.words, counts.counts, self.min_count)
            if not (ids >= 0).any():
                raise InputError(
                    f"the corpus holds no word of the earlier run, and no other word {self.min_count} times: is it in "
                    "another language or case? Otherwise lower --min-count or give more text"
                )
            return vocabulary, ids
        vocabulary, places = Vocabulary.from_counts(counts.words, counts.counts, self.min_count, self.max_vocab)
        n_words = len(counts.words)
        if n_words == 0:
            raise InputError("the corpus holds no words: it is empty or all white space")
        if len(vocabulary) == 0:
            top = int(counts.counts.argmax())
            raise InputError(
                f"no word of the corpus occurs {self.min_count} times (min_count): of {counts.n_tokens} tokens and "
                f"{n_words} distinct words, the most frequent one, {counts.words[top]!r}, occurs {counts.counts[top]} "
                "times. Lower --min-count or give more text" + "".join(f"; {text}" for text in counts.advice[:1])
            )
        if len(vocabulary) < self.least_words:
            raise InputError(
                f"the vocabulary is one word, {vocabulary.words[0]!r}, of {n_words} distinct words found: training "
                f"needs two. Lower --min-count ({self.min_count}) or give more text"
            )
        ids = np.full(n_words, -1, np.int32)
        ids[places] = np.arange(len(vocabulary), dtype=np.int32)
        return vocabulary, ids


DEFAULT_PRUNING = Pruning()
"""The rule for callers that name none."""
