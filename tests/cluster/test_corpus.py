"""A corpus that workers read: the same as one machine reads."""

import zlib

import numpy as np
import pytest
from fake_dask import FakeTasks
from planted import planted_text

from fastw2v.cluster.corpus import read_corpus
from fastw2v.cluster.failures import DataLost
from fastw2v.corpus import shards as corpus_shards
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.shards import find_shards
from fastw2v.errors import InputError


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_shards, "LEAST_BYTES", 1000)
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text(planted_text(seed=i, n_sentences=500))
    return tmp_path


@pytest.mark.parametrize("min_count", [1, 150])
def test_the_same_as_on_one_machine(texts, min_count):
    pruning = Pruning(min_count=min_count)
    shards, expected = find_shards([str(texts)]), Corpus.from_text(texts, pruning)
    assert len(shards) > 8, "dictionaries are merged twice"
    events = []
    got = read_corpus(FakeTasks(3), shards, pruning, "keep", events.append)
    assert got.vocabulary.words == expected.vocabulary.words
    np.testing.assert_array_equal(got.vocabulary.counts, expected.vocabulary.counts)
    assert got.reading == expected.reading
    assert got.n_tokens == expected.n_tokens
    ids = [future.value.ids for future in got.shards]
    np.testing.assert_array_equal(np.concatenate(ids), expected.ids)
    assert got.ids_of_shards == [len(of_shard) for of_shard in ids]
    assert got.n_ids == expected.n_ids
    assert got.checksum == zlib.crc32(np.array([zlib.crc32(of_shard) for of_shard in ids], np.uint32))
    n_bytes = [event.n_bytes for event in events]
    assert n_bytes == sorted(n_bytes)
    assert len(n_bytes) == len(shards)
    assert n_bytes[-1] == expected.reading.n_bytes


def test_errors_of_tasks(texts):
    shards = find_shards([str(texts)])
    with pytest.raises(InputError, match="no word of the corpus occurs 99999 times"):
        read_corpus(FakeTasks(2), shards, Pruning(min_count=99_999), "keep", lambda event: None)
    tasks = FakeTasks(2)
    with pytest.raises(DataLost):
        read_corpus(tasks, shards, Pruning(), "keep", lambda event: tasks.workers.alive and tasks.kill("w0", "w1"))
