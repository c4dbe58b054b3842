"""How many rows of each kind the pieces of a track have: by the options alone, because the result depends on it."""

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..kernels.negatives import Negatives, room_for_draws

TURNS = 8
"""How often a draw of negatives serves. On wiki8, 1 time gives 6.4 M words/s, 2 times 7.1, 4 times 7.5, 8 times 7.7 and
64 times 7.9. Analogies stay as good: 37.9 % for 1 time, 37.9 for 4, 38.6 for 8. But if a draw serves 4 consecutive
windows, which share contexts, they fall to 35.7."""

MOST_DRAWS = 64
"""The most draws that serve in turn, however wide the window is: their rows are to stay in the cache."""

WINDOWS_OF_PIECE = 300
"""The most windows that a track trains before its copies of rows are merged with those of the other tracks."""

ROUNDS_TO_MERGE = 2
"""After how many pieces the copies of hot rows are merged, which all tracks have all the time."""

LONGEST_PATH = 32
"""The longest path above a word for which pieces have their full length; wiki8's is 22."""


def negatives_of(config: TrainConfig, noise: NDArray[np.uint64]) -> Negatives:
    """Return how negatives are drawn, none of them with hierarchical softmax."""
    by_path = config.loss == "hs"
    n_draws, n_turns = 2, 1  # two draws, so that each is made a step ahead
    if config.update == "window" and not by_path:
        n_draws, n_turns = min(2 * config.window + 1, MOST_DRAWS), TURNS
    n, weight = (0, 1.0) if by_path else (config.n_drawn, config.negative / config.n_drawn)
    return Negatives(n, np.float32(weight), n_draws, n_turns, noise)


def size_of_piece(config: TrainConfig, longest_path: int = LONGEST_PATH) -> tuple[int, int]:
    """Return the most windows of a piece, and the most outputs besides the centre words: negatives, or nodes."""
    length = WINDOWS_OF_PIECE if config.update == "window" else 1 + WINDOWS_OF_PIECE // (1 + config.window)
    if config.loss == "hs":
        length = max(1, length * LONGEST_PATH // max(LONGEST_PATH, longest_path))
        return length, length * longest_path
    n_steps = length * (2 * config.window if config.update == "pair" else 1)
    return length, room_for_draws.py_func(n_steps, negatives_of(config, np.zeros(0, np.uint64)))  # type: ignore[attr-defined]


def private_rows(n_words: int, config: TrainConfig) -> tuple[int, int]:
    """Return the most input and output rows that a piece trains."""
    length, n_outputs = size_of_piece(config)
    if config.loss == "ns":
        n_outputs += length  # the centre words
    return min(n_words, length + 2 * config.window), min(n_words, n_outputs)
