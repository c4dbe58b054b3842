"""A corpus that the workers of a cluster read and hold."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..corpus import shards as corpus_shards
from ..corpus.pruning import Pruning
from ..corpus.shards import Shard
from ..corpus.vocabulary import Reading, Vocabulary
from ..events import BytesRead
from .futures import Tasks

MERGED_AT_ONCE = 8
"""The number of dictionaries that one task merges."""


@dataclass
class ClusterCorpus:
    """A corpus on the workers. shards: futures of EncodedShard. ids_of_shards: the number of ids of each shard."""

    vocabulary: Vocabulary
    reading: Reading
    n_tokens: int
    checksum: int
    ids_of_shards: list[int]
    shards: list[Any]

    @property
    def n_ids(self) -> int:
        """The number of ids, with the -1 at each end of a sentence."""
        return sum(self.ids_of_shards)


def read_corpus(
    tasks: Tasks, shards: list[Shard], pruning: Pruning, invalid_utf8: str, tell: Callable[[BytesRead], object]
) -> ClusterCorpus:
    """Read every shard once, merge the words, and number the text: `Corpus.from_text` on many machines.

    tell: receives how many bytes have been read so far. Raises InputError as `Corpus.from_text` does.
    """
    texts = [tasks.submit(corpus_shards.read_shard, shard) for shard in shards]
    words = [tasks.submit(corpus_shards.words_of, text) for text in texts]
    while len(words) > 1:
        groups = [words[i : i + MERGED_AT_ONCE] for i in range(0, len(words), MERGED_AT_ONCE)]
        words = [tasks.submit(corpus_shards.merge_words, group) for group in groups]
    choice = tasks.submit(corpus_shards.choose_vocabulary, words[0], pruning, invalid_utf8)
    n_bytes = np.cumsum([corpus_shards.bytes_of(shard) for shard in shards]).tolist()
    tasks.wait_for(texts, lambda number: tell(BytesRead(n_bytes[number])))
    # This process keeps the numbering, not the task that made it: else Dask would read the whole corpus again for one
    # shard that is lost.
    vocabulary, reading, numbering = tasks.result(choice)
    numbering_there = tasks.submit_data(numbering)
    encoded = [tasks.submit(corpus_shards.number_shard, i, text, numbering_there) for i, text in enumerate(texts)]
    facts = [tasks.submit(corpus_shards.describe, shard) for shard in encoded]
    tasks.wait_for(facts)
    n_ids, n_tokens, checksums = zip(*tasks.gather(facts), strict=True)
    checksum = zlib.crc32(np.array(checksums, np.uint32).data)
    return ClusterCorpus(vocabulary, reading, sum(n_tokens), checksum, list(n_ids), encoded)
