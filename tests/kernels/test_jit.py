"""What Numba is asked for in its environment variables, where fastw2v cannot work with it: one line, exit code 2."""

import os
import subprocess
import sys

import pytest

ENVIRONMENTS = [
    (
        "NUMBA_DISABLE_JIT",
        "1",
        "fastw2v needs Numba's compiler, which NUMBA_DISABLE_JIT turns off: unset this variable",
    ),
    ("NUMBA_NUM_THREADS", "0", "NUMBA_NUM_THREADS is 0: it must be at least 1; unset it to use all cores"),
    ("NUMBA_THREADING_LAYER", "bogus", "Numba cannot start its threads (The threading layer requested 'bogus' is"),
]


@pytest.mark.parametrize(("name", "value", "message"), ENVIRONMENTS)
def test_environments_that_are_refused(tmp_path, name, value, message):
    (tmp_path / "c.txt").write_text("a b c d\n" * 50)
    command = [sys.executable, "-m", "fastw2v", "train", "c.txt", "-o", "v", "--min-count", "1", "--quiet"]
    environment = {**os.environ, name: value}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"fastw2v: {message}")
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["c.txt"]
