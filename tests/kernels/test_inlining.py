"""Helpers that are only ever compiled into kernels."""

import numba
import numpy as np
import pytest

from fastw2v.kernels.jit import inlined, inlined_with_arrays


@inlined
def add_one(x):
    return x + 1


@inlined_with_arrays
def ones(n):
    array = np.empty(n, np.int64)
    for i in range(n):
        array[i] = add_one(0)
    return array


@numba.njit
def use_helpers(n):
    return add_one(n) + ones(n).sum()


@numba.njit
def divide_by_length(values, i):
    return 1 // values[add_one(i)]


def test_kernels_hold_their_helpers():
    assert use_helpers(3) == 4 + 3


@pytest.mark.parametrize("helper", [add_one, ones])
def test_helpers_have_no_machine_code(helper):
    use_helpers(3)
    for compiled in helper.overloads.values():
        name = compiled.fndesc.llvm_func_name
        assert name in compiled.library.get_llvm_str(), "for kernels"
        assert not compiled.library.codegen._engine.is_symbol_defined(name)


def test_errors_in_a_helpers_caller_are_raised():
    with pytest.raises(ZeroDivisionError):
        divide_by_length(np.zeros(2, np.int64), 0)
