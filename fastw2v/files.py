"""Whole files or none: what is written appears under its name only when it is complete and on disk."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from .errors import InputError, RunError

Path = str | os.PathLike[str]


def check_output(path: Path, inputs: Iterable[Path] = (), overwrite: bool = True) -> None:
    """Raise InputError if `path` cannot become an output: found before the work, not after it."""
    name = os.fspath(path)
    directory = os.path.dirname(os.path.abspath(name))
    if not os.path.isdir(directory):
        raise InputError(f"output directory {directory} does not exist: create it first")
    if os.path.isdir(name):
        raise InputError(f"output {name} is a directory: name a file in it")
    if is_streamed(name):
        return
    if os.path.exists(name):
        for source in inputs:
            if os.path.exists(source) and os.path.samefile(name, source):
                raise InputError(f"output {name} is the same file as the input {source}: choose another name")
        if not overwrite:
            raise InputError(f"output {name} exists: give --overwrite (overwrite=True) to replace it")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise InputError(f"output directory {directory} is not writable")


def is_streamed(path: Path) -> bool:
    """Whether `path` is a pipe, terminal or device: written to directly, never renamed over."""
    if os.fspath(path).startswith(("/dev/", "/proc/self/fd/")):  # also where stdout is redirected to a file
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write; at the end it is on disk and takes the place of `path`, on any exception it is gone.

    A reader of `path` sees the complete old file or the complete new one: the new one is written beside it, synced and
    renamed over it, then the directory is synced. A link is followed, permissions of an old file are kept.
    Raises RunError where the disk is full or the path is not writable.
    """
    try:
        if is_streamed(path):
            with open(path, "wb", buffering=0) as stream:
                yield stream  # type: ignore[misc]
            return
        with _renamed_at_end(os.path.realpath(path)) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(f"cannot write {os.fspath(path)}: {error.strerror}; an old file is untouched") from error


@contextlib.contextmanager
def _renamed_at_end(target: str) -> Iterator[BinaryIO]:
    directory, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if os.name == "posix":
        directory_descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(directory_descriptor)
        finally:
            os.close(directory_descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
