"""Files that read back to the same float32, here and in gensim; answers that gensim gives too; files that lie."""

import os

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastw2v import InputError, RunError, UnknownWord, Vectors
from fastw2v.kernels.numbers import parse_rows
from fastw2v.vectors import formats
from fastw2v.vectors.names import FORMATS

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


READABLE = [kind for kind in FORMATS if kind != "tensorboard"]


def some_vectors(n=200, dim=7, seed=0):
    rng = np.random.default_rng(seed)
    words = ["king", "queen", "été", "日本", "a,b", "</s>", "\U0001f600"] + [f"w{i}" for i in range(n - 7)]
    return Vectors(words, rng.normal(size=(n, dim), scale=0.3).astype(np.float32))


def round_trip(matrix, path, kind):
    words = [f"w{i}" for i in range(len(matrix))]
    formats.save(path, words, matrix, kind)
    got_words, got = formats.load(path, kind)[:2]
    assert list(got_words) == words
    return got


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=FINITE))
@settings(max_examples=300, deadline=None)
def test_written_is_read_bit_for_bit(tmp_path_factory, matrix):
    path = tmp_path_factory.mktemp("v") / "v"
    for kind in READABLE:
        got = round_trip(matrix, path, kind)
        assert got.tobytes() == matrix.tobytes(), "also the sign of zero"


def test_every_exponent_and_random_bits_survive(tmp_path):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 300_000, dtype=np.uint32).view(np.float32)
    powers = np.ldexp(np.float32(1), np.arange(-149, 128)).astype(np.float32)
    tens = np.array([float(f"{sign}1e{e}") for e in range(-45, 39) for sign in ("", "-")], np.float32)
    edges = np.concatenate([np.nextafter(values, np.float32(to)) for values in (powers, tens) for to in (0, 3e38)])
    matrix = np.concatenate([bits[np.isfinite(bits)], powers, tens, edges])[:, None]
    got = round_trip(matrix, tmp_path / "v", "text")
    assert got.tobytes() == matrix.tobytes()
    written = [line.split()[1] for line in (tmp_path / "v").read_text().splitlines()[1:]]
    assert [np.float32(text) for text in written] == matrix[:, 0].tolist(), "any other reader agrees"
    assert max(map(len, written)) < 16
    # Never longer than what NumPy takes for the shortest decimal that reads back, but for its exponent's form.
    digits = [len(text.split("e")[0].strip("-").replace(".", "").strip("0")) for text in written]
    shortest = [
        len(np.format_float_scientific(x).split("e")[0].strip("-").replace(".", "").strip("0")) for x in matrix[:, 0]
    ]
    assert np.mean(np.array(digits) > np.array(shortest)) < 0.01


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (-1.5, "-1.5"), (0.1, "0.1"), (0.001, "0.001"), (1e-4, "0.0001"),
    (1e-5, "1e-05"), (123456.0, "123456"), (1e8, "100000000"), (1e9, "1e+09"), (16777216.0, "16777216"),
    (9.99999e-5, "9.99999e-05"),
    (3.4028235e38, "3.4028235e+38"), (1e-45, "1e-45"), (0.3333333432674408, "0.33333334"),
])  # fmt: skip
def test_numbers_by_example(tmp_path, value, text):
    path = tmp_path / "v"
    formats.save(path, ["w"], np.array([[value]], np.float32), "text")
    assert path.read_text() == f"1 1\nw {text}\n"


@pytest.mark.parametrize("text", [
    "1", "+1", "-1.", ".5", "1e3", "1E-3", "1e+03", "00012.50", "0." + "0" * 50 + "1", "1" + "0" * 30, "1e-400",
    "0e999999", "123456789012345678901234567890", "0.1234567890123456789012345", "-3.4028235e38", "16777217",
    "1.17549435E-38",
])  # fmt: skip
def test_numbers_other_programs_write(tmp_path, text):
    path = tmp_path / "v"
    path.write_text(f"1 2\nw {text} 7\n")
    assert formats.load(path, "text")[1].tolist() == [[np.float32(text), 7]]


