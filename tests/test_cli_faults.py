"""The command line when things go wrong: signals, streams that end, outputs that cannot be, memory."""

import os
import signal
import subprocess
import sys
import time

import pytest
from planted import TRAIN, planted_text

from fastw2v import Vectors


def peak_mb(path, *options):
    """(peak memory of a training in MB, its stderr)"""
    code = (
        "import resource; from fastw2v.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    command = [sys.executable, "-c", code, "train", path, "-o", os.devnull, *options]
    got = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(got.stdout), got.stderr


def test_a_line_of_100_mb_takes_the_memory_of_short_lines(tmp_path):
    words = [f"w{i}" for i in range(10_000)]
    long, short = tmp_path / "long", tmp_path / "short"
    long.write_text("y" * 30_000_000 + " " + (" ".join(words) + " ") * 1200)
    short.write_text(("\n".join(map(" ".join, zip(*[iter(words)] * 10, strict=True))) + "\n") * 1200)
    assert long.stat().st_size > 100_000_000
    options = ("--dim", "8", "--epochs", "1")
    long_mb, err = peak_mb(long, *options)
    short_mb, _ = peak_mb(short, *options)
    assert "read 100." in err
    assert "12,000,000 words; vocabulary 10,000 of 10,000 distinct" in err
    assert "dropped 1 tokens of more than 1,000 bytes" in err
    assert long_mb < short_mb + 30


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "fastw2v", "train", *map(str, arguments)], stderr=subprocess.PIPE,
                            text=True, **options)  # fmt: skip


def send_and_wait(process, sent):
    """(exit code, stderr, seconds from the signal to the end)"""
    process.send_signal(sent)
    sent_at = time.monotonic()
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - sent_at


@pytest.mark.parametrize(("sent", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (15, 143, "terminated")])
def test_signal_while_training(planted, tmp_path, sent, code, word):
    (tmp_path / "v").write_text("old")
    room = tmp_path / "room"
    room.mkdir()
    process = start(planted, "-o", tmp_path / "v", "--overwrite", "--epochs", "100000", "--min-count", "1",
                    "--temp-dir", room, "--log-json", tmp_path / "log")  # fmt: skip
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
        is_done = "words trained" in err
        assert code in ((0, -signal.SIGINT) if is_done else (130,)), (moment, err)
        assert (tmp_path / "v").exists() == is_done
        assert {name for name in os.listdir(tmp_path) if not name.startswith("cold")} <= {"c.txt", "v"}


@pytest.mark.deep
def test_a_cache_that_cannot_be_written(planted, tmp_path):
    (tmp_path / "file").write_text("")
    process = start(
        planted, "-o", tmp_path / "v", *TRAIN, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file")}
    )
    _, err = process.communicate()
    assert process.returncode == 0
    assert err.count("warning: cannot keep compiled kernels in") == 1
    assert len(Vectors.load(tmp_path / "v")) == 96


def shell(script, directory):
    """Run a bash script where `train` is the command on a small corpus to `$1 ...`."""
    command = f"{sys.executable} -m fastw2v train c.txt --quiet --threads 1 {' '.join(TRAIN)}"
    return subprocess.run(["bash", "-c", f"train() {{ {command} \"$@\"; }}; {script}"], cwd=directory, text=True,
                          capture_output=True, check=False)  # fmt: skip


@pytest.fixture
def small(tmp_path):
    (tmp_path / "c.txt").write_text(planted_text(n_sentences=100))
    return tmp_path


def test_stdout_is_written_where_it_stands(small):
    assert (
        shell("echo before > all; train -o - >> all; train -o - > one; cat one > two; train -o v", small).returncode
        == 0
    )
    assert (small / "all").read_bytes() == b"before\n" + (small / "one").read_bytes()
    assert (small / "one").read_bytes() == (small / "v").read_bytes()


def test_a_reader_that_leaves_early(small):
    got = shell("train -o - | head -1; echo ${PIPESTATUS[0]}", small)
    assert (got.stdout, got.stderr) == ("96 20\n0\n", "")


def test_a_short_write_is_an_error(small):
    got = shell("ulimit -f 8; train -o - > out", small)
    assert got.returncode == 1
    assert "cannot write -: File too large" in got.stderr
    got = shell("ulimit -f 8; train -o out2", small)
    assert got.returncode == 1
    assert not (small / "out2").exists()


def test_closed_standard_streams(small):
    got = shell("train - -o v <&-", small)
    assert (got.returncode, got.stderr) == (2, "fastw2v: the corpus is stdin (-), which is closed\n")
    got = shell("train -o - >&-", small)
    assert (got.returncode, got.stderr) == (2, "fastw2v: the output is -, which is closed\n")
    assert shell("train -o v 2>&-", small).returncode == 0
    assert len(Vectors.load(small / "v")) == 96


@pytest.mark.parametrize(
    "arguments", ["'g/*' -o g/c.txt", "g -o g/c.txt", "g -o v --log-json g/c.txt", "- -o g/c.txt < g/c.txt"]
)
def test_an_input_behind_a_glob_is_never_an_output(small, arguments):
    (small / "g").mkdir()
    (small / "c.txt").rename(small / "g" / "c.txt")
    before = (small / "g" / "c.txt").read_bytes()
    got = shell(f"{sys.executable} -m fastw2v train {arguments} --overwrite", small)
    assert got.returncode == 2
    assert "is the same file as the input" in got.stderr
    assert (small / "g" / "c.txt").read_bytes() == before


def test_outputs_that_could_not_be_written_are_refused_first(small):
    (small / "dangling").symlink_to(small / "none" / "v")
    for name, message in [
        ("''", "an output has an empty name"),
        ("dangling", "none does not exist: create it first"),
        ("/proc/v", "output /proc/v cannot be written in its directory"),
        ("x" * 300, "cannot be written in its directory: File name too long"),
    ]:
        got = shell(f"train -o {name}", small)
        assert got.returncode == 2
        assert message in got.stderr
    long = "y" * 250
    assert shell(f"train -o {long}", small).returncode == 0
    assert len(Vectors.load(small / long)) == 96


def test_a_refused_run_leaves_an_old_log(small):
    (small / "log").write_text("old")
    (small / "c.txt").write_text("")
    assert shell("train -o v --log-json log --overwrite", small).returncode == 2
    assert (small / "log").read_text() == "old"


def test_a_log_that_cannot_be_written_does_not_stop_the_run(run, planted, tmp_path):
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--log-json", "/dev/full", *TRAIN)
    assert code == 0
    assert err.count("warning: cannot write the log /dev/full: No space left on device; going on without it") == 1


def test_a_second_signal_ends_at_once_while_the_first_waits_for_the_slice(monkeypatch):
    from fastw2v.cli.stopping import Signals, Stopped

    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    signals = Signals()
    signals.ends_at_once, signals.waits = False, True
    signals._on_signal(2, None)
    assert (signals.received, ended) == (2, [])
    signals._on_signal(2, None)
    assert ended == [130]
    signals = Signals()
    signals.ends_at_once = False
    with pytest.raises(Stopped):
        signals._on_signal(15, None)
