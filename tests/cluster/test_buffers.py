"""Memory that is used again: never by two arrays at once."""

import gc
import pickle

import numpy as np

from fastw2v.cluster import buffers
from fastw2v.cluster.buffers import LEAST_FLOATS, MOST_KEPT, uninitialized

SHAPE = (LEAST_FLOATS // 16 + 3, 16)


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


def test_small_and_sent_arrays():
    small = uninitialized((3, 4), alignment=64)
    assert small.shape == (3, 4)
    assert small.ctypes.data % 64 == 0
    array = uninitialized(SHAPE)
    array[:] = 7
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)), array)
