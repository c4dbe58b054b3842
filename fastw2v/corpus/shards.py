"""The corpus in shards, for many machines: each shard is counted where it is read, and the counts are merged.

The functions are pure and do not change their arguments, so a cluster may run any of them again, on any machine.
"""

import copy
import itertools
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..kernels.tokenize import renumber
from .paths import find_files
from .preparation import UNCHANGED, Preparation
from .pruning import Pruning, WordCounts
from .remote import file_system, is_url
from .source import Block, is_compressed, read_blocks, read_range
from .tokenizer import Tokenizer, count_words
from .vocabulary import Reading, Vocabulary
from .words import WordCounter

N_SHARDS = 128
"""Plain text has about this many shards: eight for each of 16 machines, so that they are distributed evenly."""

LEAST_BYTES, MOST_BYTES = 1 << 18, 1 << 26
"""The limits of a shard's size: a smaller one costs more to track than to read, a larger one fills a small worker."""


MOST_SAMPLED, N_PIECES, PIECE_BYTES = 100, 300, 4096
"""Copies of a corpus are compared in at most so many files, by so many pieces in all, of this size each."""


@dataclass(frozen=True)
class Part:
    """The bytes from `start` to `stop` of a file of `size` bytes; both move on to the start of the next line."""

    file: str
    size: int
    start: int
    stop: int


Shard = tuple[Part, ...]
"""A part of a large file, or several small files."""


def bytes_of(shard: Shard) -> int:
    return sum(part.stop - part.start for part in shard)


