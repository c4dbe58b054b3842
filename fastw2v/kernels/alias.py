"""Draws from a fixed discrete distribution in constant time: Walker's alias method, built as in Vose (1991)."""

import numpy as np

from .jit import Float64s, UInt64s, inlined, kernel
from .random import below

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


@kernel
def build_alias_table(weights: Float64s, table: UInt64s) -> None:
    """Fill `table` so that `draw_alias` gives w with probability `weights[w] / weights.sum()`, to within 2**-32.

    Column w gives its own word w with probability t, and its alias otherwise. One 8-byte record holds both (t * 2**32
    in the high half, the alias in the low half), so that a draw touches one cache line.

    weights: (n,) float64, none negative, with a positive sum; n < 2**31. table: (n,) uint64, overwritten.
    """
    n = weights.shape[0]
    total = 0.0
    for w in range(n):
        total += weights[w]
    share = np.empty(n, np.float64)
    small = np.empty(n, np.int32)
    large = np.empty(n, np.int32)
    n_small = n_large = 0
    for w in range(n):
        share[w] = weights[w] * (n / total)
        table[w] = (_LOW << _SHIFT) | np.uint64(w)
        if share[w] < 1.0:
            small[n_small] = w
            n_small += 1
        else:
            large[n_large] = w
            n_large += 1
    while n_small > 0 and n_large > 0:
        n_small -= 1
        poor = small[n_small]
        rich = large[n_large - 1]
        threshold = np.uint64(min(share[poor] * 4294967296.0, 4294967295.0))
        table[poor] = (threshold << _SHIFT) | np.uint64(rich)
        share[rich] -= 1.0 - share[poor]
        if share[rich] < 1.0:
            n_large -= 1
            small[n_small] = rich
            n_small += 1


@inlined
def draw_alias(table: UInt64s, draw: np.uint64) -> np.int64:
    """Return a word for 64 random bits: the high half chooses the column, the low half the word or its alias."""
    column = below(draw, np.uint64(table.shape[0]))
    record = table[column]
    if (draw & _LOW) < (record >> _SHIFT):
        return column
    return np.int64(record & _LOW)
