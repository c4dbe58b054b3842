"""Phrases, as word2phrase and gensim find them: words that come together more often than by chance become one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import check_output, replacing
from ..kernels import phrases as kernels
from ..machine import available_threads
from .corpus import Corpus, Reading, mapped, temporary_file, write_ids
from .paths import find_files
from .vocabulary import Vocabulary

SCORINGS = ("default", "word2phrase", "npmi")

ENGLISH_CONNECTOR_WORDS = frozenset(
    ["a", "an", "the", "for", "of", "with", "without", "at", "from", "to", "in", "on", "by", "and", "or"]
)
"""gensim's: they may stand inside a phrase, but not begin or end it."""

PIECE = 1 << 20
"""Ids merged at a time by one thread."""

TOKENS_OF_A_PART = 1 << 28
"""Pairs are counted in parts, so that their tables fit into memory: one for so many tokens and each thread."""

TOKENS_OF_A_PAIR = 6
"""So many make a distinct pair at most, in texts of some size; the tables grow where they are fewer."""

Pairs = dict[tuple[str, ...], float]


@dataclass(frozen=True)
class PhraseOptions:
    """min_count: a pair must come so often. threshold: and have a higher score. scoring, with n(x) for counts:

    default      (n(ab) - min_count) / n(a) / n(b) * (distinct words + distinct pairs), as gensim
    word2phrase  (n(ab) - min_count) / n(a) / n(b) * words of the text (Mikolov et al. 2013, "Distributed
                 representations", equation 6, as word2phrase.c scales it)
    npmi         log(p(ab) / p(a) / p(b)) / -log(p(ab)), from -1 to 1 (Bouma 2009)

    connector_words: may stand between the two words of a pair. passes: each finds longer phrases. delimiter: joins
    words.
    """

    min_count: int = 5
    threshold: float = 10.0
    scoring: str = "default"
    delimiter: str = "_"
    connector_words: frozenset[str] = frozenset()
    passes: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.connector_words, str):
            raise InputError(f"connector_words is {self.connector_words!r}: give a set of words")
        object.__setattr__(self, "connector_words", frozenset(self.connector_words))
        if not math.isfinite(self.threshold):
            raise InputError(f"threshold is {self.threshold}: it must be a finite number")
        if self.scoring not in SCORINGS:
            raise InputError(f"scoring is {self.scoring!r}: allowed are {', '.join(SCORINGS)}")
        if self.scoring == "npmi" and not -1 <= self.threshold <= 1:
            raise InputError(f"threshold is {self.threshold}: with npmi allowed is -1 to 1")
        if self.min_count < 1 or self.passes < 1:
            raise InputError(f"min_count is {self.min_count} and passes {self.passes}: allowed is 1 or more")
        if not isinstance(self.delimiter, str) or self.delimiter.split() != [self.delimiter]:
            raise InputError(f"delimiter is {self.delimiter!r}: it must be a str, not empty and without white space")


