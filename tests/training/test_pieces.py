"""The sizes of pieces, which are to be known before the text is read."""

import numpy as np
import pytest

from fastw2v import TrainConfig
from fastw2v.training.pieces import LONGEST_PATH, WINDOWS_OF_PIECE, private_rows, size_of_piece


def test_a_piece_has_so_many_windows():
    assert size_of_piece(TrainConfig())[0] == WINDOWS_OF_PIECE
    assert size_of_piece(TrainConfig(update="pair", window=5))[0] == 1 + WINDOWS_OF_PIECE // 6, "of 6 steps on average"


@pytest.mark.parametrize("longest", [1, 20, LONGEST_PATH, 60, 90])
@pytest.mark.parametrize("update", ["window", "pair"])
def test_longer_paths_make_pieces_shorter(longest, update):
    config = TrainConfig(loss="hs", update=update)
    length, n_nodes = size_of_piece(config, longest)
    assert n_nodes == length * longest <= private_rows(10**6, config)[1]
    assert (length == size_of_piece(config)[0]) == (longest <= LONGEST_PATH)


def test_private_rows_are_those_of_the_words_of_a_piece_at_most():
    length, n_negatives = size_of_piece(TrainConfig(window=7))
    assert private_rows(10**6, TrainConfig(window=7)) == (length + 14, length + n_negatives)
    assert private_rows(100, TrainConfig(window=7)) == (100, 100)
    assert np.all(np.array(private_rows(10**6, TrainConfig(update="pair", window=7))) > 50)
