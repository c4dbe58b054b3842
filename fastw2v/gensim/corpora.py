"""Corpora under gensim's names, and how a corpus becomes ids: files by our own reader, other iterables word by word."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from types import GeneratorType
from typing import Any

import numpy as np

from ..corpus.corpus import Corpus
from ..corpus.pruning import Pruning
from ..corpus.sequences import ids_of_sentences, iterated
from ..corpus.source import read_blocks
from ..errors import InputError
from ..files.names import PathLike
from .log import logger

MAX_WORDS_IN_BATCH = 10_000
"""gensim's longest sentence: iterators of files cut longer lines."""


def _texts(path: PathLike) -> Iterator[bytes]:
    """Yield the text of a file, decompressed, in parts that end between words."""
    for _, block in read_blocks([os.fspath(path)]):
        yield block.tobytes()


def _lines(path: PathLike) -> Iterator[bytes]:
    parts: list[bytes] = []  # of a line that has not ended yet
    for text in _texts(path):
        end, *lines = text.split(b"\n")
        parts.append(end)
        for line in lines:
            yield b"".join(parts)
            parts = [line]
    if any(parts):
        yield b"".join(parts)


def _cut(words: list[str], longest: int) -> Iterator[list[str]]:
    for first in range(0, len(words), longest):
        yield words[first : first + longest]


def _decoded(line: Any) -> str:
    return line if isinstance(line, str) else line.decode(errors="replace")


class LineSentence:
    """The lines of a file as sentences, lists of words. Word2Vec itself reads the file, with many threads.

    source: a path, of a file that may be compressed (gz, bz2, xz, zst), or a file object with `seek`.
    max_sentence_length: longer lines are cut, unless this is the default and Word2Vec reads the file. limit: the most
    lines that are read.
    """

    def __init__(self, source: Any, max_sentence_length: int = MAX_WORDS_IN_BATCH, limit: int | None = None) -> None:
        self.source, self.max_sentence_length, self.limit = source, max_sentence_length, limit

    @property
    def whole_files(self) -> list[PathLike]:
        """The files whose lines are all sentences; none if only some lines are, or if the source is not a path."""
        is_path = isinstance(self.source, str | os.PathLike)
        return [self.source] if is_path and _takes_all_lines(self, LineSentence) else []

    def __iter__(self) -> Iterator[list[str]]:
        if hasattr(self.source, "seek"):
            self.source.seek(0)
            yield from self._sentences(self.source)
        else:
            yield from self._sentences(_lines(self.source))

    def _sentences(self, lines: Iterable[Any]) -> Iterator[list[str]]:
        for line in islice(lines, self.limit):
            yield from _cut(_decoded(line).split(), self.max_sentence_length)


class PathLineSentences:
    """The lines of all files in a directory as sentences, in the order of their names; or those of one file."""

    def __init__(
        self, source: PathLike, max_sentence_length: int = MAX_WORDS_IN_BATCH, limit: int | None = None
    ) -> None:
        self.source, self.max_sentence_length, self.limit = source, max_sentence_length, limit
        if os.path.isfile(source):
            self.input_files = [os.fspath(source)]
        elif os.path.isdir(source):
            self.input_files = sorted(os.path.join(source, name) for name in os.listdir(source))
        else:
            raise InputError(f"{os.fspath(source)} is neither a file nor a directory")

    @property
    def whole_files(self) -> list[PathLike]:
        """The files of which all lines are sentences."""
        return list(self.input_files) if _takes_all_lines(self, PathLineSentences) else []

    def __iter__(self) -> Iterator[list[str]]:
        for name in self.input_files:
            yield from LineSentence(name, self.max_sentence_length, self.limit)


class Text8Corpus:
    """The words of a file without line ends, as text8 is, in sentences of `max_sentence_length` words."""

    def __init__(self, fname: PathLike, max_sentence_length: int = MAX_WORDS_IN_BATCH) -> None:
        self.fname, self.max_sentence_length = fname, max_sentence_length

    def __iter__(self) -> Iterator[list[str]]:
        words: list[str] = []
        for word in self._words():
            words.append(word)
            if len(words) == self.max_sentence_length:
                yield words
                words = []
        if words:
            yield words

    def _words(self) -> Iterator[str]:
        for text in _texts(self.fname):
            yield from text.decode(errors="replace").split()


def _takes_all_lines(sentences: Any, kind: type) -> bool:
    """Whether all lines are sentences as they stand: no subclass changes them, and no option cuts them."""
    is_plain = type(sentences).__iter__ is kind.__iter__  # type: ignore[attr-defined]
    return is_plain and sentences.limit is None and sentences.max_sentence_length == MAX_WORDS_IN_BATCH


