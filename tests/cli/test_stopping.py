"""Ctrl-C, SIGTERM, SIGHUP and SIGXCPU: a run ends soon and leaves nothing half-written."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from planted import TRAIN, planted_text

from fastw2v import Vectors


def start(*arguments, at_hangup="SIG_DFL", **options):
    """Start a run whose SIGHUP is ignored at first, as by nohup, or not, whatever it is in this process."""
    code = f"import signal; signal.signal(signal.SIGHUP, signal.{at_hangup}); from fastw2v.cli import main; main()"
    command = [sys.executable, "-c", code, "train", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def send_and_wait(process, sent):
    """(exit code, stderr, seconds from the signal to the end)"""
    process.send_signal(sent)
    sent_at = time.monotonic()
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - sent_at


SIGNALS = [
    (signal.SIGINT, 130, "interrupted"),
    (signal.SIGTERM, 143, "terminated"),
    (signal.SIGHUP, 129, "the terminal was closed"),
    (signal.SIGXCPU, 152, "the CPU time that ulimit -t allows is used up"),
]


@pytest.mark.parametrize(("sent", "code", "word"), SIGNALS)
def test_signal_while_training(planted, tmp_path, sent, code, word):
    (tmp_path / "v").write_text("old")
    room = tmp_path / "room"
    room.mkdir()
    options = ["--overwrite", "--epochs", "100000", "--min-count", "1"]
    process = start(planted, "-o", tmp_path / "v", *options, "--temp-dir", room, "--log-json", tmp_path / "log")
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    got, err, seconds = send_and_wait(process, sent)
    assert got == code
    assert err.splitlines()[-1] == f"fastw2v: {word}: the vectors were not written"
    assert "Traceback" not in err
    assert seconds < 2
    assert (tmp_path / "v").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["log", "planted.txt", "room", "v"]
    assert os.listdir(room) == []


@pytest.mark.parametrize("moment", [0.7, 2.5])
def test_interrupt_while_compiling(planted, tmp_path, moment):
    process = start(planted, "-o", tmp_path / "v", env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cold")})
    time.sleep(moment)
    code, err, seconds = send_and_wait(process, signal.SIGINT)
    assert code == 130
    assert err.splitlines()[-1] == "fastw2v: interrupted: the vectors were not written"
    assert "Traceback" not in err
    assert seconds < 2
    assert not list(tmp_path.glob("*v*")), "no output, no lock"


@pytest.mark.deep
@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_interrupt_at_any_moment(tmp_path, cache):
    path = tmp_path / "c.txt"
    path.write_text(planted_text(n_sentences=300_000))
    for moment in [0.3 + 0.3 * i for i in range(16)]:
        (tmp_path / "v").unlink(missing_ok=True)
        environment = {"NUMBA_CACHE_DIR": str(tmp_path / f"cold{moment}")} if cache == "cold" else {}
        process = start(path, "-o", tmp_path / "v", "--epochs", "2", "--dim", "300", env={**os.environ, **environment})
        time.sleep(moment)
        code, err, seconds = send_and_wait(process, signal.SIGINT)
        assert "Traceback" not in err, (moment, err)
        assert seconds < 2, moment
        is_done = "tokens trained" in err
        assert code in ((0, -signal.SIGINT) if is_done else (130,)), (moment, err)
        assert (tmp_path / "v").exists() == is_done
        assert {name for name in os.listdir(tmp_path) if not name.startswith("cold")} <= {"c.txt", "v"}


@pytest.mark.deep
def test_a_cache_that_cannot_be_written(planted, tmp_path):
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file")}
    process = start(planted, "-o", tmp_path / "v", *TRAIN, env=environment)
    _, err = process.communicate()
    assert process.returncode == 0
    assert err.count("warning: cannot keep compiled kernels in") == 1
    assert len(Vectors.load(tmp_path / "v")) == 96


def test_a_run_under_nohup_goes_on(planted, tmp_path):
    options = ["--epochs", "30", "--min-count", "1"]
    process = start(planted, "-o", tmp_path / "v", *options, "--log-json", tmp_path / "log", at_hangup="SIG_IGN")
    while not (tmp_path / "log").exists():
        time.sleep(0.01)
    code, err, _ = send_and_wait(process, signal.SIGHUP)
    assert (code, "900,000 tokens trained" in err) == (0, True)


@pytest.mark.parametrize("repeated", [signal.SIGHUP, signal.SIGXCPU])
def test_a_repeated_signal_is_neither_the_second_nor_the_first_of_two(monkeypatch, repeated):
    """A closing connection sends several, with SIGTERM among them; the last checkpoint is written all the same."""
    from fastw2v.cli.stopping import TOGETHER_SECONDS, Signals, Stopped

    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    for waits in (True, False):
        for first in (repeated, signal.SIGTERM):
            signals = Signals()
            signals.ends_at_once, signals.waits = False, waits
            with contextlib.nullcontext() if waits else pytest.raises(Stopped):
                signals._on_signal(first, None)
            for number in (repeated, repeated, *[signal.SIGTERM] * (first == repeated)):
                signals._on_signal(number, None)
            assert (signals.received, ended) == (first, [])
            signals.received_at -= TOGETHER_SECONDS
            signals._on_signal(signal.SIGTERM, None)
            assert ended.pop() == 143


def test_a_second_signal_ends_at_once_while_the_first_waits_for_the_slice(monkeypatch):
    from fastw2v.cli.stopping import TOGETHER_SECONDS, Signals, Stopped

    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    signals = Signals()
    signals.ends_at_once, signals.waits = False, True
    signals._on_signal(2, None)
    signals._on_signal(2, None)
    assert (signals.received, ended) == (2, []), "`timeout` sends each signal twice at once"
    signals.received_at -= TOGETHER_SECONDS
    signals._on_signal(2, None)
    assert ended == [130]
    signals = Signals()
    signals.ends_at_once = False
    with pytest.raises(Stopped):
        signals._on_signal(15, None)


def test_a_run_whose_cpu_time_is_used_up_saves_its_state(planted, tmp_path):
    """The limit is lowered to the time used so far while it trains: then SIGXCPU comes, and again each second."""
    options = ["--epochs", "100000", "--min-count", "1", "--checkpoint", tmp_path / "c", "--threads", "2"]
    process = start(planted, "-o", tmp_path / "v", *options, "--log-json", tmp_path / "log")
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))
    _, err = process.communicate()
    assert process.returncode == 152
    assert "the CPU time that ulimit -t allows is used up: the vectors were not written; --resume continues from" in err
    assert (tmp_path / "c" / "checkpoint.fw2v").exists()


LATE_SIGNAL = """
import os, signal, sys
replace, (name, *sys.argv) = os.replace, sys.argv[1:]

