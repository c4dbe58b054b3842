"""Kernels compiled ahead: each once, so that nothing is compiled on the user's time."""

import subprocess
import sys

import pytest

from fastw2v.training import warmup

PRELUDE = """
import importlib, pkgutil, sys
import fastw2v, fastw2v.kernels
from fastw2v.corpus.phrases import compile_kernels as compile_phrases
from fastw2v.corpus.words import WordCounter
from fastw2v.training.warmup import compile_kernels
from numba.core.registry import CPUDispatcher

def n_signatures():
    # How many signatures each kernel is compiled for, of all modules there are.
    n_of_kernel = {}
    for item in pkgutil.iter_modules(fastw2v.kernels.__path__):
        module = importlib.import_module(f"fastw2v.kernels.{item.name}")
        for name, kernel in vars(module).items():
            is_kernel = isinstance(kernel, CPUDispatcher) and not kernel.targetoptions.get("forceinline")
            if is_kernel and kernel.py_func.__module__ == module.__name__:
                n_of_kernel[f"{item.name}.{name}"] = len(kernel.signatures)
    return n_of_kernel

def use_everything(text, directory):
    for threads, update, name in (2, "window", "v.txt"), (1, "pair", "v.bin"):
        vectors = fastw2v.train(text, threads=threads, update=update, dim=20, epochs=1)
        vectors.save(f"{directory}/{name}")
        fastw2v.Vectors.load(f"{directory}/{name}")
    for model in "skipgram", "cbow":
        for loss in "hs", "softmax":
            fastw2v.train(text, model=model, loss=loss, dim=20, epochs=1)
    WordCounter().absorb(WordCounter.of([b"a"]))  # as a cluster does
    fastw2v.Phrases.learn(text, output=f"{directory}/p.txt", passes=2, threshold=0, connector_words=["t0w0"])
"""


def counts_of(code, *arguments):
    """What `code` prints in a process of its own: a number for each kernel."""
    command = [sys.executable, "-c", PRELUDE + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: int(n) for name, n in map(str.split, done.stdout.splitlines())}


def test_each_kernel_is_compiled_once(tmp_path, planted):
    # A second signature would be a second compilation of seconds, on the user's time.
    code = """
compile_phrases()
use_everything(*sys.argv[1:])
for name, n in n_signatures().items():
    print(name, n)
"""
    counts = counts_of(code, planted, tmp_path)
    assert len(counts) >= 20
    assert set(counts.values()) == {1}, counts


def test_nothing_is_left_to_compile(tmp_path, planted):
    code = """
compile_phrases()
for loss in "ns", "hs", "softmax":
    compile_kernels(2, loss, include_readers=True)
before = n_signatures()
use_everything(*sys.argv[1:])
for name, n in n_signatures().items():
    print(name, n - before[name])
"""
    later = {name: n for name, n in counts_of(code, planted, tmp_path).items() if n}
    assert not later, "compiled on the user's time"


@pytest.fixture
def helper(monkeypatch):
    """A function that makes what follows the code of the process that helps to compile."""
    monkeypatch.setattr(warmup, "is_cache_cold", lambda name: True)
    monkeypatch.setattr(warmup, "available_threads", lambda: 2)
    return lambda code: monkeypatch.setattr(warmup, "HELPER", code)


def test_another_process_helps_to_compile(helper, tmp_path):
    helper(warmup.HELPER + f"open({str(tmp_path / 'done')!r}, 'x')")
    with warmup._helper("ns"):
        pass
    assert (tmp_path / "done").exists()


def test_the_helper_ends_with_a_run_that_is_interrupted(helper):
    helper("import time; time.sleep(600)")
    with pytest.raises(KeyboardInterrupt), warmup._helper("ns"):
        raise KeyboardInterrupt


def test_one_that_fails_does_no_harm(helper, monkeypatch):
    helper("raise SystemExit(1)")
    with warmup._helper("ns"):
        pass
    monkeypatch.setattr(sys, "executable", "/no/python")
    with warmup._helper("ns"):
        pass
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")  # a server that embeds Python
    helper(None)
    with warmup._helper("ns"):
        pass