def simple_preprocess(doc: str | bytes, deacc: bool = False, min_len: int = 2, max_len: int = 15) -> list[str]:
    """The words of a text, lower case, of letters and `_`, `min_len` to `max_len` letters long, not beginning with `_`.

    deacc: remove accents.
    """
    text = (doc if isinstance(doc, str) else doc.decode(errors="ignore")).lower()
    if deacc:
        letters = unicodedata.normalize("NFD", text)
        text = unicodedata.normalize("NFC", "".join(c for c in letters if unicodedata.category(c) != "Mn"))
    words = (found.group() for found in re.finditer(r"[^\W\d]+", text))
    return [word for word in words if min_len <= len(word) <= max_len and not word.startswith("_")]


def files_of(sentences: Any) -> list[PathLike]:
    """Return the files all of whose lines are these sentences; none where they must be iterated over."""
    return sentences.whole_files if isinstance(sentences, LineSentence | PathLineSentences) else []


def plain_key(key: Any) -> Any:
    """Return a word of NumPy, such as `np.str_`, as one of Python."""
    return key.item() if isinstance(key, np.generic) else key


def corpus_of(sentences: Iterable[Iterable[Any]], pruning: Pruning) -> Corpus:
    """Read sentences of any hashable words once, in the vocabulary that `pruning` chooses. Raises InputError."""
    id_of: defaultdict[Any, int] = defaultdict(count().__next__)

    def words() -> list[Any]:
        return [plain_key(word) for word in id_of]

    return Corpus.from_ids(ids_of_sentences(iter(sentences), id_of), words, pruning)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Source:
    """Where sentences come from: an iterable, which is read once, or a file. Raises TypeError unless there is one."""

    sentences: Any = None
    corpus_file: PathLike | None = None

    def __post_init__(self) -> None:
        if (self.sentences is None) == (self.corpus_file is None):
            raise TypeError("give either sentences (corpus_iterable) or corpus_file")
        if self.corpus_file is not None and not os.path.isfile(self.corpus_file):
            raise TypeError(f"corpus_file is {self.corpus_file!r}: it must be the path of a file")
        if self.sentences is not None and not isinstance(self.sentences, Iterable):
            kind = type(self.sentences).__name__
            raise TypeError(f"sentences is of type {kind}: it must be an iterable of lists of words")

    @property
    def files(self) -> list[PathLike]:
        """The files to read, none where the sentences are iterated over."""
        return files_of(self.sentences) if self.corpus_file is None else [self.corpus_file]

    def check_can_be_read_twice(self, reason: str) -> None:
        """Raise TypeError for a generator."""
        if isinstance(self.sentences, GeneratorType):
            raise TypeError(f"sentences is a generator, which can be read only once, but {reason}: give a list")

    def read_sentences(self) -> Iterable[Sequence[Any]]:
        """Return all sentences as an iterable, also those of a file."""
        return self.sentences if self.corpus_file is None else LineSentence(self.corpus_file)

    def read(self, pruning: Pruning, threads: int) -> "Text":
        """Read all sentences once, as ids of the vocabulary that `pruning` chooses. Raises InputError, TypeError."""
        if self.files:
            corpus = Corpus.from_text([os.fspath(path) for path in self.files], pruning, threads=threads)
            return Text(corpus, int(np.count_nonzero(corpus.ids < 0)))
        sentences = Counted(iterated(self.sentences, "sentences"))
        corpus = corpus_of(sentences, pruning)
        if isinstance(self.sentences, GeneratorType) and sentences.n_sentences == 0:
            raise TypeError("the generator of sentences is empty or exhausted: give a list or a new generator")
        return Text(corpus, sentences.n_sentences)


@dataclass(frozen=True)
class Text:
    """A text that was read. n_sentences: how many there are; of files, how many lines hold a word of the vocabulary."""

    corpus: Corpus
    n_sentences: int

    @property
    def n_words(self) -> int:
        """All words, rare ones included."""
        return self.corpus.reading.n_tokens


class Counted:
    """Sentences, which are counted while they are iterated over."""

    def __init__(self, sentences: Iterable[Any]) -> None:
        self._sentences, self.n_sentences = sentences, 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        """Raises TypeError for a sentence that is no list or other sequence of words."""
        for sentence in self._sentences:
            if not hasattr(sentence, "__len__"):
                raise TypeError(f"a sentence is of type {type(sentence).__name__}: it must be a list of words")
            if self.n_sentences == 0 and isinstance(sentence, str):
                # gensim's own test looks for the first of these two sentences.
                meant = "Each 'sentences' item should be a list of words (usually unicode strings)."
                logger.warning(
                    "%s The first one is the str %r, whose letters are taken for words", meant, sentence[:40]
                )
            self.n_sentences += 1
            yield list(sentence) if isinstance(sentence, str) else sentence
