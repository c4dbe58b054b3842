"""The kernels' tests once more: with bounds checked, and as other CPUs would compile them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.registry import cpu_target

KERNEL_TESTS = [
    str(Path(__file__).parent / name) for name in ("test_update.py", "test_train_kernel.py", "test_softmax.py")
]
FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")

IS_X86 = "+sse2" in FEATURES
VARIANTS = {
    "bounds checked": ({"NUMBA_BOUNDSCHECK": "1"}, None),
    "8 lanes": ({"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+sse2,+avx,+avx2,+fma"}, 8),
    "4 lanes": ({"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}, 4),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_kernels_as(variant):
    settings, lanes = VARIANTS[variant]
    if lanes and not (IS_X86 and (lanes == 4 or "+avx2" in FEATURES)):
        pytest.skip(f"this CPU cannot run {variant}")
    code = (
        "import sys, pytest; from fastw2v.kernels.simd import LANES; "
        f"assert {lanes} in (None, LANES), LANES; sys.exit(pytest.main(sys.argv[1:]))"
    )
    got = subprocess.run(
        [sys.executable, "-c", code, *KERNEL_TESTS, "-p", "no:cacheprovider"], env={**os.environ, **settings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert got.returncode == 0, got.stdout + got.stderr
