"""Large arrays in memory that was used before: on a virtual machine fresh pages cost more than filling them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_FLOATS = 1 << 16
"""The fewest floats of an array whose memory is used again. Smaller ones come from NumPy, which does that itself."""

MOST_KEPT = 32
"""The most pieces of memory of one size that are kept for their next use."""

_free: dict[int, list[NDArray[np.float32]]] = {}
_lock = threading.RLock()  # an array may be collected while another is made


class _Owner:
    """Owns the memory of one array, and returns it to `_free` when nothing refers to the array any more."""

    def __init__(self, memory: NDArray[np.float32]) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = memory.__array_interface__

    def __del__(self) -> None:
        with _lock:
            free = _free.setdefault(len(self._memory), [])
            if len(free) < MOST_KEPT:
                free.append(self._memory)


def uninitialized(shape: tuple[int, int], alignment: int = 4) -> NDArray[np.float32]:
    """A float32 array of arbitrary content, (n, m), in C order. alignment: of its first byte, a multiple of 4."""
    n_floats = shape[0] * shape[1] + alignment // 4 - 1
    is_small = n_floats < LEAST_FLOATS
    with _lock:
        free = _free.get(n_floats)
        memory = free.pop() if free and not is_small else np.empty(n_floats, np.float32)
    start = -memory.ctypes.data // 4 % (alignment // 4)
    flat = memory if is_small else np.asarray(_Owner(memory))  # type: ignore[arg-type]
    return flat[start : start + shape[0] * shape[1]].reshape(shape)
