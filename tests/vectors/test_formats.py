"""Text, binary and other rows: files that read back to the same float32, here and in gensim; files that lie."""

import gzip
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from vector_samples import some_vectors

from fastw2v import InputError, RunError, Vectors
from fastw2v.errors import CutOff
from fastw2v.kernels.numbers import parse_rows
from fastw2v.modelfile import ModelFile
from fastw2v.vectors import formats
from fastw2v.vectors.names import VECTOR_FORMATS, WRITTEN_ONLY

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
READABLE = [kind for kind in VECTOR_FORMATS if kind not in WRITTEN_ONLY]


def round_trip(matrix, path, kind):
    words = [f"w{i}" for i in range(len(matrix))]
    formats.save(path, ModelFile(words, matrix), kind)
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (0.001, "0.001"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (123456.0, "123456"),
        (1e8, "100000000"),
        (1e9, "1e+09"),
        (16777216.0, "16777216"),
        (9.99999e-5, "9.99999e-05"),
        (3.4028235e38, "3.4028235e+38"),
        (1e-45, "1e-45"),
        (0.3333333432674408, "0.33333334"),
    ],
)
def test_numbers_by_example(tmp_path, value, text):
    path = tmp_path / "v"
    formats.save(path, ModelFile(["w"], np.array([[value]], np.float32)), "text")
    assert path.read_text() == f"1 1\nw {text}\n"


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "+1",
        "-1.",
        ".5",
        "1e3",
        "1E-3",
        "1e+03",
        "00012.50",
        "0." + "0" * 50 + "1",
        "1" + "0" * 30,
        "1e-400",
        "0e999999",
        "123456789012345678901234567890",
        "0.1234567890123456789012345",
        "-3.4028235e38",
        "16777217",
        "1.17549435E-38",
    ],
)
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
    vectors = some_vectors(200, 7)
    vectors.save_word2vec_format(tmp_path / "ours", binary=binary)
    gensims = KeyedVectors.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert gensims.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(gensims.vectors, vectors.vectors)
    gensims.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    got = Vectors.load_word2vec_format(tmp_path / "theirs", binary=binary)
    assert got.index_to_key == vectors.index_to_key
    np.testing.assert_array_equal(got.vectors, vectors.vectors)


def test_the_counts_go_to_a_file_of_their_own(tmp_path):
    Vectors(["b", "a"], np.eye(2), [3, 7]).save_word2vec_format(tmp_path / "v", fvocab=tmp_path / "counts")
    assert (tmp_path / "counts").read_text() == "b 3\na 7\n"
    with pytest.raises(InputError, match="these vectors have no counts to write to fvocab"):
        Vectors(["a"], np.eye(1)).save_word2vec_format(tmp_path / "w", fvocab=tmp_path / "counts")
    assert not (tmp_path / "w").exists()


def test_save_and_load_go_by_the_name(tmp_path):
    vectors = some_vectors(200, 7)
    vectors.save(tmp_path / "v.bin")
    vectors.save(tmp_path / "v.txt")
    assert (tmp_path / "v.txt").read_text().startswith("200 7\nking ")
    for name in ("v.bin", "v.txt"):
        np.testing.assert_array_equal(Vectors.load(tmp_path / name).vectors, vectors.vectors)


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


def test_tensorboard(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "vectors.tsv")
    rows = [line.split("\t") for line in (tmp_path / "vectors.tsv").read_text().splitlines()]
    np.testing.assert_array_equal(np.array(rows, np.float32), vectors.vectors)
    assert (tmp_path / "metadata.tsv").read_text().splitlines() == vectors.index_to_key
    with pytest.raises(InputError, match="holds a tab or a line end"):
        Vectors(["a\tb"], np.ones((1, 2))).save(tmp_path / "v.tsv")
    with pytest.raises(InputError, match="can be written but not read"):
        Vectors.load(tmp_path / "vectors.tsv")


