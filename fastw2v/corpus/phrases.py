"""Phrases, as word2phrase and gensim find them: words that occur together more often than by chance become one word.

The search counts, scores and merges the pairs of a text of ids, pass by pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.checks import check_output, check_unicode
from ..files.names import PathLike
from ..files.replace import replacing, stdout_may_end, write_text
from ..kernels import phrases as kernels
from ..kernels.tokenize import MAX_TOKEN_BYTES
from ..machine import available_threads
from ..threads import Pool
from .corpus import Corpus, ReadOptions
from .idfile import IDS_AT_A_TIME, map_ids, map_in_order, temporary_file, write_ids
from .paths import Texts, check_outside, find_files, names_of
from .pruning import Pruning
from .sequences import from_lines, from_sentences
from .vocabulary import Reading, Vocabulary

ENGLISH_CONNECTOR_WORDS = frozenset(
    ["a", "an", "the", "for", "of", "with", "without", "at", "from", "to", "in", "on", "by", "and", "or"]
)
"""gensim's connector words, which may stand inside a phrase, but neither begin nor end it."""

THRESHOLDS = {"default": 10.0, "word2phrase": 100.0, "npmi": 0.5}
"""The threshold of each scoring, if none is given."""

TOKENS_PER_PART = 1 << 28
"""Each thread counts the pairs in parts, one for this many tokens of the text, so that the tables fit into memory."""

TOKENS_PER_PAIR = 6
"""A text has about this many tokens for each distinct pair, or more. If it has fewer, the tables grow."""

Pairs = dict[tuple[str, ...], float]
"""The words of each phrase, connector words included, and its score."""


@dataclass(frozen=True)
class PhraseOptions:
    """The options of `Phrases.learn`: when two words become a phrase.

    Two words become a phrase if they occur `min_count` times as a pair and score more than `threshold`. The default
    threshold is 10, or 100 with the scoring word2phrase, or 0.5 with npmi. A phrase is never longer than the 1,000
    bytes that a word of a text may have.

    scoring is one of these, where n(x) is the count of x and p(x) its share of the tokens:

    default      (n(ab) - min_count) / n(a) / n(b) * (distinct words + distinct pairs), as gensim
    word2phrase  (n(ab) - min_count) / n(a) / n(b) * words of the text (Mikolov et al. 2013, "Distributed
                 representations", equation 6, as word2phrase.c scales it)
    npmi         log(p(ab) / p(a) / p(b)) / -log(p(ab)), from -1 to 1 (Bouma 2009)

    connector_words: words that may stand between the two words of a pair.
    passes: how many times to look for phrases; each pass finds longer ones.
    delimiter: the text that joins the words of a phrase.
    """

    min_count: int = 5
    threshold: float | None = None
    scoring: str = "default"
    delimiter: str = "_"
    connector_words: frozenset[str] = frozenset()
    passes: int = 1

    def __post_init__(self) -> None:
        if isinstance(self.connector_words, str):
            raise InputError(f"connector_words is {self.connector_words!r}: give a set of words")
        object.__setattr__(self, "connector_words", frozenset(self.connector_words))
        if self.scoring not in THRESHOLDS:
            raise InputError(f"scoring is {self.scoring!r}: it must be one of {', '.join(THRESHOLDS)}")
        if not -1e308 < self.score_to_exceed < 1e308:
            raise InputError(f"threshold is {self.threshold}: it must be a finite number")
        if self.scoring == "npmi" and not -1 <= self.score_to_exceed <= 1:
            raise InputError(f"threshold is {self.threshold}: with npmi it must be from -1 to 1")
        if not (1 <= self.min_count < 2**63 and 1 <= self.passes < 2**63):
            raise InputError(f"min_count is {self.min_count} and passes {self.passes}: both must be from 1 to 2^63 - 1")
        if not isinstance(self.delimiter, str) or self.delimiter.split() != [self.delimiter]:
            raise InputError(f"delimiter is {self.delimiter!r}: it must be a str, not empty and without white space")
        check_unicode([self.delimiter])

    @property
    def score_to_exceed(self) -> float:
        """The threshold, or that of the scoring."""
        return THRESHOLDS[self.scoring] if self.threshold is None else self.threshold


