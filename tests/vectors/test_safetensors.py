"""safetensors and Model2Vec: written as their libraries read them, and read again."""

import json
import struct

import model2vec
import numpy as np
import pytest
import safetensors.numpy

from fastw2v import InputError, Vectors

MATRIX = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
WORDS = ["king", "queen", "don't", "\u00e9t\u00e9"]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "v.safetensors"
    Vectors(WORDS, MATRIX).save(path)
    return path


def test_what_is_written_is_read(saved):
    assert (saved.parent / "v.words.txt").read_text("utf-8") == "king\nqueen\ndon't\n\u00e9t\u00e9\n"
    vectors = Vectors.load(saved)
    assert vectors.index_to_key == WORDS
    assert np.array_equal(vectors.vectors, MATRIX)
    assert len(Vectors.load(saved, limit=2)) == 2


def test_the_library_reads_it_too(saved):
    assert np.array_equal(safetensors.numpy.load_file(saved)["embeddings"], MATRIX)
    safetensors.numpy.save_file({"weight": MATRIX * 2}, saved)
    assert np.array_equal(Vectors.load(saved).vectors, MATRIX * 2)


def header(**changes):
    about = {"dtype": "F32", "shape": [4, 3], "data_offsets": [0, 48], **changes}
    return json.dumps({"embeddings": about}).encode()


def file_of(text, data=b"\0" * 48):
    return struct.pack("<Q", len(text)) + text + data


DAMAGED = {
    "empty": (b"", "is not a safetensors file, or damaged"),
    "another file": (b"PAR1" * 20, "is not a safetensors file, or damaged"),
    "no JSON": (file_of(b"{" * 20), "is not a safetensors file, or damaged"),
    "a list": (file_of(b"[]"), "is not a safetensors file, or damaged"),
    "half": (file_of(header(dtype="F16")), "holds 0 matrices of float32: there should be one"),
    "flat": (file_of(header(shape=[12])), "holds 0 matrices of float32"),
    "more words": (file_of(header(shape=[3, 4])), "holds 3 vectors, but .*v.words.txt 4 words"),
    "offsets": (file_of(header(data_offsets=[0, 40])), "its header claims 4 vectors x 3 in 40 bytes"),
    "before the data": (file_of(header(data_offsets=[-48, 0])), "is damaged: its header claims"),
    "cut off": (file_of(header(), b"\0" * 47), "is cut off: 4 vectors x 3 do not fit"),
    "huge": (file_of(header(shape=[4, 2**40], data_offsets=[0, 2**44])), "is cut off: 4 vectors"),
    "NaN": (file_of(header(), np.full(12, np.nan, "<f4").tobytes()), "holds NaN or infinite numbers"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(saved, name):
    content, message = DAMAGED[name]
    saved.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Vectors.load(saved)


def test_the_words_are_missing(saved):
    (saved.parent / "v.words.txt").unlink()
    with pytest.raises(InputError, match=r"needs its words in .*v.words.txt, one in each line: No such file"):
        Vectors.load(saved)


def test_words_that_are_no_lines(tmp_path):
    with pytest.raises(InputError, match="a file of words cannot hold it"):
        Vectors(["a\nb", "c"], np.eye(2, dtype=np.float32)).save(tmp_path / "v.safetensors")


def test_model2vec(tmp_path):
    Vectors(WORDS, MATRIX).save(tmp_path / "model", "model2vec")
    model = model2vec.StaticModel.from_pretrained(tmp_path / "model")
    got = model.encode(["King", "queen nobody", "(king) queen!", "nobody", "don't"])
    mean = (MATRIX[0] + MATRIX[1]) / 2
    np.testing.assert_allclose(got, [MATRIX[0], MATRIX[1], mean, 0 * mean, MATRIX[2]], atol=1e-6)


def test_model2vec_of_words_with_capitals_and_punctuation(tmp_path):
    words = ["King", "king,", "[UNK]", "x"]
    Vectors(words, MATRIX).save(tmp_path / "model", "model2vec")
    model = model2vec.StaticModel.from_pretrained(tmp_path / "model")
    np.testing.assert_allclose(
        model.encode(["King", "king,", "king"]), [MATRIX[0], MATRIX[1], 0 * MATRIX[0]], atol=1e-6
    )


def test_model2vec_is_written_only(tmp_path):
    Vectors(WORDS, MATRIX).save(tmp_path / "model", "model2vec")
    with pytest.raises(InputError, match="Model2Vec's directories can be written but not read"):
        Vectors.load(tmp_path / "model", "model2vec")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make the directory"):
        Vectors(WORDS, MATRIX).save(tmp_path / "file" / "model", "model2vec")