def test_names_with_gz(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.bin.gz")
    assert gzip.decompress((tmp_path / "v.bin.gz").read_bytes()).startswith(b"50 5\nking ")
    np.testing.assert_array_equal(Vectors.load(tmp_path / "v.bin.gz").vectors, vectors.vectors)
    for name in ("v.npz.gz", "v.fw2v.gz", "v.tsv.gz"):
        with pytest.raises(InputError, match="only text and binary files can be compressed"):
            vectors.save(tmp_path / name)


@pytest.mark.parametrize("text", ["a 1 2\nb 3 4\n", "a 1 2\nb 3 4", "a 1 2\n\nb 3 4\n\n", "5 1 2\nb 3 4\n"])
def test_text_without_a_first_line(tmp_path, text):
    path = tmp_path / "g.txt"
    path.write_text(text)
    got = Vectors.load(path)
    assert got.vectors.tolist() == [[1, 2], [3, 4]]
    assert got.index_to_key[1] == "b"


def test_pipes_and_stdin(tmp_path):
    vectors = Vectors(["a", "b"], np.eye(2))
    vectors.save(tmp_path / "v.txt")
    os.mkfifo(tmp_path / "pipe")
    for content in ((tmp_path / "v.txt").read_bytes(), gzip.compress((tmp_path / "v.txt").read_bytes())):
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
        writer.start()
        assert Vectors.load(tmp_path / "pipe").index_to_key == ["a", "b"]
        writer.join()
    code = "from fastw2v import Vectors; print(Vectors.load('-').index_to_key)"
    with open(tmp_path / "v.txt") as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True, check=True)
    assert done.stdout == "['a', 'b']\n"


def test_the_command_line_reads_stdin(tmp_path):
    Vectors(["a", "b"], np.eye(2)).save(tmp_path / "v.txt")
    command = f"{sys.executable} -m fastw2v similar - a -n 1 < {tmp_path / 'v.txt'}"
    assert subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout == "b\t0.0000\n"


def test_a_byte_order_mark_and_limits(tmp_path):
    (tmp_path / "v.txt").write_text("\ufeff2 1\na 1\nb 2\n")
    assert Vectors.load(tmp_path / "v.txt").index_to_key == ["a", "b"]
    for name in ("v.txt", "v.bin", "v.npz", "v.fw2v"):
        some_vectors().save(tmp_path / name)
        for limit in (0, -1):
            with pytest.raises(InputError, match=f"limit is {limit}"):
                Vectors.load(tmp_path / name, limit=limit)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("hello\n", r"does not start with a line 'words dim' or a vector, but with b'hello'"),
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
    ],
)
def test_damaged_text_is_refused(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Vectors.load(path)


def test_damaged_binary_is_refused(tmp_path):
    path = tmp_path / "v.bin"
    some_vectors(200, 7).save(path)
    whole = path.read_bytes()
    for length in [0, 3, 6, 7, 50, len(whole) // 2, len(whole) - 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is empty|claims 200 words|is cut off|does not start|no newline follows"):
            Vectors.load(path)
    path.write_bytes(b"1 1\na " + np.array([np.nan], np.float32).tobytes())
    with pytest.raises(InputError, match="holds NaN or infinite numbers"):
        Vectors.load(path)


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz"])
@pytest.mark.parametrize("newline", [b"\n", b""])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda head, rows: b"2 3\n" + b"".join(rows), "first line is wrong: [0-9]+ bytes follow the 2 x 3 it claims"),
        (
            lambda head, rows: 2 * (head + b"".join(rows)),
            "first line is wrong: [0-9]+ bytes follow the 4 x 3 it claims",
        ),
        (lambda head, rows: head + b"".join(rows) + b"\n\n", "bytes follow|newline follows row 4, unlike row 1"),
        (lambda head, rows: head + b"\n".join(rows) + b"junk", "row 2 should begin|newline follows row [14], unlike"),
        (lambda head, rows: head + b"".join(rows[:2]) + b"xyz" + b"".join(rows[2:])[:-3], "is cut off|should begin"),
        (lambda head, rows: head + b"".join(rows) + rows[0], "bytes follow"),
        (
            lambda head, rows: head.replace(b"3", b"2") + b"".join(rows),
            "should begin with a word|4 bytes follow the 4 x 2 it claims",
        ),
    ],
)
def test_binary_files_that_lie(tmp_path, name, newline, damage, message):
    numbers = np.random.default_rng(0).normal(size=(4, 3)).astype("<f4")
    rows = [word + b" " + row.tobytes() + newline for word, row in zip((b"a", b"b", b"c", b"d"), numbers, strict=True)]
    compress = gzip.compress if name.endswith("gz") else bytes
    (tmp_path / name).write_bytes(compress(b"4 3\n" + b"".join(rows)))
    assert Vectors.load(tmp_path / name).index_to_key == ["a", "b", "c", "d"]
    (tmp_path / name).write_bytes(compress(damage(b"4 3\n", rows)))
    with pytest.raises(InputError, match=message):
        Vectors.load(tmp_path / name)


