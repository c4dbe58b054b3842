"""Files behind URLs."""

import gzip

import numpy as np
import pytest
from corpora import ALL_WORDS, random_text, read

from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.remote import find_urls
from fastw2v.corpus.shards import check_seen, choose_vocabulary, find_shards, merge_words, read_shard, words_of
from fastw2v.errors import InputError

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'fastw2v[remote]'")


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def test_urls(memory, tmp_path, size_of_shards):
    texts = {
        "d/a": random_text(seed=1),
        "d/b": random_text(seed=2),
        "d/.hidden": b"no",
        "e.gz": gzip.compress(b"c d\n"),
    }
    for name, text in texts.items():
        memory.pipe(f"/{name}", text)
        (tmp_path / name.replace("/", "_")).write_bytes(text)
    expected = read([tmp_path / "d_a", tmp_path / "d_b", tmp_path / "e.gz"])
    for names in (["memory://d", "memory://e.gz"], ["memory://d/*", "memory://e.gz"]):
        got = read([name.replace("*", "[ab]") for name in names])
        np.testing.assert_array_equal(got.ids, expected.ids)
        assert got.vocabulary.words == expected.vocabulary.words
    shards = find_shards(["memory://d", "memory://e.gz"])
    words = merge_words([words_of(read_shard(shard)) for shard in shards])
    assert choose_vocabulary(words, ALL_WORDS, "replace")[0].words == expected.vocabulary.words


def test_globs_and_directories_give_files_that_are_not_hidden(memory):
    for name in ("/d/x", "/d/.git/config", "/d/sub/y"):
        memory.pipe(name, b"a b\n")
    assert find_urls("memory://d/*") == ["memory:///d/x"]
    assert find_urls("memory://d") == ["memory:///d/sub/y", "memory:///d/x"]
    with pytest.raises(InputError, match="a URL of a file inside another"):
        find_urls("zip://x::memory://d/x")


def test_links_are_files(tmp_path):
    (tmp_path / "a").write_text("a b\n")
    (tmp_path / "d").mkdir()
    for name, target in [("b", "a"), ("c", "d")]:
        (tmp_path / name).symlink_to(target)
    assert find_urls(f"file://{tmp_path}/*") == [f"file://{tmp_path}/{name}" for name in "ab"]
    (tmp_path / "d/none").symlink_to("nothing")
    for names in ("", "/*"):
        with pytest.raises(InputError, match="none is a symbolic link to nothing"):
            Corpus.from_text(f"file://{tmp_path}/d{names}")


def test_urls_that_cannot_be_read(memory):
    with pytest.raises(InputError, match="memory://nowhere does not exist"):
        Corpus.from_text("memory://nowhere")
    with pytest.raises(InputError, match="names no files"):
        Corpus.from_text("memory://nowhere/*")
    with pytest.raises(InputError, match="cannot read nosuch://a: "):
        Corpus.from_text("nosuch://a")
    assert "does not exist" in check_seen({"memory://nowhere": 3})
