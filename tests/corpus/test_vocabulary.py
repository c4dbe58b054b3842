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


def test_counts_of_0_are_taken_for_1():
    words = list("abcde")
    with_zeros, with_ones = Vocabulary(words, [900, 98, 0, 0, 0]), Vocabulary(words, [900, 98, 1, 1, 1])
    assert with_zeros.counts.tolist() == [900, 98, 0, 0, 0]
    for of_words in (lambda v: v.weights, lambda v: v.keep_probability(1e-3), lambda v: v.noise_weights(0.75)):
        np.testing.assert_array_equal(of_words(with_zeros), of_words(with_ones))


def test_words_whose_counts_are_all_0_are_equally_frequent():
    vocabulary = Vocabulary([f"w{i}" for i in range(10_000)], np.zeros(10_000, int))
    assert (vocabulary.keep_probability(1e-3) == 1).all(), "each is a ten-thousandth of the text"
    assert (vocabulary.noise_weights(0.75) == 1).all()


@pytest.mark.parametrize("counts", [[5, 3], (5, 3), np.array([5.0, 3.0]), np.array([5, 3], np.uint8)])
def test_counts_become_int64(counts):
    got = Vocabulary(["a", "b"], counts).counts
    assert got.dtype == np.int64
    assert got.tolist() == [5, 3]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([5, -3], "count number 2 of the vocabulary is -3: counts are whole numbers, 0 or more"),
        ([np.nan, 1], "count number 1 of the vocabulary is nan"),
        ([5, 1.5], "count number 2 of the vocabulary is 1.5"),
        ([5, np.inf], "add up to inf"),
        ([2**62, 2**62], r"add up to 9.22e\+18, more than 2\*\*62: scale them down"),
        ([2**63, 1], r"add up to 9.22e\+18"),
        ([2**64, 1], r"are object \(2,\): they must be a flat array of integers"),
        (["5", "3"], "are <U1 "),
        (None, r"are object \(\)"),
        ([[5, 3]], r"are int64 \(1, 2\)"),
        ([[5], [3, 1]], "are not a flat array of integers"),
        ([5, 3, 1], "has 2 words and 3 counts: give each word one"),
        ([], "has 2 words and 0 counts"),
    ],
)
def test_bad_counts_are_refused(counts, message):
    with pytest.raises(InputError, match=message):
        Vocabulary(["a", "b"], counts)
    if len(np.atleast_1d(np.array(counts, object))) == 2:
        with pytest.raises(InputError, match=message):
            Vocabulary.from_counts(["a", "b"], counts)


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


def test_words_of_a_file_with_a_count_of_0_stay(tmp_path):
    (tmp_path / "v").write_text("b 0\nthe 9\na 0\n")
    got = Vocabulary.load(tmp_path / "v")
    assert (got.words, got.counts.tolist()) == (["the", "a", "b"], [9, 0, 0])
    (tmp_path / "v").write_text("".join(f"{i} {10**18 - 1}\n" for i in range(5)))
    with pytest.raises(InputError, match=r"add up to 5e\+18, more than 2\*\*62"):
        Vocabulary.load(tmp_path / "v")


def test_missing_or_binary_file(tmp_path):
    with pytest.raises(InputError, match="cannot read vocabulary .*: No such file"):
        Vocabulary.load(tmp_path / "none")
    (tmp_path / "v").write_bytes(b"\xef\xbb\xbfa 1\nb 2\n")
    assert Vocabulary.load(tmp_path / "v").words == ["b", "a"]
    (tmp_path / "v").write_bytes(b"a 1\n\xff 2\n")
    with pytest.raises(InputError, match="is not UTF-8 at byte 4"):
        Vocabulary.load(tmp_path / "v")


@pytest.mark.parametrize("first", ["\ufeffking", "\ufeff", "\ufeff\ufeff", "king"])
def test_a_first_word_keeps_its_byte_order_mark(tmp_path, first):
    Vocabulary([first, "z", "\ufeffz"], np.array([5, 4, 3])).save(tmp_path / "v")
    assert Vocabulary.load(tmp_path / "v").words == [first, "z", "\ufeffz"]


def test_the_largest_counts_are_read_back(tmp_path):
    Vocabulary(["a", "b"], np.array([2**62 - 1, 1])).save(tmp_path / "v")
    assert Vocabulary.load(tmp_path / "v").counts.tolist() == [2**62 - 1, 1]
    (tmp_path / "v").write_text(f"a {10**19 - 1}\n")
    with pytest.raises(InputError, match=r"add up to 1e\+19, more than 2\*\*62"):
        Vocabulary.load(tmp_path / "v")


def test_a_word_that_cannot_be_used_is_named_with_its_line(tmp_path):
    (tmp_path / "v").write_text("a 1\n\nlong 2\nb 3\n")
    with pytest.raises(InputError, match=r"vocabulary .*v, line 3: long has four letters"):
        Vocabulary.load(tmp_path / "v", lambda word: f"{word} has four letters" if len(word) == 4 else "")
