"""The corpus in shards: whoever reads them, together they are the corpus."""

import copy
import pickle

import numpy as np
import pytest

from fastw2v import InputError, Vocabulary
from fastw2v.corpus import shards as shards_module
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.remote import find_urls
from fastw2v.corpus.shards import (
    check_seen,
    choose_vocabulary,
    find_shards,
    merge_words,
    number_shard,
    read_shard,
    words_of,
)


def random_text(n_lines=1000, seed=0):
    rng = np.random.default_rng(seed)
    words = ["a", "b", "été", "日本", "x\u00a0y", "w" * 50, "\ufeffz"]
    lines = [" ".join(words[i] for i in rng.integers(0, len(words), rng.integers(0, 9))) for _ in range(n_lines)]
    return ("\n".join(lines) + "\n").encode()


def encode(paths, min_count=1, max_vocab=None, vocabulary=None, earlier=None, invalid_utf8="replace"):
    """Every step, each with what came over a wire: (vocabulary, reading, shards of ids)."""
    shards = find_shards([str(path) for path in paths])
    sent = [pickle.loads(pickle.dumps(read_shard(shard))) for shard in shards]
    kept = copy.deepcopy([one.ids for one in sent])
    words = merge_words([merge_words([words_of(one)]) for one in sent])
    found, reading, numbering = choose_vocabulary(words, min_count, max_vocab, vocabulary, earlier, invalid_utf8)
    numbering = pickle.loads(pickle.dumps(numbering))
    numbered = [number_shard(number, one, numbering) for number, one in enumerate(sent)]
    for ids, one in zip(kept, sent, strict=True):
        np.testing.assert_array_equal(ids, one.ids, "a task changed its input")
    return found, reading, numbered


@pytest.fixture(params=[2000, 20_000, 10**9])
def size_of_shards(request, monkeypatch):
    monkeypatch.setattr(shards_module, "LEAST_BYTES", request.param)
    monkeypatch.setattr(shards_module, "MOST_BYTES", request.param)
    return request.param


@pytest.mark.parametrize(
    "options",
    [{}, {"min_count": 3}, {"max_vocab": 3}, {"vocabulary": Vocabulary(["b", "q", "a"], np.array([3, 2, 1]))},
     {"earlier": Vocabulary(["q", "a"], np.array([9, 1])), "min_count": 2}],
)  # fmt: skip
def test_same_as_one_machine(tmp_path, size_of_shards, options):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for seed, path in enumerate(paths):
        path.write_bytes(random_text(seed=seed) if seed != 1 else b"one \xff line, no newline")
    expected = Corpus.from_text(paths, **{"min_count": 1, **options})
    vocabulary, reading, shards = encode(paths, **options)
    assert vocabulary.words == expected.vocabulary.words
    np.testing.assert_array_equal(vocabulary.counts, expected.vocabulary.counts)
    got = np.concatenate([shard.ids for shard in shards])
    # A sentence that has no word left is dropped with its end, unless a shard begins with it.
    joined = got[(got >= 0) | (np.append(0, got[:-1]) >= 0)]
    one = expected.ids[(expected.ids >= 0) | (np.append(0, expected.ids[:-1]) >= 0)]
    np.testing.assert_array_equal(joined, one)
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
    from fastw2v.corpus import source

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
    import gzip

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
    vocabulary = Vocabulary(["caf\ufffd", "a"], np.array([5, 4]))
    expected = Corpus.from_text(tmp_path / "t", vocabulary=vocabulary)
    _, reading, [shard] = encode([tmp_path / "t"], vocabulary=vocabulary)
    np.testing.assert_array_equal(shard.ids, expected.ids)
    assert reading == expected.reading


def test_nothing_found(tmp_path):
    (tmp_path / "t").write_text("a b\n")
    with pytest.raises(InputError, match="min_count"):
        encode([tmp_path / "t"], min_count=5)
    with pytest.raises(InputError, match="vocabulary that was given"):
        encode([tmp_path / "t"], vocabulary=Vocabulary(["c", "d"], np.array([1, 1])))
    with pytest.raises(InputError, match="earlier run"):
        encode([tmp_path / "t"], earlier=Vocabulary(["c"], np.array([1])), min_count=2)


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


fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'fastw2v[remote]'")


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def test_urls(memory, tmp_path, size_of_shards):
    import gzip

    texts = {
        "d/a": random_text(seed=1),
        "d/b": random_text(seed=2),
        "d/.hidden": b"no",
        "e.gz": gzip.compress(b"c d\n"),
    }
    for name, text in texts.items():
        memory.pipe(f"/{name}", text)
        (tmp_path / name.replace("/", "_")).write_bytes(text)
    expected = Corpus.from_text([tmp_path / "d_a", tmp_path / "d_b", tmp_path / "e.gz"], min_count=1)
    for names in (["memory://d", "memory://e.gz"], ["memory://d/*", "memory://e.gz"]):
        got = Corpus.from_text([name.replace("*", "[ab]") for name in names], min_count=1)
        np.testing.assert_array_equal(got.ids, expected.ids)
        assert got.vocabulary.words == expected.vocabulary.words
    shards = find_shards(["memory://d", "memory://e.gz"])
    words = merge_words([words_of(read_shard(shard)) for shard in shards])
    assert choose_vocabulary(words, 1, None, None, None, "replace")[0].words == expected.vocabulary.words


def test_globs_and_directories_give_files_that_are_not_hidden(memory):
    for name in ("/d/x", "/d/.git/config", "/d/sub/y"):
        memory.pipe(name, b"a b\n")
    assert find_urls("memory://d/*") == ["memory:///d/x"]
    assert find_urls("memory://d") == ["memory:///d/sub/y", "memory:///d/x"]
    with pytest.raises(InputError, match="one URL in another"):
        find_urls("zip://x::memory://d/x")


def test_urls_that_cannot_be_read(memory):
    with pytest.raises(InputError, match="memory://nowhere does not exist"):
        Corpus.from_text("memory://nowhere")
    with pytest.raises(InputError, match="names no files"):
        Corpus.from_text("memory://nowhere/*")
    with pytest.raises(InputError, match="cannot read nosuch://a: "):
        Corpus.from_text("nosuch://a")
    assert "does not exist" in check_seen({"memory://nowhere": 3})
