"""The program, before it has loaded its command line."""

import gc
import importlib
import signal
import subprocess
import sys

import fastw2v
from fastw2v import cli


def test_as_a_module():
    done = subprocess.run([sys.executable, "-m", "fastw2v", "--version"], capture_output=True, text=True, check=True)
    assert fastw2v.__version__ in done.stdout


def test_an_early_ctrl_c(monkeypatch):
    """It ends the process without Python's traceback; where a program ignores it, it stays ignored."""
    monkeypatch.setattr(gc, "set_threshold", lambda n: None)
    main, seen = importlib.import_module("fastw2v.__main__").main, []
    monkeypatch.setattr(cli, "main", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    before = signal.getsignal(signal.SIGINT)
    try:
        for handler in (signal.default_int_handler, signal.SIG_IGN):
            signal.signal(signal.SIGINT, handler)
            main()
    finally:
        signal.signal(signal.SIGINT, before)
        n_frozen = gc.get_freeze_count()
        gc.unfreeze()
    assert seen == [signal.SIG_DFL, signal.SIG_IGN]
    assert n_frozen > 0, "nothing is left to be collected at the end"
