"""Kernels compiled ahead: each once, so that nothing is compiled on the user's time."""

import json
import os
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from fastw2v import TrainConfig
from fastw2v.errors import InputError
from fastw2v.training import warmup

PRELUDE = """
import importlib, pkgutil, sys
import fastw2v, fastw2v.kernels
from fastw2v.corpus.phrases import compile_kernels as compile_phrases
from fastw2v.corpus.words import WordCounter
from fastw2v.kernels.train import piece_kernel
from fastw2v.training.warmup import compile_all, compile_kernels
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
    for steps in "window", "pair", "mean":
        for by_path in False, True:
            kernel = piece_kernel(steps, by_path)
            n_of_kernel["train." + kernel.py_func.__qualname__] = len(kernel.signatures)
    return n_of_kernel

def use_everything(text, directory):
    for name in "v.txt", "v.bin":
        vectors = fastw2v.train(text, threads=2, dim=20, epochs=1)
        vectors.save(f"{directory}/{name}")
        fastw2v.Vectors.load(f"{directory}/{name}")
    for options in {"update": "pair", "threads": 1, "held_out": text}, {}, {"model": "cbow", "held_out": text}:
        for loss in "ns", "hs":
            fastw2v.train(text, loss=loss, dim=20, epochs=1, **options)
    for model in "skipgram", "cbow":
        fastw2v.train(text, model=model, loss="softmax", dim=20, epochs=1)
        for loss in "ns", "hs":
            fastw2v.train(text, model=model, loss=loss, dim=20, epochs=1, deterministic=True)
    WordCounter().absorb(WordCounter.of([b"a"]))  # as a cluster does
    how = {"passes": 2, "threshold": 0, "connector_words": ["t0w0"], "lower": True}
    fastw2v.Phrases.learn(text, output=f"{directory}/p.txt", **how)
"""


TRAIN_AGAIN = """
from fastw2v import TrainConfig
from fastw2v.training import warmup
for config in TrainConfig(), TrainConfig(model="cbow", loss="hs"), TrainConfig(loss="softmax"):
    warmup.compile_kernels(2, config)
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
    assert len(counts) >= 30
    assert not {name: n for name, n in counts.items() if n != 1}


def test_nothing_is_left_to_compile(tmp_path, planted):
    code = """
compile_all()
before = n_signatures()
use_everything(*sys.argv[1:])
for name, n in n_signatures().items():
    print(name, n - before[name])
"""
    later = {name: n for name, n in counts_of(code, planted, tmp_path).items() if n}
    assert not later, "compiled on the user's time"


def test_the_kernels_of_a_training_are_known_by_name(tmp_path):
    """Three processes in turn with one cache: each compiles what its options need and the cache lacks."""
    code = """
import sys
from fastw2v import TrainConfig
from fastw2v.kernels.random import fill_uniform
from fastw2v.training import warmup
config, events = eval(sys.argv[1]), []
wanted = warmup.kernels_to_compile(config)
warmup.compile_kernels(2, config, events.append)
assert events[0] == warmup.KernelCompiling(wanted[0], 1, len(wanted)), events
numbers = [event.number for event in events]
assert numbers == sorted(set(numbers)) and numbers[-1] <= len(wanted), events
if warmup.available_threads() > 1:
    assert fill_uniform.stats.cache_hits and not fill_uniform.stats.cache_misses, "another process compiled it"