class Phrases:
    """The phrases of a text. `phrases[["new", "york", "city"]]` joins those of a sentence.

    by_pass: for each pass, a dict from the words of each phrase, a tuple, to its score.
    options: how they were learnt.
    reading: a `Reading`: the size of the text from which they were learnt, or None.
    """

    def __init__(
        self, by_pass: Sequence[Pairs], options: PhraseOptions | None = None, reading: Reading | None = None
    ) -> None:
        self.by_pass, self.options, self.reading = list(by_pass), options or PhraseOptions(), reading

    @classmethod
    def learn(
        cls,
        corpus: Texts | None = None,
        *,
        sentences: Iterable[Sequence[str]] | None = None,
        lines: Iterable[str] | None = None,
        output: PathLike | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> Self:
        """Find the phrases of a corpus (files), of sentences (lists of words), or of lines, each as for `train`.

        output: a file for the text with its phrases joined. Lines without words are left out.
        threads: by default one for each core that this process may use.
        options: those of `PhraseOptions`: min_count (5), threshold (10; 100 with scoring word2phrase, 0.5 with npmi),
        scoring (default, word2phrase or npmi), delimiter ("_"), connector_words (none) and passes (1);
        and for text lower, strip_punctuation, digits, invalid_utf8 and temp_dir, as for `train`.

        The more distinct words and pairs of words there are, the more memory it takes. Raises InputError.
        """
        of_phrases, of_reading = ([item.name for item in fields(kind)] for kind in (PhraseOptions, ReadOptions))
        if unknown := [name for name in options if name not in of_phrases + of_reading]:
            known = ", ".join(of_phrases + of_reading)
            raise InputError(f"there is no option {unknown[0]}: the options are {known}")
        chosen = PhraseOptions(**{name: options.pop(name) for name in of_phrases if name in options})
        if threads is not None and not 1 <= threads <= 4096:
            raise InputError(f"threads is {threads}: it must be from 1 to 4096")
        threads = threads or available_threads()
        if (corpus, sentences, lines).count(None) != 2:
            raise InputError("phrases need exactly one of corpus (files), sentences and lines")
        names = names_of(corpus) if corpus is not None else []
        files = find_files(names) if corpus is not None else []
        if output is not None:
            check_outside([output], names)
            check_output(output, files)
        pruning = Pruning(min_count=1, least_words=1)
        if sentences is not None:
            if without_effect := [name for name in options if name != "temp_dir"]:
                raise InputError(f"{without_effect[0]} has no effect on sentences: their words are taken as they are")
            text = from_sentences(sentences, pruning, options.get("temp_dir"))
        elif lines is not None:
            text = from_lines(lines, pruning, threads=threads, **options)
        else:
            text = Corpus.from_text(files, pruning, threads=threads, **options)
        by_pass = []
        with Pool(threads) as pool:
            finder = PhraseFinder(text, chosen, pool, threads)
            for number in range(chosen.passes):
                by_pass.append(finder.find())
                if number + 1 < chosen.passes:
                    with temporary_file(options.get("temp_dir")) as spool:
                        for ids in finder.merged():
                            write_ids(spool, ids)
                        finder.start_pass(map_ids(spool))
            if output is not None:
                with stdout_may_end(), replacing(output) as file:
                    write_text(file, (piece.data for piece in finder.text()))
        return cls(by_pass, chosen, text.reading)

    def __getitem__(self, sentence: Sequence[str]) -> list[str]:
        """Return the words of a sentence with its phrases joined."""
        if isinstance(sentence, str):
            raise InputError("a sentence is a list of words: split the text first, as in phrases[text.split()]")
        words = list(sentence)
        for pairs in self.by_pass:
            words = self._merged(words, pairs)
        return words

    def _merged(self, words: list[str], pairs: Pairs) -> list[str]:
        """Merge pairs from left to right, each word in one pair at most."""
        merged: list[str] = []
        open_words: list[str] = []  # a word that may begin a phrase, and the connector words after it
        for word in words:
            if open_words and word in self.options.connector_words:
                open_words.append(word)
            elif open_words and (*open_words, word) in pairs:
                merged.append(self.options.delimiter.join([*open_words, word]))
                open_words = []
            else:
                merged += open_words
                open_words = [word]  # no phrase begins with a connector word, so that one is passed on
        return merged + open_words

    def export_phrases(self) -> dict[str, float]:
        """Return the score of each phrase. Where several phrases are spelled alike, it is the highest score."""
        scores: dict[str, float] = {}
        for pairs in self.by_pass:
            for words, score in pairs.items():
                name = self.options.delimiter.join(words)
                scores[name] = max(score, scores.get(name, score))
        return scores

    def __len__(self) -> int:
        return sum(map(len, self.by_pass))

    def __repr__(self) -> str:
        return f"<Phrases: {len(self):,} phrases, {len(self.by_pass)} passes, scoring {self.options.scoring}>"


class _PairCounts(NamedTuple):
    """The frequent pairs of a text, in any order."""

    keys: NDArray[np.uint64]  # (n,)
    first: NDArray[np.int64]  # (n,), the id of the first word
    second: NDArray[np.int64]
    bounds: NDArray[np.int64]  # (2, n), the first and the last place of an occurrence in the ids; 0 for adjacent words
    counts: NDArray[np.int64]  # (n,)
    n_all: int  # distinct pairs, rare ones included


class PhraseFinder:
    """A text of ids in which phrases are found and merged, pass by pass, on the threads of a pool."""

    def __init__(self, corpus: Corpus, options: PhraseOptions, pool: Pool, threads: int) -> None:
        self.options, self.pool, self.threads = options, pool, threads
        self.words = list(corpus.vocabulary.words)
        self.start_pass(corpus.ids)

    def start_pass(self, ids: NDArray[np.int32]) -> None:
        """Continue with another text. ids: ids of `words`, int32, -1 where a sentence ends."""
        self.ids = ids
        self.counts = np.zeros(len(self.words), np.int64)
        kernels.count_ids(ids, self.counts)
        self.is_connector = np.array([word in self.options.connector_words for word in self.words], np.bool_)
        self.table = _new_table(0)

    def find(self) -> Pairs:
        """Return the phrases of the text, and prepare the table with which `merged` merges them."""
        pairs = self._pairs()
        keys = pairs.keys
        scores = self._scores(pairs)
        chosen = np.flatnonzero(scores > self.options.score_to_exceed)
        chosen = chosen[np.argsort(keys[chosen])]  # the same order for any number of threads
        names, phrases = {}, {}  # by the place of their pair
        found = zip(chosen.tolist(), scores[chosen].tolist(), self._words_of(pairs, chosen), strict=True)
        for pair, score, words in found:
            name = self.options.delimiter.join(words)  # which may be a word of the text already
            if len(name.encode()) <= MAX_TOKEN_BYTES:
                names[pair], phrases[words] = name, score
        id_of = {word: i for i, word in enumerate(self.words)}
        values = [id_of.setdefault(name, len(id_of)) + 1 for name in names.values()]
        self.words = list(id_of)
        self.table = _new_table(len(names))
        kernels.fill_table(self.table, keys[list(names)], np.array(values, np.uint64))
        return phrases

    def count_all(self, delimiter: str) -> dict[str, int]:
        """Return how often each word but the connector words occurs in the text, and each pair, joined by `delimiter`.

        Words and pairs that are spelt alike are one, as in gensim. Pairs that occur less than min_count times are none.
        """
        is_counted = np.flatnonzero(~self.is_connector & (self.counts > 0))
        counts = {self.words[i]: n for i, n in zip(is_counted.tolist(), self.counts[is_counted].tolist(), strict=True)}
        pairs = self._pairs()
        order = np.argsort(pairs.keys)
        for words, n in zip(self._words_of(pairs, order), pairs.counts[order].tolist(), strict=True):
            name = delimiter.join(words)
            counts[name] = counts.get(name, 0) + n
        return counts

    def _pairs(self) -> "_PairCounts":
        """Return the pairs that occur min_count times."""
        keys, counts, n_pairs = self._count()
        first, second = kernels.words_of_keys(keys)
        is_hashed = first < 0
        bounds = np.zeros((2, len(keys)), np.int64)
        bounds[:, is_hashed] = self._locate(keys[is_hashed])
        first[is_hashed], second[is_hashed] = self.ids[bounds[:, is_hashed]]
        return _PairCounts(keys, first, second, bounds, counts, n_pairs)

    def _words_of(self, pairs: "_PairCounts", chosen: NDArray[np.int64]) -> Iterator[tuple[str, ...]]:
        """Yield the words of some pairs, connector words included."""
        found = (array[chosen].tolist() for array in (pairs.first, pairs.second, *pairs.bounds))
        for a, b, start, end in zip(*found, strict=True):
            ids = self.ids[start : end + 1].tolist() if end else (a, b)
            yield tuple(self.words[i] for i in ids)

    def _locate(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the first and the last place of the first occurrence of each key's pair in the text, (2, n)."""
        starts, ends = bounds = np.full((2, len(keys)), -1, np.int64)
        if len(keys):
            table = _new_table(len(keys))
            kernels.fill_table(table, keys, np.arange(1, len(keys) + 1, dtype=np.uint64))
            kernels.locate_pairs(self.ids, self.is_connector, table, starts, ends)
        return bounds

    def _count(self) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
        """Return the keys and counts of the pairs that occur min_count times, and the number of all distinct pairs."""
        n_parts = self.threads * (1 + int(self.counts.sum()) // TOKENS_PER_PART)

        def count(part: int) -> tuple[NDArray[np.uint64], NDArray[np.int64], int]:
            table, state = _new_table(len(self.ids) // (TOKENS_PER_PAIR * n_parts)), np.array([0, -1, 0])
            while not kernels.count_pairs(self.ids, self.is_connector, table, state, part, n_parts):
                full, table = table, np.zeros(2 * len(table), np.uint64)
                kernels.rehash(full, table)
            frequent = table[1::2] >= self.options.min_count
            return table[::2][frequent], table[1::2][frequent].astype(np.int64), int(state[kernels.N_PAIRS])

        keys, counts, n_pairs = zip(*self.pool.map(count, range(n_parts)), strict=True)
        return np.concatenate(keys), np.concatenate(counts), sum(n_pairs)

    def _scores(self, pairs: "_PairCounts") -> NDArray[np.float64]:
        """Return the score of each pair, (n,)."""
        n_first, n_second = (self.counts[words].astype(np.float64) for words in (pairs.first, pairs.second))
        both, n_pairs = pairs.counts, pairs.n_all
        scale = n_tokens = int(self.counts.sum())
        if self.options.scoring == "npmi":
            share = both / n_tokens
            with np.errstate(divide="ignore", invalid="ignore"):  # a text of one pair gives 0 / 0
                return np.log(share / (n_first * n_second / n_tokens**2)) / -np.log(share)
        if self.options.scoring == "default":
            scale = int(np.count_nonzero(self.counts[~self.is_connector])) + n_pairs
        return (both - self.options.min_count) / n_first / n_second * scale

    def merged(self) -> Iterator[NDArray[np.int32]]:
        """Yield the ids with their phrases merged, in pieces of whole sentences."""

        def merge(ids: NDArray[np.int32]) -> NDArray[np.int32]:
            merged = np.empty(len(ids), np.int32)
            return merged[: kernels.merge_pairs(ids, self.is_connector, self.table, merged)]

        return map_in_order(self.pool, merge, self._pieces(), 2 * self.threads)

    def text(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the text with its phrases merged, uint8, in pieces of whole lines."""
        encoded = [word.encode() for word in self.words]
        arena = np.frombuffer(b"".join(encoded), np.uint8)
        ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)

        def write(ids: NDArray[np.int32]) -> NDArray[np.uint8]:
            text = np.empty(kernels.length_of_text(ids, ends), np.uint8)
            return text[: kernels.write_words(ids, arena, ends, text)]

        return map_in_order(self.pool, write, self.merged(), 2 * self.threads)

    def _pieces(self) -> Iterator[NDArray[np.int32]]:
        """Yield the ids in pieces of whole sentences."""
        n_ids = len(self.ids)
        start = 0
        while start < n_ids:
            stop = min(start + IDS_AT_A_TIME, n_ids)
            while stop < n_ids and self.ids[stop - 1] >= 0:
                ends = np.flatnonzero(self.ids[stop : stop + IDS_AT_A_TIME] < 0)
                stop = stop + int(ends[0]) + 1 if len(ends) else min(stop + IDS_AT_A_TIME, n_ids)
            yield self.ids[start:stop]
            start = stop


def _new_table(n_keys: int) -> NDArray[np.uint64]:
    """Return an empty hash table, which `n_keys` keys fill to a half at most."""
    return np.zeros(2 << (2 * n_keys + 2 * kernels.AHEAD).bit_length(), np.uint64)


def compile_kernels() -> None:
    """Compile the kernels of `Phrases.learn`, or load them from the cache, by running them on a few words."""
    ids = np.array([0, 1, 0, -1] * 2, np.int32)
    ids.flags.writeable = False
    text = Corpus(Vocabulary(["a", "b"], np.array([4, 2])), ids, 6, Reading(0, 6, 2))
    options = PhraseOptions(min_count=1, threshold=0, scoring="word2phrase", connector_words=frozenset("b"))
    with Pool(1) as pool:
        finder = PhraseFinder(text, options, pool, 1)
        finder.find()
        list(finder.text())
    kernels.rehash(_new_table(0), _new_table(0))
