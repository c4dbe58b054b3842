"""Text on stderr that nobody reads, now or ever."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from fastw2v import system
from fastw2v.modelfile import CHECKPOINT
from fastw2v.reporting import stderr
from fastw2v.reporting.stderr import Stderr

pytestmark = pytest.mark.skipif(not system.HAS_POLL, reason="needs poll")


@pytest.fixture
def pipe(monkeypatch):
    """A pipe for stderr: the descriptor to read it, and what writes to it."""
    reader, writer = os.pipe()

    def screen():
        monkeypatch.setattr(sys, "stderr", stream)  # not before the test, when pytest sets its own
        return Stderr()

    with open(writer, "w", encoding="ascii") as stream:
        yield reader, screen
    with contextlib.suppress(OSError):
        os.close(reader)


def read(reader):
    text = b""
    while select.select([reader], [], [], 0)[0]:
        text += os.read(reader, 1 << 16)
    return text.decode()


def test_a_reader_gets_all_at_once(pipe):
    reader, screen = pipe[0], pipe[1]()
    screen.write("caf\xe9 ")
    screen.write("50 %", is_passing=True)
    assert read(reader) == "caf\\xe9 50 %"


def test_nobody_reads_for_a_while(pipe):
    """No write waits. Lines are kept, and what means nothing later is not."""
    reader, screen = pipe[0], pipe[1]()
    lines = [f"line {i}\n" for i in range(20_000)]
    for line in lines:
        screen.write(line)
        screen.write("50 %\n", is_passing=True)
    first = read(reader)
    assert "50 %" in first
    got = [first]

    def may_wait():
        got.append(read(reader))
        return True

    screen.drain(may_wait)
    got.append(read(reader))
    assert "".join(got).replace("50 %\n", "") == "".join(lines)


def test_nobody_reads_for_ever(pipe, monkeypatch):
    monkeypatch.setattr(stderr, "MOST_PENDING", 1000)
    reader, screen = pipe[0], pipe[1]()
    for _ in range(2000):
        screen.write("x" * 99 + "\n")
    screen.drain(lambda: False)
    shown = read(reader)
    screen.write("the end\n")
    shown += read(reader)
    assert len(shown) < 100_000
    n_lines, rest = shown.count("x" * 99), shown.rpartition("x\n")[2]
    assert rest == f"({2000 - n_lines:,} lines are missing here because nobody read them)\nthe end\n"


def test_a_reader_that_has_left(pipe):
    reader, screen = pipe[0], pipe[1]()
    os.close(reader)
    screen.write("to nobody\n")
    assert screen.is_gone
    screen.write("nor this\n")


@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_that_nobody_watches_is_trained_and_saved(planted, tmp_path, terminal):
    """Its pipe is full, or Ctrl-S has stopped its terminal: it goes on, and a signal ends it as usual."""
    if terminal:
        pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
        reader, writer = pty.openpty()
        termios.tcflow(writer, termios.TCOOFF)
    else:
        reader, writer = os.pipe()
        while system.is_writable(writer, 0):
            os.write(writer, b"x" * 4096)
    command = [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v.txt", "--epochs", "100000"]
    command += ["--min-count", "1", "--dim", "8", "--checkpoint", tmp_path / "c", "--checkpoint-every", "0.002"]
    process = subprocess.Popen(command, stderr=writer, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        written = tmp_path / "c" / CHECKPOINT
        end = time.monotonic() + 60
        while not written.exists() and time.monotonic() < end:
            time.sleep(0.05)
        before = written.stat().st_mtime_ns
        while written.stat().st_mtime_ns == before and time.monotonic() < end:
            time.sleep(0.05)
        assert written.stat().st_mtime_ns > before, "the run goes on"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        process.kill()
        os.close(reader)
        os.close(writer)
