"""The grammar of tokens, compiled: bytes of text to ids, with a dictionary that grows.

A token is a run of bytes between separators. Separators are the ASCII controls and the space (0x00-0x20, 0x7F) and
Unicode's White_Space; with one of them in a word, nobody could read a vector file back. A newline (0x0A) ends a
sentence, which is written as the id -1. Tokens longer than `MAX_TOKEN_BYTES` are dropped and counted, never cut.
"""

from typing import NamedTuple

import numpy as np

from .jit import Bytes, Int32s, Int64s, UInt64s, inlined, kernel
from .simd import load_8_bytes

MAX_TOKEN_BYTES = 1000
"""The bytes of the longest token that becomes a word."""

NEWLINE = 0x0A
_UNKNOWN, _FULL = -1, -2
_CHUNK = 2048
"""The number of bytes that are searched for separators at a time: their places stay in the L1 cache."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HIGH_BITS = np.uint64(0x8080808080808080)
_TAG = np.uint64(0xFFFFFFFF00000000)

POSITION, N_IDS, N_WORDS, ARENA_USED, N_OVERLONG, N_UNKNOWN = range(6)
"""The places of the counters in the state: the next byte to read, the ids written; the words known and the bytes of the
arena that they take; the tokens dropped because they are too long, and because they are unknown."""


class Dictionary(NamedTuple):
    """The words in the order of their first occurrence. `state` says how much of the arrays is used.

    The hash table holds (32 hash bits, id + 1) in 8 bytes, with open addressing: most probes never touch the arena.
    """

    table: UInt64s  # its length is a power of two; at most half is used
    offsets: Int64s  # word i is arena[offsets[i] : offsets[i + 1] - 1], then a newline
    counts: Int64s
    arena: Bytes


@inlined
def _separator_length(text: Bytes, i: int, stop: int) -> int:
    """Return the number of bytes of the separator that starts at text[i], 0 where none does."""
    byte = text[i]
    if byte <= 0x20 or byte == 0x7F:
        return 1
    if byte < 0xC2 or byte > 0xE3 or (0xC2 < byte < 0xE1):
        return 0
    if byte == 0xC2:  # U+0085, U+00A0
        return 2 if i + 1 < stop and (text[i + 1] == 0x85 or text[i + 1] == 0xA0) else 0
    if i + 2 >= stop:
        return 0
    second, third = text[i + 1], text[i + 2]
    if byte == 0xE1:  # U+1680
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE3:  # U+3000
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:  # U+2000-U+200A, U+2028, U+2029, U+202F
        return 3 if 0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0  # U+205F


@kernel
def end_of_last_separator(text: Bytes) -> int:
    """Return where the unfinished token at the end of `text` starts: behind the last separator, or at 0."""
    stop = text.shape[0]
    for i in range(stop - 1, -1, -1):
        length = _separator_length(text, i, stop)
        if length > 0:
            return i + length
    return 0


@inlined
def _ascii_separators(text: Bytes, start: int, stop: int, places: Int64s) -> int:
    """Write the places of the one-byte separators of text[start:stop]; return their number.

    It has no branch: a token's length cannot be predicted, and each wrong guess would cost as much as ten bytes.
    """
    n_places = 0
    for i in range(start, stop):
        places[n_places] = i
        n_places += np.int64(text[i] <= 0x20) | np.int64(text[i] == 0x7F)
    return n_places


@inlined
def _token_of_piece(text: Bytes, start: int, stop: int) -> tuple[int, int]:
    """Return where the first token of a piece without ASCII separators ends, and where what is behind it starts."""
    for i in range(start, stop, 8):
        if _bytes_of_token(text, i, stop) & _HIGH_BITS != 0:
            for place in range(i, stop):
                length = _separator_length(text, place, stop)
                if length > 0:
                    return place, place + length
            break
    return stop, stop


@inlined
def _bytes_of_token(text: Bytes, i: int, stop: int) -> np.uint64:
    """Return up to 8 bytes of text[i:stop], with zeros behind them."""
    if i + 8 <= text.shape[0]:
        chunk = load_8_bytes(text, i)
        if stop - i < 8:
            chunk &= (np.uint64(1) << np.uint64(8 * (stop - i))) - np.uint64(1)
        return chunk
    chunk = np.uint64(0)
    for place in range(i, min(i + 8, stop)):
        chunk |= np.uint64(text[place]) << np.uint64(8 * (place - i))
    return chunk


@inlined
def _hash(text: Bytes, start: int, stop: int) -> np.uint64:
    """Return a hash of text[start:stop] by multiplying and folding 8 bytes at a time. Its high bits are mixed best."""
    value = np.uint64(stop - start) * _MULTIPLIER
    for i in range(start, stop, 8):
        value = (value ^ _bytes_of_token(text, i, stop)) * _MULTIPLIER
        value ^= value >> np.uint64(32)
    return value * _MULTIPLIER


@inlined
def _slot_of_hash(value: np.uint64, mask: np.uint64) -> np.uint64:
    # The high half is the tag in the table, so the slot takes other bits.
    return (value >> np.uint64(8)) & mask


@inlined
def _find(words: Dictionary, text: Bytes, start: int, stop: int, value: np.uint64) -> tuple[int, np.uint64]:
    """Return (id, slot) of the token text[start:stop]; for a new one -1 and the free slot. value: its hash."""
    mask = np.uint64(words.table.shape[0] - 1)
    slot = _slot_of_hash(value, mask)
    while True:
        entry = words.table[slot]
        if entry == 0:
            return -1, slot
        if (entry ^ value) & _TAG == 0:
            word = np.int64(entry & ~_TAG) - 1
            offset = words.offsets[word]
            if words.offsets[word + 1] - 1 - offset == stop - start:
                i = start
                while i < stop and _bytes_of_token(text, i, stop) == _bytes_of_token(
                    words.arena, offset + i - start, offset + stop - start
                ):
                    i += 8
                if i >= stop:
                    return word, slot
        slot = (slot + np.uint64(1)) & mask


@inlined
def _has_room(words: Dictionary, state: Int64s, n_bytes: int) -> bool:
    n_words = state[N_WORDS]
    return (
        2 * (n_words + 1) <= words.table.shape[0]
        and n_words < words.counts.shape[0]
        and state[ARENA_USED] + n_bytes + 8 < words.arena.shape[0]
    )


@inlined
def _insert(
    words: Dictionary, state: Int64s, text: Bytes, start: int, stop: int, value: np.uint64, slot: np.uint64
) -> int:
    word = state[N_WORDS]
    used = state[ARENA_USED]
    for i in range(start, stop):
        words.arena[used + i - start] = text[i]
    words.arena[used + stop - start] = NEWLINE
    words.offsets[word + 1] = used + stop - start + 1
    words.counts[word] = 0
    words.table[slot] = (value & _TAG) | np.uint64(word + 1)
    state[N_WORDS] = word + 1
    state[ARENA_USED] = words.offsets[word + 1]
    return word


@inlined
def _word_of(words: Dictionary, state: Int64s, text: Bytes, start: int, stop: int, may_grow: bool) -> int:
    """Return the id of the token text[start:stop], which is inserted if it is new and `may_grow`."""
    value = _hash(text, start, stop)
    word, slot = _find(words, text, start, stop, value)
    if word >= 0:
        return word
    if not may_grow:
        return _UNKNOWN
    if not _has_room(words, state, stop - start):
        return _FULL
    return _insert(words, state, text, start, stop, value, slot)


@kernel
def tokenize(text: Bytes, words: Dictionary, state: Int64s, ids: Int32s, first: int, step: int, may_grow: bool) -> bool:
    """Write the ids of `text` from state[POSITION] on and count the words; return False if the dictionary is full.

    The caller then gives it larger arrays and calls again. The id of word i is `first + i * step`, so that dictionaries
    that work side by side give different ids; a sentence end is -1, and never follows another. With `may_grow` False,
    unknown tokens are dropped. text: (n,) uint8, ends between tokens. state: (6,) int64. ids: (n + 1,) int32.
    """
    n = text.shape[0]
    places = np.empty(_CHUNK, np.int64)
    n_ids = state[N_IDS]
    start = state[POSITION]
    while start < n:
        n_places = _ascii_separators(text, start, min(start + _CHUNK, n), places)
        if n_places == 0:  # a token longer than the chunk, or the end
            places[0] = start
            while places[0] < n and (text[places[0]] > 0x20 and text[places[0]] != 0x7F):
                places[0] += 1
            n_places = 1
        for stop in places[:n_places]:
            while start < stop:
                end, following = _token_of_piece(text, start, stop)
                if end - start > MAX_TOKEN_BYTES:
                    state[N_OVERLONG] += 1
                elif end > start:
                    word = _word_of(words, state, text, start, end, may_grow)
                    if word == _FULL:
                        state[POSITION] = start
                        state[N_IDS] = n_ids
                        return False
                    if word == _UNKNOWN:
                        state[N_UNKNOWN] += 1
                    else:
                        words.counts[word] += 1
                        ids[n_ids] = first + word * step
                        n_ids += 1
                start = following
            if stop < n and text[stop] == NEWLINE and (n_ids == 0 or ids[n_ids - 1] >= 0):
                ids[n_ids] = -1
                n_ids += 1
            start = stop + 1
    state[POSITION] = n
    state[N_IDS] = n_ids
    return True


@kernel
def rehash(words: Dictionary, n_words: int) -> None:
    """Enter the words of a dictionary into its table, which is new and empty."""
    mask = np.uint64(words.table.shape[0] - 1)
    for word in range(n_words):
        value = _hash(words.arena, words.offsets[word], words.offsets[word + 1] - 1)
        slot = _slot_of_hash(value, mask)
        while words.table[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        words.table[slot] = (value & _TAG) | np.uint64(word + 1)


@kernel
def merge(words: Dictionary, state: Int64s, other: Dictionary, n_other: int, start: int, places: Int32s) -> int:
    """Add the words and counts of `other`, from word `start` on; return the first word for which there was no room.

    places: (n_other,) int32, filled with the id in `words` of each word.
    """
    for word in range(start, n_other):
        first, last = other.offsets[word], other.offsets[word + 1] - 1
        value = _hash(other.arena, first, last)
        place, slot = _find(words, other.arena, first, last, value)
        if place < 0:
            if not _has_room(words, state, last - first):
                return word
            place = _insert(words, state, other.arena, first, last, value, slot)
        words.counts[place] += other.counts[word]
        places[word] = place
    return n_other


@kernel
def renumber(ids: Int32s, new_ids: Int32s) -> int:
    """Replace each id by `new_ids[id]` in place; drop those that become -1, and sentence ends behind another.

    Returns how many ids are left, at the front of `ids`.
    """
    n = 0
    previous = 0
    for i in range(ids.shape[0]):
        word = ids[i]
        if word >= 0:
            word = new_ids[word]
            if word < 0:
                continue
        elif previous < 0:
            continue
        ids[n] = word
        previous = word
        n += 1
    return n
