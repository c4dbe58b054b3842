"""Runs that are killed, or get a signal, at random moments: nothing is lost, and they end at once."""

import contextlib
import json
import os
import pty
import random
import shutil
import signal
import statistics
import sys
import time

import numpy as np
import pytest
from figures import amount, report
from planted import planted_text

import fastw2v
from fastw2v import Vectors
from fastw2v.training.checkpoint import load
from fastw2v.training.warmup import compile_kernels

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]

OF_SIGNALS = ["--dim", 100, "--epochs", 1000, "--threads", 1, "--min-count", 1]
OPTIONS = {"dim": 30, "min_count": 1, "epochs": 60, "sample": 0, "threads": 1, "seed": 5}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    compile_kernels(1)  # the children of this process have what is compiled here
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_text(planted_text(n_sentences=20_000))
    return path


def child(work):
    """Run `work` in a process of its own; its id."""
    number = os.fork()
    if number:
        return number
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        work()
        code = 0
    except SystemExit as stopped:
        code = stopped.code
    finally:
        os._exit(code)


def wait(number):
    """The exit code of a child; -9 if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def test_killed_at_random_moments(text, tmp_path):
    expected = fastw2v.train(text, **OPTIONS)
    directory, output = tmp_path / "c", tmp_path / "o.fw2v"

    def train():
        fastw2v.train(text, checkpoint=directory, checkpoint_every=1e-6, resume=True, **OPTIONS).save(output)

    rng = random.Random(0)
    n_wanted, n_killed, n_runs, reached, longest = amount(200, 5), 0, 0, 0, 2.0
    n_lost = n_different = 0
    while n_killed < n_wanted:
        start, number = time.monotonic(), child(train)
        time.sleep(rng.uniform(0, longest))
        os.kill(number, signal.SIGKILL)
        if wait(number) == -signal.SIGKILL:
            n_killed += 1
            checkpoint = load(directory) if directory.exists() else None
            now = checkpoint.position.n_words if checkpoint else 0
            n_lost += now < reached
            reached = now
            continue
        longest = min(longest, time.monotonic() - start)
        n_runs, reached = n_runs + 1, 0
        n_different += not np.array_equal(Vectors.load(output).vectors, expected.vectors)
        for path in directory.iterdir():
            path.unlink()
        output.unlink()
    assert wait(child(train)) == 0
    n_different += not np.array_equal(Vectors.load(output).vectors, expected.vectors)
    assert not list(directory.glob(".*.fastw2v-tmp"))
    report("killed at random moments", kills=n_killed, runs_finished=n_runs + 1, lost=n_lost, different=n_different)
    assert (n_lost, n_different) == (0, 0)


def test_signals_at_random_moments(text, tmp_path, sighup):
    from fastw2v import cli

    rng = random.Random(1)
    seconds, codes, half_written = [], [], []
    for i in range(amount(100, 5)):
        output = tmp_path / f"o{i}.txt"
        command = ["fastw2v", "train", text, "-o", output, "--checkpoint", tmp_path / f"c{i}", *OF_SIGNALS]

        def run(command=command):
            sys.argv = [str(part) for part in command]
            cli.main()

        number = child(run)
        time.sleep(rng.uniform(0.1, 2.5))
        sent = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU])
        start = time.monotonic()
        os.kill(number, sent)
        codes.append(wait(number))
        seconds.append(time.monotonic() - start)
        assert codes[-1] in (128 + sent, -sent), codes[-1]  # -sent: before the command line caught it
        half_written += [*tmp_path.glob(f"o{i}.txt"), *tmp_path.glob(f".o{i}*")]
    waits = {"seconds_to_exit_p50": round(statistics.median(seconds), 3), "max": round(max(seconds), 3)}
    report("signals at random moments", tried=len(codes), half_written=len(half_written), **waits)
    assert not half_written
    assert max(seconds) < 2


def start_on_a_terminal(*command):
    """Start a command whose terminal is new; its process id, and the other side of the terminal."""
    number, other_side = pty.fork()
    if number == 0:
        with contextlib.suppress(OSError):
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.execv(command[0], [str(part) for part in command])
        os._exit(1)
    return number, other_side


def read_until(other_side, path):
    """Read what is written to a terminal, as the run would wait for that, until a file is there."""
    os.set_blocking(other_side, False)
    while not path.exists():
        with contextlib.suppress(OSError):  # nothing to read, or nohup has let go of the terminal
            os.read(other_side, 4096)
        time.sleep(0.01)


def test_a_closed_terminal_saves_the_run(text, tmp_path):
    """As a closed ssh connection does: SIGHUP, and from then on an error from each write to stdout and stderr."""
    rng = random.Random(2)
    n, n_saved, n_whole, seconds = amount(20, 2), 0, 0, []
    for i in range(n):
        output, log, directory = tmp_path / f"o{i}.txt", tmp_path / f"log{i}", tmp_path / f"c{i}"
        options = ["--checkpoint", directory, "--dim", 30, "--min-count", 1, "--threads", 1, "--epochs", 100_000]
        command = [sys.executable, "-m", "fastw2v", "train", text, "-o", output, "--log-json", log, *options]
        number, other_side = start_on_a_terminal(*command)
        read_until(other_side, log)
        time.sleep(rng.uniform(0, 1))
        start = time.monotonic()
        os.close(other_side)
        code = wait(number)
        seconds.append(time.monotonic() - start)
        position, logged = load(directory).position, map(json.loads, log.read_text().splitlines())
        n_saved += code == 129 and position.n_words > 0 and not [*tmp_path.glob(f"o{i}.txt"), *tmp_path.glob(".o*")]
        n_whole += position.n_words >= max(record.get("words", 0) for record in logged)
    report("terminals that are closed", tried=n, saved=n_saved, max_seconds_to_exit=round(max(seconds), 3))
    assert (n_saved, n_whole) == (n, n)
    assert max(seconds) < 3


def test_a_closed_terminal_does_not_end_a_run_under_nohup(text, tmp_path):
    nohup = shutil.which("nohup")
    if not nohup:
        pytest.skip("needs nohup")
    output, log = tmp_path / "o.txt", tmp_path / "log"
    options = ["--dim", 30, "--min-count", 1, "--threads", 1, "--epochs", 30, "--log-json", log]
    shell = f'cd "{tmp_path}"; exec "$0" "$@"'  # nohup.out goes there
    command = [nohup, sys.executable, "-m", "fastw2v", "train", text, "-o", output, *options]
    number, other_side = start_on_a_terminal("/bin/sh", "-c", shell, *command)
    read_until(other_side, log)
    os.close(other_side)
    code = wait(number)
    report("terminals closed under nohup", tried=1, finished=int(code == 0))
    assert code == 0
    assert len(Vectors.load(output)) == 96