@pytest.mark.parametrize("text", ["1 2\nw  1\t2 \r\n", "\n1 2\nw 1 2", "1 2\n\nw 1 2\n\n", "1 2 \nw 1 2 \n"])
def test_white_space_other_programs_write(tmp_path, text):
    path = tmp_path / "v"
    path.write_text(text.lstrip("\n"))
    words, got = formats.load(path, "text")[:2]
    assert words == ["w"]
    assert got.tolist() == [[1, 2]]


def test_binary_without_newlines(tmp_path):
    path = tmp_path / "v.bin"
    rows = np.array([[1, 2], [3, 4]], np.float32)
    path.write_bytes(b"2 2\n" + b"a " + rows[0].tobytes() + b"b " + rows[1].tobytes())
    got = Vectors.load(path)
    assert got.index_to_key == ["a", "b"]
    np.testing.assert_array_equal(got.vectors, rows)


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_what_we_write_and_we_what_gensim_writes(tmp_path, binary):
    vectors = some_vectors()
    vectors.save_word2vec_format(tmp_path / "ours", binary=binary)
    gensims = KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert gensims.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(gensims.vectors, vectors.vectors)
    gensims.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    got = Vectors.load_word2vec_format(tmp_path / "theirs", binary=binary)
    assert got.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(got.vectors, vectors.vectors)


