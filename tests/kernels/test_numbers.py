"""Numbers as text and back: exact, short, bounded, and what is wrong with a line."""

import math

import numpy as np
import pytest

from fastw2v.kernels import numbers
from fastw2v.kernels.numbers import (
    BAD_END,
    BAD_NUMBER,
    BAD_WORD,
    BYTES_READ,
    FINE,
    MAX_NUMBER_BYTES,
    MAX_WORD_BYTES,
    NOT_FINITE,
    PROBLEM,
    ROWS_READ,
    TOO_MANY,
    TRUNCATED,
)

LARGEST, SMALLEST, SMALLEST_NORMAL = (np.float32(x) for x in ("3.4028235e38", "1e-45", "1.1754944e-38"))


def format_rows(words, vectors):
    joined = b"".join(word + b"\n" for word in words)
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    text = np.zeros(len(joined) + vectors.size * MAX_NUMBER_BYTES, np.uint8)
    n = numbers.format_rows(np.frombuffer(joined, np.uint8).copy(), ends, vectors, text)
    return text[:n].tobytes()


def format_number(x):
    return format_rows([b"w"], np.array([[x]], np.float32))[2:-1].decode()


def parse_rows(text, n, dim, binary=False):
    """The words, the vectors, and the state after parsing."""
    data = np.frombuffer(text, np.uint8).copy()
    vectors = np.full((n, dim), 77, np.float32)
    starts, stops = np.zeros((2, n), np.int64)
    state = np.zeros(3, np.int64)
    if binary:
        numbers.parse_binary_rows(data, vectors.view(np.uint8), starts, stops, state)
    else:
        numbers.parse_rows(data, vectors, starts, stops, state)
    n_rows = state[ROWS_READ]
    words = [text[first:last] for first, last in zip(starts[:n_rows], stops[:n_rows], strict=True)]
    return words, vectors[:n_rows], state


def parse_number(text):
    _, vectors, state = parse_rows(b"w " + text.encode() + b"\n", 1, 1)
    assert state[PROBLEM] == FINE, text
    return vectors[0, 0]


def samples():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, size=50_000, dtype=np.uint32).view(np.float32)
    denormal = rng.integers(0, 2**23, size=5_000, dtype=np.uint32).view(np.float32)
    powers = np.float32(10.0) ** np.arange(-45, 39, dtype=np.float32)
    around = np.concatenate([np.nextafter(powers, np.float32(side)) for side in (0, np.inf)])
    usual = rng.normal(size=20_000).astype(np.float32)
    special = np.array([0, -0.0, LARGEST, -LARGEST, SMALLEST, -SMALLEST, SMALLEST_NORMAL, 1, 9.9999999e-5, 1e9, 99.9])
    values = np.concatenate([bits, denormal, -denormal, powers, around, usual, special.astype(np.float32)])
    return values[np.isfinite(values)]


def test_every_number_reads_back_to_the_same_bits():
    values = samples()[:, None]
    text = format_rows([b"w"] * len(values), values)
    _, vectors, state = parse_rows(text, len(values), 1)
    assert state.tolist() == [len(values), len(text), FINE]
    np.testing.assert_array_equal(vectors.view(np.uint32), values.view(np.uint32))


def test_numbers_are_what_python_reads_and_as_short_as_numpys():
    values = samples()
    texts = [line.split()[1].decode() for line in format_rows([b"w"] * len(values), values[:, None]).splitlines()]
    assert max(map(len, texts)) < MAX_NUMBER_BYTES
    np.testing.assert_array_equal(np.array([np.float32(text) for text in texts]), values)

    def n_digits(text):
        return len(text.split("e")[0].replace(".", "").replace("-", "").strip("0"))

    shortest = [np.format_float_scientific(x) for x in values]
    longer = [place for place, text in enumerate(texts) if n_digits(text) > n_digits(shortest[place])]
    assert all(n_digits(text) >= n_digits(short) for text, short in zip(texts, shortest, strict=True))
    assert len(longer) < 0.005 * len(values)
    # More digits are written only where the shortest text is in the middle of two float32, of which a reader may take
    # the wrong one, or where the last digit is a 5, which would be rounded up.
    for place in longer:
        shifted = {np.float32(float(shortest[place]) * (1 + error)) for error in (-1e-15, 1e-15)}
        assert len(shifted) == 2 or texts[place].split("e")[0].endswith("5")


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (100, "100"),
        (123456.7, "123456.7"),
        (1e-4, "0.0001"),
        (1e-6, "1e-06"),
        (1.5e-10, "1.5e-10"),
        (1e9, "1e+09"),
        (LARGEST, "3.4028235e+38"),
        (SMALLEST, "1e-45"),
        (SMALLEST_NORMAL, "1.1754944e-38"),
    ],
)
def test_format_by_hand(x, expected):
    assert format_number(x) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("+1.5", 1.5),
        ("-.5", -0.5),
        ("5.", 5),
        ("1E3", 1000),
        ("1e+3", 1000),
        ("1e-3", 1e-3),
        ("0.000000000000000000000000000001", 1e-30),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("1e-400", 0),
        ("-1e-99999", 0),
        ("0e99999", 0),
        ("1.17549435e-38", SMALLEST_NORMAL),
        ("16777217", 16777216),
        ("000000000000000000000000000000012.5", 12.5),
        ("0.1e1", 1),
        ("3.4028235e38", LARGEST),
        ("7e-46", 0),
    ],
)
def test_parse_by_hand(text, expected):
    assert parse_number(text) == np.float32(expected)


