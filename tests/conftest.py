"""Shared fixtures: a text with planted structure, and the command line in this process."""

import os
import signal
import sys
import tracemalloc
import warnings

import pytest
from planted import planted_text

os.environ.pop("PYTHONUNBUFFERED", None)  # commands that tests start meet errors of stdout where users meet them


@pytest.fixture
def sighup():
    """Processes that a test starts take SIGHUP as usual, also under `nohup pytest`, which ignores it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def planted(tmp_path):
    path = tmp_path / "planted.txt"
    path.write_text(planted_text())
    return path


@pytest.fixture
def traced_peak():
    """traced_peak(function): the most bytes that Python and NumPy had allocated while it ran, beyond those before."""

    def peak(function):
        tracemalloc.start()
        try:
            function()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return peak


@pytest.fixture
def run(monkeypatch, capfd):
    """Run the command line here: run("train", ...) -> (exit code, stdout, stderr)."""
    from fastw2v import cli

    monkeypatch.setattr(cli.signals, "catch", lambda: None)  # pytest keeps its own Ctrl-C
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main replaces

    environment = dict(os.environ)  # Numba's threads are set there

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fastw2v", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        os.environ.clear()
        os.environ.update(environment)
        out, err = capfd.readouterr()
        return stopped.value.code, out, err

    return run