def replace_and_stop(source, target):
    replace(source, target)
    if os.path.basename(target) == name:
        os.kill(os.getpid(), signal.SIGTERM)

from fastw2v.cli import main
os.replace = replace_and_stop
main()
"""


@pytest.mark.parametrize(
    ("command", "name", "message"),
    [
        ("train c.txt -o o.txt --min-count 1 --sample 0 --epochs 1", "o.txt", "terminated: o.txt has been written"),
        ("vocab c.txt -o o.txt --min-count 1", "o.txt", "terminated: o.txt has been written"),
        ("phrases c.txt -o o.txt --list l.txt", "o.txt", "terminated: only o.txt has been written"),
        ("phrases c.txt -o o.txt --list l.txt", "l.txt", "terminated: o.txt and l.txt have been written"),
        ("convert v.txt v.tsv", "v.tsv", "terminated: only v.tsv has been written"),
        ("convert v.txt o.bin", "o.bin", "terminated: o.bin has been written"),
        ("plot v.txt -o o.html", "o.html", "terminated: o.html has been written"),
    ],
)
def test_what_is_written_when_a_signal_comes_is_said(tmp_path, command, name, message):
    (tmp_path / "c.txt").write_text("a b c d\n" * 20)
    (tmp_path / "v.txt").write_text("4 3\na 1 2 3\nb 2 3 1\nc 3 1 1\nd 1 1 2\n")
    (tmp_path / "o.txt").write_text("old")
    line = [sys.executable, "-c", LATE_SIGNAL, name, "fastw2v", *command.split(), "--overwrite"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (143, f"fastw2v: {message}"), done.stderr
    assert (tmp_path / name).read_bytes() != b"old"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
