"""How every kernel is compiled. Numba's options are set here and nowhere else, each with its reason."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config
from numba.core.compiler_lock import global_compiler_lock
from numpy.typing import NDArray

from ..system import at_fork
from .cache import keep_on_disk
from .environment import UnusableNumba
from .forks import wait_before_fork
from .inlining import HelperCompiler

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

if config.DISABLE_JIT:
    raise UnusableNumba("fastw2v needs Numba's compiler, which NUMBA_DISABLE_JIT turns off: unset this variable")

if config.THREADING_LAYER == "default":
    # It is as fast as OpenMP here, whose GNU library aborts every child that a process forks after its first use.
    config.THREADING_LAYER = "workqueue"

wait_before_fork(global_compiler_lock)
# A thread that the child does not have may hold the lock.
at_fork(after_in_child=lambda: globals().update(PARALLEL_LOCK=threading.Lock()))


def kernel(function: Function) -> Function:
    """Compile an entry point, which is called from Python and cached on disk."""
    return _compile(function, parallel=False)


def parallel_kernel(function: Function) -> Function:
    """Compile a thin `prange` over a serial kernel; `parallel=True` doubles the compile time of what it holds."""
    return _compile(function, parallel=True)


def as_function(compiled: Any, *arguments: Any) -> Any:
    """Return a serial kernel, for arguments of these types, as a function that a parallel kernel takes and calls.

    If the parallel kernel named it instead, its code would be compiled into the loop, and optimised twice more.
    """
    signature = _types(arguments)
    with global_compiler_lock:  # forks wait for it, but not for the lock of LLVM's that is held to find an address
        compiled.compile(signature)
        return numba.types.CompileResultWAP(compiled.overloads[signature])


def function_type(*arguments: Any) -> Any:
    """Return the type of what `as_function` returns for these arguments, for a kernel that returns nothing."""
    return numba.types.FunctionType(numba.types.none(*_types(arguments)))


def compile_for(compiled: Any, *arguments: Any) -> None:
    """Compile a kernel for arguments of these types, or load it from the cache; a Numba type stands for itself."""
    compiled.compile(_types(arguments))


def _types(arguments: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(kind if isinstance(kind, numba.types.Type) else numba.typeof(kind) for kind in arguments)


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
    options["pipeline_class"] = HelperCompiler
    return numba.njit(**options, **OPTIONS)(function)  # type: ignore[no-any-return]


def _compile(function: Function, parallel: bool) -> Function:
    compiled = numba.njit(parallel=parallel, **OPTIONS)(function)
    keep_on_disk(compiled)
    return compiled  # type: ignore[no-any-return]


@contextmanager
def in_parallel(threads: int) -> Iterator[None]:
    """Run parallel kernels on `threads` <= `MAX_THREADS`, which take one `prange` step at a time for an even load."""
    with PARALLEL_LOCK:
        try:
            before = numba.get_num_threads()  # loads the threading layer
        except ValueError as error:
            reason = " ".join(str(error).split())
            advice = "unset NUMBA_THREADING_LAYER, or set it to workqueue"
            raise UnusableNumba(f"Numba cannot start its threads ({reason}): {advice}") from error
        numba.set_num_threads(threads)
        try:
            with numba.parallel_chunksize(1):
                yield
        finally:
            numba.set_num_threads(before)
