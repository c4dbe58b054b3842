"""The native file: it is mapped, it keeps everything, and nothing damaged is believed."""

import json
import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from native_files import native_file
from vector_samples import some_vectors

from fastw2v import InputError, Vectors, modelfile
from fastw2v.modelfile import ModelFile


def test_a_mapped_file_is_not_read_before_it_is_needed(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.fw2v")
    got = Vectors.load(tmp_path / "v.fw2v")
    assert "key_to_index" not in vars(got)
    assert isinstance(got.vectors.base.base, np.memmap)
    assert not got.vectors.flags.writeable
    words = modelfile.read(tmp_path / "v.fw2v").words
    assert (words[0], words[-1], words[1:3], len(words)) == ("king", "w42", ["queen", "été"], 50)
    with pytest.raises(IndexError):
        words[50]
    assert list(pickle.loads(pickle.dumps(words))) == list(words) == some_vectors().index_to_key
    none = modelfile.MappedWords(np.empty(0, np.uint8), np.empty(0, np.int64))
    assert list(none) == list(pickle.loads(pickle.dumps(none))) == []


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
        modelfile.read(path, verify=True)
    header = b'{"version": 2}'
    path.write_bytes(struct.pack("<8sQI", modelfile.MAGIC, len(header), zlib.crc32(header)) + header)
    with pytest.raises(InputError, match="has format version 2, this fastw2v reads up to 1: update fastw2v"):
        Vectors.load(path)
    path.write_bytes(b"hello world, this is text")
    with pytest.raises(InputError, match="is not a file of fastw2v's native format"):
        Vectors.load(path)


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"version": "x"}',
        b'{"version": 1, "n": 1, "dim": 1, "sections": []}',
        b'{"version": 1, "n": 1e999, "dim": 1, "sections": {}}',
        b"[" * 100_000,
    ],
)
def test_any_header_of_the_native_format_is_refused(tmp_path, header):
    prefix = modelfile._PREFIX.pack(modelfile.MAGIC, len(header), zlib.crc32(header))
    (tmp_path / "v.fw2v").write_bytes(prefix + header + b"\0" * 64)
    with pytest.raises(InputError, match="is damaged"):
        Vectors.load(tmp_path / "v.fw2v")


EYE = np.eye(2, dtype=np.float32)
NAN, INF = EYE * [[1], [np.nan]], EYE / [[1, 1], [1, 0.5]]
INF[1, 1] = np.inf
LIES = {
    "norms": (native_file("ab", EYE, norms=[1, 5]), "the norms it holds are not those of"),
    "norms of tiny vectors": (native_file("ab", EYE * 1e-12, norms=[1e-12, 1e-9]), "the norms it holds are not"),
    "vectors of NaN": (native_file("ab", NAN, norms=[1, 1]), "holds NaN or infinite numbers"),
    "infinite vectors": (native_file("ab", INF, norms=[1, 3.4028235e38]), "holds NaN or infinite numbers"),
    "output vectors": (native_file("ab", EYE, output_vectors=NAN), "holds NaN or infinite numbers"),
    "words twice": (native_file("aa", EYE), "1 words more than once"),
    "ends of words": (native_file(["a", "bc"], EYE, word_ends=[1, 5]), "its words do not fit their text"),
    "counts": (native_file("ab", EYE, counts=[1, -1]), "it holds counts below 0"),
}
"""name: (a file with valid checksums and a section that is not true, what is said of it)"""


@pytest.fixture(params=LIES)
def lie(request, tmp_path):
    """(a file of `LIES`, what is said of it)"""
    data, message = LIES[request.param]
    (tmp_path / "v.fw2v").write_bytes(data)
    return tmp_path / "v.fw2v", message


@pytest.fixture
def large_files(monkeypatch):
    """Each file counts as one that is too large to be verified when it is opened."""
    monkeypatch.setattr(modelfile, "CHECKED_WHOLE", 0)


def test_verifying_believes_nothing(lie, large_files):
    path, message = lie
    with pytest.raises(InputError, match=message):
        modelfile.read(path, verify=True)
    modelfile.read(path)  # which does not look


def test_small_files_are_always_verified(lie):
    path, message = lie
    for read in (modelfile.read, Vectors.load, lambda path: Vectors.load(path, limit=1)):
        with pytest.raises(InputError, match=message):
            read(path)


