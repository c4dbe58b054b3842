"""A dictionary of words as bytes, compiled: the number of each, how often it occurred; tokens looked up in batches.

Millions of words are far larger than the caches, and a token needs a slot of the hash table, the entry of its word, and
the word's text. So tokens are looked up in batches: slots, entries and texts of a whole batch are prefetched, one after
the other, and their times of waiting overlap. That is 4 times as fast at 2 M words.
"""

from typing import NamedTuple

import numpy as np

from .bytes import are_equal, hash_of
from .jit import Bools, Bytes, Int32s, Int64s, UInt64s, inlined, kernel
from .simd import prefetch
from .tokenize import LENGTH_BITS, NEWLINE, Tokens

UNKNOWN_ID = -2
"""The id of a token that is not in a dictionary that may not grow."""

N_WORDS, N_BYTES, N_UNKNOWN = range(3)
"""The places of the counters in the state: the words known, the bytes of their text; tokens that were not known."""

BATCH = 32
"""The number of tokens whose prefetches overlap."""

_NUMBER = np.uint64(0xFFFFFFFF)
_LENGTH = (1 << LENGTH_BITS) - 1


class Dictionary(NamedTuple):
    """The words in the order of their first occurrence. `state` says how much of the arrays is used.

    The hash table holds (the upper 32 bits of the hash, number + 1) in 8 bytes, with open addressing from the slot that
    the highest bits of the hash name. So a table that is twice as large has its entries in the same order.
    """

    table: UInt64s  # its length is a power of two; at most half is used
    entries: Int64s  # (n, 2): place << LENGTH_BITS | length of each word in `text`, and how often it occurred
    text: Bytes  # the words, a newline after each


@inlined
def _shift_of(table: UInt64s) -> np.uint64:
    """Return by how much a hash is shifted to name a slot."""
    n_bits = 0
    while 1 << n_bits < table.shape[0]:
        n_bits += 1
    return np.uint64(64 - n_bits)


@inlined
def _find(
    words: Dictionary, value: np.uint64, shift: np.uint64, text: Bytes, start: int, length: int
) -> tuple[int, int]:
    """Return (number, slot) of a word; for a new one -1 and the free slot. value: its hash."""
    table, entries = words.table, words.entries
    slot = np.int64(value >> shift)
    while table[slot] != 0:
        if (table[slot] ^ value) & ~_NUMBER == 0:
            word = np.int64(table[slot] & _NUMBER) - 1
            place = entries[word, 0]
            if place & _LENGTH == length and are_equal(text, start, words.text, place >> LENGTH_BITS, length):
                return word, slot
        slot = (slot + 1) & (table.shape[0] - 1)
    return -1, slot


@inlined
def _has_room(words: Dictionary, state: Int64s, length: int) -> bool:
    n_words = state[N_WORDS]
    return (
        2 * (n_words + 1) <= words.table.shape[0]
        and n_words < words.entries.shape[0]
        and state[N_BYTES] + length < words.text.shape[0]
    )


@inlined
def _insert(words: Dictionary, state: Int64s, value: np.uint64, slot: int, text: Bytes, start: int, length: int) -> int:
    word, place = state[N_WORDS], state[N_BYTES]
    for i in range(length):
        words.text[place + i] = text[start + i]
    words.text[place + length] = NEWLINE
    words.entries[word, 0] = place << LENGTH_BITS | length
    words.entries[word, 1] = 0
    words.table[slot] = (value & ~_NUMBER) | np.uint64(word + 1)
    state[N_WORDS] = word + 1
    state[N_BYTES] = place + length + 1
    return word


@inlined
def _prefetch(words: Dictionary, tokens: Tokens, part: int, first: int, stop: int, shift: np.uint64) -> None:
    """Ask for the memory that tokens will need, in three passes: each needs what the one before asked for."""
    hashes, table, entries = tokens.hashes[part], words.table, words.entries
    for i in range(first, stop):
        prefetch(table, np.int64(hashes[i] >> shift))
    for i in range(first, stop):
        slot = table[hashes[i] >> shift]
        if slot != 0:
            prefetch(entries, 2 * (np.int64(slot & _NUMBER) - 1))
    for i in range(first, stop):
        slot = table[hashes[i] >> shift]
        if slot != 0:
            prefetch(words.text, entries[np.int64(slot & _NUMBER) - 1, 0] >> LENGTH_BITS)


