"""Fuzzing of everything that reads files, by hypothesis, and by atheris where it is installed."""

import re
import subprocess
import sys
from pathlib import Path

import fuzz
import numpy as np
import pytest
import writer
from figures import AMOUNT, amount, report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastw2v import Vectors

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A directory of whole files for each target."""
    room = tmp_path_factory.mktemp("seeds")
    vectors = Vectors(["a", "été", "c"], np.array([[1, -2.5], [3e-8, 4], [0, 5]]), np.array([3, 2, 1]))
    for name in fuzz.TARGETS:
        (room / name).mkdir()
        if name == "tokenizer":
            (room / name / "seed").write_bytes("a b\n\u00a0c \xff é".encode() + b"\xff\x00\r\n")
        elif name == "checkpoint":
            writer.write("checkpoint", room / name, 1)
        elif name == "sections":
            numbers = np.array([3, 4, 0, 5, 1, 0], "<f4").tobytes()
            (room / name / "seed").write_bytes(bytes([2, 1, 4, 3, 0]) + numbers + "a\né\nb\n".encode())
        else:
            vectors.save(room / name / "seed", name)
    return room


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_hypothesis(seeds, target):
    seed = next((seeds / target).iterdir()).read_bytes()
    changes = st.lists(st.tuples(st.integers(0, len(seed)), st.integers(0, 8), st.binary(max_size=8)), max_size=5)

    tried = []

    @settings(max_examples=amount(2000, 20), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=300), changes))
    def attack(data):
        tried.append(1)
        if isinstance(data, list):
            text = seed
            for place, n_removed, put in data:
                text = text[:place] + put + text[place + n_removed :]
            data = text
        fuzz.TARGETS[target](data)

    fuzz.accepted.clear()
    attack()
    figures = {"accepted": len(fuzz.accepted)} if target == "sections" else {}
    report(f"hypothesis on {target}", tried=len(tried), **figures)


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_atheris(seeds, tmp_path, target):
    pytest.importorskip("atheris", reason="needs atheris: pip install atheris")
    seconds = max(2, round(60 * AMOUNT))
    command = [sys.executable, Path(fuzz.__file__), target, str(seconds), seeds / target]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.iterdir()), done.stderr[-3000:]
    executed = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    report(f"atheris on {target}", seconds=seconds, tried=int(executed[1]) if executed else "?")
