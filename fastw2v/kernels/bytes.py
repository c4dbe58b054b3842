"""Text as bytes, a few at a time: 8 in an integer, compared and hashed, and the separators among 64.

Separators are the ASCII controls and the space (0x00-0x20, 0x7F) and Unicode's White_Space, in UTF-8.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .jit import Bytes, inlined
from .simd import pointer_of

WINDOW = 64
"""The bytes among which `separators` finds the first ones of separators."""

LOOKAHEAD = 2
"""The bytes behind a window that `separators` reads too: a separator has up to three."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)


@intrinsic
def load_8_bytes(typing_context: Any, array: Any, offset: Any) -> Any:
    """Return `array[offset : offset + 8]` of uint8 as a uint64, the first byte lowest (on little-endian machines)."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        loaded = builder.load(pointer_of(context, builder, signature.args[0], args[0], args[1], ir.IntType(64)))
        loaded.align = 1
        return loaded

    return types.uint64(array, types.intp), generate


@inlined
def up_to_8_bytes(text: Bytes, place: int, length: int) -> np.uint64:
    """Return the first 8 of the `length` bytes of text[place : place + length], or all of them and zeros."""
    if place + 8 <= text.shape[0]:
        chunk = load_8_bytes(text, place)
        return chunk if length >= 8 else chunk & ~(_ALL_BITS << np.uint64(8 * length))
    chunk = np.uint64(0)
    for i in range(min(length, 8)):
        chunk |= np.uint64(text[place + i]) << np.uint64(8 * i)
    return chunk


@inlined
def are_equal(text: Bytes, place: int, other: Bytes, place_of_other: int, length: int) -> bool:
    """Return whether two texts of `length` bytes are the same."""
    for i in range(0, length, 8):
        if up_to_8_bytes(text, place + i, length - i) != up_to_8_bytes(other, place_of_other + i, length - i):
            return False
    return True


@inlined
def hash_of(text: Bytes, place: int, length: int) -> np.uint64:
    """Return a hash of text[place : place + length] by multiplying and folding 8 bytes at a time."""
    value = np.uint64(length) * _MULTIPLIER
    for i in range(0, length, 8):
        value = (value ^ up_to_8_bytes(text, place + i, length - i)) * _MULTIPLIER
        value ^= value >> np.uint64(32)
    return value * _MULTIPLIER


@intrinsic
def _separators(typing_context: Any, text: Any, place: Any) -> Any:
    """`separators` of a window that has `LOOKAHEAD` bytes behind it."""
    masks = types.UniTuple(types.uint64, 3)
    window = ir.VectorType(ir.IntType(8), WINDOW)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def bytes_at(distance: int) -> Any:
            offset = builder.add(args[1], args[1].type(distance))
            loaded = builder.load(pointer_of(context, builder, signature.args[0], args[0], offset, window))
            loaded.align = 1
            return loaded

        def within(values: Any, low: int, high: int) -> Any:
            from_low = builder.sub(values, ir.Constant(window, [low] * WINDOW))
            return builder.icmp_unsigned("<=", from_low, ir.Constant(window, [high - low] * WINDOW))

        def equal(values: Any, value: int) -> Any:
            return within(values, value, value)

        def any_of(first: Any, *others: Any) -> Any:
            for other in others:
                first = builder.or_(first, other)
            return first

        def all_of(first: Any, *others: Any) -> Any:
            for other in others:
                first = builder.and_(first, other)
            return first

        first, second, third = bytes_at(0), bytes_at(1), bytes_at(2)
        of_one = any_of(within(first, 0, 0x20), equal(first, 0x7F))
        # U+0085, U+00A0
        of_two = all_of(equal(first, 0xC2), any_of(equal(second, 0x85), equal(second, 0xA0)))
        # U+2000-U+200A, U+2028, U+2029, U+202F
        spaces = any_of(within(third, 0x80, 0x8A), within(third, 0xA8, 0xA9), equal(third, 0xAF))
        of_three = any_of(
            all_of(equal(first, 0xE1), equal(second, 0x9A), equal(third, 0x80)),  # U+1680
            all_of(equal(first, 0xE2), equal(second, 0x80), spaces),
            all_of(equal(first, 0xE2), equal(second, 0x81), equal(third, 0x9F)),  # U+205F
            all_of(equal(first, 0xE3), equal(second, 0x80), equal(third, 0x80)),  # U+3000
        )
        several = any_of(of_two, of_three)
        found = [builder.bitcast(bits, ir.IntType(64)) for bits in (any_of(of_one, several), several, of_three)]
        return context.make_tuple(builder, masks, found)

    return masks(text, types.intp), generate


@inlined
def separators(text: Bytes, place: int, margin: Bytes) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Return which of the bytes text[place : place + WINDOW] begin a separator, one of 2 or 3 bytes, and one of 3.

    Bit i of each result stands for text[place + i]. What is behind the end of `text` counts as spaces.
    margin: (WINDOW + LOOKAHEAD,) uint8, working memory.
    """
    if place + WINDOW + LOOKAHEAD <= text.shape[0]:
        return _separators(text, place)
    for i in range(WINDOW + LOOKAHEAD):
        margin[i] = text[place + i] if place + i < text.shape[0] else 0x20
    return _separators(margin, 0)


@intrinsic
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set in a uint64 other than 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.intp(types.uint64), generate


@intrinsic
def highest_bit(typing_context: Any, bits: Any) -> Any:
    """Return the number of the highest bit that is set in a uint64 other than 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.sub(ir.IntType(64)(63), builder.ctlz(args[0], ir.IntType(1)(1)))

    return types.intp(types.uint64), generate
