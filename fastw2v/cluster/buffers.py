"""Large arrays in memory that is used again: on a virtual machine fresh pages cost more than filling them."""

import weakref
from collections import defaultdict, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_FLOATS = 1 << 16
"""The fewest floats of an array whose memory is used again. NumPy itself does that for smaller ones."""

MOST_KEPT = 32
"""The most pieces of memory of one size that are kept for their next use."""

_free: defaultdict[int, deque[NDArray[np.float32]]] = defaultdict(lambda: deque(maxlen=MOST_KEPT))
"""Pieces of memory that no array uses, by length. There is no lock, because a deque's `append` and `pop` are atomic."""


_users: set[int] = set()
"""The numbers of the objects that memory is kept for."""


def keep_for(user: Any) -> None:
    """Keep memory for its next use as long as the object `user` lives. When the last one is gone, it is freed."""
    if id(user) not in _users:
        _users.add(id(user))
        weakref.finalize(user, _forget, id(user)).atexit = False


def _forget(number: int) -> None:
    _users.discard(number)
    if not _users:
        _free.clear()


class _Owner:
    """Owns the memory of one array, and returns it to `_free` when nothing refers to the array any more."""

    def __init__(self, memory: NDArray[np.float32]) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = memory.__array_interface__

    def __del__(self) -> None:
        if _users:
            _free[len(self._memory)].append(self._memory)


def _memory_of(n_floats: int) -> NDArray[np.float32]:
    try:
        return _free[n_floats].pop()
    except IndexError:
        return np.empty(n_floats, np.float32)


def uninitialized(shape: tuple[int, int], alignment: int = 4) -> NDArray[np.float32]:
    """A float32 array of arbitrary content, (n, m), in C order. alignment: of its first byte, a multiple of 4."""
    n_floats = shape[0] * shape[1] + alignment // 4 - 1
    is_small = n_floats < LEAST_FLOATS
    flat = np.empty(n_floats, np.float32) if is_small else np.asarray(_Owner(_memory_of(n_floats)))  # type: ignore[arg-type]
    start = -flat.ctypes.data // 4 % (alignment // 4)
    return flat[start : start + shape[0] * shape[1]].reshape(shape)