class Phrases:
    """The phrases of a text, to be applied to sentences: `phrases[["new", "york", "city"]]`.

    found: for each pass the words of each phrase, connector words included, and its score. reading: what was found in
    the text they were learnt from, or None.
    """

    def __init__(
        self, found: Sequence[Pairs], options: PhraseOptions | None = None, reading: Reading | None = None
    ) -> None:  # fmt: skip
        self.found = list(found)
        self.options = options or PhraseOptions()
        self.reading = reading

    @classmethod
    def learn(
        cls,
        corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        output: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        temp_dir: str | None = None,
        invalid_utf8: str = "replace",
        on_bytes: Callable[[int], object] = lambda n_bytes: None,
        **options: object,
    ) -> Phrases:
        """Find the phrases of text files, and write the text with them to `output`, a line for each that holds words.

        options: those of PhraseOptions; the others are `Corpus.from_text`'s. Memory grows with the distinct words and
        pairs. Raises InputError.
        """
        known = [item.name for item in fields(PhraseOptions)]
        for name in options:
            if name not in known:
                raise InputError(f"there is no option {name}: known are {', '.join(known)}")
        chosen = PhraseOptions(**options)  # type: ignore[arg-type]
        if threads is not None and threads < 1:
            raise InputError(f"threads is {threads}: it must be at least 1")
        threads = threads or available_threads()
        files = find_files(corpus)
        if output is not None:
            check_output(output, files)
        text = Corpus.from_text(
            files, min_count=1, least_words=1, threads=threads, temp_dir=temp_dir, invalid_utf8=invalid_utf8,
            on_bytes=on_bytes,
        )  # fmt: skip
        finder = _Finder(text, chosen, threads)
        found = []
        with ThreadPoolExecutor(threads) as pool:
            for number in range(chosen.passes):
                found.append(finder.find(pool))
                if number + 1 < chosen.passes:
                    with temporary_file(temp_dir) as spool:
                        for ids in finder.merged(pool):
                            write_ids(spool, ids)
                        finder.go_on(mapped(spool))
            if output is not None:
                with replacing(output) as file:
                    for written in finder.text(pool):
                        file.write(written.data)
        return cls(found, chosen, text.reading)

    def __getitem__(self, sentence: Sequence[str]) -> list[str]:
        """A sentence, a list of words, with its phrases joined."""
        if isinstance(sentence, str):
            raise InputError("a sentence is a list of words: split the text first, as in phrases[text.split()]")
        words = list(sentence)
        for pairs in self.found:
            words = self._merged(words, pairs)
        return words

    def _merged(self, words: list[str], pairs: Pairs) -> list[str]:
        """From left to right, each word in one pair at most."""
        merged: list[str] = []
        open_words: list[str] = []  # a word that may begin a phrase, and connector words behind it
        for word in words:
            is_connector = word in self.options.connector_words
            if open_words and is_connector:
                open_words.append(word)
            elif open_words and (*open_words, word) in pairs:
                merged.append(self.options.delimiter.join([*open_words, word]))
                open_words = []
            else:
                merged += open_words
                open_words = []
                if is_connector:
                    merged.append(word)
                else:
                    open_words = [word]
        return merged + open_words

    def export_phrases(self) -> dict[str, float]:
        """The score of each phrase, its words joined; the highest of several that are written alike."""
        scores: dict[str, float] = {}
        for pairs in self.found:
            for words, score in pairs.items():
                name = self.options.delimiter.join(words)
                scores[name] = max(score, scores.get(name, score))
        return scores

    def __len__(self) -> int:
        return sum(map(len, self.found))