@kernel
def look_up(
    words: Dictionary, state: Int64s, text: Bytes, tokens: Tokens, part: int, first: int, ids: Int32s, may_grow: bool
) -> int:
    """Count the tokens of a part from number `first` on and write their ids; return the first one without room, or n.

    The caller then gives the dictionary larger arrays and calls again. The id of word i is part + i * n_parts. With
    `may_grow` False, unknown tokens get UNKNOWN_ID. state: (3,) int64.
    """
    n, n_parts = tokens.n[part], tokens.n.shape[0]
    shift = _shift_of(words.table)
    for start_of_batch in range(first, n, BATCH):
        end_of_batch = min(start_of_batch + BATCH, n)
        _prefetch(words, tokens, part, start_of_batch, end_of_batch, shift)
        for i in range(start_of_batch, end_of_batch):
            value, token, place = tokens.hashes[part, i], tokens.spans[part, i], tokens.places[part, i]
            start, length = token >> LENGTH_BITS, token & _LENGTH
            word, slot = _find(words, value, shift, text, start, length)
            if word < 0:
                if not may_grow:
                    state[N_UNKNOWN] += 1
                    ids[place] = UNKNOWN_ID
                    continue
                if not _has_room(words, state, length):
                    return i
                word = _insert(words, state, value, slot, text, start, length)
            words.entries[word, 1] += 1
            ids[place] = part + word * n_parts
    return n


@kernel
def rehash(old: UInt64s, table: UInt64s) -> None:
    """Enter what a hash table holds into a larger one, which is empty; both are gone through in order."""
    shift = _shift_of(table)
    for entry in old:
        if entry != 0:
            slot = np.int64(entry >> shift)
            while table[slot] != 0:
                slot = (slot + 1) & (table.shape[0] - 1)
            table[slot] = entry


@kernel
def merge(words: Dictionary, state: Int64s, other: Dictionary, n_other: int, first: int, numbers: Int32s) -> int:
    """Add the words and counts of `other`, from word `first` on; return the first word for which there was no room.

    The table of `other` is not needed. numbers: (n_other,) int32, filled with the number in `words` of each word.
    """
    shift = _shift_of(words.table)
    for i in range(first, n_other):
        start, length = other.entries[i, 0] >> LENGTH_BITS, other.entries[i, 0] & _LENGTH
        value = hash_of(other.text, start, length)
        word, slot = _find(words, value, shift, other.text, start, length)
        if word < 0:
            if not _has_room(words, state, length):
                return i
            word = _insert(words, state, value, slot, other.text, start, length)
        words.entries[word, 1] += other.entries[i, 1]
        numbers[i] = word
    return n_other


@inlined
def _length_of_character(text: Bytes, i: int, stop: int) -> int:
    """Return the number of bytes of the UTF-8 character at text[i], or 0 where there is none (RFC 3629, section 4)."""
    first = text[i]
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if i + length > stop:
        return 0
    low, high = 0x80, 0xBF  # of the second byte: no longer form than needed, no surrogates, nothing above U+10FFFF
    if first == 0xE0:
        low = 0xA0
    elif first == 0xED:
        high = 0x9F
    elif first == 0xF0:
        low = 0x90
    elif first == 0xF4:
        high = 0x8F
    if text[i + 1] < low or text[i + 1] > high:
        return 0
    for place in range(i + 2, i + length):
        if text[place] < 0x80 or text[place] > 0xBF:
            return 0
    return length


@kernel
def mark_invalid(text: Bytes, ends: Int64s, is_invalid: Bools) -> None:
    """Mark the words that are not UTF-8. Word i ends before the newline text[ends[i] - 1]; is_invalid: (n,), filled."""
    i = 0
    for word in range(ends.shape[0]):
        stop = ends[word] - 1
        is_invalid[word] = False
        while i < stop:
            length = _length_of_character(text, i, stop)
            if length == 0:
                is_invalid[word] = True
                break
            i += length
        i = stop + 1
