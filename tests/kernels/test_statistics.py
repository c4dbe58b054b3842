"""The mean loss and its standard error, from the sums that the kernels keep."""

import numba
import numpy as np
import pytest

from fastw2v.kernels.statistics import N_SAMPLES, STATISTICS, add_sample, mean_loss


@numba.njit
def add_all(statistics, losses, sizes):
    for i in range(len(losses)):
        add_sample(statistics, losses[i], sizes[i])


def test_mean_and_error_by_the_formula():
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 10, size=200)
    losses = sizes * rng.normal(3, 0.5, size=200)
    total = np.zeros(STATISTICS)
    add_all(total, losses, sizes)
    assert total[N_SAMPLES] == 200
    mean, error = mean_loss(total)
    assert mean == pytest.approx(losses.sum() / sizes.sum())
    assert error == pytest.approx(np.sqrt(((losses - mean * sizes) ** 2).sum() * 200 / 199) / sizes.sum())


def test_the_error_is_that_of_repeated_samples():
    rng = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(300):
        sizes = rng.integers(1, 10, size=100)
        total = np.zeros(STATISTICS)
        add_all(total, sizes * rng.normal(3, 0.5, size=100), sizes)
        mean, error = mean_loss(total)
        means.append(mean)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)


def test_without_enough_samples():
    total = np.zeros(STATISTICS)
    assert np.isnan(mean_loss(total)).all()
    add_all(total, np.array([6.0]), np.array([3]))
    mean, error = mean_loss(total)
    assert mean == 2
    assert np.isnan(error)
