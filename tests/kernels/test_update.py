"""One step of the kernel against the reference, in every tile shape."""

import numba
import numpy as np
import pytest
import reference

from fastw2v.kernels.negatives import Negatives, add_negative, restore_negative, set_centre
from fastw2v.kernels.update import (
    Operands,
    fill_last_tile,
    loss_of_logits,
    new_scratch,
    set_output,
    step,
    step_of_one,
    take_logits,
    take_logits_of_one,
    tiles_of,
)

CANARY = 12345.0
NO_NOISE = np.zeros(0, np.uint64)
TILES = (0,) * 4, (0,) * 6
PLAIN = False, np.float32(1.0), TILES[0]


@numba.njit
def one_step(inputs, outputs, contexts, centre, negatives, learning_rate, as_one, weight, tile):
    """The loss and the logit sum of one step, done as the kernel of training does it."""
    stride = inputs.shape[1]
    n_contexts, n_outputs = len(contexts), 1 + len(negatives)
    n_tiles = tiles_of(n_outputs, tile)
    scratch = new_scratch(n_contexts, n_outputs, 2, stride, tile)
    for i in range(n_contexts):
        scratch.contexts[i] = contexts[i] * stride
    first = n_tiles * len(tile)  # of the second set
    set_output(scratch, first, centre * stride, 1.0, learning_rate)
    for i in range(len(negatives)):
        add_negative(scratch, first + 1, first + 1 + i, negatives[i] * stride, learning_rate * weight)
    fill_last_tile(scratch, first + n_outputs)
    draw = Negatives(len(negatives), weight, 2, 1, NO_NOISE)
    silenced, rate = set_centre(scratch, first, draw, centre * stride)
    operands = Operands(0, n_contexts, n_tiles, n_tiles)
    if as_one:
        take_logits_of_one(scratch, inputs, outputs, operands)
    else:
        take_logits(scratch, inputs, outputs, operands)
    loss = loss_of_logits(scratch, operands, n_outputs, learning_rate)
    if as_one:
        step_of_one(scratch, inputs, outputs, operands)
    else:
        step(scratch, inputs, outputs, operands)
    restore_negative(scratch, first, draw, silenced, rate)
    return loss, scratch.logit_sums.sum()


