"""The two matrices: how they begin, what they hold, and how much memory they take."""

import numpy as np
import pytest

from fastw2v import InputError, TrainConfig
from fastw2v.kernels.layout import RowLayout
from fastw2v.training.matrices import (
    HOT_NODES,
    HOT_WORDS,
    Matrices,
    matrix_bytes,
    new_matrices,
    none_frozen,
    row_layout,
)


def test_new_matrices():
    matrices = Matrices.new(RowLayout.of(2000), 10, seed=4)
    assert matrices.input_vectors.shape == matrices.output_vectors.shape == (2000, 16)
    assert matrices.input_vectors.ctypes.data % 64 == matrices.output_vectors.ctypes.data % 64 == 0
    assert not matrices.input_vectors[:, 10:].any()
    assert not matrices.output_vectors.any()
    assert np.abs(matrices.word_inputs).max() <= 0.05
    assert matrices.word_inputs.mean() == pytest.approx(0, abs=1e-3)
    assert matrices.word_inputs.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
    fewer = Matrices.new(RowLayout.of(5), 10, seed=4)
    np.testing.assert_array_equal(fewer.input_vectors, matrices.input_vectors[:5])
    other = Matrices.new(RowLayout.of(5), 10, seed=5)
    assert (other.word_inputs != fewer.word_inputs).all()


def test_words_are_filled_in_parts_as_in_one(monkeypatch):
    whole = Matrices.new(RowLayout.of(100), 10, seed=4)
    monkeypatch.setattr("fastw2v.training.matrices.ROWS_AT_A_TIME", 7)
    np.testing.assert_array_equal(Matrices.new(RowLayout.of(100), 10, seed=4).input_vectors, whole.input_vectors)


def test_rows_of_threads_are_no_words():
    layout = RowLayout.of(20, threads=3, n_hot=4, n_hot_nodes=6, n_spares=5)
    matrices = Matrices.new(layout, 10, seed=1)
    assert matrices.input_vectors.shape == (20 + 3 * (4 + 5), 16)
    assert matrices.output_vectors.shape == (20 + 3 * 6, 16)
    assert matrices.word_inputs.shape == matrices.word_outputs.shape == (20, 10)
    matrices.word_inputs[3, 2] = matrices.word_outputs[4, 5] = 7
    assert matrices.input_vectors[3, 2] == matrices.output_vectors[4, 5] == 7
    assert len(matrices.is_frozen) == 0


def test_empty_matrices_have_zeros_only_in_the_padding():
    asked = []

    def allocate(shape, alignment):
        asked.append((shape, alignment))
        memory = np.full(shape[0] * shape[1] + alignment // 4, 7, np.float32)
        start = -memory.ctypes.data // 4 % (alignment // 4)
        return memory[start : start + shape[0] * shape[1]].reshape(shape)

    matrices = Matrices.empty(RowLayout.of(5, threads=2, n_hot=3), 10, allocate)
    assert asked == [((11, 16), 64), ((11, 16), 64)]
    for matrix in matrices.input_vectors, matrices.output_vectors:
        assert (matrix[:, :10] == 7).all()
        assert not matrix[:, 10:].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_matrices_know_bad_numbers(bad):
    matrices = Matrices.new(RowLayout.of(3), 5, 1)
    assert matrices.is_finite()
    matrices.output_vectors[2, 4] = bad
    assert not matrices.is_finite()
    matrices.output_vectors[2, 4] = 0
    matrices.input_vectors[0, 0] = bad
    assert not matrices.is_finite()


def test_matrices_must_fit_their_layout():
    matrices = Matrices.new(RowLayout.of(5), 10, 1)
    with pytest.raises(ValueError, match="a matrix has 5 rows, but its layout needs 6"):
        Matrices(matrices.input_vectors, matrices.output_vectors, 10, RowLayout.of(6), none_frozen())


def test_no_memory():
    with pytest.raises(InputError, match=r"too little memory for 2 matrices of \d+ words x 10000, .*GB: lower --dim"):
        Matrices.new(RowLayout.of(2**31 - 1), 10_000, 1)


@pytest.mark.parametrize("dim", [1, 16, 17, 100])
def test_matrix_bytes(dim):
    assert matrix_bytes(30, dim) == Matrices.new(RowLayout.of(30), dim, 1).input_vectors.nbytes


@pytest.mark.parametrize(
    ("n_words", "options", "threads", "has_frozen", "expected"),
    [
        (1000, {}, 1, False, RowLayout.of(1000)),
        (1000, {"window": 4}, 1, True, RowLayout.of(1000, n_spares=8)),
        (1000, {"window": 4}, 3, True, RowLayout.of(1000, 3, HOT_WORDS, n_spares=8)),
        (1000, {"loss": "hs"}, 2, False, RowLayout.of(1000, 2, HOT_WORDS, HOT_NODES)),
        (5, {}, 2, False, RowLayout.of(5, 2, 5)),
        (5, {"loss": "hs"}, 2, False, RowLayout.of(5, 2, 5, 4)),
        (1000, {"loss": "softmax"}, 2, True, RowLayout.of(1000, 2)),
    ],
)
def test_rows(n_words, options, threads, has_frozen, expected):
    layout = row_layout(n_words, TrainConfig(**options), threads, has_frozen)
    assert [np.array(part).tolist() for part in layout] == [np.array(part).tolist() for part in expected]
    assert layout.n_threads == threads


def test_matrices_have_the_rows_of_the_threads():
    is_frozen = np.array([True, False, False, False, False])
    config = TrainConfig(dim=3, window=2, seed=9)
    matrices = new_matrices(5, config, 2, is_frozen)
    assert matrices.is_frozen is is_frozen
    assert len(matrices.input_vectors) == 5 + 2 * (5 + 4)
    np.testing.assert_array_equal(matrices.word_inputs, new_matrices(5, config, 1).word_inputs)


def test_earlier_vectors_are_taken(monkeypatch):
    monkeypatch.setattr("fastw2v.training.matrices.ROWS_AT_A_TIME", 2)
    matrices = Matrices.new(RowLayout.of(5), 3, seed=1)
    before = matrices.word_inputs.copy()
    inputs, outputs = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    matrices.take(np.array([3, -1, 0, 1, -1]), inputs, outputs)
    np.testing.assert_array_equal(matrices.word_inputs[[0, 2, 3]], inputs[[3, 0, 1]])
    np.testing.assert_array_equal(matrices.word_outputs[[0, 2, 3]], outputs[[3, 0, 1]])
    np.testing.assert_array_equal(matrices.word_inputs[[1, 4]], before[[1, 4]])
    assert (matrices.word_outputs[[1, 4]] == 0).all()
    matrices.take(np.array([-1, 2, -1, -1, -1]), inputs)
    np.testing.assert_array_equal(matrices.word_inputs[1], inputs[2])
    assert (matrices.word_outputs[1] == 0).all()
