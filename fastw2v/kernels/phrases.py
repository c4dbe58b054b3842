"""Pairs of words that follow each other: count them, locate them in the text, merge them into phrases.

A pair is two words of a sentence with nothing but connector words ("of", "the") between them. The key of a pair without
connectors is (a << 32 | b) + 1, since key 0 marks an empty place of a table. The key of any other has 63 hash bits of
all its words, and the highest bit set. (Two of a million such pairs have the same hash with probability 5e-8.)
"""

import numpy as np

from .jit import Bools, Bytes, Int32s, Int64s, UInt64s, inlined, kernel
from .random import mix
from .simd import prefetch

POSITION, START, N_PAIRS = range(3)
"""The places of the counters in the state: the next id to read; where the first word of the present pair stands, or -1;
the number of pairs in the table."""

AHEAD = 16
"""How many pairs come between the prefetch of a place of the table and its use."""

_HASHED = np.uint64(1 << 63)


@inlined
def _key(ids: Int32s, start: int, end: int) -> np.uint64:
    """Return the key of the pair ids[start], ids[end]."""
    if end == start + 1:
        return (np.uint64(ids[start]) << np.uint64(32)) + np.uint64(ids[end]) + np.uint64(1)
    key = np.uint64(0)
    for position in range(start, end + 1):
        key = mix(key ^ np.uint64(ids[position]))
    return key | _HASHED


def words_of_keys(keys: UInt64s) -> tuple[Int64s, Int64s]:
    """Return the two ids of each key, (n,) uint64; -1 for hashed ones, which `locate_pairs` has to find in the text."""
    first, second = np.divmod(keys.astype(np.int64) - 1, 1 << 32)
    return np.where(first < 0, -1, first), np.where(first < 0, -1, second)


@inlined
def _place(table: UInt64s, key: np.uint64) -> int:
    """Return the place of a key, or the empty one for it. A table has a power of two of places, each (key, value)."""
    mask = table.shape[0] // 2 - 1
    slot = np.int64(mix(key)) & mask
    while table[2 * slot] != key and table[2 * slot] != 0:
        slot = (slot + 1) & mask
    return slot


@inlined
def _add(table: UInt64s, key: np.uint64) -> int:
    """Count a key once more; return 1 if it is new, else 0."""
    place = _place(table, key)
    is_new = table[2 * place] == 0
    table[2 * place] = key
    table[2 * place + 1] += np.uint64(1)
    return np.int64(is_new)


@kernel
def count_pairs(ids: Int32s, is_connector: Bools, table: UInt64s, state: Int64s, part: int, n_parts: int) -> bool:
    """Count the pairs whose hash falls into `part` of `n_parts`; return False if the table must grow before the rest.

    ids: (n,) int32, -1 ends a sentence. is_connector: (n_words,). table: (2 * power of two,) uint64. state: (3,) int64.
    """
    pending = np.zeros(AHEAD, np.uint64)
    n_pending = 0
    position, start, n_pairs = state[POSITION], state[START], state[N_PAIRS]
    most = table.shape[0] // 4 - AHEAD
    mask = table.shape[0] // 2 - 1
    while position < ids.shape[0] and n_pairs < most:
        word = ids[position]
        if word < 0:
            start = -1
        elif not is_connector[word]:
            if start >= 0:
                key = _key(ids, start, position)
                bits = mix(key)
                if np.int64((bits >> np.uint64(32)) * np.uint64(n_parts) >> np.uint64(32)) == part:
                    prefetch(table, 2 * (np.int64(bits) & mask))
                    oldest = n_pending % AHEAD
                    if n_pending >= AHEAD:
                        n_pairs += _add(table, pending[oldest])
                    pending[oldest] = key
                    n_pending += 1
            start = position
        position += 1
    for i in range(max(0, n_pending - AHEAD), n_pending):
        n_pairs += _add(table, pending[i % AHEAD])
    state[POSITION], state[START], state[N_PAIRS] = position, start, n_pairs
    return position == ids.shape[0]


