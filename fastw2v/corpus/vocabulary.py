"""Words and counts: prune, sort, keep-probabilities, read and write."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import check_words, replacing


@dataclass(frozen=True)
class Vocabulary:
    """Words by falling count, equal counts by UTF-8 bytes; a word's id is its place.

    words: str, each once, none with white space; empty where only the counts are needed. counts: (n_words,) int64.
    """

    words: list[str]
    counts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def from_counts(
        cls, words: Sequence[str], counts: NDArray[np.int64], min_count: int = 1, max_vocab: int | None = None
    ) -> tuple[Vocabulary, NDArray[np.int64]]:
        """Words seen at least `min_count` times, of those the `max_vocab` most frequent; and their places in `words`.

        words: distinct, in any order. counts: (len(words),) int64.
        """
        frequent = np.flatnonzero(counts >= min_count)
        frequent = frequent[np.argsort(-counts[frequent], kind="stable")]
        some = list(words) if 2 * len(frequent) > len(words) else words  # one by one they may be slow to make
        names = [some[i] for i in frequent.tolist()]
        # Equal counts one after the other, not all words at once: a sort of millions could not be interrupted.
        ends = [*np.flatnonzero(np.diff(counts[frequent])) + 1, len(frequent)]
        order: list[int] = []
        for start, end in itertools.pairwise([0, *ends]):
            order += sorted(range(start, end), key=names.__getitem__)  # code points sort like UTF-8
        places = frequent[order[:max_vocab]]
        return cls([names[i] for i in order[:max_vocab]], counts[places]), places

    def pruned(self, min_count: int, max_vocab: int | None) -> Vocabulary:
        """The words seen at least `min_count` times, of those the `max_vocab` most frequent."""
        return self.from_counts(self.words, self.counts, min_count, max_vocab)[0]

    def extended(
        self, words: Sequence[str], counts: NDArray[np.int64], min_count: int
    ) -> tuple[Vocabulary, NDArray[np.int32]]:
        """The vocabulary with the counts of a text added, and with its words seen `min_count` times there.

        words: distinct, in any order. counts: (len(words),) int64. Also returns the id of each of `words`, or -1.
        """
        count_of = dict(zip(self.words, self.counts.tolist(), strict=True))
        names = list(words)
        for word, count in zip(names, counts.tolist(), strict=True):
            if word in count_of or count >= min_count:
                count_of[word] = count_of.get(word, 0) + count
        made = self.from_counts(list(count_of), np.array(list(count_of.values()), np.int64), min_count=0)[0]
        id_of = {word: i for i, word in enumerate(made.words)}
        return made, np.array([id_of.get(word, -1) for word in names], np.int32)

    def keep_probability(self, sample: float, formula: str = "word2vec") -> NDArray[np.float64]:
        """The probability that a token stays in the text, (n_words,).

        With f the share of a word among all tokens: `word2vec` min(1, sqrt(t/f) + t/f), as word2vec.c and gensim do;
        `paper` min(1, sqrt(t/f)), Mikolov et al. 2013, "Distributed representations", equation 5. sample = t; 0 keeps
        everything.
        """
        if sample == 0:
            return np.ones(len(self))
        ratio = sample / (np.maximum(self.counts, 1) / max(1, int(self.counts.sum())))
        return np.minimum(1.0, np.sqrt(ratio) + (ratio if formula == "word2vec" else 0.0))

    def noise_weights(self, exponent: float) -> NDArray[np.float64]:
        """What the probability of a negative is proportional to: count ** exponent, (n_words,)."""
        return np.maximum(self.counts, 1).astype(np.float64) ** exponent

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one `word count` a line, most frequent first: word2vec's -save-vocab."""
        check_words(self.words, "vocabulary")
        lines = (f"{word} {count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True))
        with replacing(path) as file:
            file.write("".join(lines).encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what `save` or word2vec.c wrote. Raises InputError, naming the line."""
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
                case [word, count] if count.isascii() and count.isdigit() and len(count) < 19 and word not in counts:
                    counts[word] = int(count)
                case _:
                    raise InputError(f"vocabulary {path}, line {number}: {line[:60]!r} is not 'word count', each once")
        return cls.from_counts(list(counts), np.array(list(counts.values()), np.int64))[0]
