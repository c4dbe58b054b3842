"""Writes that are killed, fail or find a full disk at every step: the old state stays or the new one is there."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import writer
from figures import report, some

from fastw2v import InputError, RunError, Vectors
from fastw2v.modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training.checkpoint import load
from fastw2v.training.checkpointer import SPARE_LINK

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (Debian: apt install strace)"),
]

CALLS = ("write", "fsync", "close", "rename", "link", "unlink", "chmod", "openat")
ERRORS = {
    "write": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "close": ("EIO",),
    "rename": ("EIO", "EACCES"),
    "link": ("EPERM",),
    "openat": ("ENOSPC", "EMFILE"),
}


def strace(what, directory, *injected):
    """Run the writer under strace, which sees only what touches its files: (exit code, stderr, calls)."""
    written = (CHECKPOINT, "vectors.txt")
    names = [*written, *(f".{name}.{writer.TEMPORARY}.tmp" for name in written)]
    names += [PREVIOUS_CHECKPOINT, SPARE_LINK, ""]
    paths = [part for name in names for part in ("-P", str(directory / name).rstrip("/"))]
    log = directory.parent / "trace"
    command = ["strace", "-f", "-o", log, "-e", f"trace={','.join(CALLS)}", *injected, *paths]
    command += [sys.executable, writer.__file__, what, directory]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(writer.__file__).parent)
    calls = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    return done.returncode, done.stderr, calls


@pytest.fixture
def room(tmp_path):
    """A function that gives a directory with the old state in it, marked 1."""

    def fresh(what):
        directory = tmp_path / "room"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        writer.write(what, directory, 1)
        return directory

    return fresh


def mark_of(what, directory):
    """1: the old state is there, 2: the new one, 0: neither is whole."""
    try:
        if what == "vectors":
            vectors = Vectors.load(directory / "vectors.txt")
            mark = int(vectors.vectors.min())
            return mark if len(vectors) == writer.N_WORDS and (vectors.vectors == mark).all() else 0
        checkpoint = load(directory)
    except InputError:
        return 0
    mark = checkpoint.position.n_words
    return mark if (checkpoint.content.vectors == mark).all() else 0


@pytest.mark.parametrize("what", ["checkpoint", "vectors"])
def test_killed_at_every_call(room, what):
    code, _, calls = strace(what, room(what))
    assert code == 0
    attacks = [(call, number) for call, n in calls.items() for number in range(1, n + 1)]
    assert len(attacks) >= 8
    marks = Counter()
    for call, number in some(attacks):
        directory = room(what)
        code, _, _ = strace(what, directory, "-e", f"inject={call}:signal=SIGKILL:when={number}")
        assert code != 0, f"{call} {number} was not killed"
        marks[mark_of(what, directory)] += 1
        writer.write(what, directory, 3)
        assert mark_of(what, directory) == 3
    report(f"killed at every call of writing {what}", tried=marks.total(), old=marks[1], new=marks[2], lost=marks[0])
    assert marks[1] + marks[2] == marks.total()


@pytest.mark.parametrize("what", ["checkpoint", "vectors"])
def test_errors_at_every_call(room, what):
    _, _, calls = strace(what, room(what))
    errors = [(call, error) for call, names in ERRORS.items() for error in names]
    attacks = [(call, error, number) for call, error in errors for number in range(1, calls[call] + 1)]
    outcomes = Counter()
    for call, error, number in some(attacks):
        directory = room(what)
        code, message, _ = strace(what, directory, "-e", f"inject={call}:error={error}:when={number}")
        mark = mark_of(what, directory)
        said = code == 1 and "cannot write" in message
        # Written all the same: only the last steps, which may fail where a file system has no permissions or links.
        outcome = "said" if said else "written" if (code, mark) == (0, 2) else "silent"
        outcomes[outcome] += 1
        assert outcome != "said" or mark == 1 or call in ("fsync", "close", "openat"), (call, error, number)
        assert outcome != "said" or not list(directory.glob(".*.tmp")), (call, error, number)
    tell(f"errors at every call of writing {what}", outcomes)


def tell(name, outcomes):
    report(name, tried=outcomes.total(), **{key: outcomes[key] for key in ("said", "written", "silent")})
    assert outcomes["silent"] == 0


def failure(what, directory, mark):
    """What a write said when it failed, or None."""
    try:
        writer.write(what, directory, mark)
    except RunError as error:
        return str(error)
    return None


SIZES = {"checkpoint": range(60, 200, 4), "vectors": range(4, 64, 4)}
"""Kilobytes: from too few for one file to enough for two."""


@pytest.mark.parametrize("what", ["checkpoint", "vectors"])
def test_a_disk_of_every_size(tmp_path, what):
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs a root who may mount")
    outcomes = Counter()
    try:
        for kilobytes in some(SIZES[what]):
            subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", directory], check=True)
            for path in directory.iterdir():
                path.unlink()
            said = failure(what, directory, 1)
            if said is None:
                said = failure(what, directory, 2)
                is_whole = mark_of(what, directory) == (2 if said is None else 1)
            else:
                is_whole = not list(directory.iterdir())
            assert said is None or "cannot write" in said
            outcomes["silent" if not is_whole else "written" if said is None else "said"] += 1
    finally:
        subprocess.run(["umount", directory], check=True)
    tell(f"full disks of many sizes, writing {what}", outcomes)