def test_digits_behind_the_nineteenth_do_not_matter():
    for digits in ("0.12345678901234567890123456789", "1234567890123456789.5", "9" * 30):
        assert parse_number(digits) == np.float32(float(digits))


def test_signs_of_zero():
    assert math.copysign(1, parse_number("-0")) == -1
    assert math.copysign(1, parse_number("0")) == 1


def test_blanks_and_empty_lines():
    words, vectors, state = parse_rows(b"\n  a 1\t2 \r\n\n\nb\t3  4", 2, 2)
    assert words == [b"a", b"b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]
    assert state.tolist() == [2, 19, FINE]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a 1 2\nb 1\nc 1 2\n", TRUNCATED),
        (b"a 1 2\nb 1", TRUNCATED),
        (b"a 1 2\nb 1 2 3\n", BAD_NUMBER),
        (b"a 1 2\nb 1 x\n", BAD_NUMBER),
        (b"a 1 2\nb 1 2x\n", BAD_NUMBER),
        (b"a 1 2\nb 1 e5\n", BAD_NUMBER),
        (b"a 1 2\nb 1 1e\n", BAD_NUMBER),
        (b"a 1 2\nb 1 -\n", BAD_NUMBER),
        (b"a 1 2\nb 1 1.2.3\n", BAD_NUMBER),
        (b"a 1 2\nb 1 nan\n", BAD_NUMBER),
        (b"a 1 2\nb 1 inf\n", BAD_NUMBER),
        (b"a 1 2\nb 1 1e39\n", NOT_FINITE),
        (b"a 1 2\nb 1 -1e999\n", NOT_FINITE),
    ],
)
def test_a_line_that_does_not_fit(text, problem):
    words, vectors, state = parse_rows(text, 3, 2)
    assert words == [b"a"]
    assert vectors.tolist() == [[1, 2]]
    assert state[PROBLEM] == problem
    assert 6 <= state[BYTES_READ] <= len(text)


def test_more_lines_than_rows():
    words, _, state = parse_rows(b"a 1\nb 2\nc 3\n", 2, 1)
    assert words == [b"a", b"b"]
    assert state.tolist() == [2, 8, TOO_MANY]


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_binary_rows(newline):
    rng = np.random.default_rng(2)
    vectors = rng.integers(0, 2**32, size=(3, 5), dtype=np.uint32)
    words = [b"a", "\u00fc\u4e2d".encode(), b"word"]
    text = b"".join(word + b" " + row.tobytes() + newline for word, row in zip(words, vectors, strict=True))
    read, got, state = parse_rows(text, 3, 5, binary=True)
    assert read == words
    assert state[ROWS_READ] == 3
    assert state[PROBLEM] == FINE
    np.testing.assert_array_equal(got.view(np.uint32), vectors)
    if newline:
        joined = np.frombuffer(b"".join(word + b"\n" for word in words), np.uint8).copy()
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        written = np.zeros(len(text), np.uint8)
        assert numbers.format_binary_rows(joined, ends, vectors.view(np.uint8), written) == len(text)
        assert written.tobytes() == text


@pytest.mark.parametrize("n_missing", [1, 4, 20, 21])
def test_binary_rows_that_end_early(n_missing):
    row = b"a " + np.arange(5, dtype=np.float32).tobytes()
    words, _, state = parse_rows((row + row)[:-n_missing], 2, 5, binary=True)
    assert words == [b"a"]
    assert state[PROBLEM] == TRUNCATED


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("b NUMB\n", FINE),
        ("b NUMB", BAD_END),
        ("b NUM\n", BAD_END),
        ("b NUMB\n\n", TOO_MANY),
        ("b NUMB\nc NUMB\n", TOO_MANY),
        ("b NUMB?", BAD_END),
        ("\nb NUMB\n", BAD_WORD),
        ("b\tc NUMB\n", BAD_WORD),
        ("b\r NUMB\n", BAD_WORD),
        ("b" * MAX_WORD_BYTES + " NUMB\n", FINE),
        ("b" * (MAX_WORD_BYTES + 1) + " NUMB\n", BAD_WORD),
        ("b NUM", TRUNCATED),
    ],
)
def test_the_second_of_two_binary_rows(rest, problem):
    words, _, state = parse_rows(b"a NUMB\n" + rest.encode(), 2, 1, binary=True)
    assert state[PROBLEM] == problem
    assert len(words) == (2 if problem in (FINE, TOO_MANY) else 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a NUMBb NUMB", FINE), ("a NUMBb NUMB\n", FINE), ("a NUMBb NUMB\n\n", BAD_END), ("a NUMB\nb NUMBc", BAD_END)],
)
def test_newlines_after_each_binary_row_or_none(text, problem):
    assert parse_rows(text.encode(), 2, 1, binary=True)[2][PROBLEM] == problem
    three = parse_rows(b"a NUMBb NUMB\nc NUMB", 3, 1, binary=True)[2]
    assert three.tolist() == [1, 12, BAD_END]
