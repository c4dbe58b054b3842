"""The kernels' tests once more: with bounds checked, and as CPUs with fewer lanes would compile them."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.registry import cpu_target

from fastw2v.kernels.simd import LANES

TESTS = Path(__file__).parent.parent
MODULES = [
    "atomic",
    "bytes",
    "dictionary",
    "layout",
    "negatives",
    "numbers",
    "simd",
    "softmax",
    "tracks",
    "train",
    "update",
    "walk",
]
KERNEL_TESTS = [str(TESTS / "kernels" / f"test_{name}.py") for name in MODULES]
KERNEL_TESTS.append(f"{TESTS / 'training' / 'test_softmax.py'}::test_training_is_the_reference_batch_by_batch")
FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")

IS_X86 = "+sse2" in FEATURES
OF_4_LANES = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"} if IS_X86 else {}
OF_8_LANES = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+sse2,+avx,+avx2,+fma"}
VARIANTS = {
    "bounds checked, 4 lanes if x86": ({"NUMBA_BOUNDSCHECK": "1", **OF_4_LANES}, 4 if IS_X86 else LANES),
    "8 lanes": (OF_8_LANES, 8),
}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Processes that run the kernels' tests, all at the same time, and the files of what they print; by variant."""
    room = tmp_path_factory.mktemp("variants")
    with contextlib.ExitStack() as stack:
        processes = {}
        for variant, (settings, lanes) in VARIANTS.items():
            if can_run(lanes):
                code = (
                    "import sys, pytest; from fastw2v.kernels.simd import LANES; "
                    f"assert LANES == {lanes}, LANES; sys.exit(pytest.main(sys.argv[1:]))"
                )
                command = [sys.executable, "-c", code, *KERNEL_TESTS, "-p", "no:cacheprovider"]
                command += ["--basetemp", str(room / f"{variant} temp")]
                output = stack.enter_context(open(room / variant, "w+"))
                environment = {**os.environ, **settings}
                process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
                stack.callback(process.kill)
                processes[variant] = process, output
        yield processes


def can_run(lanes):
    """Whether this CPU can run a variant that its other tests have not run already."""
    return lanes != 8 or (LANES > 8 and "+avx2" in FEATURES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kernels_as(started, variant):
    if variant not in started:
        pytest.skip(f"this CPU cannot run {variant}, or runs it anyway")
    process, output = started[variant]
    code = process.wait()
    output.seek(0)
    assert code == 0, output.read()