warmup._save("v.txt")  # waits for the kernel that writes it
assert warmup.kernels_to_compile(config) == [] and warmup.kernels_to_compile() != []
print(*wanted)
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    names: set[str] = set()
    for config in TrainConfig(), TrainConfig(model="cbow", loss="hs"), TrainConfig(loss="softmax"):
        command = [sys.executable, "-c", code, repr(config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        wanted = set(done.stdout.split())
        assert wanted, config
        assert not names & wanted, "compiled before"
        names |= wanted
        compiled = {path.name.partition("-")[0] for path in (tmp_path / "cache").rglob("*.nbc")}
        assert compiled == names, "each of them, and no other"
    files = sorted((tmp_path / "cache").rglob("*.nbc"))
    subprocess.run([sys.executable, "-c", TRAIN_AGAIN], check=True, env=environment)
    assert sorted((tmp_path / "cache").rglob("*.nbc")) == files, "another process compiles none of them again"


@pytest.fixture
def helper(monkeypatch):
    """A function that makes `code` the other process, which is said to compile `kernels`, and compiles on few words."""

    def start(code, kernels=("train.train_spans",)):
        missing = set(kernels)
        monkeypatch.setattr(warmup, "missing_kernels", lambda names: [name for name in names if name in missing])
        monkeypatch.setattr(warmup, "available_threads", lambda: 2)
        monkeypatch.setattr(warmup, "AWAITED", awaited := {})
        monkeypatch.setattr(warmup, "HELPER", code)
        ended = []
        atexit = SimpleNamespace(register=lambda *arguments: ended.append(arguments))
        monkeypatch.setattr(warmup, "atexit", atexit)
        warmup.compile_kernels(1)
        return awaited, ended

    return start


def test_another_process_compiles_what_it_is_asked_for(helper, tmp_path, monkeypatch):
    path = tmp_path / "arguments"
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)  # from which nothing is imported
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path])  # some put a Path there
    awaited, ((end, process),) = helper(f"import json, sys; open({str(path)!r}, 'w').write(sys.argv[1])")
    assert list(awaited) == ["train.train_spans"]
    assert process.wait() == 0
    assert not awaited["train.train_spans"]()
    expected = [{"model": "skipgram", "loss": "ns", "update": "window", "deterministic": False, "lower": False}]
    assert json.loads(path.read_text()) == [sys.path[:-1], expected, False]
    end(process)


def test_the_writers_of_vectors_are_not_waited_for(helper):
    awaited, ((end, process),) = helper("import time; time.sleep(600)", ["numbers.format_rows"])
    assert awaited["numbers.format_rows"]()
    end(process)
    assert not awaited["numbers.format_rows"]()


def test_two_processes_share_the_work(monkeypatch):
    """One works from the end, until only the piece is left that the other one compiles."""
    missing = {"a", "b", "c", "d"}
    monkeypatch.setattr(warmup, "missing_kernels", lambda names: [name for name in names if name in missing])
    monkeypatch.setattr(warmup, "AWAITED", awaited := dict.fromkeys("abcd", lambda: True))
    compiled = []

    def compile_piece(name):
        assert name not in awaited, "it would wait for the other one"
        compiled.append(name)
        missing.discard(name)
        missing.discard("a")  # the other one is done with its first piece

    pieces = [warmup.Piece([name], partial(compile_piece, name)) for name in "abcd"]
    warmup._compile_from_the_end(pieces)
    assert compiled == ["d", "c"]
    assert list(awaited) == ["a", "b"]
    monkeypatch.setattr(warmup, "missing_kernels", list)  # the disk of the cache is full
    awaited.clear()
    warmup._compile_from_the_end(pieces)
    assert compiled[2:] == ["d", "c", "b"]


def test_it_ends_with_its_parent(monkeypatch):
    """However that ends, its end of the pipe is closed: a Ctrl-C in the first seconds ends a run at once."""
    code = warmup.HELPER.replace("compile_others(*arguments)", "import time; time.sleep(600)")
    monkeypatch.setattr(warmup, "HELPER", code)
    monkeypatch.setattr(warmup, "available_threads", lambda: 2)
    monkeypatch.setattr(warmup, "atexit", SimpleNamespace(register=lambda *arguments: None))
    process = warmup._start_helper([], False)
    process.stdin.close()
    assert process.wait(60) == 1


def test_a_working_directory_that_was_removed(tmp_path, monkeypatch):
    """Numba fails there when it compiles, and not when it loads from the cache."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    monkeypatch.setattr(warmup, "missing_kernels", lambda names: [])
    warmup.compile_kernels(1)
    monkeypatch.setattr(warmup, "missing_kernels", list)
    with pytest.raises(InputError, match="^the working directory was removed, and Numba can compile only where"):
        warmup.compile_kernels(1)


def test_a_process_that_cannot_start_does_no_harm(helper, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert helper("") == ({}, [])
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")  # a server that embeds Python
    assert helper("") == ({}, [])


def test_nothing_is_started_where_nothing_is_missing(helper):
    assert helper("", []) == ({}, [])
    assert helper("", ["train.train_piece_window_ns"]) == ({}, [])
