"""Counter-based random numbers: splitmix64 (Steele, Lea and Flood 2014).

The state is a counter, and a draw is a bijective mix of it. So a stream can start anywhere at no cost, and the numbers
do not depend on the thread that draws them. The high bits are the best ones; `below` uses those.

    state = stream(seed, epoch, span)
    state = advance(state); draw = mix(state)
"""

import numpy as np

from .jit import Float32s, inlined, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / the golden ratio: the counter visits all residues evenly
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@inlined
def advance(state: np.uint64) -> np.uint64:
    """Return the next counter."""
    return state + GOLDEN


@inlined
def mix(state: np.uint64) -> np.uint64:
    """Return 64 random bits for a counter."""
    z = state
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@inlined
def stream(seed: np.uint64, number: np.uint64) -> np.uint64:
    """Return the first counter of the stream `number` of `seed`. Nested calls take more than one number."""
    return mix(mix(seed) ^ (number * GOLDEN + GOLDEN))


@inlined
def below(draw: np.uint64, n: np.uint64) -> np.int64:
    """Return a number in [0, n), n < 2**32, from the high 32 bits.

    The method is Lemire's (2019) without rejection; its bias is below n / 2**32.
    """
    return np.int64(((draw >> np.uint64(32)) * n) >> np.uint64(32))


@kernel
def fill_uniform(matrix: Float32s, first: int, dim: int, bound: float, seed: np.uint64) -> None:
    """Fill the first `dim` columns with U(-bound, bound); row i depends on (seed, first + i) alone.

    matrix: (n, stride) float32, changed in place. A number has 24 random bits, all that a float32 holds.
    """
    scale = 2.0 * bound / 16777216.0
    for row in range(matrix.shape[0]):
        state = stream(seed, np.uint64(first + row))
        for column in range(dim):
            state = advance(state)
            matrix[row, column] = np.float64(mix(state) >> np.uint64(40)) * scale - bound
