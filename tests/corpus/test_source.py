"""Files as blocks: compression, damage, byte order marks, ends of files."""

import bz2
import gzip
import io
import itertools
import lzma
import os
import pickle
import re
import sys
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from corpora import read, reference_sentences, sentences_of

from fastw2v.corpus.source import read_blocks, read_range
from fastw2v.errors import InputError, MissingExtra, RunError

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
        message = f"{path} is cut off: its name says {NAMES[kind]}, and it has {n_bytes} bytes.*get a whole copy"
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


def test_empty_texts_are_read_beside_others(tmp_path):
    paths = [tmp_path / name for name in ("1.txt", "gz", ".gz.txt", "c.lz4", "2.txt")]
    for path in paths:
        path.write_bytes(b"one two\n" if path.name == "2.txt" else b"")
    assert sentences_of(read(paths)) == [["one", "two"]]


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


def test_bom_and_crlf(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"\xef\xbb\xbfone two\r\ntwo\rone\r\n")
    assert sentences_of(read(path)) == [["one", "two"], ["two", "one"]]


def test_a_file_without_last_newline_ends_its_sentence(tmp_path):
    (tmp_path / "1").write_text("a b")
    (tmp_path / "2").write_text("c")
    assert sentences_of(read([tmp_path / "1", tmp_path / "2"])) == [["a", "b"], ["c"]]


def test_blocks_of_a_plain_file(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"word " * 500_000)
    blocks = [block for _, block in read_blocks([str(path)])]
    assert len(blocks) > 2
    assert all(block[-1] in b" \n" for block in blocks)


def test_a_corpus_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n" * 1_000_000)

    def grow(n_bytes):
        with open(path, "a") as file:
            file.write("more\n")

    with pytest.raises(RunError, match=r"corpus .*t.txt changed while it was read: wait until it is complete"):
        read(path, on_bytes=grow)


def replace_keeping_size_and_time(path):
    before = path.stat()
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes().swapcase())
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(path)


