"""Results on stdout: a closed one, a full one, a reader that has left, an encoding without the letters of a word."""

import errno
import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from fastw2v import InputError, RunError, Vectors
from fastw2v.cli import cli
from fastw2v.cli.results import check_stdout, show

PRINTING = {
    "similar": "similar v.txt été",
    "analogy": "analogy v.txt été a b",
    "evaluate": "evaluate v.txt --analogies q.txt",
    "info": "info v.txt",
    "plan": "plan",
    "vocab": "vocab c.txt --min-count 1",
}
SILENT = {
    "convert": "convert v.txt o",
    "plot": "plot v.txt -o o.html",
    "phrases": "phrases c.txt -o o",
    "train": "train c.txt -o o --min-count 1 --sample 0 --epochs 1 --threads 1",
    "warmup": "",
}
"""An example of each command, whose results go to stdout or do not."""


class FullStream(io.StringIO):
    """What /dev/full is."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The current directory, with files for the examples."""
    words = ["été", "日本", *"abcd"]
    Vectors(words, np.random.default_rng(0).normal(size=(6, 3))).save(tmp_path / "v.txt")
    (tmp_path / "q.txt").write_text(": s\na b c d\n")
    (tmp_path / "c.txt").write_text("a b c d\n" * 20)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shell(script, setting=""):
    """Run the command line with redirections in bash."""
    script = f"{setting} {sys.executable} -m fastw2v {script}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)


def test_there_is_an_example_of_each_command():
    assert set(cli.commands) == {*PRINTING, *SILENT}


@pytest.mark.parametrize("command", PRINTING.values(), ids=PRINTING)
def test_a_closed_stdout_is_refused(room, run, monkeypatch, command):
    monkeypatch.setattr(sys, "stdout", None)
    code, _, err = run(*command.split())
    assert (code, err.count("\n"), "is closed" in err) == (2, 1, True), err


@pytest.mark.parametrize("command", [command for name, command in PRINTING.items() if name != "vocab"])
def test_a_full_disk_behind_stdout(room, run, monkeypatch, command):
    monkeypatch.setattr(sys, "stdout", FullStream())
    assert run(*command.split()) == (1, "", "fastw2v: cannot write to stdout: No space left on device\n")


@pytest.mark.parametrize("command", [command for command in SILENT.values() if command])
def test_commands_without_results_need_no_stdout(room, run, monkeypatch, command):
    monkeypatch.setattr(sys, "stdout", None)
    assert run(*command.split())[0] == 0
    assert list(room.glob("o*"))


def test_streams_of_a_shell(room):
    for end, code, message in (
        (">&-", 2, "fastw2v: the results go to stdout, which is closed: leave it open, or redirect it to a file\n"),
        ("> /dev/full", 1, "fastw2v: cannot write to stdout: No space left on device\n"),
        ("| (exec <&-; sleep 2)", 0, ""),
    ):
        done = shell(f"similar v.txt été {end}")
        assert (done.returncode, done.stderr) == (code, message)
    assert shell("--help | (exec <&-; sleep 2)").returncode == 0, "as of the commands"
    done = shell("--help > /dev/full")
    assert (done.returncode, done.stderr) == (1, "fastw2v: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_words_that_the_encoding_lacks(room, encoding):
    done = shell("similar v.txt été | iconv -c -f utf-8 -t utf-8", f"PYTHONIOENCODING={encoding}")
    assert (done.returncode, done.stderr) == (0, "")
    assert ("日本" if encoding == "utf-8" else r"\u65e5\u672c") in done.stdout


def test_names_of_files_that_are_no_text(room, run):
    (room / "v\udcff.txt").write_bytes((room / "v.txt").read_bytes())
    assert run("info", "v\udcff.txt")[1].startswith(r"v\udcff.txt: text, 6 words x 3")


def test_show(monkeypatch, capsys):
    show("half \ud83d")
    assert capsys.readouterr().out == "half \\ud83d\n"
    check_stdout()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", FullStream())
        with pytest.raises(RunError, match="cannot write to stdout: No space left on device"):
            show("text")
        patched.setattr(sys, "stdout", None)
        with pytest.raises(InputError, match="the results go to stdout, which is closed"):
            check_stdout()


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="needs descriptors that do not block")
def test_a_stdout_that_does_not_block(tmp_path):
    """As some programs leave it: a slow reader gets all of it."""
    words = [f"w{number}" for number in range(10_000)]
    Vectors(words, np.ones((10_000, 2))).save(tmp_path / "v.txt")
    read, write = os.pipe()
    os.set_blocking(write, False)
    command = [sys.executable, "-m", "fastw2v", "similar", tmp_path / "v.txt", "w0", "-n", "9999"]
    with subprocess.Popen(command, stdout=write) as process:
        os.close(write)
        time.sleep(0.2)
        with open(read) as lines:
            n_lines = len(list(lines))
    assert (process.returncode, n_lines) == (0, 9999)
