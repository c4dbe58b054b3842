"""The other formats: what is written reads back, opens elsewhere, and nothing damaged is believed."""

import gzip
import io
import os
import struct
import subprocess
import sys
import threading
import zipfile
import zlib

import numpy as np
import pytest
from gensim.models import KeyedVectors

from fastw2v import InputError, Vectors
from fastw2v.vectors import containers
from fastw2v.vectors.names import FORMATS, outputs_of

READABLE = [kind for kind in FORMATS if kind != "tensorboard"]


def some_vectors(n=50, dim=5):
    words = ["king", "été", "日本", "a,b", "\U0001f600", *(f"w{i}" for i in range(n - 5))]
    matrix = np.random.default_rng(0).normal(size=(n, dim)).astype(np.float32)
    return Vectors(words, matrix, np.arange(n, 0, -1))


@pytest.mark.parametrize("name", ["v.txt", "v.vec", "v.bin", "v.npz", "v.fw2v", "v.txt.gz", "glove"])
def test_round_trip(tmp_path, name):
    vectors = some_vectors()
    kind = "glove" if name == "glove" else None
    vectors.save(tmp_path / name, kind)
    for limit in (None, 7, 10_000):
        got = Vectors.load(tmp_path / name, limit=limit)
        n = min(limit or 50, 50)
        assert got.index_to_key == vectors.index_to_key[:n]
        np.testing.assert_array_equal(got.vectors, vectors.vectors[:n])
        np.testing.assert_array_equal(got.norms, vectors.norms[:n])
        assert got.most_similar("king", topn=3) == vectors.most_similar("king", topn=3, restrict_vocab=n)
        if name in ("v.npz", "v.fw2v"):
            np.testing.assert_array_equal(got.counts, vectors.counts[:n])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # gensim's own
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_gensim_reads_glove_and_gz(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "glove.txt", "glove")
    vectors.save_word2vec_format(tmp_path / "v.txt.gz")
    for path, options in ((tmp_path / "glove.txt", {"no_header": True}), (tmp_path / "v.txt.gz", {})):
        got = KeyedVectors.load_word2vec_format(str(path), **options)
        assert got.index_to_key == vectors.index_to_key
        np.testing.assert_array_equal(got.vectors, vectors.vectors)
    with gzip.open(tmp_path / "v.txt.gz") as file:
        assert file.readline() == b"50 5\n"


