"""Vocabulary: words and their counts, sorted; the probabilities that follow from them; files. What a text held."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.checks import check_words
from ..files.names import PathLike
from ..files.replace import replacing, write_text
from ..modelfile import MappedWords

MOST_TOKENS = 2**62
"""The largest sum of counts: with it the weights of the Huffman tree fit into 64 bits."""


@dataclass(frozen=True)
class Reading:
    """The size of a text as it was read, before any word was left out, and what was noticed.

    n_bytes: the size of the text in bytes.
    n_tokens: the running words, rare ones included.
    n_types: the distinct words.
    n_overlong: the tokens that were dropped because they are too long.
    n_unknown: the tokens that are not in a given vocabulary.
    n_invalid: the tokens with bytes that are not UTF-8.
    advice: hints on preparing the text, a sentence each.
    """

    n_bytes: int
    n_tokens: int
    n_types: int
    n_overlong: int = 0
    n_unknown: int = 0
    n_invalid: int = 0
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Words and their counts, the most frequent word first. The id of a word is its position.

    words: the words, each once, none with white space. Empty where only the counts are needed.
    counts: how often each word occurred, (n_words,), whole numbers of 0 or more, which become int64. Training takes a
    count of 0 as 1, so a plain list of words, all with counts of 0, is trained as equally frequent words.

    `from_counts`, `load` and `train` sort the words so, those of equal counts by their UTF-8 bytes. Raises InputError
    for counts that cannot be used.
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        counts = _checked_counts(self.counts)
        if len(self.words) not in (0, len(counts)):
            raise InputError(
                f"a vocabulary has {len(self.words):,} words and {len(counts):,} counts: give each word one count"
            )
        object.__setattr__(self, "counts", counts)

    def __len__(self) -> int:
        return len(self.counts)

    def __repr__(self) -> str:
        first = " ".join(self.words[:3])
        return f"<Vocabulary: {len(self):,} words, {int(self.counts.sum()):,} tokens: {first[:60]}...>"

    @classmethod
    def from_counts(
        cls, words: Sequence[str], counts: NDArray[np.int64], min_count: int = 1, max_vocab: int | None = None
    ) -> tuple[Self, NDArray[np.int64]]:
        """Make a vocabulary of the most frequent words, and return it with their positions in `words`.

        words: distinct words in any order.
        counts: their counts, (len(words),).
        min_count: leave out words that occur fewer times.
        max_vocab: keep only this many words.
        """
        counts = cls([], counts).counts
        frequent = np.flatnonzero(counts >= min_count)
        frequent = frequent[np.argsort(-counts[frequent], kind="stable")]
        names = words.at(frequent) if isinstance(words, MappedWords) else [words[i] for i in frequent.tolist()]
        # Words of equal counts are sorted group by group: one sort of millions could not be interrupted.
        ends = [*np.flatnonzero(np.diff(counts[frequent])) + 1, len(frequent)]
        order: list[int] = []
        for start, end in itertools.pairwise([0, *ends]):
            order += sorted(range(start, end), key=names.__getitem__)  # code points sort like UTF-8
        places = frequent[order[:max_vocab]]
        return cls([names[i] for i in order[:max_vocab]], counts[places]), places

    def pruned(self, min_count: int, max_vocab: int | None) -> Self:
        """Return the vocabulary without rare words, as `from_counts` does."""
        return self.from_counts(self.words, self.counts, min_count, max_vocab)[0]

    def extended(
        self, words: Sequence[str], counts: NDArray[np.int64], min_count: int
    ) -> tuple[Self, NDArray[np.int32]]:
        """Return the vocabulary with the counts of a text added, and the new id of each word of the text, or -1.

        words: the distinct words of the text in any order.
        counts: their counts, (len(words),) int64.
        min_count: leave out new words that occur fewer times.
        """
        count_of = dict(zip(self.words, self.counts.tolist(), strict=True))
        names = list(words)
        for word, count in zip(names, counts.tolist(), strict=True):
            if word in count_of or count >= min_count:
                count_of[word] = count_of.get(word, 0) + count
        extended = self.from_counts(list(count_of), np.array(list(count_of.values()), np.int64), min_count=0)[0]
        id_of = {word: i for i, word in enumerate(extended.words)}
        return extended, np.array([id_of.get(word, -1) for word in names], np.int32)

    @property
    def weights(self) -> NDArray[np.int64]:
        """The counts that training works with, (n_words,). A count of 0 becomes 1."""
        return np.maximum(self.counts, 1)

    def keep_probability(self, sample: float, formula: str = "word2vec") -> NDArray[np.float64]:
        """Return the probability that a token of each word stays in the text, (n_words,).

        sample: the threshold t; 0 keeps every token.
        formula: with f, the share of a word among all tokens, `word2vec` is min(1, sqrt(t/f) + t/f), as in word2vec.c
        and gensim, and `paper` is min(1, sqrt(t/f)) (Mikolov et al. 2013, "Distributed representations", equation 5).
        """
        if sample == 0:
            return np.ones(len(self))
        ratio = sample / (self.weights / int(self.weights.sum()))
        return np.minimum(1.0, np.sqrt(ratio) + (ratio if formula == "word2vec" else 0.0))

    def noise_weights(self, exponent: float) -> NDArray[np.float64]:
        """Return count ** exponent, (n_words,). Words are drawn as negatives in proportion to it."""
        weights: NDArray[np.float64] = self.weights.astype(np.float64) ** exponent
        return weights

    def save(self, path: PathLike) -> None:
        """Write a line `word count` for each word, as word2vec.c does with -save-vocab."""
        check_words(self.words, "vocabulary")
        lines = (f"{word} {count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True))
        with replacing(path) as file:
            write_text(file, ["".join(lines).encode()])

    @classmethod
    def load(cls, path: PathLike, problem_of: Callable[[str], str] = lambda word: "") -> Self:
        """Read a file that `save` or word2vec.c wrote. Raises InputError, which names the bad line.

        problem_of: a function that says what is wrong with a word, or returns "".
        """
        try:
            text = Path(path).read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"vocabulary {path} is not UTF-8 at byte {error.start}") from error
        except OSError as error:
            raise InputError(f"cannot read vocabulary {path}: {error.strerror}") from error
        counts: dict[str, int] = {}
        for number, line in enumerate(text.split("\n"), 1):
            match line.split():
                case []:
                    continue
                case [word, count] if count.isascii() and count.isdigit() and len(count) < 20 and word not in counts:
                    if problem := problem_of(word):
                        raise InputError(f"vocabulary {path}, line {number}: {problem}")
                    counts[word] = int(count)
                case _:
                    claim = "is not 'word count', or repeats a word: correct or remove it"
                    raise InputError(f"vocabulary {path}, line {number}: {line[:60]!r} {claim}")
        return cls.from_counts(list(counts), np.array(list(counts.values()), np.uint64), min_count=0)[0]


def _checked_counts(counts: Any) -> NDArray[np.int64]:
    """Return counts as int64, (n_words,). Raises InputError unless they are whole numbers from 0 up."""
    try:
        given = np.asarray(counts)
    except ValueError as error:  # nested lists of several lengths
        raise InputError(f"the counts of a vocabulary are not a flat array of integers: {error}") from error
    if given.ndim != 1 or given.dtype.kind not in "iuf":  # integers of more than 64 bits are objects to NumPy
        raise InputError(
            f"the counts of a vocabulary are {given.dtype} {given.shape}: they must be a flat array of integers from 0 "
            "to 2**62"
        )
    wrong = np.flatnonzero(~(given >= 0) | (given != np.floor(given)))  # NaN is not >= 0
    if len(wrong):
        raise InputError(
            f"count number {wrong[0] + 1} of the vocabulary is {given[wrong[0]]}: counts are whole numbers, 0 or more"
        )
    if (total := given.sum(dtype=np.float64)) > MOST_TOKENS:
        raise InputError(f"the counts of a vocabulary add up to {total:.3g}, more than 2**62: scale them down")
    return given.astype(np.int64, copy=False)
