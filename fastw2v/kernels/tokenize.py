"""The grammar of tokens, compiled: text to tokens, which are divided by their hash for several dictionaries.

A token is a run of bytes between separators (see bytes.py): with one of them in a word, nobody could read a vector file
back. A newline (0x0A) ends a sentence, which is written as the id -1. Tokens longer than `MAX_TOKEN_BYTES` are dropped
and counted, never cut.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .bytes import LOOKAHEAD, WINDOW, hash_of, highest_bit, lowest_bit, separators
from .jit import Bytes, Int32s, Int64s, inlined, kernel

MAX_TOKEN_BYTES = 1000
"""The bytes of the longest token that becomes a word."""

MAX_WORD_BYTES = 4 * MAX_TOKEN_BYTES
"""The bytes of the longest word that a token becomes: each byte that is not UTF-8 may be kept as the four of \\xNN."""

NEWLINE = 0x0A

LENGTH_BITS = 12
"""The bits of an integer that hold the length of a word or token, which `MAX_WORD_BYTES` fits; those above hold where
it starts."""

POSITION, N_IDS, N_OVERLONG = range(3)
"""The places of the counters in the state: the next byte to read, the ids that have a place, the tokens dropped because
they are too long."""


class Tokens(NamedTuple):
    """Tokens by the part that their hash falls into; the number of parts is a power of two."""

    n: Int64s  # the number of tokens in each part, (n_parts,)
    spans: Int64s  # start << LENGTH_BITS | length of each token, (n_parts, capacity)
    hashes: NDArray[np.uint64]  # (n_parts, capacity)
    places: Int32s  # of their ids, (n_parts, capacity)


@kernel
def end_of_last_separator(text: Bytes) -> int:
    """Return where the unfinished token at the end of `text` starts: behind the last separator, or at 0."""
    margin = np.empty(WINDOW + LOOKAHEAD, np.uint8)
    n = text.shape[0]
    for place in range((n - 1) // WINDOW * WINDOW, -1, -WINDOW):
        starts, several, of_three = separators(text, place, margin)
        if n - place < WINDOW:
            starts &= (np.uint64(1) << np.uint64(n - place)) - np.uint64(1)
        if starts != 0:
            last = np.uint64(highest_bit(starts))
            return place + last + 1 + (several >> last & np.uint64(1)) + (of_three >> last & np.uint64(1))
    return 0


@inlined
def _add_token(tokens: Tokens, text: Bytes, start: int, length: int, place: int) -> bool:
    """Add a token to the part of its hash; return False if that is full."""
    value = hash_of(text, start, length)
    part = np.int64(value) & (tokens.n.shape[0] - 1)
    i = tokens.n[part]
    if i == tokens.spans.shape[1]:
        return False
    tokens.spans[part, i] = start << LENGTH_BITS | length
    tokens.hashes[part, i] = value
    tokens.places[part, i] = place
    tokens.n[part] = i + 1
    return True


@kernel
def find_tokens(text: Bytes, state: Int64s, tokens: Tokens, ids: Int32s, most_bytes: int) -> None:
    """Find the tokens of `text` from state[POSITION] on, until it ends or a part is full, and give their ids places.

    A sentence end is -1, and never follows another; the ids of tokens are 0 for now. text: (n,) uint8, ends between
    tokens. state: (3,) int64. tokens: replaced. ids: (n + 1,) int32. most_bytes: longer tokens are dropped.
    """
    n = text.shape[0]
    margin = np.empty(WINDOW + LOOKAHEAD, np.uint8)
    tokens.n[:] = 0
    start, n_ids = state[POSITION], state[N_IDS]
    rest_of_separator = np.uint64(0)
    window = start
    is_full = False
    while start < n and not is_full:
        bits, several, of_three = separators(text, window, margin)
        # From the first bytes of separators to all of their bytes, some of which may be in the next window.
        bits |= several << np.uint64(1) | of_three << np.uint64(2) | rest_of_separator
        rest_of_separator = several >> np.uint64(63) | of_three >> np.uint64(62)
        while bits != 0 and start < n:
            stop = window + lowest_bit(bits)
            bits &= bits - np.uint64(1)
            if stop - start > most_bytes:
                state[N_OVERLONG] += 1
            elif stop > start:
                if not _add_token(tokens, text, start, stop - start, n_ids):
                    is_full = True
                    break
                ids[n_ids] = 0
                n_ids += 1
            if stop < n and text[stop] == NEWLINE and (n_ids == 0 or ids[n_ids - 1] != -1):
                ids[n_ids] = -1
                n_ids += 1
            start = stop + 1
        window += WINDOW
    state[POSITION] = start
    state[N_IDS] = n_ids


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