def test_a_limit_leaves_the_rest_of_a_binary_file_unread(tmp_path):
    some_vectors().save(tmp_path / "v.bin")
    with open(tmp_path / "v.bin", "ab") as file:
        file.write(b"junk")
    assert len(Vectors.load(tmp_path / "v.bin", limit=7)) == 7
    for limit in (None, 50, 60):
        with pytest.raises(InputError, match="4 bytes follow the 50 x 5 it claims"):
            Vectors.load(tmp_path / "v.bin", limit=limit)


def test_words_of_binary_files(tmp_path):
    """Ours may have control characters, and word2vec's may be cut within a letter; numbers are no words."""
    path = tmp_path / "v.bin"
    for words in (["\1a", "\0"], ["x" * 10_000, "é"]):
        Vectors(words, np.eye(2)).save(path)
        assert Vectors.load(path).index_to_key == words
    with pytest.raises(InputError, match="a word has 10,001 bytes: text and binary files hold words of up to 10,000"):
        Vectors(["x" * 10_001], np.eye(1)).save(path)
    for newline in (b"\n", b""):
        path.write_bytes(b"2 1\n\xc3 NUMB" + newline + b"\1 NUMB" + newline)
        assert Vectors.load(path).index_to_key == ["\\xc3", "\1"]
    path.write_bytes(b"2 1\na NUMB\n\1\xc3 NUMB\n")
    assert Vectors.load(path).index_to_key == ["a", "\1\\xc3"], "newlines tell that it is a word"
    path.write_bytes(b"2 1\na NUMB\1\xc3 NUMB")
    with pytest.raises(InputError, match=r"row 2 should begin with a word, not with b'\\x01\\xc3'"):
        Vectors.load(path)