@dataclass
class _Finder:
    """A text of ids in which pairs are found and merged, pass by pass."""

    corpus: Corpus
    options: PhraseOptions
    threads: int
    words: list[str] = field(init=False)
    ids: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self.words = list(self.corpus.vocabulary.words)
        self.go_on(self.corpus.ids)

    def go_on(self, ids: NDArray[np.int32]) -> None:
        self.ids = ids
        self.counts = np.zeros(len(self.words), np.int64)
        kernels.count_ids(ids, self.counts)
        self.is_connector = np.array([word in self.options.connector_words for word in self.words])
        self.table = _new_table(0)

    def find(self, pool: ThreadPoolExecutor) -> Pairs:
        """The phrases of the text as it is; makes the table that `merged` needs."""
        keys, pair_counts, n_pairs = self._count(pool)
        first, second = kernels.words_of_keys(keys)
        hashed = np.flatnonzero(first < 0)
        starts, ends = self._located(keys[hashed])
        first[hashed], second[hashed] = self.ids[starts], self.ids[ends]
        scores = self._scores(first, second, pair_counts, n_pairs)
        chosen = np.flatnonzero(scores > self.options.threshold)
        chosen = chosen[np.argsort(keys[chosen])]  # the same, whatever the threads
        place_of = dict(zip(hashed.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True))
        names = []
        for pair, a, b in zip(chosen.tolist(), first[chosen].tolist(), second[chosen].tolist(), strict=True):
            start, end = place_of.get(pair, (0, 0))
            names.append(tuple(self.words[i] for i in (self.ids[start : end + 1].tolist() if end else (a, b))))
        id_of = {word: i for i, word in enumerate(self.words)}
        values = []
        for name in names:  # a phrase may be a word of the text already
            values.append(id_of.setdefault(self.options.delimiter.join(name), len(id_of)) + 1)
        self.words = list(id_of)
        self.table = _new_table(len(chosen))
        kernels.fill_table(self.table, keys[chosen], np.array(values, np.uint64))
        return dict(zip(names, scores[chosen].tolist(), strict=True))

    def _located(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where pairs begin and end, each somewhere in the text."""
        starts, ends = np.full((2, len(keys)), -1, np.int64)
        if len(keys):
            table = _new_table(len(keys))
            kernels.fill_table(table, keys, np.arange(1, len(keys) + 1, dtype=np.uint64))
            kernels.locate_pairs(self.ids, self.is_connector, table, starts, ends)
        return starts, ends

    def _count(self, pool: ThreadPoolExecutor) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
        """Keys and counts of the pairs that come min_count times, and how many pairs there are."""
        n_parts = self.threads * (1 + int(self.counts.sum()) // TOKENS_OF_A_PART)

        def count(part: int) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
            table, state = _new_table(len(self.ids) // (TOKENS_OF_A_PAIR * n_parts)), np.array([0, -1, 0])
            while not kernels.count_pairs(self.ids, self.is_connector, table, state, part, n_parts):
                larger = np.zeros(2 * len(table), np.uint64)
                kernels.rehash(table, larger)
                table = larger
            frequent = table[1::2] >= self.options.min_count
            return table[::2][frequent], table[1::2][frequent].astype(np.int64), int(state[kernels.N_PAIRS])

        parts = list(pool.map(count, range(n_parts)))
        keys, counts = (np.concatenate([part[i] for part in parts]) for i in range(2))
        return keys, counts, sum(part[2] for part in parts)

    def _scores(
        self, first: NDArray[np.int64], second: NDArray[np.int64], both: NDArray[np.int64], n_pairs: int
    ) -> NDArray[np.float64]:
        n_first, n_second = self.counts[first].astype(np.float64), self.counts[second].astype(np.float64)
        n_words = self.counts.sum()
        scores: NDArray[np.float64]
        if self.options.scoring == "npmi":
            share = both / n_words
            with np.errstate(divide="ignore", invalid="ignore"):  # a text of one pair: 0 / 0
                scores = np.log(share / (n_first * n_second / n_words**2)) / -np.log(share)
            return scores
        scale = n_words
        if self.options.scoring == "default":
            scale = np.count_nonzero(self.counts[~self.is_connector]) + n_pairs
        scores = (both - self.options.min_count) / n_first / n_second * scale
        return scores

    def merged(self, pool: ThreadPoolExecutor) -> Iterator[NDArray[np.int32]]:
        """The ids with their pairs merged, in pieces of whole sentences."""

        def merge(bounds: tuple[int, int]) -> NDArray[np.int32]:
            piece = self.ids[bounds[0] : bounds[1]]
            out = np.empty(len(piece), np.int32)
            return out[: kernels.merge_pairs(piece, self.is_connector, self.table, out)]

        return _in_turn(pool, merge, self._pieces(), 2 * self.threads)

    def text(self, pool: ThreadPoolExecutor) -> Iterator[NDArray[np.uint8]]:
        """The merged text, in pieces of whole lines."""
        encoded = [word.encode() for word in self.words]
        arena = np.frombuffer(b"".join(encoded), np.uint8)
        ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)

        def write(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
            out = np.empty(kernels.length_of_text(ids, ends), np.uint8)
            return out[: kernels.write_words(ids, arena, ends, out)]

        return _in_turn(pool, write, self.merged(pool), 2 * self.threads)

    def _pieces(self) -> Iterator[tuple[int, int]]:
        start = 0
        while start < len(self.ids):
            stop = min(start + PIECE, len(self.ids))
            while stop < len(self.ids) and self.ids[stop - 1] >= 0:
                further = np.flatnonzero(self.ids[stop : stop + PIECE] < 0)
                stop = stop + int(further[0]) + 1 if len(further) else min(stop + PIECE, len(self.ids))
            yield start, stop
            start = stop


def compile_kernels() -> None:
    """Compile what `Phrases.learn` needs, or load it from the cache, by running it on a few words."""
    ids = np.array([0, 1, 0, -1] * 2, np.int32)
    ids.flags.writeable = False
    vocabulary = Vocabulary(["a", "b"], np.array([4, 2]))
    text = Corpus(vocabulary, ids, 6, Reading(0, 6, 2, 0, 0, 0))
    options = PhraseOptions(min_count=1, threshold=0, scoring="word2phrase", connector_words=frozenset("b"))
    finder = _Finder(text, options, 1)
    with ThreadPoolExecutor(1) as pool:
        finder.find(pool)
        list(finder.text(pool))
    kernels.rehash(_new_table(0), _new_table(0))


def _in_turn(pool: ThreadPoolExecutor, work: Callable, items: Iterable, n_ahead: int) -> Iterator:  # type: ignore[type-arg]
    """`pool.map` that takes no more than `n_ahead` items at a time."""
    from collections import deque

    pending: deque = deque()  # type: ignore[type-arg]
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > n_ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _new_table(n: int) -> NDArray[np.uint64]:
    """Room for n keys at half full."""
    return np.zeros(2 << (2 * n + 2 * kernels.AHEAD).bit_length(), np.uint64)
