"""The corpus in shards: together they are the corpus, whoever reads them."""

import copy
import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from corpora import ALL_WORDS, random_text

from fastw2v.corpus import shards as shards_module
from fastw2v.corpus import source
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.shards import (
    check_seen,
    choose_vocabulary,
    find_shards,
    fingerprints,
    merge_words,
    number_shard,
    read_shard,
    words_of,
)
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import InputError


def over_a_wire(value):
    return pickle.loads(pickle.dumps(value))


def encode(paths, pruning=ALL_WORDS):
    """Every step, each with values that were pickled: (vocabulary, reading, shards of ids)."""
    shards = find_shards([str(path) for path in paths])
    read_shards = [over_a_wire(read_shard(shard)) for shard in shards]
    ids_before = copy.deepcopy([shard.ids for shard in read_shards])
    words = merge_words([merge_words([words_of(shard)]) for shard in read_shards])
    vocabulary, reading, numbering = choose_vocabulary(words, over_a_wire(pruning), "replace")
    numbering = over_a_wire(numbering)
    numbered = [number_shard(number, shard, numbering) for number, shard in enumerate(read_shards)]
    for ids, shard in zip(ids_before, read_shards, strict=True):
        np.testing.assert_array_equal(ids, shard.ids, "a task changed its input")
    return vocabulary, reading, numbered


@pytest.mark.parametrize(
    "pruning",
    [
        Pruning(1),
        Pruning(3),
        Pruning(1, max_vocab=3),
        Pruning(1, vocabulary=Vocabulary(["b", "q", "a"], np.array([3, 2, 1]))),
        Pruning(1, max_vocab=2, vocabulary=Vocabulary(["b", "q", "a"], np.array([3, 2, 1]))),
        Pruning(2, earlier=Vocabulary(["q", "a"], np.array([9, 1]))),
    ],
)
def test_same_as_one_machine(tmp_path, size_of_shards, pruning):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for seed, path in enumerate(paths):
        path.write_bytes(random_text(seed=seed) if seed != 1 else b"one \xff line, no newline")
    expected = Corpus.from_text(paths, pruning)
    vocabulary, reading, shards = encode(paths, pruning)
    assert vocabulary.words == expected.vocabulary.words
    np.testing.assert_array_equal(vocabulary.counts, expected.vocabulary.counts)
    got = np.concatenate([shard.ids for shard in shards])
    # A sentence that has no word left is dropped with its end, unless a shard begins with it.
    joined = got[(got >= 0) | (np.append(0, got[:-1]) >= 0)]
    expected_ids = expected.ids[(expected.ids >= 0) | (np.append(0, expected.ids[:-1]) >= 0)]
    np.testing.assert_array_equal(joined, expected_ids)
    assert sum(shard.n_tokens for shard in shards) == expected.n_tokens
    assert (reading.n_bytes, reading.n_tokens) == (expected.reading.n_bytes, expected.reading.n_tokens)
    assert reading.n_unknown == expected.reading.n_unknown
    assert reading.n_invalid == expected.reading.n_invalid


def test_ranges_meet_at_lines(tmp_path, size_of_shards):
    path = tmp_path / "t"
    path.write_bytes(b"".join(b"%d a b\n" % i for i in range(3000)))
    lines = [bytes(text) for shard in find_shards([path]) for part in shard for _, text in shards_module._blocks(part)]
    assert b"".join(lines).replace(b"\n\n", b"\n").strip() == path.read_bytes().strip()
    assert all(text.endswith(b"\n") for text in lines)


