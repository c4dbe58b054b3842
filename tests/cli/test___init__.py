"""The group of commands: its help, its exit codes, and a reader that leaves early."""

import os

import pytest

from fastw2v import InputError, RunError
from fastw2v.cli import cli
from fastw2v.cli.stopping import Stopped


def test_help_shows_an_example(run):
    code, out, _ = run("train", "--help")
    assert code == 0
    assert "fastw2v train corpus.txt -o vecs.txt" in out
    assert run("--version")[1].startswith("fastw2v, version ")


def test_every_command_has_a_help(run):
    listed = run("--help")[1]
    for name in cli.commands:
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
        assert f"Usage: fastw2v {name}" in out
        assert f"\n  {name} " in listed


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("not so"), 2, "not so"),
        (RunError("it broke"), 1, "it broke"),
        (OSError(28, "No space"), 1, "[Errno 28] No space"),
        (MemoryError(), 1, "out of memory"),
        (MemoryError("Unable to allocate 191. MiB"), 1, "out of memory: Unable to allocate 191. MiB"),
        (Stopped(2), 130, "interrupted"),
        (Stopped(15), 143, "terminated"),
    ],
)
def test_exit_codes(run, monkeypatch, error, code, message):
    def fail():
        raise error

    monkeypatch.setattr(cli.commands["warmup"], "callback", fail)
    for name, value in (("consequence", ""), ("outputs", {})):  # of the command before
        monkeypatch.setattr(f"fastw2v.cli.stopping.signals.{name}", value)
    assert run("warmup") == (code, "", f"fastw2v: {message}\n")


def test_an_unknown_command(run):
    code, out, err = run("trane")
    assert (code, out) == (2, "")
    assert "No such command 'trane'" in err


def test_a_reader_that_leaves_early_is_no_error(run, monkeypatch):
    def fail():
        raise BrokenPipeError

    monkeypatch.setattr(cli.commands["warmup"], "callback", fail)
    stdout = os.dup(1)  # the command line turns it to /dev/null
    try:
        assert run("warmup")[0] == 0
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
