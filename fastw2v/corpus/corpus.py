"""Corpus: a vocabulary, and the text as ids in a memory-mapped file."""

import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from ..system import free_pages
from ..threads import Pool
from .idfile import map_ids, map_in_order, renumber_file, temporary_file, write_ids
from .paths import Texts, find_files
from .preparation import Preparation
from .pruning import DEFAULT_PRUNING, Pruning, WordCounts
from .source import Block, read_blocks
from .tokenizer import Tokenizer, count_words
from .vocabulary import Reading, Vocabulary

MOST_READERS = 8
"""The largest number of threads that tokenize: eight outrun any disk."""

PARTS_OF_A_READER = 4
"""The parts of the dictionary for each thread that tokenizes, so that two rarely want the same one."""


@dataclass(frozen=True)
class ReadOptions:
    """How text is read.

    lower, strip_punctuation, digits: what is done to the text first, see `Preparation`. invalid_utf8: what to do with
    tokens that are not UTF-8: `replace` their bad bytes by U+FFFD, `keep` them as \\xNN, or `refuse`. temp_dir: the
    directory of the file of ids, 4 bytes a token. on_bytes is called with the number of bytes encoded so far.
    """

    lower: bool = False
    strip_punctuation: bool = False
    digits: str = "keep"
    invalid_utf8: str = "replace"
    threads: int = 1
    temp_dir: str | None = None
    on_bytes: Callable[[int], object] = lambda n_bytes: None

    @property
    def preparation(self) -> Preparation:
        return Preparation(self.lower, self.strip_punctuation, self.digits)


@dataclass(frozen=True)
class Corpus:
    """A text ready to train on.

    ids: (n,) int32, read only, memory-mapped; -1 ends a sentence, none of which is empty. n_tokens: the number of ids
    that are words. checksum: the CRC-32 of the ids. The file behind `ids` has no name: it disappears when the last
    process that uses it ends, however that ends.
    """

    vocabulary: Vocabulary
    ids: NDArray[np.int32]
    n_tokens: int
    reading: Reading
    checksum: int = 0

    @classmethod
    def from_text(cls, corpus: Texts, pruning: Pruning = DEFAULT_PRUNING, **options: Any) -> Self:
        """Read files, globs, directories, URLs or stdin (`-`) once, as `from_blocks` does. Raises InputError."""
        return cls.from_blocks(read_blocks(find_files(corpus)), pruning, **options)

    @classmethod
    def from_blocks(cls, blocks: Iterable[Block], pruning: Pruning = DEFAULT_PRUNING, **options: Any) -> Self:
        """Read blocks, with the options of ReadOptions. Memory grows with the distinct words only.

        Raises InputError for a text that `pruning` refuses.
        """
        how = ReadOptions(**options)
        n_readers = min(how.threads, MOST_READERS)
        tokenizer = Tokenizer(1 if n_readers == 1 else 1 << (PARTS_OF_A_READER * n_readers - 1).bit_length())
        learnt = tokenizer.learn(pruning.fixed.words) if pruning.fixed else np.empty(0, np.int32)
        with temporary_file(how.temp_dir) as spool, Pool(n_readers) as pool:
            n_bytes = 0

            def encode(block: Block) -> tuple[int, NDArray[np.int32]]:
                n_read, text = block
                return n_read, tokenizer.encode(how.preparation.apply(text))

            for n_read, ids in map_in_order(pool, encode, blocks, 2 * n_readers):
                write_ids(spool, ids)
                n_bytes += n_read
                how.on_bytes(n_bytes)
            n_overlong, n_unknown = tokenizer.n_overlong, tokenizer.n_unknown
            counts = count_words(tokenizer.parts, how.invalid_utf8)
            if pruning.fixed:
                counts = counts.in_order(pruning.fixed.words, learnt)
            n_tokens = counts.n_tokens + n_unknown
            n_types, n_invalid, advice = len(counts.words), counts.n_invalid, counts.advice
            reading = Reading(n_bytes, n_tokens, n_types, n_overlong, n_unknown, n_invalid, advice)
            return cls._pruned(counts, reading, spool, pool, pruning)

    @classmethod
    def from_ids(
        cls,
        pieces: Iterable[NDArray[np.int32]],
        words: Sequence[str] | Callable[[], Sequence[str]],
        pruning: Pruning = DEFAULT_PRUNING,
        temp_dir: str | None = None,
    ) -> Self:
        """Read sentences as ids of `words`, int32, -1 after each sentence, in pieces.

        words: the names of the ids, or a function that returns them, which is called after the last piece.
        """
        fixed = pruning.fixed  # which refuses an unusable vocabulary before anything is read
        n_of_id = np.zeros(0, np.int64)
        with temporary_file(temp_dir) as spool, Pool(1) as pool:
            for ids in pieces:
                n_of_piece = np.bincount(ids[ids >= 0], minlength=len(n_of_id))
                n_of_piece[: len(n_of_id)] += n_of_id
                n_of_id = n_of_piece
                write_ids(spool, ids)
            names = words() if callable(words) else words
            n_of_id = np.append(n_of_id, np.zeros(len(names) - len(n_of_id), np.int64))
            counts = WordCounts(names, n_of_id, np.arange(len(names), dtype=np.int32))
            n_tokens = counts.n_tokens
            if fixed is not None:
                counts = counts.of_vocabulary(fixed)
            reading = Reading(0, n_tokens, len(names), n_unknown=n_tokens - counts.n_tokens)
            return cls._pruned(counts, reading, spool, pool, pruning)

    @classmethod
    def _pruned(cls, counts: WordCounts, reading: Reading, spool: BinaryIO, pool: Pool, pruning: Pruning) -> Self:
        """Choose the vocabulary, and replace the provisional ids in the file by those of the vocabulary."""
        vocabulary, id_of_word = pruning.choose(counts, reading.n_unknown)
        n_tokens = int(counts.counts[id_of_word >= 0].sum())
        new_ids = np.where(counts.word_of_id >= 0, id_of_word[counts.word_of_id], -1).astype(np.int32)
        checksum = renumber_file(spool, new_ids, pool)
        return cls(vocabulary, map_ids(spool), n_tokens, reading, checksum)

    @property
    def n_ids(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Corpus: {self.n_tokens:,} tokens, {len(self.vocabulary):,} words>"

    def let_go(self) -> None:
        """Free the memory that holds pages of the file of ids; they are loaded again when they are read."""
        memory = getattr(self.ids.base, "obj", None)  # the mmap behind NumPy's view of it
        if isinstance(memory, mmap.mmap):
            free_pages(memory)
