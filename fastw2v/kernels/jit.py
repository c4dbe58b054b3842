"""How every kernel is compiled: Numba's options and its cache, set in one place, each with its reason."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])

# The arrays that kernels take; their docstrings give the shapes.
Float32s, Float64s, Bools = NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]
Int32s, Int64s, UInt64s, Bytes = NDArray[np.int32], NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint8]

OPTIONS: dict[str, Any] = {
    # Other Python threads (progress, reading) run while a kernel does.
    "nogil": True,
    # Division by zero gives inf instead of a Python exception and its branch.
    "error_model": "numpy",
    # Reordering and fusing, but not `nnan`/`ninf`: those let LLVM delete the checks that find a diverged run.
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}

MAX_THREADS: int = config.NUMBA_NUM_THREADS
"""What Numba can start in this process: it reads the environment variable NUMBA_NUM_THREADS when it is imported."""

PARALLEL_LOCK = threading.Lock()
"""Held around every parallel kernel: Numba's `workqueue` layer aborts the process when two threads enter it."""

if config.THREADING_LAYER == "default":
    # As fast here as OpenMP, whose GNU library aborts every child that a process forks after its first use.
    config.THREADING_LAYER = "workqueue"

if hasattr(os, "register_at_fork"):  # a thread that is not there any more may have held it
    os.register_at_fork(after_in_child=lambda: globals().update(PARALLEL_LOCK=threading.Lock()))


def kernel(function: Function) -> Function:
    """Compile an entry point: called from Python, cached on disk."""
    return _compile(function, parallel=False)


def parallel_kernel(function: Function) -> Function:
    """Compile a thin `prange` over a serial kernel (`parallel=True` doubles the compile time of what it holds)."""
    return _compile(function, parallel=True)


def inlined(function: Function) -> Function:
    """Compile a helper into its callers: a vector cannot cross a real call without going through memory.

    It may not make or return arrays. Those it takes are borrowed, so that it needs no reference counts, which LLVM cannot
    always remove and which took 8 % of the training. A helper with loops should be called directly by the kernel:
    each level of inlining is optimised, and unrolled, once more.
    """
    return _inlined(function, _nrt=False)


def inlined_with_arrays(function: Function) -> Function:
    """Compile a helper that makes or returns arrays into its callers."""
    return _inlined(function)


def _inlined(function: Function, **options: Any) -> Function:
    # Wrappers for calls from Python and C, which nobody makes, took a third of the compile time.
    options |= {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**options, **OPTIONS)(function)  # type: ignore[no-any-return]


def is_cache_cold(name: str) -> bool:
    """Whether the kernel `name`, as it stands today, has not been compiled here before."""
    return CACHE_DIRECTORY is None or not any(CACHE_DIRECTORY.rglob(f"*{name}*.nbi"))


def _compile(function: Function, parallel: bool) -> Function:
    # Numba reads its cache directory when a function is decorated, so ours is set for just that moment
    # and the user's own functions keep theirs.
    # A directory for each kind: Numba's key does not hold `parallel`, and would take one version for the other.
    users_directory = config.CACHE_DIR
    if CACHE_DIRECTORY:
        config.CACHE_DIR = str(CACHE_DIRECTORY / ("parallel" if parallel else "serial"))
    try:
        compiled = numba.njit(cache=CACHE_DIRECTORY is not None, parallel=parallel, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = users_directory
    return compiled  # type: ignore[no-any-return]


def _cache_directory() -> Path | None:
    """A directory named after the kernels' sources, or None where nothing can be written.

    Numba watches only the file a function stands in: without the name, an edit of a helper in another file
    would leave stale machine code behind. Bounds checking is not in Numba's cache key either.
    """
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    stamp = hashlib.sha256(sources + f"boundscheck={config.BOUNDSCHECK}".encode()).hexdigest()[:16]
    directory = None
    try:
        directory = Path(config.CACHE_DIR or _user_cache()) / "fastw2v" / stamp
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK | os.X_OK):
            return directory
        reason = "not writable"
    except OSError as error:
        reason = error.strerror or str(error)
    except RuntimeError as error:  # a user without a home
        reason = str(error)
    warnings.warn(
        f"cannot keep compiled kernels in {directory or 'the home directory'} ({reason}): they are compiled again "
        "in every process. Set NUMBA_CACHE_DIR to a writable directory to avoid that.",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


CACHE_DIRECTORY = _cache_directory()


@contextmanager
def in_parallel(threads: int) -> Iterator[None]:
    """Run the parallel kernels inside on `threads` <= `MAX_THREADS`, one `prange` step at a time for an even load."""
    with PARALLEL_LOCK:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            with numba.parallel_chunksize(1):
                yield
        finally:
            numba.set_num_threads(before)
