"""Large arrays in memory that was used before: on a virtual machine fresh pages cost more than what goes into them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_FLOATS = 1 << 16
"""Smaller arrays come from NumPy, whose allocator recycles them itself."""

MOST_KEPT = 32
"""Pieces of memory of one size that wait for their next use."""

_free: dict[int, list[NDArray[np.float32]]] = {}
_lock = threading.RLock()  # an array may be collected while another is made


class _Owner:
    """Has the memory of one array, and gives it back when nobody has the array any more."""

    def __init__(self, memory: NDArray[np.float32]) -> None:
        self._memory = memory
        self.__array_interface__: dict[str, Any] = memory.__array_interface__

    def __del__(self) -> None:
        with _lock:
            waiting = _free.setdefault(len(self._memory), [])
            if len(waiting) < MOST_KEPT:
                waiting.append(self._memory)


def uninitialized(shape: tuple[int, int], alignment: int = 4) -> NDArray[np.float32]:
    """A float32 array that may hold anything, (n, m). alignment: bytes."""
    n = shape[0] * shape[1] + alignment // 4 - 1
    if n < LEAST_FLOATS:
        memory = np.empty(n, np.float32)
    else:
        with _lock:
            waiting = _free.get(n)
            memory = waiting.pop() if waiting else np.empty(n, np.float32)
    start = -memory.ctypes.data // 4 % (alignment // 4)
    if n < LEAST_FLOATS:
        return memory[start : start + shape[0] * shape[1]].reshape(shape)
    flat = np.asarray(_Owner(memory))  # type: ignore[arg-type]
    return flat[start : start + shape[0] * shape[1]].reshape(shape)