@kernel
def rehash(old: UInt64s, new: UInt64s) -> None:
    """Copy all keys and values of a table into a larger one, which is empty."""
    for slot in range(old.shape[0] // 2):
        if old[2 * slot] != 0:
            place = _place(new, old[2 * slot])
            new[2 * place], new[2 * place + 1] = old[2 * slot], old[2 * slot + 1]


@kernel
def fill_table(table: UInt64s, keys: UInt64s, values: UInt64s) -> None:
    """Put distinct keys, (n,) uint64, and their values, (n,) uint64, into an empty table."""
    for i in range(keys.shape[0]):
        place = _place(table, keys[i])
        table[2 * place], table[2 * place + 1] = keys[i], values[i]


@kernel
def locate_pairs(ids: Int32s, is_connector: Bools, table: UInt64s, starts: Int64s, ends: Int64s) -> None:
    """Write the first place of the pair of value i + 1 to starts[i] and ends[i], (n,) int64, which were all -1."""
    start = np.int64(-1)
    for position in range(ids.shape[0]):
        word = ids[position]
        if word < 0:
            start = np.int64(-1)
        elif not is_connector[word]:
            if start >= 0:
                number = np.int64(table[2 * _place(table, _key(ids, start, position)) + 1])
                if number > 0 and starts[number - 1] < 0:
                    starts[number - 1], ends[number - 1] = start, position
            start = np.int64(position)


@kernel
def merge_pairs(ids: Int32s, is_connector: Bools, table: UInt64s, merged: Int32s) -> int:
    """Copy whole sentences with each pair of the table replaced by the id `value` - 1; return the length.

    Pairs are taken from left to right, and a word is part of one at most. merged: (len(ids),) int32, overwritten.
    """
    n = 0
    start = np.int64(-1)
    for position in range(ids.shape[0]):
        word = ids[position]
        if word >= 0 and is_connector[word] and start >= 0:
            continue  # whether it is part of a pair depends on what follows
        if word >= 0 and not is_connector[word] and start >= 0:
            number = np.int64(table[2 * _place(table, _key(ids, start, position)) + 1])
            if number > 0:
                merged[n] = number - 1
                n += 1
                start = np.int64(-1)
                continue
        if start >= 0:
            for place in range(start, position):
                merged[n] = ids[place]
                n += 1
            start = np.int64(-1)
        if word >= 0 and not is_connector[word]:
            start = np.int64(position)
        else:
            merged[n] = word
            n += 1
    if start >= 0:
        for place in range(start, ids.shape[0]):
            merged[n] = ids[place]
            n += 1
    return n


@kernel
def count_ids(ids: Int32s, counts: Int64s) -> None:
    """Add the number of occurrences of each id >= 0 to counts, (n_words,) int64."""
    for position in range(ids.shape[0]):
        if ids[position] >= 0:
            counts[ids[position]] += 1


@kernel
def length_of_text(ids: Int32s, ends: Int64s) -> int:
    """Return the number of bytes that `write_words` writes for these ids."""
    n = 0
    for position in range(ids.shape[0]):
        word = ids[position]
        if word >= 0:
            n += ends[word] - (ends[word - 1] if word > 0 else 0)
        n += 1
    return n


@kernel
def write_words(ids: Int32s, arena: Bytes, ends: Int64s, text: Bytes) -> int:
    """Write sentences as lines of words with blanks between them; return the number of bytes.

    Word i is arena[ends[i - 1] : ends[i]]. text: (`length_of_text`,) uint8, overwritten.
    """
    n = 0
    for position in range(ids.shape[0]):
        word = ids[position]
        if word < 0:
            if n > 0 and text[n - 1] == 0x20:
                n -= 1
            text[n] = 0x0A
        else:
            for place in range(ends[word - 1] if word > 0 else 0, ends[word]):
                text[n] = arena[place]
                n += 1
            text[n] = 0x20
        n += 1
    if n > 0 and text[n - 1] == 0x20:  # the last sentence is not closed
        text[n - 1] = 0x0A
    return n
