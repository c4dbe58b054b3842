"""What is no text is refused by its name."""

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import zipfile
import zlib

import pytest
from corpora import read, reference_sentences, sentences_of

from fastw2v.corpus.source import read_range
from fastw2v.errors import InputError

COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
TEXT = b"one two three\ntwo one\n" * 1000


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
    with pytest.raises(InputError, match=f"{path} is {what.split(',')[0]}, which is not text: extract the text"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("n_before", [1000, 100_000, 1_500_000, 2**21 - 2000])
def test_utf16_behind_utf8_is_refused(tmp_path, encoding, n_before):
    path = tmp_path / "corpus.txt"
    before = (TEXT * (n_before // len(TEXT) + 1))[:n_before]
    path.write_bytes(before + TEXT[:2400].decode().encode(encoding) + TEXT)
    with pytest.raises(InputError, match=f"{path} is (UTF-16|not UTF-8 near)") as caught:
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


VECTORS = {
    "text": b"2 3\nking 1.5 0 -2e-3\nqueen 1 2 3\n",
    "windows": b"2 3\r\nking 1.5 0 1\r\n",
    "long rows": b"9 3000\nking" + b" 0.25" * 2000,
}
LIKE_VECTORS = {
    "numbers": b"2 3\n4 5 6 7\n",
    "a heading": b"1984 2\nGeorge Orwell 3.5\n",
    "fewer": b"2 3\nking 1.5 0\n",
    "words": b"2 3\nking queen 1.5 2\n",
}


@pytest.mark.parametrize("name", VECTORS)
def test_files_of_vectors_are_no_text(tmp_path, name):
    path = tmp_path / "v.txt"
    path.write_bytes(VECTORS[name])
    with pytest.raises(InputError, match=r"v.txt begins like a file of vectors .* pipe it in as -"):
        read(path)


@pytest.mark.parametrize("name", LIKE_VECTORS)
def test_text_that_begins_with_numbers_is_text(tmp_path, name):
    path = tmp_path / "t.txt"
    path.write_bytes(LIKE_VECTORS[name] * 2)
    assert read(path).n_tokens > 0
