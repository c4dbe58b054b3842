"""A corpus that the workers of a cluster read and hold."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..corpus import shards as corpus_shards
from ..corpus.corpus import Reading
from ..corpus.shards import Shard
from ..corpus.vocabulary import Vocabulary
from .cluster import Cluster

MERGED_AT_ONCE = 8
"""Dictionaries of shards."""


@dataclass
class ClusterCorpus:
    """A corpus on the workers. shards: futures of EncodedShard; ids_of_shards: how many ids each has."""

    vocabulary: Vocabulary
    reading: Reading
    n_tokens: int
    checksum: int
    ids_of_shards: list[int]
    shards: list[Any]

    @property
    def n_ids(self) -> int:
        return sum(self.ids_of_shards)


def read_corpus(
    cluster: Cluster, texts: list[Shard], on_bytes: Callable[[int], object], *, min_count: int, max_vocab: int | None,
    vocabulary: Vocabulary | None, earlier: Vocabulary | None, invalid_utf8: str,
) -> ClusterCorpus:  # fmt: skip
    """Read every shard once, merge the words, and number the text: `Corpus.from_text` on many machines."""
    read = [cluster.submit(corpus_shards.read_shard, text) for text in texts]
    words = [cluster.submit(corpus_shards.words_of, one) for one in read]
    while len(words) > 1:
        words = [cluster.submit(corpus_shards.merge_words, words[i : i + MERGED_AT_ONCE])
                 for i in range(0, len(words), MERGED_AT_ONCE)]  # fmt: skip
    chosen = cluster.submit(corpus_shards.choose_vocabulary, words[0], min_count, max_vocab, vocabulary, earlier,
                            invalid_utf8)  # fmt: skip
    n_bytes = np.cumsum([corpus_shards.bytes_of(text) for text in texts]).tolist()
    cluster.watch(read, lambda number: on_bytes(n_bytes[number]))
    # Kept here, not by the task that made it: else a lost shard would have all of the corpus read again for it.
    found, reading, numbering = cluster.result(chosen)
    kept = cluster.keep(numbering)
    shards = [cluster.submit(corpus_shards.number_shard, number, one, kept) for number, one in enumerate(read)]
    facts = [cluster.submit(corpus_shards.describe, shard) for shard in shards]
    cluster.watch(facts)
    n_ids, n_tokens, checksums = zip(*cluster.gather(facts), strict=True)
    checksum = zlib.crc32(np.array(checksums, np.uint32).data)
    return ClusterCorpus(found, reading, sum(n_tokens), checksum, list(n_ids), shards)