def test_a_long_line_is_cut_at_blanks(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_BYTES", 64)
    monkeypatch.setattr(shards_module, "LEAST_BYTES", 500)
    monkeypatch.setattr(shards_module, "MOST_BYTES", 500)
    path = tmp_path / "t"
    path.write_text(" ".join(f"word{i}" for i in range(1000)) + " " + "x" * 3000 + "\n")
    assert len(find_shards([path])) > 10
    vocabulary, reading, _ = encode([path])
    assert sorted(vocabulary.words) == sorted(f"word{i}" for i in range(1000))
    assert reading.n_overlong == 1


def test_small_files_share_a_shard(tmp_path):
    for i in range(300):
        (tmp_path / f"f{i:03}").write_text("a b\n")
    shards = find_shards([tmp_path])
    assert [len(shard) for shard in shards] == [300]
    _, _, [ids] = encode([tmp_path])
    assert ids.n_tokens == 600


def test_compressed_files_stay_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(shards_module, "LEAST_BYTES", 10)
    monkeypatch.setattr(shards_module, "MOST_BYTES", 10)
    (tmp_path / "t.gz").write_bytes(gzip.compress(random_text()))
    assert len(find_shards([tmp_path / "t.gz"])) == 1
    assert encode([tmp_path / "t.gz"])[1].n_tokens > 1000


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"7z\xbc\xaf"])
def test_archives_are_not_cut_up(tmp_path, monkeypatch, head):
    monkeypatch.setattr(shards_module, "LEAST_BYTES", 1000)
    (tmp_path / "t").write_bytes(head + b"a b c\n" * 10_000)
    with pytest.raises(InputError, match="archive: unpack it first"):
        encode([tmp_path / "t"])


def test_words_of_a_given_vocabulary_are_known_by_their_bytes(tmp_path):
    (tmp_path / "t").write_bytes(b"caf\xff a\n" * 10 + "caf\ufffd a\n".encode() * 3)
    pruning = Pruning(vocabulary=Vocabulary(["caf\ufffd", "a"], np.array([5, 4])))
    expected = Corpus.from_text(tmp_path / "t", pruning)
    _, reading, [shard] = encode([tmp_path / "t"], pruning)
    np.testing.assert_array_equal(shard.ids, expected.ids)
    assert reading == expected.reading


def test_nothing_found(tmp_path):
    (tmp_path / "t").write_text("a b\n")
    with pytest.raises(InputError, match="min_count"):
        encode([tmp_path / "t"], Pruning(5))
    with pytest.raises(InputError, match="no word of the vocabulary .all 2 tokens are other words"):
        encode([tmp_path / "t"], Pruning(vocabulary=Vocabulary(["c", "d"], np.array([1, 1]))))
    with pytest.raises(InputError, match="earlier run"):
        encode([tmp_path / "t"], Pruning(2, earlier=Vocabulary(["c"], np.array([1]))))


def test_what_a_machine_sees(tmp_path):
    path = tmp_path / "t"
    path.write_text("a b\n")
    assert check_seen({str(path): 4}) == ""
    assert "sees 4 bytes" in check_seen({str(path): 5})
    assert "No such file" in check_seen({str(tmp_path / "other"): 5})
    [shard] = find_shards([path])
    path.write_text("a b c\n")
    with pytest.raises(InputError, match="sees 6 bytes in .*, which has 4 elsewhere"):
        read_shard(shard)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_are_refused(tmp_path):
    # To open one would hang a worker for ever.
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a pipe, device or directory"):
        find_shards([str(tmp_path / "pipe")])
    assert "is a pipe" in check_seen({str(tmp_path / "pipe"): 0})


@pytest.mark.parametrize("n_files", [1, 3, 250])
def test_copies_of_the_same_size(tmp_path, n_files):
    """A sample of each of at most 100 files is compared, first and last bytes among them."""
    sizes = {str(tmp_path / f"{number:03}"): 20_000 for number in range(n_files)}
    for name in sizes:
        Path(name).write_bytes(b"a " * 10_000)
    checksums = fingerprints({**sizes, "s3://bucket/a": 5, str(tmp_path / "missing"): 5})
    assert len(checksums) == min(n_files, 84)
    assert check_seen(sizes, fingerprints(sizes)) == ""
    for place in (0, 10_000, 19_999):
        name = list(fingerprints(sizes))[-1]
        text = bytearray(b"a " * 10_000)
        text[place] = ord("b")
        Path(name).write_bytes(text)
        assert check_seen(sizes) == ""
        expected = fingerprints(sizes)
        Path(name).write_bytes(b"a " * 10_000)
        assert check_seen(sizes, expected) == f"sees different text in {name} than the other workers, of the same size"


def test_the_fingerprint_of_an_empty_file(tmp_path):
    (tmp_path / "t").touch()
    sizes = {str(tmp_path / "t"): 0}
    assert check_seen(sizes, fingerprints(sizes)) == ""
