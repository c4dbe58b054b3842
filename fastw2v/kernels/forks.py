"""A process forks only while none of its threads loads a part of fastw2v.

A fork copies the locks of modules and of the compiler as they are, but not the threads that hold them: the child of a
process in the middle of an import or of a compilation would wait for ever.
"""

import concurrent.futures.thread  # noqa: F401
import threading
from typing import Any

from ..system import at_fork

LOADING = threading.RLock()
"""Held while modules are imported and kernels are compiled."""

_locks: list[Any] = [LOADING]


def wait_before_fork(lock: Any) -> None:
    """Make forks wait for one more reentrant lock.

    Locks are acquired in the order in which they were named here: a thread that holds two must do the same.
    """
    _locks.append(lock)


def _acquire() -> None:
    for lock in _locks:
        lock.acquire()


def _release() -> None:
    for lock in reversed(_locks):
        lock.release()


# What is registered last is called first. `concurrent.futures` and the `logging` that it imports acquire locks of their
# own before a fork; a thread that loads would wait for those, and they for it. Hence their import above.
at_fork(before=_acquire, after_in_parent=_release, after_in_child=_release)
