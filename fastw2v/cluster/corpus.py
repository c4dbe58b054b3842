"""A corpus that the workers of a cluster read and hold."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..corpus import shards as corpus_shards
from ..corpus.preparation import UNCHANGED, Preparation
from ..corpus.pruning import Pruning
from ..corpus.shards import Shard
from ..corpus.vocabulary import Reading, Vocabulary
from ..errors import InputError
from ..events import BytesRead
from .failures import ClusterFailed
from .futures import Tasks, pack

MERGED_AT_ONCE = 8
"""The number of dictionaries that one task merges."""


@dataclass
class ClusterCorpus:
    """A corpus on the workers. shards: futures of EncodedShard. ids_of_shards: the number of ids of each shard.

    sources: where the text of each shard is. preparation: what was done to it. numbering: the Numbering of its words,
    packed.
    """

    vocabulary: Vocabulary
    reading: Reading
    n_tokens: int
    checksum: int
    ids_of_shards: list[int]
    shards: list[Any]
    sources: list[Shard]
    preparation: Preparation
    numbering: bytes

    @property
    def n_ids(self) -> int:
        """The number of ids, with the -1 at each end of a sentence."""
        return sum(self.ids_of_shards)

    def restore(self, tasks: Tasks) -> None:
        """Read those shards again that no worker has any more. Raises DataLost, and ClusterFailed if they changed."""
        lost = [number for number, is_there in enumerate(tasks.have_data(self.shards)) if not is_there]
        if not lost:
            return
        texts = [tasks.submit(corpus_shards.read_shard, self.sources[number], self.preparation) for number in lost]
        numbering = tasks.submit_data(self.numbering)
        try:
            shards = _number(tasks, lost, texts, numbering)
        except InputError as error:
            raise ClusterFailed(f"{error}; a corpus on a cluster must stay as it is until the run ends") from error
        for number, shard in zip(lost, shards, strict=True):
            self.shards[number] = shard


def read_corpus(
    tasks: Tasks,
    shards: list[Shard],
    pruning: Pruning,
    invalid_utf8: str,
    tell: Callable[[BytesRead], object],
    preparation: Preparation = UNCHANGED,
) -> ClusterCorpus:
    """Read every shard once, merge the words, and number the text: `Corpus.from_text` on many machines.

    If a worker dies meanwhile, Dask reads its text again. tell: receives how many bytes have been read so far. Raises
    InputError as `Corpus.from_text` does, and DataLost if all workers are gone.
    """
    texts = [tasks.submit(corpus_shards.read_shard, shard, preparation) for shard in shards]
    words = [tasks.submit(corpus_shards.words_of, text) for text in texts]
    while len(words) > 1:
        groups = [words[i : i + MERGED_AT_ONCE] for i in range(0, len(words), MERGED_AT_ONCE)]
        words = [tasks.submit(corpus_shards.merge_words, group) for group in groups]
    choice = tasks.submit(corpus_shards.choose_vocabulary, words[0], pruning, invalid_utf8)
    n_bytes = np.cumsum([corpus_shards.bytes_of(shard) for shard in shards]).tolist()
    tasks.wait_for(texts, lambda number: tell(BytesRead(n_bytes[number])))
    vocabulary, reading, numbering = tasks.result(choice)
    packed = pack(numbering)
    encoded = _number(tasks, range(len(texts)), texts, tasks.submit_data(packed))
    facts = [tasks.submit(corpus_shards.describe, shard) for shard in encoded]
    tasks.wait_for(facts)
    n_ids, n_tokens, checksums = zip(*tasks.gather(facts), strict=True)
    checksum = zlib.crc32(np.array(checksums, np.uint32).data)
    return ClusterCorpus(
        vocabulary, reading, sum(n_tokens), checksum, list(n_ids), encoded, shards, preparation, packed
    )


def _number(tasks: Tasks, numbers: Iterable[int], texts: list[Any], numbering: Any) -> list[Any]:
    """Number the texts; futures of EncodedShards, which Dask cannot make again: `restore` submits lost ones anew."""
    places = zip(numbers, texts, strict=True)
    encoded = [tasks.submit(corpus_shards.number_shard, number, text, numbering) for number, text in places]
    tasks.wait_for(encoded)
    return tasks.detach(encoded)