@pytest.mark.parametrize("norm", [np.nan, np.inf, 0, -1])
def test_norms_that_no_vector_has_are_always_refused(tmp_path, large_files, norm):
    (tmp_path / "v.fw2v").write_bytes(native_file("ab", EYE, norms=[1, norm]))
    with pytest.raises(InputError, match="norms of its vectors are not finite numbers above 0"):
        modelfile.read(tmp_path / "v.fw2v")


def test_a_flipped_bit_in_any_section(tmp_path, large_files):
    modelfile.write(tmp_path / "m.fw2v", some_model())
    whole = (tmp_path / "m.fw2v").read_bytes()
    header, start = modelfile._header_of("", np.frombuffer(whole, np.uint8))
    for section, (offset, _, _) in header["sections"].items():
        data = bytearray(whole)
        data[start + offset] ^= 1
        (tmp_path / "m.fw2v").write_bytes(data)
        modelfile.read(tmp_path / "m.fw2v")
        with pytest.raises(InputError, match=f"the checksum of its {section} does not match"):
            modelfile.read(tmp_path / "m.fw2v", verify=True)


def test_words_are_the_same_by_place_and_in_turn(tmp_path, large_files):
    text = np.frombuffer(b"ab\ncd\n", np.uint8)
    for ends in ([3, 6], [2, 6], [1, 6], [4, 6]):
        words = modelfile.MappedWords(text, np.array(ends, np.int64))
        assert list(words) == [words[0], words[1]]


def test_info_believes_nothing(lie, large_files, run):
    path, message = lie
    code, _, err = run("info", path)
    assert code == 2
    assert message in err


def some_model(n=4, dim=3):
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(2, n, dim)).astype(np.float32)
    words = ["a", "two words", "new\nline", "é"]
    return ModelFile(words, matrices[0], np.arange(n), None, matrices[1], {"model": "cbow", "loss": "ns"})


def test_ends_of_words_that_are_not_aligned():
    """A file of another writer may hold them so."""
    bytes_of_ends = np.frombuffer(b"\0" + np.array([2, 5]).astype("<i8").tobytes(), np.uint8)
    words = modelfile.MappedWords(np.frombuffer(b"a\nbc\n", np.uint8), bytes_of_ends[1:].view("<i8"))
    assert [words[0], words[1], *words] == ["a", "bc", "a", "bc"]


@pytest.mark.parametrize("limit", [None, 1, 3, 100])
@pytest.mark.parametrize("verify", [False, True])
def test_a_model_reads_back_with_all_its_parts(tmp_path, limit, verify):
    expected = some_model()
    modelfile.write(tmp_path / "m.fw2v", expected)
    got = modelfile.read(tmp_path / "m.fw2v", limit, verify)
    assert list(got.words) == expected.words[:limit]
    for field in ("vectors", "counts", "output_vectors"):
        np.testing.assert_array_equal(getattr(got, field), getattr(expected, field)[:limit])
    np.testing.assert_allclose(got.norms, np.linalg.norm(expected.vectors[:limit], axis=1), rtol=1e-6)
    assert got.training == expected.training


