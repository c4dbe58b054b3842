"""Runs that are killed, or get a signal, at random moments: nothing is lost, and they end at once."""

import os
import random
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
    assert not list(directory.glob(".*.tmp"))
    report("killed at random moments", kills=n_killed, runs_finished=n_runs + 1, lost=n_lost, different=n_different)
    assert (n_lost, n_different) == (0, 0)


def test_signals_at_random_moments(text, tmp_path):
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
        sent = rng.choice([signal.SIGINT, signal.SIGTERM])
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
