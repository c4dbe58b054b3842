"""word2vec's files as gensim reads and writes them: words in other encodings, files of counts, odd newlines."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..corpus.vocabulary import Vocabulary
from ..errors import CutOff, InputError
from ..files.names import PathLike
from ..matrix import is_finite
from ..modelfile import ModelFile
from ..vectors import formats
from .log import logger


class Reading(NamedTuple):
    """How a file is read. limit: the most words, None for all."""

    binary: bool
    encoding: str = "utf8"
    unicode_errors: str = "strict"
    limit: int | None = None

    @property
    def kind(self) -> str:
        return "binary" if self.binary else "text"


def load(path: PathLike, how: Reading) -> ModelFile:
    """Read a file, with the first vector of a word that occurs twice. Raises InputError, CutOff, UnicodeDecodeError."""
    try:
        content = formats.read_rows(path, how.kind, how.limit, how.encoding, how.unicode_errors)
    except CutOff:
        raise
    except InputError as error:
        if not how.binary or isinstance(error, UnicodeError):
            raise
        found = _with_odd_newlines(path, how)
        if found is None:
            raise
        content = found
    return _without_repeated(os.fspath(path), content)


def _without_repeated(name: str, content: ModelFile) -> ModelFile:
    first = {word: row for row, word in reversed(list(enumerate(content.words)))}
    if len(first) == len(content.words):
        return content
    logger.warning("%s holds %d words more than once: the first vector is taken", name, len(content.words) - len(first))
    rows = sorted(first.values())
    return ModelFile([content.words[row] for row in rows], content.vectors[rows])


def _with_odd_newlines(path: PathLike, how: Reading) -> ModelFile | None:
    """Read a binary file with any number of newlines before each word, as gensim does; None if it is no such file."""
    with open(path, "rb") as file:
        data = file.read()
    header, _, rest = data.partition(b"\n")
    try:
        n, dim = map(int, header.split())
        words, vectors = [], np.empty((min(n, how.limit or n), dim), np.float32)
        for row in vectors:
            word, _, rest = rest.lstrip(b"\n").partition(b" ")
            words.append(word.decode(how.encoding, how.unicode_errors))
            row[:] = np.frombuffer(rest, "<f4", dim)
            rest = rest[4 * dim :]
    except (ValueError, MemoryError):
        return None
    is_sound = is_finite(vectors) and all(word and not any(map(str.isspace, word)) for word in words)
    return ModelFile(words, vectors) if is_sound else None


def counts_of(path: PathLike, words: Sequence[str], how: Reading) -> NDArray[np.int64]:
    """Read the counts of words, (n,), from lines `word count`; those that are missing are 0, with a warning."""
    counts: dict[str, int] = {}
    try:
        with open(path, encoding=how.encoding, errors=how.unicode_errors) as file:
            for number, line in enumerate(file, 1):
                match line.split():
                    case [word, count] if count.isdecimal():
                        counts[word] = int(count)
                    case _:
                        raise InputError(f"{os.fspath(path)}, line {number}: {line[:60]!r} is not 'word count'")
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    if n_missing := sum(word not in counts for word in words):
        logger.warning("%s has no count of %d words: they count as 0", os.fspath(path), n_missing)
    return np.array([counts.get(word, 0) for word in words], np.int64)


def save(path: PathLike, content: ModelFile, kind: str, fvocab: PathLike | None) -> None:
    """Write rows in a format of `formats.save`, and to `fvocab`, if it is given, a line `word count` for each word."""
    if fvocab is not None and content.counts is None:
        raise InputError("these vectors have no counts to write to fvocab")
    formats.save(path, content, kind)
    if fvocab is not None and content.counts is not None:
        Vocabulary(list(content.words), content.counts).save(fvocab)