PEAKS = """
import sys
from pathlib import Path
from fastw2v import InputError, Vectors
def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
for path in sys.argv[1:]:  # the first one is a warm-up
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before = peak()
    try:
        said = repr(Vectors.load(path))
    except InputError as error:
        said = error
    print(peak() - before, said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the peak")
def test_files_that_unpack_to_much_or_have_long_lines(tmp_path):
    """A file that hides 64 MB, one word of 64 MB, one row of 64 MB, and lines that are empty."""
    some_vectors().save(tmp_path / "v.txt")
    size, names = 1 << 26, ["v.txt"]
    for what, start, filler in [("word", b"1 2\n", b"a"), ("row", b"a", b" 0"), ("zeros", b"1 33554427\na", b" 0")]:
        text = start + filler * ((size - len(start)) // len(filler))
        for name, content in [(f"{what}.txt", text), (f"{what}.txt.gz", gzip.compress(text, 1))]:
            if name != "zeros.txt":
                (tmp_path / name).write_bytes(content)
                names.append(name)
    (tmp_path / "lines.txt").write_bytes(b"a 1\n" + b"\n" * size)
    names.append("lines.txt")
    command = [sys.executable, "-c", PEAKS, *names]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=True)
    peaks, said = zip(*[line.split(" ", 1) for line in done.stdout.splitlines()][1:], strict=True)
    for name, text in zip(names[1:], said, strict=True):
        if name.endswith(".gz"):
            assert text.startswith(f"{name} grows to more than 100 times its size when it is unpacked")
    assert said[0].startswith("word.txt is damaged: row 1 should begin with a word of up to 10,000 bytes and a blank")
    assert said[2] == "row.txt starts with a row of more than 100,000 numbers: it needs a line 'words dim'"
    assert said[5] == "<Vectors: 1 words x 1>"
    assert max(map(int, peaks[:5])) < 30_000, "kB"
    assert int(peaks[5]) < 100_000, "kB: the file, and a few MB"


def test_limits_of_text(tmp_path):
    path = tmp_path / "v.txt"
    for kind in ("text", "glove"):
        Vectors(["x" * 10_000], np.eye(1)).save(path, kind)
        assert Vectors.load(path, kind).index_to_key == ["x" * 10_000]
        with pytest.raises(InputError, match="a word has 10,001 bytes: text and binary files hold words of up to"):
            Vectors(["x" * 10_001], np.eye(1)).save(path, kind)
    wide = np.full((2, 100_001), -1.17549435e-38, np.float32)  # the longest text of a number
    assert round_trip(wide[:, 1:], path, "glove").shape == (2, 100_000)
    with pytest.raises(InputError, match="a row has 100,001 numbers, and GloVe's format up to 100,000"):
        round_trip(wide, path, "glove")
    assert round_trip(wide, path, "text").shape == (2, 100_001)
    path.write_bytes(path.read_bytes().split(b"\n", 1)[1])
    with pytest.raises(InputError, match="starts with a row of more than 100,000 numbers"):
        Vectors.load(path)
    path.write_bytes(b"a" + b" 0".rjust(1000) * 100_000)
    with pytest.raises(InputError, match="starts with a row of more than 100,000 numbers"):
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


ROWS_OF_WORDS = {"text", "binary", "glove"}
REFUSE = {
    "é": set(),
    "two words": ROWS_OF_WORDS,
    "": {*ROWS_OF_WORDS, "tensorboard", "safetensors"},
    "line\n": {*ROWS_OF_WORDS, "tensorboard", "safetensors"},
    "zero\0": {"npz"},
    "x" * 10_001: ROWS_OF_WORDS,
}


@pytest.mark.parametrize("kind", VECTOR_FORMATS)
@pytest.mark.parametrize("word", REFUSE, ids=lambda word: ascii(word[:20]))
def test_what_a_format_cannot_hold_is_known_before_it_is_written(tmp_path, kind, word):
    content = ModelFile(["a", word], np.eye(2, dtype=np.float32))
    checks = [lambda: formats.check_storable(["a", word], kind, 2), lambda: formats.save(tmp_path / "v", content, kind)]
    for check in checks:
        if kind in REFUSE[word]:
            with pytest.raises(InputError, match="use another format, such as .fw2v"):
                check()
        else:
            check()
    assert (tmp_path / "v").exists() == (kind not in REFUSE[word])
    if kind in READABLE and kind not in REFUSE[word]:
        assert list(formats.load(tmp_path / "v", kind).words) == ["a", word]


@pytest.mark.parametrize("word", ["two words", "", "line\n", "nb\u00a0sp"])
def test_words_no_file_can_hold(tmp_path, word):
    with pytest.raises(InputError, match="is empty or holds white space"):
        Vectors(["a", word], np.zeros((2, 3), np.float32)).save(tmp_path / "v.txt")
    assert not os.listdir(tmp_path)


def test_no_vectors_to_write(tmp_path):
    with pytest.raises(InputError, match="there are no vectors to write: the matrix is 0 x 5"):
        Vectors([], np.zeros((0, 5))).save(tmp_path / "v")


def test_parse_stops_at_the_row_that_does_not_fit():
    text = np.array(bytearray(b"a 1 2\nb 3 ?\n"))
    vectors, state = np.zeros((2, 2), np.float32), np.zeros(3, np.int64)
    parse_rows(text, vectors, np.zeros(2, np.int64), np.zeros(2, np.int64), state)
    assert state.tolist() == [1, 10, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 3\n", "rows that are not 2 long|row 2 is missing or short"),
        ("a 1 2\nb 3 4 5\n", "row 2"),
        ("a 1 2\na 3 4\n", "more than once"),
        ("a 1 x\n", "does not start with"),
    ],
)
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


def test_words_with_blanks_fit_where_no_text_is_cut(tmp_path):
    vectors = Vectors(["two words", "", "line\nend"], np.ones((3, 2)))
    for name in ("v.npz", "v.fw2v"):
        vectors.save(tmp_path / name)
        assert Vectors.load(tmp_path / name).index_to_key == vectors.index_to_key
    with pytest.raises(InputError, match="ends in a zero byte"):
        Vectors(["a\0"], np.ones((1, 2))).save(tmp_path / "v.npz")


def test_nothing_is_written_before_a_refusal(tmp_path):
    vectors = Vectors(["a b", "c"], np.eye(2), np.array([2, 1]))
    (tmp_path / "v.voc").write_text("old")
    with pytest.raises(InputError, match="holds white space"):
        vectors.save_word2vec_format(tmp_path / "v.txt", fvocab=tmp_path / "v.voc")
    assert (tmp_path / "v.voc").read_text() == "old"
    for name in ("v.txt", "v.fw2v", "v.npz"):
        with pytest.raises(InputError, match="is not valid Unicode"):
            Vectors(["\ud800", "c"], np.eye(2)).save(tmp_path / name)
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("kind", READABLE)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_first_word_keeps_its_byte_order_mark(tmp_path, kind, suffix):
    path = tmp_path / f"v{suffix}"
    for words in ["\ufeffking", "king", "z"], ["\ufeff", "\ufeff\ufeff", "\ufeffz"]:
        formats.save(path, ModelFile(words, np.eye(3, dtype=np.float32)), kind)
        assert list(formats.load(path, kind).words) == words


def test_a_byte_order_mark_in_the_words_of_tensorboard(tmp_path):
    Vectors(["\ufeffking", "king"], np.eye(2)).save(tmp_path / "vectors.tsv")
    assert (tmp_path / "metadata.tsv").read_text("utf-8-sig").splitlines() == ["\ufeffking", "king"]


def test_a_first_row_that_would_be_taken_for_a_header(tmp_path):
    with pytest.raises(InputError, match="the first row, 1 and a number, would be taken for a header"):
        Vectors(["1", "b"], np.array([[1], [2]])).save(tmp_path / "v", "glove")
    Vectors(["b", "1"], np.array([[1], [2]])).save(tmp_path / "v", "glove")
    assert Vectors.load(tmp_path / "v").index_to_key == ["b", "1"]


@pytest.mark.parametrize(
    "data", [b"3 2\na 1 2\nb 3 4\n", b"2 2\na 1 2\nb 3", b"9 2\na 1 2\n", gzip.compress(b"1 2\na 1 2\n")[:-9]]
)
def test_a_file_that_ends_too_early_is_an_end_of_file(tmp_path, data):
    (tmp_path / "v").write_bytes(data)
    with pytest.raises(EOFError) as caught:
        Vectors.load(tmp_path / "v", "text")
    assert isinstance(caught.value, CutOff)
    assert isinstance(caught.value, InputError)


def test_words_in_other_encodings(tmp_path):
    (tmp_path / "v").write_bytes("2 1\né 1\né 2\n".encode("latin-1"))
    assert formats.read_rows(tmp_path / "v", "text", None, "latin-1").words == ["é", "é"]
    assert formats.read_rows(tmp_path / "v", "text", 1, unicode_errors="replace").words == ["\ufffd"]
    with pytest.raises(UnicodeDecodeError):
        formats.read_rows(tmp_path / "v", "text", None, unicode_errors="strict")
