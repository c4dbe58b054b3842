"""Compressed files: by content, damaged, cut off, in several streams."""

import bz2
import gzip
import lzma
import sys

import numpy as np
import pytest
from corpora import read, reference_sentences, sentences_of

from fastw2v.corpus.source import read_blocks
from fastw2v.errors import InputError, MissingExtra

COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
TEXT = b"one two three\ntwo one\n" * 1000


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compression_by_content_not_by_name(tmp_path, kind):
    path = tmp_path / "corpus.data"
    path.write_bytes(COMPRESSORS[kind](TEXT))
    got = read(path)
    assert sentences_of(got) == reference_sentences(TEXT)
    assert got.reading.n_bytes == len(TEXT)


def test_zst(tmp_path):
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    path = tmp_path / "corpus"
    whole = zstd.compress(TEXT[:6000]) + zstd.compress(TEXT[6000:])
    path.write_bytes(whole)
    assert sentences_of(read(path)) == reference_sentences(TEXT)
    for damaged in (whole[:-5], whole + b"trailing"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged or cut off"):
            read(path)


def test_zst_without_its_codec(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    path = tmp_path / "corpus"
    path.write_bytes(b"\x28\xb5\x2f\xfd....")
    with pytest.raises(MissingExtra, match="pip install 'backports.zstd'"):
        read(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_compressed_input_is_refused(tmp_path, kind, damage):
    data = COMPRESSORS[kind](TEXT + np.random.default_rng(0).bytes(100_000))
    middle = len(data) // 2
    path = tmp_path / "corpus"
    path.write_bytes(
        data[:middle] if damage == "cut" else data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
    )
    with pytest.raises(InputError, match=f"{path} is damaged or cut off near its byte"):
        read(path)


WHOLE = {"gz": gzip.compress(TEXT), "bz2": bz2.compress(TEXT), "xz": lzma.compress(TEXT), "ZST": b"\x28\xb5\x2f\xfd"}
NAMES = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "ZST": "zstd"}
MAGIC_BYTES = {"gz": 2, "bz2": 3, "xz": 6, "ZST": 4}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_compressed_file_that_lost_its_beginning_too_is_refused(tmp_path, kind):
    (tmp_path / "1.txt").write_bytes(TEXT)
    path = tmp_path / f"2.{kind}"
    for n_bytes in range(MAGIC_BYTES[kind]):
        path.write_bytes(WHOLE[kind][:n_bytes])
        message = f"{path} is cut off: its name says {NAMES[kind]}, and it has {n_bytes} bytes.*get an intact copy"
        for names in [tmp_path], [tmp_path / "*"], [tmp_path / "1.txt", path]:
            with pytest.raises(InputError, match=message):
                read(names)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_compressed_file_cut_behind_its_magic_number_is_refused(tmp_path, kind):
    path = tmp_path / f"c.{kind}"
    path.write_bytes(WHOLE[kind][: MAGIC_BYTES[kind]])
    with pytest.raises(InputError, match="is damaged or cut off near its byte"):
        read(path)


@pytest.mark.parametrize("kind", WHOLE)
def test_a_plain_text_may_have_the_name_of_a_compressed_one(tmp_path, kind):
    path = tmp_path / f"c.{kind}"
    for text in TEXT, b"B\nBZ\n", b"a b\n":
        path.write_bytes(text)
        assert sentences_of(read(path)) == reference_sentences(text)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_several_streams_are_one_text(tmp_path, kind):
    path = tmp_path / "corpus"
    compress = COMPRESSORS[kind]
    whole = compress(b"one two\n") + compress(b"two one\n" * 10_000)
    for padding in (b"", b"\0" * 8, b"\0" * 600_000):
        path.write_bytes(whole + padding)
        assert sentences_of(read(path)) == [["one", "two"]] + [["two", "one"]] * 10_000
    first = len(compress(b"one two\n"))
    for damaged in (whole[:first] + b"?" + whole[first + 1 :], whole + b"trailing", whole[:first] + b"junk"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged or cut off"):
            read(path)


def test_a_bomb_takes_no_memory(tmp_path):
    path = tmp_path / "corpus"
    path.write_bytes(bz2.compress(b"a b " * 5_000_000))
    assert path.stat().st_size < 20_000
    blocks = read_blocks([str(path)])
    assert max(len(block) for _, block in blocks) < 2_000_000
