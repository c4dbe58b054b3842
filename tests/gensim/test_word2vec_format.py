"""Files of word2vec with odd newlines, words that occur twice, other encodings; files of counts."""

import numpy as np
import pytest

from fastw2v.errors import CutOff, InputError
from fastw2v.gensim import word2vec_format
from fastw2v.gensim.word2vec_format import Reading, counts_of, load

ROW = np.array([1, 2], "<f4").tobytes()


@pytest.mark.parametrize("before", [b"", b"\n", b"\n\n"])
def test_newlines_before_words(tmp_path, before):
    (tmp_path / "v").write_bytes(b"3 2\n" + before + b"a " + ROW + b"b " + ROW + b"\n\nc " + ROW)
    content = load(tmp_path / "v", Reading(binary=True))
    assert content.words == ["a", "b", "c"]
    np.testing.assert_array_equal(content.vectors, [[1, 2]] * 3)
    assert load(tmp_path / "v", Reading(binary=True, limit=2)).words == ["a", "b"]


@pytest.mark.parametrize(
    "data",
    [
        b"2 2\n\na " + ROW + b"b " + np.array([1, np.nan], "<f4").tobytes(),
        b"2 2\na b " + ROW + b"\0" * 9,
        b"2 2\na\tb ",
    ],
)
def test_damage_is_not_taken_for_odd_newlines(tmp_path, data):
    (tmp_path / "v").write_bytes(data)
    with pytest.raises(InputError):
        load(tmp_path / "v", Reading(binary=True))


def test_a_file_that_is_cut_off_is_an_end_of_file(tmp_path):
    (tmp_path / "v").write_bytes(b"2 2\na " + ROW)
    with pytest.raises(EOFError) as caught:
        load(tmp_path / "v", Reading(binary=True))
    assert isinstance(caught.value, CutOff | InputError)


def test_repeated_words(tmp_path, caplog):
    (tmp_path / "v").write_text("3 1\na 1\nb 2\na 3\n")
    content = load(tmp_path / "v", Reading(binary=False))
    assert content.words == ["a", "b"]
    assert content.vectors.tolist() == [[1], [2]]
    assert "holds 1 words more than once: the first vector is taken" in caplog.text


def test_other_encodings(tmp_path):
    (tmp_path / "v").write_bytes("1 1\né 1\n".encode("latin-1"))
    assert load(tmp_path / "v", Reading(False, "latin-1")).words == ["é"]
    assert load(tmp_path / "v", Reading(False, "utf8", "ignore")).words == [""]
    with pytest.raises(UnicodeDecodeError):
        load(tmp_path / "v", Reading(False))


def test_counts(tmp_path, caplog):
    (tmp_path / "c").write_text("a 3\nb 0\n")
    assert counts_of(tmp_path / "c", ["b", "x", "a"], Reading(False)).tolist() == [0, 0, 3]
    assert "has no count of 1 words" in caplog.text
    (tmp_path / "c").write_text("a 3\nb\n")
    with pytest.raises(InputError, match=r"c, line 2: 'b.n' is not 'word count'"):
        counts_of(tmp_path / "c", ["a"], Reading(False))
    with pytest.raises(InputError, match="cannot read .*nothing"):
        counts_of(tmp_path / "nothing", ["a"], Reading(False))


def test_no_counts_to_write(tmp_path):
    content = load_of(tmp_path)
    with pytest.raises(InputError, match="no counts to write"):
        word2vec_format.save(tmp_path / "w", content, "text", tmp_path / "counts")


def load_of(tmp_path):
    (tmp_path / "v").write_text("1 1\na 1\n")
    return load(tmp_path / "v", Reading(False))
