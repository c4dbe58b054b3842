"""The corpus in parts, for many machines: the words of each are counted where it is read, and merged.

Pure functions of their arguments, which they leave as they are: whoever calls them may call them again elsewhere.
"""

from __future__ import annotations

import copy
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.tokenize import renumber
from .corpus import Reading, check_known, given, prune, unite
from .paths import find_files
from .remote import is_url, size_of_url
from .source import is_compressed, read_blocks, read_range
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary

SHARDS = 128
"""Of a corpus of plain text, about: eight for each of 16 machines, so that they can be dealt out evenly."""

LEAST_BYTES, MOST_BYTES = 1 << 18, 1 << 26
"""Of a shard, about: less is more to keep account of than to read, more does not fit a small worker several times."""


@dataclass(frozen=True)
class Part:
    """Bytes start to stop of a file of `size` bytes, moved on to the starts of lines."""

    file: str
    size: int
    start: int
    stop: int

    @property
    def is_whole(self) -> bool:
        return self.stop - self.start == self.size


Shard = tuple[Part, ...]
"""One part of a large file, or several small files."""


def bytes_of(shard: Shard) -> int:
    return sum(part.stop - part.start for part in shard)


def find_shards(names: Sequence[str]) -> list[Shard]:
    """The files that the names stand for, cut into shards: by their names and sizes alone, whoever will read them."""
    files = find_files(names)
    sizes = [size_of(file) for file in files]
    n_bytes = min(max(sum(sizes) // SHARDS, LEAST_BYTES), MOST_BYTES)
    shards: list[Shard] = []
    small: list[Part] = []
    n_small = 0
    for file, size in zip(files, sizes, strict=True):
        n_parts = 1 if size < 2 * n_bytes or is_compressed(file) else size // n_bytes
        cuts = [size * i // n_parts for i in range(n_parts + 1)]
        parts = [Part(file, size, start, stop) for start, stop in itertools.pairwise(cuts)]
        if small and n_small + size > n_bytes:
            shards.append(tuple(small))
            small, n_small = [], 0
        if size < n_bytes:
            small += parts
            n_small += size
        else:
            shards += [(part,) for part in parts]
    return [*shards, tuple(small)] if small else shards


def size_of(file: str) -> int:
    """In bytes. Raises OSError or InputError."""
    return size_of_url(file) if is_url(file) else os.path.getsize(file)


def check_seen(files: dict[str, int]) -> str:
    """What is wrong with these files and their sizes as this machine sees them, or nothing."""
    for file, size in files.items():
        try:
            found = size_of(file)
            with_permission = is_url(file) or os.access(file, os.R_OK)
        except (OSError, InputError) as error:
            return f"cannot read {file}: {getattr(error, 'strerror', None) or error}"
        if found != size:
            return f"sees {found:,} bytes in {file}, which has {size:,} elsewhere"
        if not with_permission:
            return f"cannot read {file}: permission denied"
    return ""


class Words(NamedTuple):
    """What was found in some shards."""

    dictionary: Tokenizer
    n_bytes: int


class ReadShard(NamedTuple):
    """ids: provisional ones, int32, -1 where a sentence ends."""

    ids: NDArray[np.int32]
    words: Words


def read_shard(shard: Shard) -> ReadShard:
    """The text of a shard. Raises InputError if it cannot be read, or is not what it was."""
    tokenizer = Tokenizer()
    pieces = []
    n_bytes = 0
    for part in shard:
        problem = check_seen({part.file: part.size})
        if problem:
            raise InputError(f"a worker {problem}")
        for n_read, text in _blocks(part):
            pieces.append(tokenizer.encode(text))
            n_bytes += n_read
    return ReadShard(np.concatenate(pieces), Words(tokenizer, n_bytes))


def _blocks(part: Part) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    return read_blocks([part.file]) if part.is_whole else read_range(part.file, part.start, part.stop)


def words_of(read: ReadShard) -> Words:
    return read.words


def merge_words(found: Iterable[Words]) -> Words:
    """The words and counts of several."""
    merged = Tokenizer()
    n_bytes = n_overlong = 0
    for words in found:
        merged.absorb(words.dictionary)
        n_bytes += words.n_bytes
        n_overlong += words.dictionary.n_overlong
    merged.add_overlong(n_overlong)
    return Words(merged, n_bytes)


class Numbering(NamedTuple):
    """How provisional ids become those of the vocabulary: ids[i] for word i of the dictionary, others are dropped."""

    dictionary: Tokenizer
    ids: NDArray[np.int32]


def choose_vocabulary(
    words: Words, min_count: int, max_vocab: int | None, vocabulary: Vocabulary | None, earlier: Vocabulary | None,
    invalid_utf8: str,
) -> tuple[Vocabulary, Reading, Numbering]:  # fmt: skip
    """The vocabulary of all words, as `Corpus.from_blocks` would have it, and what was read. Raises InputError."""
    dictionary = words.dictionary
    n_tokens = int(dictionary.counts.sum())
    if vocabulary is not None:  # words are known by their bytes, as in Corpus.from_blocks
        vocabulary = given(vocabulary, max_vocab)
        known = Tokenizer()
        known.learn(vocabulary.words)
        all_words = copy.deepcopy(dictionary)
        places = all_words.absorb(known)
        n_known = int(dictionary.counts[places[places < dictionary.n_words]].sum())
        check_known(n_known)
        reading = Reading(words.n_bytes, n_tokens, len(vocabulary), dictionary.n_overlong, n_tokens - n_known, 0)
        return vocabulary, reading, Numbering(known, np.arange(len(vocabulary), dtype=np.int32))
    found = unite([copy.deepcopy(dictionary)], invalid_utf8)
    reading = Reading(words.n_bytes, n_tokens, len(found.words), dictionary.n_overlong, 0, found.n_invalid)
    vocabulary, numbers = prune(found, min_count, max_vocab, earlier)
    ids = numbers[found.word_of_id]
    kept = np.flatnonzero(ids >= 0)
    return vocabulary, reading, Numbering(dictionary.subset(kept), ids[kept])


class EncodedShard(NamedTuple):
    """ids: int32, -1 where a sentence ends. checksum: their CRC-32."""

    number: int
    ids: NDArray[np.int32]
    n_tokens: int
    checksum: int


def number_shard(number: int, read: ReadShard, numbering: Numbering) -> EncodedShard:
    """A shard in the ids of the vocabulary."""
    ids, words = read
    dictionary = copy.deepcopy(words.dictionary)
    n_words = dictionary.n_words
    places = dictionary.absorb(numbering.dictionary)
    is_here = places < n_words
    new_ids = np.full(max(1, n_words), -1, np.int32)
    new_ids[places[is_here]] = numbering.ids[is_here]
    ids = ids.copy()
    ids = ids[: renumber(ids, new_ids)].copy()
    return EncodedShard(number, ids, int(np.count_nonzero(ids >= 0)), zlib.crc32(ids.data))


def describe(shard: EncodedShard) -> tuple[int, int, int]:
    """(ids, words, checksum)"""
    return len(shard.ids), shard.n_tokens, shard.checksum