def matrices(dim, n_words=40, scale=1.0, seed=0):
    """Padded rows, before and behind them canary rows that nothing may touch (see `check`)."""
    stride = -(-dim // 16) * 16
    rng = np.random.default_rng(seed)
    both = np.full((2, n_words + 2, stride), CANARY, np.float32)
    both[:, 1:-1] = 0
    both[:, 1:-1, :dim] = rng.normal(size=(2, n_words, dim), scale=scale)
    return both[:, 1:-1]


def check(dim, contexts, negatives, centre=3, **options):
    """One step is that of the reference, with tiles of either length and any weight of the negatives."""
    for tile in TILES:
        for weight in (1.0, 2.5):
            check_step(dim, contexts, negatives, centre, tile, weight, **options)


def check_step(
    dim, contexts, negatives, centre, tile, weight, scale=1.0, learning_rate=0.05, tolerance=1e-5, as_one=False
):
    inputs, outputs = matrices(dim, scale=scale)
    expected = inputs.astype(np.float64), outputs.astype(np.float64)
    expected_loss = reference.loss(*expected, contexts, centre, negatives, weight)
    reference.step(*expected, contexts, centre, negatives, learning_rate, weight)
    kind = as_one, np.float32(weight), tile
    got_loss, logit_sum = one_step(
        inputs, outputs, np.array(contexts), centre, np.array(negatives), learning_rate, *kind
    )
    np.testing.assert_allclose(inputs, expected[0], atol=tolerance, rtol=1e-5)
    np.testing.assert_allclose(outputs, expected[1], atol=tolerance, rtol=1e-5)
    assert got_loss == pytest.approx(expected_loss, rel=1e-5)
    assert np.isfinite(logit_sum)
    assert not inputs[:, dim:].any(), "the padding must stay zero"
    whole = inputs.base
    assert (whole[:, [0, -1]] == CANARY).all(), "no row beside the matrices may be touched"
    assert not outputs[:, dim:].any(), "the padding must stay zero"


@pytest.mark.parametrize("dim", [1, 3, 16, 17, 100, 300])
def test_dims(dim):
    check(dim, [10, 11, 12, 13], [20, 21, 22, 23, 24], scale=0.3)


@pytest.mark.parametrize("dim", [1, 16, 17, 100])
@pytest.mark.parametrize("n_negatives", [1, 5, 6, 20])
def test_a_single_context(dim, n_negatives):
    check(dim, [10], list(range(20, 20 + n_negatives)), scale=0.3, as_one=True)


@pytest.mark.parametrize("n_contexts", range(1, 12))
def test_numbers_of_contexts(n_contexts):
    check(20, list(range(n_contexts)), [20, 21, 22, 23, 24], centre=30)


@pytest.mark.parametrize("n_negatives", range(1, 21))
def test_numbers_of_negatives(n_negatives):
    check(20, [10, 11, 12], list(range(20, 20 + n_negatives)))


@pytest.mark.parametrize("negatives", [[3, 3, 3], [3, 20, 21], [20, 20, 21], [20, 21, 20, 20, 22, 23, 24, 25, 26, 20]])
def test_centre_is_skipped_and_repeats_count_twice(negatives):
    check(20, [10, 11, 12], negatives)


def test_repeated_context_is_exact_to_first_order():
    # The second visit of a row sees the first one's step: a difference of the order of lr squared.
    differences = []
    for learning_rate in (0.02, 0.01):
        inputs, outputs = matrices(20)
        exact = inputs.astype(np.float64), outputs.astype(np.float64)
        reference.step(*exact, [10, 11, 10], 3, [20, 21], learning_rate)
        one_step(inputs, outputs, np.array([10, 11, 10]), 3, np.array([20, 21]), learning_rate, *PLAIN)
        np.testing.assert_allclose(inputs, exact[0], atol=1e-6)
        differences.append(np.abs(outputs - exact[1]).max())
    assert differences[1] < 0.3 * differences[0] < 0.3 * 3e-3


def test_large_logits_still_correct():
    # u.v far beyond +-16: the gradient of a confident error is lr, not zero; nothing overflows.
    inputs, outputs = matrices(16)
    inputs[10], outputs[3], outputs[20] = 10, -10, 10
    before = outputs.copy()
    loss, _ = one_step(inputs, outputs, np.array([10]), 3, np.array([20]), 0.1, *PLAIN)
    assert loss == pytest.approx(3200)
    np.testing.assert_allclose(outputs[3] - before[3], 0.1 * 10, rtol=1e-5)
    np.testing.assert_allclose(outputs[20] - before[20], -0.1 * 10, rtol=1e-5)


def test_repeated_context_is_exact_with_more_than_one_tile():
    check(20, [10, 11, 10, 12, 10], list(range(20, 29)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logit_sum_tells_of_bad_numbers(bad):
    inputs, outputs = matrices(16)
    inputs[10, 5] = bad
    _, logit_sum = one_step(inputs, outputs, np.array([10, 11]), 3, np.array([20]), 0.1, *PLAIN)
    assert not np.isfinite(logit_sum)


def test_rows_of_other_words_are_untouched():
    inputs, outputs = matrices(20)
    before_inputs, before_outputs = inputs.copy(), outputs.copy()
    one_step(inputs, outputs, np.array([10, 11, 12]), 3, np.array([20, 21]), 0.1, *PLAIN)
    changed_inputs = np.flatnonzero((inputs != before_inputs).any(axis=1))
    changed_outputs = np.flatnonzero((outputs != before_outputs).any(axis=1))
    assert changed_inputs.tolist() == [10, 11, 12]
    assert changed_outputs.tolist() == [3, 20, 21]
