"""How every kernel is compiled. Numba's options and its cache are set here and nowhere else, each with its reason."""

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

# The arrays that kernels take; each docstring gives their shapes.
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
UInt64s = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]

OPTIONS: dict[str, Any] = {
    # Other Python threads (progress, reading) run while a kernel does.
    "nogil": True,
    # Division by zero gives inf instead of a Python exception and its branch.
    "error_model": "numpy",
    # Reordering and fusing, but not `nnan`/`ninf`: those let LLVM delete the checks that find a diverged run.
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}

MAX_THREADS: int = config.NUMBA_NUM_THREADS
"""The number of threads that Numba can start here. It reads the variable NUMBA_NUM_THREADS when it is imported."""

PARALLEL_LOCK = threading.Lock()
"""The lock that every parallel kernel runs under: Numba's `workqueue` aborts the process when two threads enter it."""

if config.THREADING_LAYER == "default":
    # It is as fast as OpenMP here, whose GNU library aborts every child that a process forks after its first use.
    config.THREADING_LAYER = "workqueue"

if hasattr(os, "register_at_fork"):  # a thread that the child does not have may hold the lock
    os.register_at_fork(after_in_child=lambda: globals().update(PARALLEL_LOCK=threading.Lock()))


def kernel(function: Function) -> Function:
    """Compile an entry point, which is called from Python and cached on disk."""
    return _compile(function, parallel=False)


def parallel_kernel(function: Function) -> Function:
    """Compile a thin `prange` over a serial kernel; `parallel=True` doubles the compile time of what it holds."""
    return _compile(function, parallel=True)


def inlined(function: Function) -> Function:
    """Compile a helper into its callers: a vector cannot cross a real call without going through memory.

    It must not make or return arrays: it borrows those it takes, without reference counts, which LLVM cannot always
    remove and which cost 8 % of the speed. Call a helper that loops directly, not through another helper: LLVM
    optimises and unrolls a loop once for each level, and the code grows.
    """
    return _inlined(function, _nrt=False)


def inlined_with_arrays(function: Function) -> Function:
    """Compile a helper that makes or returns arrays into its callers."""
    return _inlined(function)


def _inlined(function: Function, **options: Any) -> Function:
    # Nobody calls a helper from Python or C: without wrappers for that, compiling takes two thirds of the time.
    options |= {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**options, **OPTIONS)(function)  # type: ignore[no-any-return]


def is_cache_cold(name: str) -> bool:
    """Return whether the present version of the kernel `name` has yet to be compiled on this machine."""
    return CACHE_DIRECTORY is None or not any(CACHE_DIRECTORY.rglob(f"*{name}*.nbi"))


def _compile(function: Function, parallel: bool) -> Function:
    # Numba reads its cache directory when a function is decorated. Ours is set for just that moment, so that the
    # user's own functions keep theirs. Serial and parallel kernels have a directory each, because Numba's cache key
    # does not hold `parallel`: it would take one version for the other.
    users_directory = config.CACHE_DIR
    if CACHE_DIRECTORY:
        config.CACHE_DIR = str(CACHE_DIRECTORY / ("parallel" if parallel else "serial"))
    try:
        compiled = numba.njit(cache=CACHE_DIRECTORY is not None, parallel=parallel, **OPTIONS)(function)
    finally:
        config.CACHE_DIR = users_directory
    return compiled  # type: ignore[no-any-return]


def _cache_directory() -> Path | None:
    """Return a directory named after a hash of the kernels' sources, or None where nothing can be written.

    Numba watches only the file that defines a function: without the hash, an edit of a helper in another file would
    leave stale machine code behind. Bounds checking is not in Numba's cache key either.
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
    """Run parallel kernels on `threads` <= `MAX_THREADS`, which take one `prange` step at a time for an even load."""
    with PARALLEL_LOCK:
        before = numba.get_num_threads()
        numba.set_num_threads(threads)
        try:
            with numba.parallel_chunksize(1):
                yield
        finally:
            numba.set_num_threads(before)
