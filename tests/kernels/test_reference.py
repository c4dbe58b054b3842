"""The reference itself: gradients by finite differences, one hand-computed step."""

import numpy as np
import pytest
import reference


@pytest.mark.parametrize("contexts", [[0], [0, 1, 2], [1, 1, 2]])
@pytest.mark.parametrize("negatives", [[4], [4, 5, 6], [5, 5, 3], [3, 3]])
@pytest.mark.parametrize("weight", [1.0, 2.5])
def test_step_is_the_gradient_of_the_loss(contexts, negatives, weight):
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(2, 7, 4))
    before = inputs.copy(), outputs.copy()
    learning_rate, epsilon = 1e-3, 1e-6
    moved = inputs.copy(), outputs.copy()
    reference.step(*moved, contexts, 3, negatives, learning_rate, weight)
    for which in range(2):
        for place in np.ndindex(7, 4):
            losses = []
            for sign in (1, -1):
                shifted = before[0].copy(), before[1].copy()
                shifted[which][place] += sign * epsilon
                losses.append(reference.loss(*shifted, contexts, 3, negatives, weight))
            expected = -learning_rate * (losses[0] - losses[1]) / (2 * epsilon)
            got = (moved[which] - before[which])[place]
            assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("by_sum", [False, True])
@pytest.mark.parametrize("labels", [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
def test_exact_mean_step_is_the_gradient_of_the_loss(labels, by_sum):
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(2, 7, 4))
    contexts, rows, learning_rate, epsilon = [0, 1, 2], [3, 4, 6], 1e-3, 1e-6
    moved = inputs.copy(), outputs.copy()
    reference.mean_step(*moved, contexts, rows, np.array(labels), learning_rate, is_exact=True, by_sum=by_sum)
    for which in range(2):
        for place in np.ndindex(7, 4):
            losses = []
            for sign in (1, -1):
                shifted = inputs.copy(), outputs.copy()
                shifted[which][place] += sign * epsilon
                some = shifted[0][contexts]
                predicting = some.sum(axis=0) if by_sum else some.mean(axis=0)
                losses.append(reference.labelled_loss(predicting, shifted[1], rows, labels))
            expected = -learning_rate * (losses[0] - losses[1]) / (2 * epsilon)
            assert (moved[which] - (inputs, outputs)[which])[place] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("groups", [[[0], [1], [2]], [[0, 1], [2, 1], [2]]])
def test_softmax_step_is_the_gradient_of_the_loss(groups):
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(2, 5, 4))
    centres, learning_rate, epsilon = [3, 3, 0], 1e-3, 1e-6
    moved = inputs.copy(), outputs.copy()
    reference.softmax_step(*moved, groups, centres, learning_rate, is_exact=True)
    for which in range(2):
        for place in np.ndindex(5, 4):
            losses = []
            for sign in (1, -1):
                shifted = inputs.copy(), outputs.copy()
                shifted[which][place] += sign * epsilon
                losses.append(reference.softmax_loss(*shifted, groups, centres).sum())
            expected = -learning_rate * (losses[0] - losses[1]) / (2 * epsilon)
            assert (moved[which] - (inputs, outputs)[which])[place] == pytest.approx(expected, abs=1e-9)


def test_step_by_hand():
    # v = (1, 0), u = (0, 2) of the centre: u.v = 0, s = 1/2, c = lr (1 - 1/2) = 0.1
    inputs, outputs = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    reference.step(inputs, outputs, [0], 0, [], 0.2)
    np.testing.assert_allclose(inputs, [[1.0, 0.2]])
    np.testing.assert_allclose(outputs, [[0.1, 2.0]])


def test_splitmix_is_the_published_one():
    # The first outputs for seed 1234567, from the reference implementation of Vigna (splitmix64.c).
    draws = reference.Draws(1234567)
    assert [draws.next() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]
