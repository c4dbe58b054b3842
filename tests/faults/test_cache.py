"""A cache of kernels that is damaged, full, or written by many at once: every run trains, and the next is fast."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import trainer
from figures import amount, report
from planted import planted_text

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


class Trainer:
    """A process whose children train with the cache `directory`."""

    def __init__(self, directory, text):
        self.directory = directory
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(directory)}
        command = [sys.executable, trainer.__file__, text]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        self.expected = None
        self.expected = self.run()[0].digest

    def run(self, n=1):
        """Train in n children at once; a Result of each."""
        print(n, file=self.process.stdin, flush=True)
        return [Result(self, *each) for each in json.loads(self.process.stdout.readline())]

    def files(self):
        """The files of the kernels."""
        return sorted(filter(Path.is_file, self.directory.rglob("*.nb?")))

    def small_files(self):
        """The files of the kernels that are compiled in a moment."""
        return [path for path in self.files() if path.stat().st_size < 90_000]


class Result:
    def __init__(self, trainer, code, seconds, n_compiled, warnings, digest):
        self.seconds, self.n_compiled, self.warnings, self.digest = seconds, n_compiled, warnings, digest
        self.failed = code != 0 or digest != (trainer.expected or digest)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cache")
    text = directory / "t.txt"
    # So many words that the dictionary grows: then every run needs all kernels that it has.
    text.write_text(planted_text(n_sentences=300) + " ".join(f"w{i}" for i in range(5000)))
    (directory / "cache").mkdir()
    is_mounted = os.geteuid() == 0 and not mount(directory / "cache", "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs")
    started = Trainer(directory / "cache", text)
    started.is_mounted = is_mounted
    yield started
    started.process.communicate()
    if is_mounted:
        assert mount(directory / "cache", "umount") == 0


def mount(directory, *command):
    """The exit code of a command that mounts or unmounts a directory."""
    return subprocess.run([*command, directory], capture_output=True, check=False).returncode


def flipped(data, rng):
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 10, 1000])):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def filled(data, rng):
    """A block of the file, as a disk has them, is zeros."""
    start = rng.randrange(0, len(data), 512)
    return data[:start] + bytes(len(data[start : start + 4096])) + data[start + 4096 :]


CONTENTS = {
    "empty": lambda data, rng: b"",
    "halved": lambda data, rng: data[: len(data) // 2],
    "zeroed": lambda data, rng: bytes(len(data)),
    "flipped": flipped,
    "a block of zeros": filled,
    "cut": lambda data, rng: data[: -rng.randrange(1, min(len(data), 5000))],
    "garbage": lambda data, rng: rng.randbytes(rng.randrange(1, 2 * len(data))),
    "longer": lambda data, rng: data + rng.randbytes(rng.randrange(1, 5000)),
}


def swap(path, files, rng):
    other = rng.choice([each for each in files if each != path])
    content = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(content)


def make_pipe(path, files, rng):
    path.unlink()
    os.mkfifo(path)


def make_link(path, files, rng):
    path.unlink()
    path.symlink_to(rng.choice([path, path.with_name("nowhere"), "/dev/zero"]))


def make_directory(path, files, rng):
    path.unlink()
    (path / "inner").mkdir(parents=True)


CHANGES = {
    "of another": swap,
    "removed": lambda path, files, rng: path.unlink(),
    "unreadable": lambda path, files, rng: path.chmod(0),
    "a pipe": make_pipe,
    "a link": make_link,
    "a directory": make_directory,
}


def damage(kind, path, files, rng):
    if kind in CHANGES:
        CHANGES[kind](path, files, rng)
    else:
        path.write_bytes(CONTENTS[kind](path.read_bytes(), rng))


def test_random_damages(trained):
    rng = random.Random(0)
    kinds = [*CONTENTS, *CHANGES, "flipped", "flipped", "cut"]
    failed, n_compiled, n_too_many = Counter(), 0, 0
    n = amount(200, 4)
    for number in range(n):
        # The others take up to a quarter of a minute to compile.
        files, small = trained.files(), trained.small_files()
        path = rng.choice(files if number % 20 == 19 else small)
        kind = rng.choice(kinds)
        damage(kind, path, small, rng)
        (result,) = trained.run()
        failed[kind] += result.failed
        n_compiled += result.n_compiled or 0
        n_too_many += (result.n_compiled or 0) > (2 if kind == "of another" else 1)  # what an earlier run did not heal
        assert len(result.warnings or []) == (kind == "a directory")
        if path.is_dir():
            shutil.rmtree(path)
            failed[kind] += trained.run()[0].failed
    assert trained.run()[0].n_compiled == 0
    figures = {"kernels_compiled": n_compiled, "slow_next_time": n_too_many, "failed_runs": failed.total()}
    report("damaged caches of kernels", tried=n, **figures)
    assert failed.total() == 0, +failed
    assert n_too_many == 0


def test_full_disks(trained):
    if not trained.is_mounted:
        pytest.skip("needs a root who may mount")
    n, failed, warned = amount(20, 2), 0, 0
    size = max(path.stat().st_size for path in trained.small_files())
    for number in range(n):
        for path in trained.small_files():
            path.unlink()
        used = sum(-(-path.stat().st_size // 4096) * 4 for path in trained.files())
        room = number * 3 * size // 1024 // n
        assert mount(trained.directory, "mount", "-o", f"remount,size={used + room}k") == 0
        (result,) = trained.run()
        failed += result.failed
        warned += len(result.warnings or [])
        assert len(result.warnings or []) <= 1
        assert all("cannot keep compiled kernels in" in each for each in result.warnings or [])
        assert not list(trained.directory.rglob("*.tmp"))
        assert mount(trained.directory, "mount", "-o", "remount,size=64m") == 0
        trained.run()
        assert trained.run()[0].n_compiled == 0
    report("caches of kernels on full disks", tried=n, warnings=warned, failed_runs=failed)
    assert failed == 0
    assert warned > n // 2


def test_many_at_once(trained):
    n, failed = amount(10, 2), 0
    for _ in range(n):
        for path in trained.small_files():
            path.unlink()
        failed += sum(result.failed or bool(result.warnings) for result in trained.run(4))
        assert trained.run()[0].n_compiled == 0
        assert not list(trained.directory.rglob("*.tmp"))
    report("caches of kernels that four runs write at once", tried=n, failed_runs=failed)
    assert failed == 0