def find_shards(names: Sequence[str]) -> list[Shard]:
    """Divide the files that the names stand for into shards, by their names and sizes alone. Raises InputError."""
    files = find_files(names)
    try:
        sizes = [file_size(file) for file in files]
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror or error}") from error
    n_bytes = min(max(sum(sizes) // N_SHARDS, LEAST_BYTES), MOST_BYTES)
    shards: list[Shard] = []
    small: list[Part] = []
    n_small = 0
    for file, size in zip(files, sizes, strict=True):
        if small and n_small + size > n_bytes:
            shards.append(tuple(small))
            small, n_small = [], 0
        if size < n_bytes:
            small.append(Part(file, size, 0, size))
            n_small += size
        else:
            n_parts = 1 if size < 2 * n_bytes or is_compressed(file) else size // n_bytes
            cuts = [size * i // n_parts for i in range(n_parts + 1)]
            shards += [(Part(file, size, start, stop),) for start, stop in itertools.pairwise(cuts)]
    return [*shards, tuple(small)] if small else shards


def file_size(file: str) -> int:
    """Return the size of a file or URL in bytes. Raises OSError, or InputError for a pipe or device."""
    if not is_url(file):
        size = os.path.getsize(file)
        if not os.path.isfile(file):
            raise InputError(f"{file} is a pipe, device or directory: on a cluster, a corpus is made of regular files")
        return size
    with file_system(file) as (files, path):
        return int(files.info(path)["size"])


def fingerprints(sizes: dict[str, int]) -> dict[str, int]:
    """A CRC-32 of pieces of some of the files, evenly chosen, but for URLs: are two machines' copies the same text?

    sizes: of the files in bytes. One that cannot be read is left out: `check_seen` says so.
    """
    files = [file for file in sizes if not is_url(file)]
    chosen = files[:: -(-len(files) // MOST_SAMPLED) or 1]
    found = {}
    for file in chosen:
        with suppress(OSError):
            found[file] = _fingerprint(file, sizes[file], max(3, N_PIECES // len(chosen)))
    return found


def _fingerprint(file: str, size: int, n_pieces: int) -> int:
    """A CRC-32 of pieces of a file, from its start to its end."""
    checksum = 0
    with open(file, "rb") as stream:
        for number in range(n_pieces):
            stream.seek(max(0, size - PIECE_BYTES) * number // (n_pieces - 1))
            checksum = zlib.crc32(stream.read(PIECE_BYTES), checksum)
    return checksum


def check_seen(files: dict[str, int], checksums: dict[str, int] | None = None) -> str:
    """Return in words which file this machine cannot read or sees in another size or with other text, or "".

    files: sizes in bytes. checksums: what `fingerprints` found elsewhere.
    """
    for file, size in files.items():
        try:
            size_here = file_size(file)
            is_readable = is_url(file) or os.access(file, os.R_OK)
        except (OSError, InputError) as error:
            return f"cannot read {file}: {getattr(error, 'strerror', None) or error}"
        if size_here != size:
            return f"sees {size_here:,} bytes in {file}, which has {size:,} elsewhere"
        if not is_readable:
            return f"cannot read {file}: permission denied"
    if checksums:
        here = fingerprints(files)
        for file, checksum in checksums.items():
            if here.get(file) != checksum:
                return f"sees different text in {file} than the other workers, of the same size"
    return ""


class ShardWords(NamedTuple):
    """The words of some shards with their counts; the bytes, dropped tokens and checksums of their text."""

    dictionary: WordCounter
    n_bytes: int
    n_overlong: int
    checksums: list[int]


class ReadShard(NamedTuple):
    """The text of a shard as provisional ids, int32, -1 where a sentence ends; and its words."""

    shard: Shard
    ids: NDArray[np.int32]
    words: ShardWords


def read_shard(shard: Shard, preparation: Preparation = UNCHANGED) -> ReadShard:
    """Read the text of a shard and prepare it. Raises InputError if a file cannot be read or has changed its size."""
    tokenizer = Tokenizer()
    pieces = []
    n_bytes = 0
    for part in shard:
        problem = check_seen({part.file: part.size})
        if problem:
            raise InputError(f"a worker {problem}")
        for n_read, text in _blocks(part):
            pieces.append(tokenizer.encode(preparation.apply(text)))
            n_bytes += n_read
    ids = np.concatenate(pieces)
    [words] = tokenizer.parts
    checksum = zlib.crc32(words.text.data, zlib.crc32(ids.data))
    return ReadShard(shard, ids, ShardWords(words, n_bytes, tokenizer.n_overlong, [checksum]))


def _blocks(part: Part) -> Iterator[Block]:
    is_whole = part.stop - part.start == part.size
    return read_blocks([part.file]) if is_whole else read_range(part.file, part.start, part.stop)


def words_of(read: ReadShard) -> ShardWords:
    return read.words


def merge_words(words_of_shards: Iterable[ShardWords]) -> ShardWords:
    """Add up the words and counts of several shards."""
    merged = WordCounter()
    n_bytes = n_overlong = 0
    checksums = []
    for words in words_of_shards:
        merged.absorb(words.dictionary)
        n_bytes += words.n_bytes
        n_overlong += words.n_overlong
        checksums += words.checksums
    return ShardWords(merged, n_bytes, n_overlong, checksums)


class Numbering(NamedTuple):
    """The numbers of words in the vocabulary: word i of the dictionary has the id ids[i], all others are dropped.

    checksums: of the text of each shard, as its words were counted.
    """

    dictionary: WordCounter
    ids: NDArray[np.int32]
    checksums: list[int]


def choose_vocabulary(words: ShardWords, pruning: Pruning, invalid_utf8: str) -> tuple[Vocabulary, Reading, Numbering]:
    """Return the vocabulary that `Corpus.from_blocks` would choose, what was read, and the ids. Raises InputError."""
    dictionary = words.dictionary
    if pruning.fixed is None:
        counts = count_words([dictionary], invalid_utf8)
    else:  # words are compared as bytes, as in Corpus.from_blocks
        tokenizer, merged = Tokenizer(), copy.deepcopy(dictionary)
        tokenizer.learn(pruning.fixed.words)
        [dictionary] = tokenizer.parts
        places = merged.absorb(dictionary)
        counts = WordCounts(pruning.fixed.words, merged.counts[places], np.arange(len(places), dtype=np.int32))
    n_tokens = int(words.dictionary.counts.sum())
    n_unknown = n_tokens - counts.n_tokens
    vocabulary, id_of_word = pruning.choose(counts, n_unknown)
    n_types, n_invalid, advice = len(counts.words), counts.n_invalid, counts.advice
    reading = Reading(words.n_bytes, n_tokens, n_types, words.n_overlong, n_unknown, n_invalid, advice)
    ids = id_of_word[counts.word_of_id]
    kept = np.flatnonzero(ids >= 0)
    return vocabulary, reading, Numbering(dictionary.subset(kept), ids[kept], words.checksums)


class EncodedShard(NamedTuple):
    """The text of a shard as ids of the vocabulary, int32, -1 where a sentence ends. checksum: their CRC-32."""

    number: int
    ids: NDArray[np.int32]
    n_tokens: int
    checksum: int


def number_shard(number: int, read: ReadShard, numbering: Numbering) -> EncodedShard:
    """Replace the provisional ids of a shard by those of the vocabulary.

    Raises InputError if its text is not the one whose words were counted: a machine was lost, and the text read again.
    """
    shard, ids, words = read
    if words.checksums != numbering.checksums[number : number + 1]:
        files = ", ".join(dict.fromkeys(part.file for part in shard))
        raise InputError(f"{files} was read again for a worker that is gone, and has changed since the first time")
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
    """Return the number of ids, the number of tokens, and the checksum of a shard."""
    return len(shard.ids), shard.n_tokens, shard.checksum
