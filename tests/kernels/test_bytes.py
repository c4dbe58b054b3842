"""Bytes: separators against Unicode's, hashes and comparisons against slices, at every place of a text."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.kernels.bytes import (
    LOOKAHEAD,
    WINDOW,
    are_equal,
    hash_of,
    highest_bit,
    lowest_bit,
    separators,
    up_to_8_bytes,
)

WHITE_SPACE = [
    *range(0x21),
    *(0x7F, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000),
]
SEPARATORS = {chr(code).encode() for code in WHITE_SPACE}
OTHERS = ["a", "é", "\u200b", "\u2014", "\u2060", "\u3001", "日", "\U0001f600", "\u00a1", "\u1681"]
pieces = st.sampled_from([*sorted(SEPARATORS), *(text.encode() for text in OTHERS), b"\xc2", b"\xe2\x80", b"\xe3"])
texts = st.one_of(st.lists(pieces, max_size=80).map(b"".join), st.binary(max_size=200))


@numba.njit
def found(text, place):
    return separators(text, place, np.zeros(WINDOW + LOOKAHEAD, np.uint8))


@numba.njit
def pieces_of_8(text, place, length):
    return up_to_8_bytes(text, place, length), hash_of(text, place, length)


@numba.njit
def are_same(text, place, other, place_of_other, length):
    return are_equal(text, place, other, place_of_other, length)


@numba.njit
def bits_of(value):
    return lowest_bit(value), highest_bit(value)


def as_array(text):
    return np.array(bytearray(text), np.uint8)


@given(texts, st.integers(0, 100))
@settings(max_examples=300, deadline=None)
def test_separators_are_those_of_unicode(text, place):
    array = as_array(text)
    masks = found(array, place)
    for i in range(WINDOW):
        lengths = [n for n in (1, 2, 3) if text[place + i : place + i + n] in SEPARATORS and place + i + n <= len(text)]
        [length] = lengths or [0]
        if place + i >= len(text):
            length = 1
        got = [int(mask) >> i & 1 for mask in masks]
        assert got == [length > 0, length > 1, length > 2], (text, place, i)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 30])
def test_pieces_are_those_of_the_text(n):
    text = np.random.default_rng(n).integers(0, 256, n).astype(np.uint8).tobytes()
    array = as_array(text)
    hashes = {}
    for place in range(n):
        for length in range(1, n - place + 1):
            piece, value = pieces_of_8(array, place, length)
            assert int(piece) == int.from_bytes(text[place : place + min(length, 8)], "little")
            hashes.setdefault(int(value), set()).add(text[place : place + length])
            for other in (
                as_array(text[place : place + length]),
                as_array(b"xx" + text[place : place + length] + b"y"),
            ):
                at = 2 * (len(other) > length)
                assert are_same(array, place, other, at, length)
                other[at + length - 1] ^= 1
                assert not are_same(array, place, other, at, length)
    assert all(len(words) == 1 for words in hashes.values())


def test_a_hash_does_not_depend_on_the_place():
    values = {pieces_of_8(as_array(b"x" * n + b"a longer word" + b"y" * 5), n, 13)[1] for n in range(20)}
    assert len(values) == 1


def test_hashes_are_spread_evenly():
    """The upper bits name slots, the lowest ones parts."""
    hashes = np.array([pieces_of_8(as_array(b"%d" % i), 0, len(str(i)))[1] for i in range(20_000)], np.uint64)
    for bits in (hashes >> np.uint64(56), hashes & np.uint64(255)):
        counts = np.bincount(bits.astype(np.int64), minlength=256)
        assert counts.max() < 2 * counts.mean()
        assert counts.min() > 0.4 * counts.mean()


@pytest.mark.parametrize("value", [1, 2**63, 2**63 + 1, 0b1011000])
def test_bits(value):
    lowest, highest = (value & -value).bit_length() - 1, value.bit_length() - 1
    assert bits_of(np.uint64(value)) == (lowest, highest)
