"""Text preparation, compiled: lower case, punctuation and digits, before text is cut into tokens.

Bytes that are not UTF-8 stay as they are and count as letters, so that the tokenizer sees them.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .bytes import highest_bit, lowest_bit
from .jit import Bytes, Int32s, inlined, kernel
from .simd import broadcast, pointer_of

SEPARATOR, PUNCTUATION, LETTER, DIGIT, OTHER, JOINER, POINT = range(7)
"""The kinds of characters. Punctuation divides words as a separator does. A joiner, such as an apostrophe, stays
between characters of a word, and a point between digits; elsewhere they are punctuation."""

N_CODES = 0x20000
"""The code points below this have a kind and a lower-case letter in the tables; those above are letters."""

KEEP, ZERO, DROP = range(3)
"""What to do with digits: keep them, write each as 0, or drop words that hold digits and no letter."""

RUN = 64
"""The bytes among which `_copy_run` finds the first that is neither an ASCII letter nor an ASCII separator."""

ROOM_PER_BYTE = 1.5
"""The bytes that a byte of text may become: some letters of 2 bytes have a lower-case letter of 3."""

BLANK, ZERO_DIGIT, SIGMA, FINAL_SIGMA_BYTE = 0x20, 0x30, 0x3A3, 0x82


@intrinsic
def _copy_run(typing_context: Any, text: Any, place: Any, out: Any, place_out: Any, lower: Any) -> Any:
    """Copy RUN bytes, ASCII letters in lower case if `lower`; return which are not plain, and which are separators.

    Plain bytes are ASCII letters and the separators of one byte. Bit i of each result stands for text[place + i].
    """
    masks = types.UniTuple(types.uint64, 2)
    window = ir.VectorType(ir.IntType(8), RUN)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def constant(value: int) -> Any:
            return ir.Constant(window, [value] * RUN)

        def within(values: Any, low: int, high: int) -> Any:
            return builder.icmp_unsigned("<=", builder.sub(values, constant(low)), constant(high - low))

        found = builder.load(pointer_of(context, builder, signature.args[0], args[0], args[1], window))
        found.align = 1
        is_capital = within(found, ord("A"), ord("Z"))
        is_separator = builder.or_(within(found, 0, 0x20), within(found, 0x7F, 0x7F))
        is_plain = builder.or_(builder.or_(is_capital, within(found, ord("a"), ord("z"))), is_separator)
        # A `select` by vectors would be done byte by byte, because their bits are needed as an integer too.
        bit = broadcast(builder, builder.select(args[4], ir.IntType(8)(0x20), ir.IntType(8)(0)), RUN)
        lowered = builder.or_(found, builder.and_(builder.sext(is_capital, window), bit))
        stored = builder.store(lowered, pointer_of(context, builder, signature.args[2], args[2], args[3], window))
        stored.align = 1
        results = [builder.bitcast(bits, ir.IntType(64)) for bits in (builder.not_(is_plain), is_separator)]
        return context.make_tuple(builder, masks, results)

    return masks(text, types.intp, out, types.intp, types.boolean), generate


@inlined
def _decode(text: Bytes, place: int) -> tuple[int, int]:
    """Return the code point at a place and its number of bytes; -1 and 1 for a byte that is not UTF-8."""
    first = np.int64(text[place])
    if first < 0x80:
        return first, 1
    length = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 1
    if length == 1 or place + length > text.shape[0]:
        return -1, 1
    code = first & (0x7F >> length)
    for i in range(1, length):
        byte = np.int64(text[place + i])
        if byte & 0xC0 != 0x80:
            return -1, 1
        code = code << 6 | byte & 0x3F
    if length > 2 and code < (0x800 if length == 3 else 0x10000):  # longer than need be, which UTF-8 forbids
        return -1, 1
    return code, length


@inlined
def _encode(code: int, out: Bytes, place: int) -> int:
    """Write a code point in UTF-8; return the place behind it."""
    if code < 0x80:
        out[place] = code
        return place + 1
    if code < 0x800:
        out[place] = 0xC0 | code >> 6
        out[place + 1] = 0x80 | code & 0x3F
        return place + 2
    if code < 0x10000:
        out[place] = 0xE0 | code >> 12
        out[place + 1] = 0x80 | code >> 6 & 0x3F
        out[place + 2] = 0x80 | code & 0x3F
        return place + 3
    out[place] = 0xF0 | code >> 18
    out[place + 1] = 0x80 | code >> 12 & 0x3F
    out[place + 2] = 0x80 | code >> 6 & 0x3F
    out[place + 3] = 0x80 | code & 0x3F
    return place + 4


@inlined
def _copy_letters(text: Bytes, place: int, kinds: Bytes, lowers: Int32s, out: Bytes, place_out: int) -> tuple[int, int]:
    """Copy letters of two or three bytes in lower case, up to one that changes its length or is a capital sigma.

    Returns the place behind them, and how many bytes they take.
    """
    start = place
    while place + 3 <= text.shape[0]:
        first, second, third = np.int64(text[place]), np.int64(text[place + 1]), np.int64(text[place + 2])
        if 0xC2 <= first < 0xE0 and second & 0xC0 == 0x80:
            code = (first & 0x1F) << 6 | second & 0x3F
            lowered = np.int64(lowers[code])
            if kinds[code] != LETTER or lowered < 0x80 or lowered >= 0x800 or code == SIGMA:
                break
            out[place_out] = 0xC0 | lowered >> 6
            out[place_out + 1] = 0x80 | lowered & 0x3F
            place += 2
            place_out += 2
        elif 0xE0 <= first < 0xF0 and second & 0xC0 == 0x80 and third & 0xC0 == 0x80:
            code = (first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
            lowered = np.int64(lowers[code])
            if kinds[code] != LETTER or lowered < 0x800 or lowered >= 0x10000 or code < 0x800:
                break
            out[place_out] = 0xE0 | lowered >> 12
            out[place_out + 1] = 0x80 | lowered >> 6 & 0x3F
            out[place_out + 2] = 0x80 | lowered & 0x3F
            place += 3
            place_out += 3
        else:
            break
    return place, place - start


@kernel
def prepare(text: Bytes, kinds: Bytes, lowers: Int32s, digits: int, lower: bool, out: Bytes) -> int:
    """Prepare a text that ends between tokens; return how many bytes of `out` it takes.

    text: (n,) uint8. kinds: (N_CODES,) uint8, the kind of each code point; without PUNCTUATION, JOINER and POINT all
    punctuation stays. lowers: (N_CODES,) int32, what each code point becomes, itself unless `lower`. digits: KEEP, ZERO
    or DROP. out: (ROOM_PER_BYTE * n + RUN,) uint8, or more.
    """
    n = text.shape[0]
    i = j = 0  # in the text, and in `out`
    start = 0  # of the word in `out`
    joiner = 0  # its place in `out`, while `last` is JOINER or POINT
    last = SEPARATOR  # the kind of the last character
    has_letter = has_digit = ends_in_sigma = False  # of the word
    while i <= n:
        if (j == start or last == LETTER) and i + RUN <= n and text[i] < 0x80:
            not_plain, separators = _copy_run(text, i, out, j, lower)
            length = lowest_bit(not_plain) if not_plain != 0 else RUN
            separators &= (np.uint64(1) << np.uint64(length)) - np.uint64(1) if length < RUN else ~np.uint64(0)
            # A separator behind a sigma is served below.
            if length > 0 and not (ends_in_sigma and separators & np.uint64(1) != 0):
                i += length
                j += length
                has_letter, last, ends_in_sigma = True, LETTER, False
                if separators != 0:
                    start = j - length + highest_bit(separators) + 1
                    has_digit, has_letter = False, j > start
                    last = LETTER if has_letter else SEPARATOR
                continue
        if last != POINT:
            i, n_letters = _copy_letters(text, i, kinds, lowers, out, j)
            if n_letters > 0:
                j += n_letters
                has_letter, last, ends_in_sigma = True, LETTER, False
                continue
        code, length = (BLANK, 0) if i == n else _decode(text, i)
        kind = np.int64(kinds[code]) if 0 <= code < N_CODES else LETTER
        if ends_in_sigma and kind != LETTER:
            out[j - 1] = FINAL_SIGMA_BYTE
        ends_in_sigma = False
        if kind >= JOINER:
            joins = last == DIGIT or (kind == JOINER and (last == LETTER or last == OTHER))
            kind = kind if joins else PUNCTUATION
        is_loose = (last == JOINER and kind <= PUNCTUATION) or (last == POINT and kind != DIGIT)
        if is_loose or kind <= PUNCTUATION:  # a word ends
            if is_loose:
                j = joiner
            if digits == DROP and has_digit and not has_letter:
                j = start
            if kind != SEPARATOR:
                out[j] = BLANK
                j += 1
                start = j
            has_letter = has_digit = False
        if kind == DIGIT and digits == ZERO:
            out[j] = ZERO_DIGIT
            j += 1
        elif kind != PUNCTUATION:
            lowered = np.int64(lowers[code]) if 0 <= code < N_CODES else code
            if lowered != code:
                j = _encode(lowered, out, j)
                ends_in_sigma = code == SIGMA and last == LETTER
            else:
                for k in range(length):
                    out[j + k] = text[i + k]
                j += length
        if kind == SEPARATOR:
            start = j
        elif kind >= JOINER:
            joiner = j - length
        has_letter |= kind == LETTER
        has_digit |= kind == DIGIT
        last = kind
        i += max(1, length)
    return j
