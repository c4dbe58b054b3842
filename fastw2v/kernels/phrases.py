"""Pairs of words that follow each other: counted, found again, merged.

A pair is two words with nothing but connector words ("of", "the") between them in one sentence. Its key is a << 32 | b
where nothing stands between, plus one, since key 0 marks an empty place of a table; else 63 hash bits of all its words,
and the highest bit. (Two of a million such pairs have the same hash with probability 5e-8.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .jit import inlined, kernel
from .random import mix
from .simd import prefetch

POSITION, START, N_PAIRS = range(3)
"""Places in the state: next id to read; where the first word of the open pair stands, or -1; pairs in the table."""

AHEAD = 16
"""Pairs between asking for a place of the table and looking at it."""

_HASHED = np.uint64(1 << 63)


@inlined
def _key(ids: NDArray[np.int32], start: int, end: int) -> np.uint64:
    """Of the pair ids[start], ids[end]."""
    if end == start + 1:
        return (np.uint64(ids[start]) << np.uint64(32)) + np.uint64(ids[end]) + np.uint64(1)
    key = np.uint64(0)
    for position in range(start, end + 1):
        key = mix(key ^ np.uint64(ids[position]))
    return key | _HASHED


def words_of_keys(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The two ids of each key, (n,) uint64; -1 of hashed ones, which `locate_pairs` must find in the text."""
    first, second = np.divmod(keys.astype(np.int64) - 1, 1 << 32)
    return np.where(first < 0, -1, first), np.where(first < 0, -1, second)


@inlined
def _place(table: NDArray[np.uint64], key: np.uint64) -> int:
    """Where a key stands, or the empty place for it; a table has a power of two of (key, value) pairs."""
    mask = table.shape[0] // 2 - 1
    slot = np.int64(mix(key)) & mask
    while table[2 * slot] != key and table[2 * slot] != 0:
        slot = (slot + 1) & mask
    return slot


@inlined
def _add(table: NDArray[np.uint64], key: np.uint64) -> int:
    """Count a key once more; 1 if it is new."""
    place = _place(table, key)
    is_new = table[2 * place] == 0
    table[2 * place] = key
    table[2 * place + 1] += np.uint64(1)
    return np.int64(is_new)


@kernel
def count_pairs(
    ids: NDArray[np.int32], is_connector: NDArray[np.bool_], table: NDArray[np.uint64], state: NDArray[np.int64],
    part: int, n_parts: int,
) -> bool:  # fmt: skip
    """Count the pairs whose hash falls into `part` of `n_parts`; False where the table must grow before the rest.

    ids: (n,) int32, -1 ends a sentence. table: (2 * power of two,) uint64.
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
def rehash(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    """Put all keys and values of a table into a larger one, which is empty."""
    for slot in range(old.shape[0] // 2):
        if old[2 * slot] != 0:
            place = _place(new, old[2 * slot])
            new[2 * place], new[2 * place + 1] = old[2 * slot], old[2 * slot + 1]


@kernel
def fill_table(table: NDArray[np.uint64], keys: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
    """Put keys, (n,) uint64, each once, with their values into an empty table."""
    for i in range(keys.shape[0]):
        place = _place(table, keys[i])
        table[2 * place], table[2 * place + 1] = keys[i], values[i]


@kernel
def locate_pairs(
    ids: NDArray[np.int32], is_connector: NDArray[np.bool_], table: NDArray[np.uint64], starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> None:  # fmt: skip
    """Write where the pair of value i + 1 stands for the first time to starts[i] and ends[i], (n,) int64, of -1."""
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
def merge_pairs(
    ids: NDArray[np.int32], is_connector: NDArray[np.bool_], table: NDArray[np.uint64], merged: NDArray[np.int32]
) -> int:
    """Copy whole sentences, each pair of the table replaced by the id `value` - 1; return the length.

    From left to right, each word in one pair at most. merged: (len(ids),) int32.
    """
    n = 0
    start = np.int64(-1)
    for position in range(ids.shape[0]):
        word = ids[position]
        if word >= 0 and is_connector[word] and start >= 0:
            continue  # it may stand between
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
def count_ids(ids: NDArray[np.int32], counts: NDArray[np.int64]) -> None:
    """Add how often each id >= 0 comes to counts, (n_words,) int64."""
    for position in range(ids.shape[0]):
        if ids[position] >= 0:
            counts[ids[position]] += 1


@kernel
def length_of_text(ids: NDArray[np.int32], ends: NDArray[np.int64]) -> int:
    """Bytes that `write_words` writes for these ids."""
    n = 0
    for position in range(ids.shape[0]):
        word = ids[position]
        if word >= 0:
            n += ends[word] - (ends[word - 1] if word > 0 else 0)
        n += 1
    return n


@kernel
def write_words(
    ids: NDArray[np.int32], arena: NDArray[np.uint8], ends: NDArray[np.int64], text: NDArray[np.uint8]
) -> int:
    """Write sentences as lines of words between blanks; return the bytes.

    Word i is arena[ends[i - 1] : ends[i]]. text: `length_of_text` bytes of uint8.
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
