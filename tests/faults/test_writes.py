"""Writes that are killed, fail or find a full disk at every step: the old state stays or the new one is there."""

import itertools
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest
import writer
from figures import report, some
from planted import planted_text

from fastw2v import InputError, RunError, Vectors
from fastw2v.modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training.checkpoint import load

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (Debian: apt install strace)"),
]

CALLS = ("write", "fsync", "close", "rename", "link", "unlink", "chmod", "openat")
SPARE_LINK = f".{CHECKPOINT}.previous.fastw2v-tmp"
ERRORS = {
    "write": ("ENOSPC", "EIO", "EFBIG"),
    "fsync": ("EIO", "ENOSPC"),
    "close": ("EIO",),
    "rename": ("EIO", "EACCES"),
    "link": ("EPERM",),
    "openat": ("ENOSPC", "EMFILE"),
}


def strace(what, directory, *injected):
    """Run the writer under strace, which sees only what touches its files: (exit code, stderr, calls)."""
    written = (CHECKPOINT, "vectors.txt")
    names = [*written, *(f".{name}.{writer.TEMPORARY}.fastw2v-tmp" for name in written)]
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
    """A function that gives a directory with the old state in it, marked 1; that of a checkpoint replaced one, 9."""

    def fresh(what):
        directory = tmp_path / "room"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        for mark in (9, 1):
            writer.write(what, directory, mark)
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


def marks_of(directory):
    """The marks of the latest checkpoint and of the one before, which must be two files; 0 if one is not whole."""
    paths = directory / CHECKPOINT, directory / PREVIOUS_CHECKPOINT
    assert not paths[0].samefile(paths[1])
    marks = []
    for path in paths:
        alone = directory.with_name("alone")
        alone.mkdir(exist_ok=True)
        shutil.copy(path, alone / CHECKPOINT)
        marks.append(mark_of("checkpoint", alone))
    return tuple(marks)


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
        if what == "checkpoint":
            assert marks_of(directory) in ((1, 9), (2, 9), (2, 1)), (call, number)
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
        if what == "checkpoint":  # the older one may have given way: written, as of a full disk
            assert marks_of(directory) in ((1, 9), (2, 9), (2, 1)), (call, error, number)
        assert outcome != "said" or mark == 1 or call in ("fsync", "close", "openat"), (call, error, number)
        assert outcome != "said" or not list(directory.glob(".*.fastw2v-tmp")), (call, error, number)
    tell(f"errors at every call of writing {what}", outcomes)


def tell(name, outcomes, **more):
    report(name, tried=outcomes.total(), **{key: outcomes[key] for key in ("said", "written", "silent")}, **more)
    assert outcomes["silent"] == 0


def failure(what, directory, mark):
    """What a write said when it failed, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a failed checkpoint
        try:
            writer.write(what, directory, mark)
        except RunError as error:
            return str(error)
    return None


SIZES = {"checkpoint": range(60, 280, 4), "vectors": range(4, 64, 4)}
"""Kilobytes: from too few for one file to enough for two, and for three checkpoints."""


@pytest.fixture
def disk(tmp_path):
    """A disk of its own, and a function that sets its size in kilobytes."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", directory]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs a root who may mount")

    def resize(kilobytes):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", directory], check=True)
        for path in directory.rglob("*"):
            if path.is_file():
                path.unlink()

    yield directory, resize
    subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("what", ["checkpoint", "vectors"])
def test_a_disk_of_every_size(disk, what):
    directory, resize = disk
    outcomes = Counter()
    for kilobytes in some(SIZES[what]):
        resize(kilobytes)
        written = []
        for mark in (1, 2, 3):
            said = failure(what, directory, mark)
            assert said is None or "cannot write" in said
            if said:
                break
            written.append(mark)
        if not written:
            is_whole = not list(directory.iterdir())
        elif what == "checkpoint" and len(written) > 1:
            is_whole = marks_of(directory) == tuple(written[:-3:-1])
        else:
            is_whole = mark_of(what, directory) == written[-1]
        outcomes["silent" if not is_whole else "written" if said is None else "said"] += 1
    tell(f"full disks of many sizes, writing {what}", outcomes)


FILLING = """
import os, sys, tempfile
from pathlib import Path
from fastw2v import Progress
from fastw2v.cli import main, progress

ids, directory, kilobytes, epoch = [kind(sys.argv.pop(1)) for kind in (Path, Path, int, int)]
tempfile.tempdir = os.environ["TMPDIR"]  # though it is full
show = progress.Reporter.__call__

def show_and_fill(self, event):
    if isinstance(event, Progress) and event.epoch == epoch and not (directory / "ballast").exists():
        ids.rmdir()  # the file in it has no name; nothing can be saved there
        disk = os.statvfs(directory)
        (directory / "ballast").write_bytes(bytes(max(0, disk.f_bavail * disk.f_bsize - 1024 * kilobytes)))
    return show(self, event)

progress.Reporter.__call__ = show_and_fill
main()
"""
"""The command line in a process that fills a disk, but for some kilobytes, at the first progress of an epoch."""


def is_as_said(done, directory, n_words):
    """Whether the result and the checkpoint are where a run says they are. n_words: of the finished run."""
    if done.returncode == 0:
        return len(Vectors.load(directory / "o.txt")) == 96
    last = done.stderr.splitlines()[-1]
    elsewhere = re.search(r"the vectors went to (\S+) instead", last)
    before = re.search(r"holds an earlier state, after ([\d,]+) of", last)
    checkpoint = load(directory / "c")
    reached = checkpoint.position.n_words if checkpoint else 0
    if "holds the finished run: run again with --resume to write the vectors" in last:
        return reached == n_words and not elsewhere
    if elsewhere and len(Vectors.load(elsewhere[1])) != 96:
        return False
    if not elsewhere and "could not be saved elsewhere either" not in last:
        return False
    if before:
        return reached == int(before[1].replace(",", "")) < n_words
    return checkpoint is None and "there is no checkpoint in" in last


@pytest.mark.parametrize("rest", ["with room", "full too"])
def test_a_run_whose_disk_becomes_full(disk, tmp_path, rest):
    """Output and checkpoint are on one disk, the temporary and current directory on another one, or there too."""
    directory, resize = disk
    place = tmp_path if rest == "with room" else directory
    (tmp_path / "t.txt").write_text(planted_text(n_sentences=30_000))
    ids = tmp_path / "ids"
    options = ["--dim", "30", "--min-count", "1", "--threads", "1", "--epochs", "2", "--temp-dir", ids]
    options += ["-o", directory / "o.txt", "--checkpoint", directory / "c"]
    outcomes, n_elsewhere = Counter(), 0
    for kilobytes, epoch in some(itertools.product(range(0, 160, 16), (1, 2))):
        resize(256)
        ids.mkdir()
        filling = [sys.executable, "-c", FILLING, ids, directory, str(kilobytes), str(epoch)]
        environment = {**os.environ, "TMPDIR": str(place)}
        command = [*filling, "train", tmp_path / "t.txt", *options]
        done = subprocess.run(command, env=environment, cwd=place, capture_output=True, text=True, check=False)
        kind = "said" if done.returncode == 1 else "written"
        outcomes[kind if is_as_said(done, directory, 600_000) else "silent"] += 1
        n_elsewhere += "went to" in done.stderr
    tell(f"runs whose disk becomes full, the rest {rest}", outcomes, saved_elsewhere=n_elsewhere)