CHANGES = {
    "grown": lambda path: path.write_text(path.read_text() + "more\n"),
    "cut": lambda path: os.truncate(path, 5),
    "rewritten": lambda path: (path.write_bytes(path.read_bytes().swapcase()), os.utime(path, ns=(1, 1))),
    "replaced": replace_keeping_size_and_time,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_before_its_turn(tmp_path, change):
    paths = [tmp_path / name for name in ("1.txt", "2.txt", "3.txt")]
    for path in paths:
        path.write_text("a b c\n" * 9)
    blocks = read_blocks([str(path) for path in paths])
    next(blocks)
    CHANGES[change](paths[2])
    with pytest.raises(RunError, match=r"corpus .*3.txt changed while other files of the corpus were read: wait until"):
        list(blocks)
    blocks = read_blocks([str(path) for path in paths])
    list(itertools.islice(blocks, 2))
    CHANGES[change](paths[0])
    paths[2].chmod(0o600)  # neither this nor what has been read matters
    assert len(list(blocks)) == 1


def test_new_numbers_of_files_are_no_change(tmp_path, monkeypatch):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n")
    states, n_asked, stat = path.stat(), itertools.count(), os.stat

    def renumbering(file):
        """The state of a file as file systems in user space may tell it: with another number each time."""
        mode, _, *others = states
        times = {name: getattr(states, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")}
        return os.stat_result((mode, next(n_asked), *others), times)

    monkeypatch.setattr(os, "stat", renumbering)
    blocks = list(read_blocks([str(path)]))
    monkeypatch.setattr(os, "stat", stat)
    assert len(blocks) == 1
    assert next(n_asked) == 3


TAR_FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def tar_of(text, kind="gnu", name="texts/corpus.txt"):
    """A tar archive of one text. That of kind v7 lacks the magic, as those of the first tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=TAR_FORMATS.get(kind, tarfile.USTAR_FORMAT)) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    data = bytearray(buffer.getvalue())
    if kind == "v7":
        data[257:512] = bytes(255)
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def zip_of(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("corpus.txt", text)
    return buffer.getvalue()


@pytest.mark.parametrize("text", [b"", b"a b\n", TEXT], ids=["empty", "short", "long"])
@pytest.mark.parametrize("kind", COMPRESSORS)
@pytest.mark.parametrize("tar", [*TAR_FORMATS, "v7"])
def test_tar_archives_are_refused(tmp_path, tar, kind, text):
    path = tmp_path / "my corpus.txt"
    path.write_bytes(COMPRESSORS[kind](tar_of(text, tar)))
    message = f"{path} is a tar archive, whose headers are not text: unpack it first, or .*: tar -xOf '{path}' [|] fast"
    with pytest.raises(InputError, match=message):
        read(path)


def test_the_first_file_of_an_archive_need_not_be_text(tmp_path):
    long_name = "d/" * 80 + "corpus.txt"
    for kind in TAR_FORMATS:
        (tmp_path / "t").write_bytes(tar_of(TEXT, kind, long_name))
        with pytest.raises(InputError, match="is a tar archive"):
            read(tmp_path / "t")


INNER = {
    **COMPRESSORS,
    "zip": zip_of,
    "empty zip": lambda text: zip_of(text)[-22:],
    "lz4": lambda text: b"\x04\x22\x4d\x18",
}
INNER |= {"lzma": lambda text: lzma.compress(text, lzma.FORMAT_ALONE), "Z": lambda text: b"\x1f\x9d\x90" + text}


@pytest.mark.parametrize("outer", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("inner", [name for name in INNER if name != "plain"])
def test_what_is_compressed_twice_is_refused(tmp_path, inner, outer):
    path = tmp_path / "corpus.txt"
    path.write_bytes(COMPRESSORS[outer](INNER[inner](TEXT)))
    with pytest.raises(InputError, match=f"{path} is compressed twice, or holds a compressed archive: decompress it"):
        read(path)


def test_archives_that_are_not_read_are_refused_by_name(tmp_path):
    for name, what in {"zip": "a zip arch", "empty zip": "an empty zip", "lz4": "lz4 d", "lzma": "lzma d"}.items():
        (tmp_path / "t").write_bytes(INNER[name](TEXT))
        with pytest.raises(InputError, match=f"t is {what}.*: unpack it first .gz, bz2, xz and zst are read directly"):
            read(tmp_path / "t")


NO_TEXT = {
    "an ar archive": b"!<arch>\ndebian-binary   1342943816  0     0     100644  4         `\n2.0\n",
    "a cpio archive": b"070701" + b"0000001A" * 13 + b"c.txt\0",
    "a cpio archive, crc": b"070702" + b"0000001A" * 13 + b"c.txt\0",
    "a cpio archive, odc": b"070707" + b"0" * 70 + b"c.txt\0",
    "a cpio archive, bin": b"\xc7q\x01\x02\x03\0" + b"abcdefghij" * 2 + b"c.txt\0",
    "a cpio archive, swapped": b"q\xc7\x01\x02\0\x03" + b"abcdefghij" * 2 + b"c.txt\0",
    "Parquet data": b"PAR1\x15\x04\x15",
    "Arrow data": b"ARROW1\0\0",
    "Avro data": b"Obj\x01\x04\x16avro.schema",
    "HDF5 data": b"\x89HDF\r\n\x1a\n",
    "a NumPy array": b"\x93NUMPY\x01\0v\0{'descr': '<f4'}",
    "an SQLite database": b"SQLite format 3\0",
    "a PDF document": b"%PDF-1.7\n",
    "an ELF program": b"\x7fELF\x02\x01\x01",
    "a PNG picture": b"\x89PNG\r\n\x1a\n",
    "a JPEG picture": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "a document of old Office programs": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "ORC data": b"ORC\x08\x03",
    "a Python pickle": pickle.dumps(["a"]),
    "data that zlib compressed": zlib.compress(TEXT),
    "data that zlib compressed, fast": zlib.compress(TEXT, 1),
    "data that zlib compressed, best": zlib.compress(TEXT, 9),
    "sound or pictures": b"RIFF\x24\x08\0\0WAVEfmt ",
}


@pytest.mark.parametrize("kind", ["plain", "gz"])
@pytest.mark.parametrize("what", NO_TEXT)
def test_files_that_are_no_text_are_refused_by_name(tmp_path, what, kind):
    path = tmp_path / "corpus.txt"
    path.write_bytes(COMPRESSORS[kind](NO_TEXT[what] + TEXT))
    with pytest.raises(InputError, match=f"{path} is {what.split(',')[0]}, which is not text: take the text out"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("n_before", [1000, 100_000, 1_500_000, 2**21 - 2000])
def test_utf16_behind_utf8_is_refused(tmp_path, encoding, n_before):
    path = tmp_path / "corpus.txt"
    before = (TEXT * (n_before // len(TEXT) + 1))[:n_before]
    path.write_bytes(before + TEXT[:2400].decode().encode(encoding) + TEXT)
    with pytest.raises(InputError, match=f"{path} (is|holds) UTF-16, UTF-32 or no(t)? text") as caught:
        read(path)
    if n_before > 4096:
        place = int(re.search(r"near byte ([\d,]+)", str(caught.value))[1].replace(",", ""))
        assert abs(place - n_before) < 2048


def test_some_zeros_are_separators(tmp_path):
    path = tmp_path / "corpus.txt"
    text = (b"one two\0three\n" * 1000 + TEXT * 50) * 2
    path.write_bytes(text)
    assert sentences_of(read(path)) == reference_sentences(text)


def test_ranges_of_a_tar_archive_are_refused(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(tar_of(TEXT * 100))
    with pytest.raises(InputError, match="is a tar archive"):
        list(read_range(str(path), 0, 500_000))


def test_text_about_archives_is_text(tmp_path):
    path = tmp_path / "t"
    for text in (
        b"x" * 256 + b" ustar \n" + TEXT,
        b"PK BZ Rar LZIP tar\n" + TEXT,
        b"PAR1 is a gene\n" + TEXT,
        b"070701 070702 070707\n" + TEXT,
        b"q\xc7\x83\n" + TEXT,
        b"0 1 " * 350,
        b"LZIP a\0b\n" + TEXT,
    ):
        path.write_bytes(text)
        assert sentences_of(read(path)) == reference_sentences(text)