def test_npz_opens_in_numpy(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as arrays:
        assert arrays["words"].tolist() == vectors.index_to_key
        np.testing.assert_array_equal(arrays["vectors"], vectors.vectors)
        assert arrays["counts"].tolist() == vectors.counts.tolist()


def test_tensorboard(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "vectors.tsv")
    rows = [line.split("\t") for line in (tmp_path / "vectors.tsv").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(rows, np.float32), vectors.vectors)
    assert (tmp_path / "metadata.tsv").read_text().splitlines() == vectors.index_to_key
    assert outputs_of("d/x.tsv", "tensorboard") == ["d/x.tsv", "d/x.metadata.tsv"]
    with pytest.raises(InputError, match="holds a tab or a line end"):
        Vectors(["a\tb"], np.ones((1, 2))).save(tmp_path / "v.tsv")
    with pytest.raises(InputError, match="written only"):
        Vectors.load(tmp_path / "vectors.tsv")


def test_a_mapped_file_is_not_read_before_it_is_needed(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.fw2v")
    got = Vectors.load(tmp_path / "v.fw2v")
    assert "key_to_index" not in vars(got)
    assert isinstance(got.vectors.base, np.memmap)
    assert not got.vectors.flags.writeable
    words = containers.load_native(tmp_path / "v.fw2v").words
    assert (words[0], words[-1], words[1:3], len(words)) == ("king", "w44", ["été", "日本"], 50)
    with pytest.raises(IndexError):
        words[50]


def test_words_with_blanks_fit_where_no_text_is_cut(tmp_path):
    vectors = Vectors(["two words", "", "line\nend"], np.ones((3, 2)))
    for name in ("v.npz", "v.fw2v"):
        vectors.save(tmp_path / name)
        assert Vectors.load(tmp_path / name).index_to_key == vectors.index_to_key
    with pytest.raises(InputError, match="ends in a zero byte"):
        Vectors(["a\0"], np.ones((1, 2))).save(tmp_path / "v.npz")


@pytest.mark.parametrize("kind", READABLE)
def test_every_cut_and_many_flips_are_refused_or_harmless(tmp_path, kind):
    path = tmp_path / "v"
    vectors = some_vectors(8, 3)
    vectors.save(path, kind)
    whole = path.read_bytes()
    for length in range(0, len(whole), 1 if kind == "native" else 7):
        path.write_bytes(whole[:length])
        try:
            got = Vectors.load(path, kind)
        except InputError:
            continue
        # Text whose last number is cut, and rows of GloVe: nothing tells.
        assert kind in ("text", "glove", "binary"), length
        assert np.isfinite(got.vectors).all()
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            got = Vectors.load(path, kind)
            assert len(got.index_to_key) == len(got.key_to_index) == len(got.vectors)
        except InputError:
            continue


def test_native_checks(tmp_path):
    path = tmp_path / "v.fw2v"
    some_vectors().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\1")
    Vectors.load(path)
    data = bytearray(whole)
    data[2000] ^= 1  # in the vectors
    path.write_bytes(data)
    with pytest.raises(InputError, match="checksum of its [a-z_]+ does not match"):
        containers.load_native(path, verify=True)
    header = b'{"version": 2}'
    import zlib

    path.write_bytes(struct.pack("<8sQI", containers.MAGIC, len(header), zlib.crc32(header)) + header)
    with pytest.raises(InputError, match="has version 2, this fastw2v reads 1: update fastw2v"):
        Vectors.load(path)
    path.write_bytes(b"hello world, this is text")
    with pytest.raises(InputError, match="is not a file of fastw2v's native format"):
        Vectors.load(path)


def test_npz_that_would_run_or_grow(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array([object()], object), vectors=np.ones((1, 2)))
    with pytest.raises(InputError, match="is damaged, or no npz file"):
        Vectors.load(path)
    zeros = io.BytesIO()
    np.save(zeros, np.zeros((5000, 1000), np.float32))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", zeros.getvalue())
    with pytest.raises(InputError, match="would grow from"):
        Vectors.load(path)
    np.savez(path, words=np.array(["a", "b"]), vectors=np.ones((3, 2)))
    with pytest.raises(InputError, match="there should be n words and n x dim floats"):
        Vectors.load(path)
    np.savez(path, words=np.array(["a"]), vectors=np.full((1, 2), np.nan))
    with pytest.raises(InputError, match="NaN"):
        Vectors.load(path)


@pytest.mark.parametrize("text", ["a 1 2\nb 3 4\n", "a 1 2\nb 3 4", "a 1 2\n\nb 3 4\n\n", "5 1 2\nb 3 4\n"])
def test_text_without_a_first_line(tmp_path, text):
    path = tmp_path / "g.txt"
    path.write_text(text)
    got = Vectors.load(path)
    assert got.vectors.tolist() == [[1, 2], [3, 4]]
    assert got.index_to_key[1] == "b"


@pytest.mark.parametrize(("text", "message"), [
    ("a 1 2\nb 3\n", "rows that are not 2 long|row 2 is missing or short"), ("a 1 2\nb 3 4 5\n", "row 2"),
    ("a 1 2\na 3 4\n", "more than once"),
    ("a 1 x\n", "does not start with"),
])  # fmt: skip
def test_damaged_text_without_a_first_line(tmp_path, text, message):
    path = tmp_path / "g.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Vectors.load(path)


def test_cut_gz(tmp_path):
    path = tmp_path / "v.txt.gz"
    some_vectors().save(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="is damaged or cut off"):
        Vectors.load(path)


def test_pipes_and_stdin(tmp_path, monkeypatch):
    vectors = Vectors(["a", "b"], np.eye(2))
    vectors.save(tmp_path / "v.txt")
    os.mkfifo(tmp_path / "pipe")
    for content in ((tmp_path / "v.txt").read_bytes(), gzip.compress((tmp_path / "v.txt").read_bytes())):
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
        writer.start()
        assert Vectors.load(tmp_path / "pipe").index_to_key == ["a", "b"]
        writer.join()
    command = f"{sys.executable} -m fastw2v similar - a -n 1 < {tmp_path / 'v.txt'}"
    assert subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout == "b\t0.0000\n"


@pytest.mark.parametrize("header", [
    b"not json", b"[]", b"{}", b'{"version": "x"}', b'{"version": 1, "n": 1, "dim": 1, "sections": []}',
    b'{"version": 1, "n": 1e999, "dim": 1, "sections": {}}', b"[" * 100_000,
])  # fmt: skip
def test_any_header_of_the_native_format_is_refused(tmp_path, header):
    prefix = containers._PREFIX.pack(containers.MAGIC, len(header), zlib.crc32(header))
    (tmp_path / "v.fw2v").write_bytes(prefix + header + b"\0" * 64)
    with pytest.raises(InputError, match="is damaged"):
        Vectors.load(tmp_path / "v.fw2v")


def lying(section, array):
    """The native format with a section that is not true."""
    content = containers.Content(["a", "b"], np.eye(2, dtype=np.float32))
    kept = containers.norms_of, containers._arena
    try:
        if section == "norms":
            containers.norms_of = lambda vectors: array
        else:
            containers._arena = lambda words: kept[1](array)
        containers.save_native("v.fw2v", content)
    finally:
        containers.norms_of, containers._arena = kept


@pytest.mark.parametrize(("section", "array", "message"), [
    ("norms", np.array([1, 5], np.float32), "the lengths it holds are not those of its vectors"),
    ("norms", np.array([1, np.nan], np.float32), "the lengths of its vectors are not numbers above 0"),
    ("words", ["a", "a"], "1 words more than once"),
])  # fmt: skip
def test_info_believes_nothing(tmp_path, monkeypatch, run, section, array, message):
    monkeypatch.chdir(tmp_path)
    lying(section, array)
    code, _, err = run("info", "v.fw2v")
    assert code == 2
    assert message in err


def test_damaged_npz_is_refused(tmp_path):
    def written(**members):
        with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
            for name, data in members.items():
                archive.writestr(f"{name}.npy", data)

    good = io.BytesIO()
    np.save(good, np.eye(2, dtype=np.float32))
    for words in (b"no array", b"\x93NUMPY\x01\x00\x04\x00(((\n", np.lib.format.MAGIC_PREFIX + b"\x01\x00\xff\xff"):
        written(words=words, vectors=good.getvalue())
        with pytest.raises(InputError, match=r"v\.npz"):
            Vectors.load(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", words=np.array(["a", "a"]), vectors=np.eye(2))
    with pytest.raises(InputError, match=r"v\.npz holds 1 words more than once"):
        Vectors.load(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", words=np.array(["a", "b"]), vectors=np.eye(2), counts=np.ones(2, np.uint64))
    assert Vectors.load(tmp_path / "v.npz").counts.tolist() == [1, 1]
    with pytest.raises(InputError, match="the longest word has 1000 letters"):
        Vectors(["a" * 1000, *(f"w{i}" for i in range(99))], np.ones((100, 1))).save(tmp_path / "o.npz")


def test_names_with_gz(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.bin.gz")
    assert gzip.decompress((tmp_path / "v.bin.gz").read_bytes()).startswith(b"50 5\nking ")
    np.testing.assert_array_equal(Vectors.load(tmp_path / "v.bin.gz").vectors, vectors.vectors)
    for name in ("v.npz.gz", "v.fw2v.gz", "v.tsv.gz"):
        with pytest.raises(InputError, match="only text and binary files are compressed"):
            vectors.save(tmp_path / name)
    with pytest.raises(InputError, match="TensorBoard's format is two files"):
        outputs_of("-", "tensorboard")


def test_a_byte_order_mark_and_limits(tmp_path):
    (tmp_path / "v.txt").write_text("\ufeff2 1\na 1\nb 2\n")
    assert Vectors.load(tmp_path / "v.txt").index_to_key == ["a", "b"]
    for name in ("v.txt", "v.bin", "v.npz", "v.fw2v"):
        some_vectors().save(tmp_path / name)
        for limit in (0, -1):
            with pytest.raises(InputError, match=f"limit is {limit}"):
                Vectors.load(tmp_path / name, limit=limit)


def test_nothing_is_written_before_a_refusal(tmp_path):
    vectors = Vectors(["a b", "c"], np.eye(2), np.array([2, 1]))
    (tmp_path / "v.voc").write_text("old")
    with pytest.raises(InputError, match="holds white space"):
        vectors.save_word2vec_format(tmp_path / "v.txt", fvocab=tmp_path / "v.voc")
    assert (tmp_path / "v.voc").read_text() == "old"
    for name in ("v.txt", "v.fw2v", "v.npz"):
        with pytest.raises(InputError, match="is no valid Unicode"):
            Vectors(["\ud800", "c"], np.eye(2)).save(tmp_path / name)
        assert not (tmp_path / name).exists()
