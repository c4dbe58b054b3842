"""The vector operations, one by one: how wide a vector is, and how exact its functions are."""

import re

import numba
import numpy as np
import pytest
from numba.core.registry import cpu_target

from fastw2v.kernels import simd

TARGET, _, FEATURES = cpu_target.target_context.codegen().magic_tuple()


@numba.njit
def store_ones(array):
    simd.store(array, 3, simd.splat(np.float32(1.0)))


@numba.njit
def apply_sigmoid(array):
    simd.store(array, 0, simd.sigmoid(simd.load(array, 0)))


@numba.njit
def apply_exponential(array):
    simd.store(array, 0, simd.exponential(simd.load(array, 0)))


def applied(function, values):
    """The function of each value, a vector at a time."""
    padded = np.zeros(-(-len(values) // simd.LANES) * simd.LANES, np.float32)
    padded[: len(values)] = values
    for first in range(0, len(padded), simd.LANES):
        function(padded[first : first + simd.LANES])
    return padded[: len(values)]


def test_a_vector_has_as_many_lanes_as_it_says():
    array = np.zeros(64, np.float32)
    store_ones(array)
    assert np.flatnonzero(array).tolist() == list(range(3, 3 + simd.LANES))


@pytest.mark.skipif("x86" not in TARGET, reason="these are the registers of x86")
def test_a_vector_is_as_wide_as_the_widest_registers_of_the_cpu():
    features = FEATURES.split(",")
    registers = ["xmm"] + ["ymm"] * ("+avx2" in features) + ["zmm"] * ("+avx512f" in features)
    assert {"xmm": 4, "ymm": 8, "zmm": 16}[registers[-1]] == simd.LANES
    assert ("zmm" in registers) == simd.HAS_32_REGISTERS
    apply_sigmoid(np.zeros(simd.LANES, np.float32))
    (assembly,) = apply_sigmoid.inspect_asm().values()
    used = set(re.findall(r"%([xyz]mm)\d+", assembly))
    assert registers[-1] in used
    assert used <= set(registers)


def test_sigmoid():
    x = np.concatenate([np.linspace(-15.9, 15.9, 4001), [0.0]]).astype(np.float32)
    expected = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(applied(apply_sigmoid, x), expected, rtol=1e-6)


@pytest.mark.parametrize(("x", "limit"), [(1e30, 16), (np.inf, 16), (-1e30, -16), (-np.inf, -16)])
def test_sigmoid_is_clamped(x, limit):
    expected = 1 / (1 + np.exp(-float(limit)))
    assert applied(apply_sigmoid, [x])[0] == pytest.approx(expected, rel=5e-7)
    assert 0 < applied(apply_sigmoid, [x])[0] < 1


def test_exponential():
    x = np.linspace(-86.9, 0, 4001).astype(np.float32)
    np.testing.assert_allclose(applied(apply_exponential, x), np.exp(x.astype(np.float64)), rtol=1e-5)
    assert 0 < applied(apply_exponential, [-1000.0])[0] < 2e-38
