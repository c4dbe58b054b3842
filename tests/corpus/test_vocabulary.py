"""Order, pruning, keep-probabilities, files."""

import numpy as np
import pytest

from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import InputError


def test_order_is_by_falling_count_then_bytes():
    words = ["b", "é", "z", "a", "\U0001f600", "\uffff"]
    got, places = Vocabulary.from_counts(words, np.array([2, 2, 5, 2, 2, 2]))
    assert got.words == ["z", *sorted(["b", "é", "a", "\U0001f600", "\uffff"], key=str.encode)]
    assert [words[i] for i in places] == got.words


def test_keep_probability():
    vocabulary = Vocabulary(["a", "b"], np.array([900, 100]))
    # f = 0.9: sqrt(0.001 / 0.9) + 0.001 / 0.9
    np.testing.assert_allclose(vocabulary.keep_probability(1e-3)[0], 0.0344444, rtol=1e-5)
    np.testing.assert_allclose(vocabulary.keep_probability(1e-3, "paper")[0], 0.0333333, rtol=1e-5)
    assert vocabulary.keep_probability(0).tolist() == [1, 1]
    assert vocabulary.keep_probability(1.0).tolist() == [1, 1]


def test_file_round_trip(tmp_path):
    vocabulary = Vocabulary(["the", "été"], np.array([5, 3]))
    vocabulary.save(tmp_path / "v")
    assert (tmp_path / "v").read_text() == "the 5\nété 3\n"
    got = Vocabulary.load(tmp_path / "v")
    assert got.words == vocabulary.words
    assert got.counts.tolist() == [5, 3]


@pytest.mark.parametrize(
    "text", ["the\n", "the 5 6\n", "the five\n", "the 5\nthe 6\n", "the -5\n", "the ²\n", "x 99999999999999999999\n"]
)
def test_bad_files_are_refused(tmp_path, text):
    (tmp_path / "v").write_text("ok 9\n" + text)
    with pytest.raises(InputError, match=r"vocabulary .*v, line [23]: .* is not 'word count'"):
        Vocabulary.load(tmp_path / "v")


def test_missing_or_binary_file(tmp_path):
    with pytest.raises(InputError, match="cannot read vocabulary .*: No such file"):
        Vocabulary.load(tmp_path / "none")
    (tmp_path / "v").write_bytes(b"\xef\xbb\xbfa 1\nb 2\n")
    assert Vocabulary.load(tmp_path / "v").words == ["b", "a"]
    (tmp_path / "v").write_bytes(b"a 1\n\xff 2\n")
    with pytest.raises(InputError, match="is not UTF-8 at byte 4"):
        Vocabulary.load(tmp_path / "v")
