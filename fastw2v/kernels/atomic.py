"""Atomic operations on an int64 in memory that threads share: additions, exchanges, and waiting for a number.

Memory is given as (array, index), as in `simd`. All operations are sequentially consistent: what a thread has written
before one of them is seen by a thread that reads its result.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..system import HAS_YIELD
from .jit import Int64s, inlined
from .simd import pointer_of

_int64 = ir.IntType(64)

SPINS = 200
"""How often a thread looks whether it may go on before it lets another thread have its core."""


@intrinsic
def add_and_fetch(typing_context: Any, array: Any, index: Any, number: Any) -> Any:
    """Add a number to `array.flat[index]` and return the sum."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = pointer_of(context, builder, signature.args[0], args[0], args[1], _int64)
        return builder.add(builder.atomic_rmw("add", place, args[2], "seq_cst"), args[2])

    return types.int64(array, types.intp, types.int64), generate


@intrinsic
def read(typing_context: Any, array: Any, index: Any) -> Any:
    """Return `array.flat[index]`, which other threads may change."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = pointer_of(context, builder, signature.args[0], args[0], args[1], _int64)
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def exchange_if(typing_context: Any, array: Any, index: Any, expected: Any, number: Any) -> Any:
    """Set `array.flat[index]` to a number if it is the expected one; return what it was before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = pointer_of(context, builder, signature.args[0], args[0], args[1], _int64)
        found = builder.cmpxchg(place, args[2], args[3], "seq_cst", "seq_cst")
        return builder.extract_value(found, 0)

    return types.int64(array, types.intp, types.int64, types.int64), generate


if HAS_YIELD:
    _sched_yield = types.ExternalFunction("sched_yield", types.int32())

    @inlined
    def _let_others_run() -> None:
        _sched_yield()

else:

    @inlined
    def _let_others_run() -> None:
        pass


@inlined
def wait_for(array: Int64s, index: int, number: int) -> None:
    """Wait until array[index], which other threads raise, has reached a number."""
    spins = 0
    while read(array, index) < number:
        spins += 1
        if spins % SPINS == 0:
            _let_others_run()
