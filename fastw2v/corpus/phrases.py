"""Phrases, as word2phrase and gensim find them: words that occur together more often than by chance become one word."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Self

import numpy as np

from ..errors import InputError
from ..files import PathLike, check_output, replacing
from ..kernels.phrases import rehash
from ..machine import available_threads
from .corpus import Corpus
from .idfile import map_ids, temporary_file, write_ids
from .paths import Texts, find_files
from .phrasefinder import Pairs, PhraseFinder, PhraseOptions, new_table
from .pruning import Pruning
from .vocabulary import Reading, Vocabulary

ENGLISH_CONNECTOR_WORDS = frozenset(
    ["a", "an", "the", "for", "of", "with", "without", "at", "from", "to", "in", "on", "by", "and", "or"]
)
"""gensim's connector words, which may stand inside a phrase, but neither begin nor end it."""


class Phrases:
    """The phrases of a text, to be applied to sentences: `phrases[["new", "york", "city"]]`.

    found: the phrases of each pass. reading: the figures of the text from which they were learnt, or None.
    """

    def __init__(
        self, found: Sequence[Pairs], options: PhraseOptions | None = None, reading: Reading | None = None
    ) -> None:
        self.found = list(found)
        self.options = options or PhraseOptions()
        self.reading = reading

    @classmethod
    def learn(
        cls,
        corpus: Texts,
        *,
        output: PathLike | None = None,
        threads: int | None = None,
        temp_dir: str | None = None,
        invalid_utf8: str = "replace",
        on_bytes: Callable[[int], object] = lambda n_bytes: None,
        **options: object,
    ) -> Self:
        """Find the phrases of text files, and write the text with them to `output`, a line for each that holds words.

        The options are those of PhraseOptions; the other arguments are as in `Corpus.from_text`. Memory grows with
        the distinct words and pairs. Raises InputError.
        """
        known = [item.name for item in fields(PhraseOptions)]
        if unknown := [name for name in options if name not in known]:
            raise InputError(f"there is no option {unknown[0]}: known are {', '.join(known)}")
        chosen = PhraseOptions(**options)  # type: ignore[arg-type]
        if threads is not None and threads < 1:
            raise InputError(f"threads is {threads}: it must be at least 1")
        threads = threads or available_threads()
        files = find_files(corpus)
        if output is not None:
            check_output(output, files)
        pruning = Pruning(min_count=1, least_words=1)
        text = Corpus.from_text(
            files, pruning, invalid_utf8=invalid_utf8, threads=threads, temp_dir=temp_dir, on_bytes=on_bytes
        )
        found = []
        with ThreadPoolExecutor(threads) as pool:
            finder = PhraseFinder(text, chosen, pool, threads)
            for number in range(chosen.passes):
                found.append(finder.find())
                if number + 1 < chosen.passes:
                    with temporary_file(temp_dir) as spool:
                        for ids in finder.merged():
                            write_ids(spool, ids)
                        finder.start_pass(map_ids(spool))
            if output is not None:
                with replacing(output) as file:
                    for piece in finder.text():
                        file.write(piece.data)
        return cls(found, chosen, text.reading)

    def __getitem__(self, sentence: Sequence[str]) -> list[str]:
        """Return a sentence, a list of words, with its phrases joined."""
        if isinstance(sentence, str):
            raise InputError("a sentence is a list of words: split the text first, as in phrases[text.split()]")
        words = list(sentence)
        for pairs in self.found:
            words = self._merged(words, pairs)
        return words

    def _merged(self, words: list[str], pairs: Pairs) -> list[str]:
        """Merge pairs from left to right, each word in one pair at most."""
        merged: list[str] = []
        open_words: list[str] = []  # a word that may begin a phrase, and the connector words after it
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
        """Return the score of each phrase, its words joined; the highest score where several are spelled alike."""
        scores: dict[str, float] = {}
        for pairs in self.found:
            for words, score in pairs.items():
                name = self.options.delimiter.join(words)
                scores[name] = max(score, scores.get(name, score))
        return scores

    def __len__(self) -> int:
        return sum(map(len, self.found))


def compile_kernels() -> None:
    """Compile the kernels of `Phrases.learn`, or load them from the cache, by running them on a few words."""
    ids = np.array([0, 1, 0, -1] * 2, np.int32)
    ids.flags.writeable = False
    text = Corpus(Vocabulary(["a", "b"], np.array([4, 2])), ids, 6, Reading(0, 6, 2))
    options = PhraseOptions(min_count=1, threshold=0, scoring="word2phrase", connector_words=frozenset("b"))
    with ThreadPoolExecutor(1) as pool:
        finder = PhraseFinder(text, options, pool, 1)
        finder.find()
        list(finder.text())
    rehash(new_table(0), new_table(0))
