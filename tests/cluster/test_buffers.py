"""Memory that is used again: never by two arrays at once."""

import gc
import pickle

import numpy as np
import pytest

from fastw2v.cluster import buffers
from fastw2v.cluster.buffers import LEAST_FLOATS, MOST_KEPT, keep_for, uninitialized

SHAPE = (LEAST_FLOATS // 16 + 3, 16)


class User:
    """What memory is kept for."""


@pytest.fixture(autouse=True)
def user():
    user = User()
    keep_for(user)
    return user


def test_arrays_that_live_do_not_share():
    arrays = [uninitialized(SHAPE, alignment=64) for _ in range(5)]
    for value, array in enumerate(arrays):
        array[:] = value
    assert [array.min() == array.max() == value for value, array in enumerate(arrays)] == [True] * 5
    assert all(array.ctypes.data % 64 == 0 for array in arrays)


def test_memory_comes_back_when_the_last_view_is_gone():
    array = uninitialized(SHAPE)
    place = array.ctypes.data
    view = array[5:, ::2]
    del array
    gc.collect()
    assert uninitialized(SHAPE).ctypes.data != place
    del view
    gc.collect()
    assert uninitialized(SHAPE).ctypes.data == place


def test_no_more_is_kept_than_allowed():
    arrays = [uninitialized(SHAPE) for _ in range(MOST_KEPT + 5)]
    del arrays
    gc.collect()
    assert max(map(len, buffers._free.values())) == MOST_KEPT


def test_memory_is_freed_with_its_last_user():
    """A worker outlives many runs."""
    users = [User(), User()]
    for user in [*users, *users]:
        keep_for(user)
    buffers._users.intersection_update(map(id, users))  # not the fixture's
    first, second = uninitialized(SHAPE), uninitialized(SHAPE)
    del first, user
    assert sum(map(len, buffers._free.values())) == 1
    users.pop()
    assert sum(map(len, buffers._free.values())) == 1, "the other one is left"
    users.pop()
    del second
    assert sum(map(len, buffers._free.values())) == 0


def test_small_and_sent_arrays():
    small = uninitialized((3, 4), alignment=64)
    assert small.shape == (3, 4)
    assert small.ctypes.data % 64 == 0
    array = uninitialized(SHAPE)
    array[:] = 7
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)), array)
