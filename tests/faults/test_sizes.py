"""Texts of odd shapes: memory stays, time grows with the bytes."""

import os
import subprocess
import sys
import time

import pytest
from figures import AMOUNT, report

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")]

CODE = """
import sys
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
corpus = Corpus.from_text(sys.argv[1], Pruning(min_count=int(sys.argv[2]), least_words=0), threads=2)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss is the parent's too
print(int(peak.split()[1]) // 1024, corpus.n_tokens)
"""


def read(path, min_count=1):
    """(peak MB, words, seconds)"""
    start = time.monotonic()
    command = [sys.executable, "-c", CODE, path, str(min_count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, n_tokens = map(int, done.stdout.split())
    return megabytes, n_tokens, time.monotonic() - start


def write(path, pieces):
    with open(path, "w") as file:
        file.writelines(pieces)


def test_one_line(tmp_path):
    n = max(1, round(50 * AMOUNT))  # of 20 MB
    words = " ".join(f"w{i}" for i in range(10_000)) + " "
    piece = words * (20_000_000 // len(words))
    write(tmp_path / "long", (piece for _ in range(n)))
    write(tmp_path / "short", (piece.replace("w9999 ", "w9999\n") for _ in range(n)))
    long, short = read(tmp_path / "long"), read(tmp_path / "short")
    assert long[0] < short[0] + 30
    assert long[1] == short[1]
    report("one line", MB=20 * n, peak_MB=long[0], in_lines_MB=short[0], seconds=round(long[2], 1))


def test_one_word_lines(tmp_path):
    write(tmp_path / "t", (f"w{i % 10}\n" for i in range(100_000)))
    megabytes, n_tokens, seconds = read(tmp_path / "t")
    assert n_tokens == 100_000
    report("lines of one word", lines=100_000, peak_MB=megabytes, seconds=round(seconds, 1))


def test_distinct_words(tmp_path):
    times = []
    for n in (round(5e6 * AMOUNT) + 1000, round(1e7 * AMOUNT) + 2000):
        write(tmp_path / "t", (f"word{i} " + ("\n" if i % 20 == 0 else "") for i in range(n)))
        megabytes, _, seconds = read(tmp_path / "t", min_count=1)
        times.append(seconds)
    assert times[1] < 3.5 * times[0] + 1
    report("distinct words", n=n, peak_MB=megabytes, seconds=round(seconds, 1), half_of_them_s=round(times[0], 1))


def test_ids_on_a_limited_disk(tmp_path):
    path = tmp_path / "t"
    write(path, ("a b c d\n" for _ in range(2_000_000)))
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))\n"
    code += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfrom fastw2v.cli import main\nmain()"
    command = [sys.executable, "-c", code, "train", "-", "-o", tmp_path / "o", "--temp-dir", tmp_path]
    with open(path) as text:  # of which nobody knows the size before it is read
        done = subprocess.run(command, stdin=text, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ulimit -f allows files of 4.2 MB" in done.stderr
    left_behind = sorted(set(os.listdir(tmp_path)) - {"t"})
    report("ids beyond the limit of files", limit_MB=4, left_behind=len(left_behind))
    assert not left_behind
