"""Prepared text against a pattern over classes of characters, which cannot read or write outside of its arrays."""

import sys

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastw2v.corpus.preparation import DIGITS, Preparation, _tables
from fastw2v.kernels.preparation import N_CODES, ROOM_PER_BYTE, RUN, prepare

LETTERS = (
    "a King QUEEN z \u00c9t\u00c9 \u00df \u6771\u4eac \u0301 \u0130 \u03a3 \u039f\u03a3 \u03c3 \u023a \u2160 \u24b6"
)
NUMBERS = "0 1984 12.5 1,000 \u0663 \uff15 \u00b2"
SIGNS = "' - _ . , ! -- $ + ` \u2019 \u00b7 \u05f3 \u3002 \u20ac \u00d7 \u266f \u00ad \U0001f600 \U00010400 \U00020000"
SEPARATORS = [" ", "\n", "\t", "\x00", "\x7f", "\x85", "\u00a0", "\u3000", "\u2028"]
PIECES = [*LETTERS.split(" "), *NUMBERS.split(" "), *SIGNS.split(" "), *SEPARATORS, "word " * 20, "x" * 70]
INVALID = [b"\xff", b"\xc3", b"\xe2\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\xa0", b"\xf4\x90\x80\x80"]
texts = st.lists(st.sampled_from([piece.encode() for piece in PIECES] + INVALID), max_size=60).map(b"".join)


def prepared(text, **options):
    """The words of each line, the kernel being between canaries."""
    data = np.array(bytearray(text))
    preparation = Preparation(**options)
    tables = _tables(preparation.lower, preparation.strip_punctuation)
    room = np.full(int(ROOM_PER_BYTE * len(data)) + RUN + 200, 0xA5, np.uint8)
    out = room[100:-100]
    n = prepare(data, *tables, DIGITS[preparation.digits], preparation.lower, out)
    assert n <= len(out) - RUN + 1
    assert (room[:100] == 0xA5).all()
    assert (room[-100:] == 0xA5).all()
    return [[word for word in reference.SEPARATOR.split(line) if word] for line in out[:n].tobytes().split(b"\n")]


@settings(max_examples=300, deadline=None)
@given(texts, st.booleans(), st.booleans(), st.sampled_from(sorted(DIGITS)))
@example(b"", True, True, "drop")
@example("\u039f\u03a3".encode(), True, False, "keep")
@example(b"a-" + b"1." * 40, True, True, "zero")
def test_words(text, lower, strip_punctuation, digits):
    words = [[word for word in line if word] for line in reference.prepared(text, lower, strip_punctuation, digits)]
    assert prepared(text, lower=lower, strip_punctuation=strip_punctuation, digits=digits) == words


@settings(deadline=None)
@given(texts)
def test_nothing_changes_by_default(text):
    data = np.array(bytearray(text))
    assert Preparation().apply(data) is data
    tables = _tables(False, False)
    out = np.empty(int(ROOM_PER_BYTE * len(data)) + RUN, np.uint8)
    assert out[: prepare(data, *tables, 0, False, out)].tobytes() == text


def test_lower_case_is_that_of_python():
    """But for the dotted capital I, which Python makes two characters, and the sigma, which depends on its place."""
    skipped = {*range(0xD800, 0xE000), *map(ord, "\n\u0130\u03a3")}
    codes = [code for code in range(sys.maxunicode + 1) if code not in skipped]
    characters = "".join(map(chr, codes))
    got = Preparation(lower=True).apply(np.array(bytearray(characters.encode()))).tobytes().decode()
    assert got == "".join(character.lower() for character in characters)
    assert len(got) == len(characters)


def test_the_tables_hold_all_that_is_no_letter():
    beyond = map(chr, range(N_CODES, sys.maxunicode + 1))
    assert {reference.class_of(character) for character in beyond} == {"L"}


@pytest.mark.parametrize("n", range(RUN - 2, 2 * RUN + 2))
def test_a_word_of_any_length_at_the_end(n):
    assert prepared(b"A" * n + b"!", lower=True, strip_punctuation=True) == [[b"a" * n]]
    assert prepared(b"b " + b"A" * n, lower=True) == [[b"b", b"a" * n]]