def test_save_and_load_go_by_the_name(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.bin")
    vectors.save(tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_text().startswith("200 7\nking ")
    for name in ("v.bin", "v.txt"):
        np.testing.assert_array_equal(Vectors.load(tmp_path / name).vectors, vectors.vectors)


@pytest.mark.parametrize(("content", "message"), [
    ("", "is empty"),
    ("hello\n", r"does not start with a line 'words dim', but with b'hello'"),
    ("x" * 500, "does not start with a line"),
    ("2 2\na 1 2\n", "claims 2 words x 2, which its 10 bytes cannot hold"),
    ("999999999999 300\na 1\n", "cannot hold"),
    ("0 5\n", "cannot hold"),
    ("2 2\na 1 2\nb 3\nc     5\n", r"row 2 is missing or short \(text\)"),
    ("2 2\naaaaaaaaaa 1.5 2.5\n", r"row 2 is missing or short"),
    ("1 2\na 1 x\n", r"row 1: b'x' is not a number, or the row is not 2 long"),
    ("1 2\na 1 2 3\n", r"row 1: b'3' is not a number, or the row is not 2 long"),
    ("1 2\na 1 2e\n", "is not a number"),
    ("1 2\na 1 1.5.2\n", "is not a number"),
    ("1 2\na 1 nan\n", "b'nan' is not a number"),
    ("1 2\na 1 1e39\n", "b'1e39' is not a finite float32"),
    ("1 2\na 1 2\nb 3 4\n", "holds more rows than the 1 its first line claims"),
    ("2 1\na 1\na 2\n", "holds 1 words more than once"),
])  # fmt: skip
def test_damaged_text_is_refused(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Vectors.load(path)


def test_damaged_binary_is_refused(tmp_path):
    path = tmp_path / "v.bin"
    some_vectors().save(path)
    whole = path.read_bytes()
    for length in [0, 3, 6, 7, 50, len(whole) // 2, len(whole) - 2]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is empty|claims 200 words|is cut off|does not start"):
            Vectors.load(path)
    path.write_bytes(b"1 1\na " + np.array([np.nan], np.float32).tobytes())
    with pytest.raises(InputError, match="holds NaN or infinite numbers"):
        Vectors.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read vectors .*: No such file"):
        Vectors.load(tmp_path / "none.txt")


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("v") / "v"
    for head in (b"", b"1 2\n", b"2 1\na "):
        path.write_bytes(head + data)
        for kind in READABLE:
            try:
                words, got = formats.load(path, kind)[:2]
            except InputError:
                continue
            assert len(words) == len(got)
            assert np.isfinite(got).all()


def test_nan_is_never_written(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("old")
    for bad in (np.nan, np.inf):
        with pytest.raises(RunError, match="NaN or infinite"):
            Vectors(["a"], np.array([[bad]], np.float32)).save(path)
    Vectors(["a"], np.array([[3e38, 3e38]], np.float32)).save(tmp_path / "big.txt")  # whose squares overflow
    assert path.read_text() == "old"


@pytest.mark.parametrize("word", ["two words", "", "line\n", "nb\u00a0sp"])
def test_words_no_file_can_hold(tmp_path, word):
    with pytest.raises(InputError, match="is empty or holds white space"):
        Vectors(["a", word], np.zeros((2, 3), np.float32)).save(tmp_path / "v.txt")
    assert not os.listdir(tmp_path)


def test_answers_are_gensims(tmp_path):
    vectors = some_vectors()
    gensims = KeyedVectors(7)
    gensims.add_vectors(vectors.index_to_key, vectors.vectors)
    for arguments in [("king",), (["king", "queen"], ["été"]), ([], ["king"]), (["king"], "queen")]:
        got, expected = vectors.most_similar(*arguments), gensims.most_similar(*arguments)
        if arguments != (["king"], "queen"):
            assert [word for word, _ in got] == [word for word, _ in expected]
            np.testing.assert_allclose([x for _, x in got], [x for _, x in expected], rtol=1e-4)
    assert vectors.similarity("king", "queen") == pytest.approx(gensims.similarity("king", "queen"), rel=1e-5)
    np.testing.assert_allclose(vectors.get_vector("king", norm=True), gensims.get_vector("king", norm=True), rtol=1e-5)
    np.testing.assert_array_equal(vectors[["king", "queen"]], gensims[["king", "queen"]])
    got = vectors.most_similar("king", restrict_vocab=20, topn=3)
    assert [word for word, _ in got] == [word for word, _ in gensims.most_similar("king", restrict_vocab=20, topn=3)]


def test_vectors_as_queries_and_a_zero_row():
    vectors = Vectors(["a", "b", "zero"], np.array([[1, 0], [0.9, 0.1], [0, 0]], np.float32))
    assert [word for word, _ in vectors.most_similar(vectors["a"])] == ["a", "b", "zero"]
    assert vectors.similarity("a", "zero") == 0
    assert vectors.most_similar("a", topn=99)[0][0] == "b"


def test_basics():
    vectors = some_vectors()
    assert len(vectors) == 200
    assert vectors.vector_size == 7
    assert "king" in vectors
    assert "nothing" not in vectors
    assert list(vectors)[:2] == ["king", "queen"]
    assert vectors.key_to_index["queen"] == 1
    assert repr(vectors) == "<Vectors: 200 words x 7>"
    with pytest.raises(UnknownWord, match="the word 'quen' has no vector; close are queen"):
        vectors["quen"]
    with pytest.raises(KeyError):
        vectors.similarity("king", "quen")
    with pytest.raises(InputError, match="at least one positive or negative word"):
        vectors.most_similar()


def test_bad_arguments():
    with pytest.raises(InputError, match=r"2 words need vectors of shape \(2, dim\), found \(3, 4\)"):
        Vectors(["a", "b"], np.zeros((3, 4)))
    with pytest.raises(InputError, match="1 words stand there more than once"):
        Vectors(["a", "a"], np.zeros((2, 4)))


def test_no_vectors_to_write(tmp_path):
    with pytest.raises(InputError, match="there are no vectors to write: the matrix is 0 x 5"):
        Vectors([], np.zeros((0, 5))).save(tmp_path / "v")


def test_parse_stops_at_the_row_that_does_not_fit():
    text = np.array(bytearray(b"a 1 2\nb 3 ?\n"))
    vectors, state = np.zeros((2, 2), np.float32), np.zeros(3, np.int64)
    parse_rows(text, vectors, np.zeros(2, np.int64), np.zeros(2, np.int64), state)
    assert state.tolist() == [1, 10, 2]
