"""Atomic operations, alone and by two threads at once."""

import numba
import numpy as np

from fastw2v.kernels.atomic import add_and_fetch, exchange_if, read, wait_for
from fastw2v.kernels.jit import in_parallel

TIMES = 20_000


@numba.njit
def operate(array):
    return add_and_fetch(array, 1, -3), read(array, 1), exchange_if(array, 1, 7, 9), exchange_if(array, 1, 8, 5)


@numba.njit
def count_on_thread(array, n_threads):
    """Add to two numbers, to the second one by exchanges, and wait until all threads have added to the first one."""
    for _ in range(TIMES):
        add_and_fetch(array, 0, 1)
        found = read(array, 16)
        while exchange_if(array, 16, found, found + 2) != found:
            found = read(array, 16)
    wait_for(array, 0, n_threads * TIMES)


@numba.njit(parallel=True)
def count(array, n_threads):
    for _ in numba.prange(n_threads):
        count_on_thread(array, n_threads)


def test_each_operation_returns_what_it_says():
    array = np.array([1, 10], np.int64)
    assert operate(array) == (7, 7, 7, 9), "the last exchange finds another number than it expects"
    assert array.tolist() == [1, 9]


def test_nothing_is_lost_between_threads():
    array = np.zeros(32, np.int64)
    with in_parallel(2):
        count(array, 2)
    assert array[[0, 16]].tolist() == [2 * TIMES, 4 * TIMES]
