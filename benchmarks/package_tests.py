"""The tests of packages that train with gensim: with gensim itself, and with fastw2v's classes in its place.

    pip install '.[bench]' pytest parameterized node2vec pecanpy fastnode2vec karateclub
    git clone https://github.com/krishnanlab/PecanPy
    git clone https://github.com/benedekrozemberczki/karateclub
    python benchmarks/package_tests.py PecanPy/test karateclub/test

Each argument is a file or directory of tests, or a script, which must end without an error. They run twice, in
processes of their own, and so do the processes that they start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

BENCHMARKS = Path(__file__).parent
START = """
import os, traceback
try:
    import numpy_1
    numpy_1.restore_names()
    if {is_replaced}:
        from fastw2v.gensim import replace_gensim
        replace_gensim()
except BaseException:  # after which Python would go on, with gensim itself
    traceback.print_exc()
    os._exit(3)
"""
"""What every process does first."""


@click.command()
@click.argument("tests", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(tests: tuple[Path, ...]) -> None:
    """Print the last line that each run of the tests printed, and its seconds."""
    for path in tests:
        is_script = path.is_file() and not path.name.endswith("_test.py") and not path.name.startswith("test_")
        command = [sys.executable, str(path.resolve())]
        if not is_script:
            command[1:1] = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
        for trainer in ("gensim", "fastw2v"):
            print_run(path, trainer, command)


def print_run(path: Path, trainer: str, command: list[str]) -> None:
    with tempfile.TemporaryDirectory() as room:
        Path(room, "sitecustomize.py").write_text(START.format(is_replaced=trainer == "fastw2v"))
        paths = [room, str(BENCHMARKS.resolve()), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])  # for `pecanpy`
        begin = time.perf_counter()
        got = subprocess.run(command, cwd=room, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - begin
    lines = got.stdout.splitlines() + got.stderr.splitlines()
    failed = [line for line in lines if line.startswith("FAILED")]
    last = next((line for line in reversed(got.stdout.splitlines()) if line.strip()), "")
    click.echo(f"{path}, {trainer}: exit code {got.returncode}, {seconds:.0f} s, {last}")
    for line in failed or (lines[-5:] if got.returncode else []):
        click.echo(f"    {line}")


if __name__ == "__main__":
    main()