def test_sections_are_where_the_header_says(tmp_path):
    expected = some_model()
    modelfile.write(tmp_path / "m.fw2v", expected)
    data = (tmp_path / "m.fw2v").read_bytes()
    magic, length, checksum = struct.unpack("<8sQI", data[:20])
    header = json.loads(data[20 : 20 + length])
    assert (magic, checksum) == (b"FASTW2V\0", zlib.crc32(data[20 : 20 + length]))
    assert (header["version"], header["n"], header["dim"]) == (1, 4, 3)
    sections = {}
    for name, (offset, n_bytes, crc) in header["sections"].items():
        first = -(-(20 + length) // 64) * 64 + offset
        assert first % 64 == 0
        sections[name] = data[first : first + n_bytes]
        assert zlib.crc32(sections[name]) == crc
    assert sections["words"].decode() == "a\ntwo words\nnew\nline\né\n"
    assert sections["word_ends"] == np.array([2, 12, 21, 24], "<i8").tobytes()
    assert sections["counts"] == np.arange(4).astype("<i8").tobytes()
    assert sections["output_vectors"] == expected.output_vectors.astype("<f4").tobytes()


def test_only_a_file_with_output_vectors_holds_a_model(tmp_path):
    modelfile.write(tmp_path / "model.fw2v", some_model())
    modelfile.write(tmp_path / "vectors.fw2v", some_model()._replace(output_vectors=None))
    (tmp_path / "v.txt").write_text("1 1\na 1\n")
    (tmp_path / "empty").touch()
    (tmp_path / "damaged.fw2v").write_bytes((tmp_path / "model.fw2v").read_bytes()[:100])
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for name in ("vectors.fw2v", "v.txt", "empty", "damaged.fw2v", "pipe", "missing"):
        assert not modelfile.holds_model(tmp_path / name), name
    assert not modelfile.holds_model("-")
    assert modelfile.holds_model(tmp_path / "model.fw2v")
    with open(tmp_path / "model.fw2v", "r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) - 300)
    assert modelfile.holds_model(tmp_path / "model.fw2v"), "the header is whole, and nothing else is read"


def test_what_cannot_be_written(tmp_path):
    for words, vectors, message in [
        (["\ud800"], np.ones((1, 2), np.float32), "is not valid Unicode"),
        (["a"], np.full((1, 2), np.nan, np.float32), "hold NaN"),
    ]:
        with pytest.raises(InputError, match=message):
            modelfile.write(tmp_path / "m.fw2v", ModelFile(words, vectors))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot read vectors .*missing: No such file"):
        modelfile.read(tmp_path / "missing")


def test_ends_that_do_not_ascend_or_leave_the_text(tmp_path, large_files):
    for ends in ([1, 1], [2, 3], [0, 4], [-1, 4], [5, 4]):
        (tmp_path / "m.fw2v").write_bytes(native_file("ab", EYE, word_ends=ends))
        with pytest.raises(InputError, match="its words do not fit their text"):
            modelfile.read(tmp_path / "m.fw2v")


MISFITS = [
    ({"vectors": np.ones((1, 3), np.float32)}, r"2 words need as many vectors, found an array \(1, 3\)"),
    ({"vectors": np.ones(2, np.float32)}, r"2 words need as many vectors, found an array \(2,\)"),
    ({"vectors": np.ones((2, 0), np.float32)}, r"2 words need as many vectors, found an array \(2, 0\)"),
    ({"counts": np.ones(3, np.int64)}, r"found counts \(3,\), needed \(2,\)"),
    ({"output_vectors": np.ones((1, 3), np.float32)}, r"found output_vectors \(1, 3\), needed \(2, 3\)"),
    ({"output_vectors": np.ones((2, 2), np.float32)}, r"found output_vectors \(2, 2\), needed \(2, 3\)"),
]


@pytest.mark.parametrize(("parts", "message"), MISFITS)
def test_parts_that_do_not_fit_each_other_are_not_written(tmp_path, parts, message):
    content = ModelFile(["a", "b"], np.ones((2, 3), np.float32))._replace(**parts)
    with pytest.raises(InputError, match=f"v.fw2v was not written: .*{message}"):
        modelfile.write(tmp_path / "v.fw2v", content)
    assert not list(tmp_path.iterdir())


def test_writing_takes_no_second_matrix(tmp_path, traced_peak):
    """Nor of a part of wider rows, as a training has them: where the run fitted into memory, its model can be saved."""
    wide = np.ones((50_000, 112), np.float32)
    content = ModelFile([str(i) for i in range(len(wide))], wide[:, :100], output_vectors=wide[:, 5:105])
    assert traced_peak(lambda: modelfile.write(tmp_path / "v.fw2v", content)) < 0.7 * wide.nbytes
    assert (modelfile.read(tmp_path / "v.fw2v", verify=True).output_vectors == 1).all()


def test_a_model_of_both_losses(tmp_path):
    path = tmp_path / "m.fw2v"
    matrix = np.arange(6, dtype=np.float32).reshape(3, 2)
    content = ModelFile(["a", "é", "c"], matrix, np.array([3, 2, 1]), None, matrix + 1, {"x": 1}, matrix + 2)
    modelfile.write(path, content)
    got = modelfile.read(path)
    assert list(got.words) == content.words
    assert got.training == {"x": 1}
    for name in ("vectors", "counts", "output_vectors", "node_vectors"):
        np.testing.assert_array_equal(getattr(got, name), getattr(content, name))
    data = path.read_bytes()
    path.write_bytes(data[:-64] + b"x" + data[-63:])  # behind it are 40 bytes of padding
    with pytest.raises(InputError, match="is damaged"):
        modelfile.read(path)
    with pytest.raises(InputError, match="found node_vectors"):
        modelfile.write(path, content._replace(node_vectors=matrix[:2]))
