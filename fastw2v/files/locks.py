"""What is on disk only while its process lives: locks of outputs, temporary files and directories."""

import contextlib
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator

from ..errors import InputError, RunError
from ..system import NO_LINK, at_fork, lock_file
from .names import STANDARD_STREAMS, PathLike, file_at, is_device, real_path

TEMPORARY = ".fastw2v-tmp"
"""How the names of temporary files end. Those of killed runs are removed, so nobody else should choose such a name."""

_locks: dict[str, int] = {}
"""The locks that this process holds: the file descriptor of each lock's file."""

_guarded: dict[str, object] = {}
"""What `file_at` says of the path that each lock is for, as this process has found or written it."""

_directories: set[str] = set()
"""The temporary directories of this process."""


@contextlib.contextmanager
def locked(path: PathLike) -> Iterator[None]:
    """Keep other runs from writing `path` during the block, and remove what killed runs left half-written beside it.

    The lock is on a file beside `path` and ends with the process, however that ends. Streams and devices have none.
    Raises InputError at once if another run has it.
    """
    if os.fspath(path) in STANDARD_STREAMS or is_device(path):
        yield
        return
    target = real_path(path)
    lock = _lock_of(target)
    while True:
        try:
            descriptor = _open_lock(lock)
        except OSError as error:
            advice = "remove that file if no other run writes here, or name another output"
            problem = f"output {os.fspath(path)} cannot be locked: {lock}: {error.strerror}: {advice}"
            raise InputError(problem) from error
        if lock_file(descriptor) is False:
            os.close(descriptor)
            raise InputError(f"output {os.fspath(path)} is being written by another run: wait for it, or name another")
        if _is_file_of(descriptor, lock):
            break
        os.close(descriptor)  # the run that had the lock has just removed its file
    _locks[lock], _guarded[lock] = descriptor, file_at(target)
    try:
        _remove_leftovers(*os.path.split(target))
        yield
    finally:
        if lock in _locks:  # not in a forked child
            descriptor = _locks.pop(lock)
            _remove_lock(lock, descriptor)
            os.close(descriptor)


def _lock_of(target: str) -> str:
    """Return the path of the lock's file of an output."""
    return hidden_beside(target, "fastw2v-lock")


def hidden_beside(target: str, ending: str) -> str:
    """Return the path of the hidden file beside `target` that is named after it, and then `ending`."""
    directory, name = os.path.split(target)
    return os.path.join(directory, _prefix_of(name) + ending)


def _open_lock(path: str) -> int:
    """Open the file of a lock. A killed run of another user may have left it: to lock it, it suffices to read it."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)  # a link might lead to a new file somewhere else
    except PermissionError:
        return os.open(path, os.O_RDONLY | NO_LINK)


def _is_file_of(descriptor: int, path: str) -> bool:
    """Return whether the file of a descriptor stands at a path."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _remove_lock(lock: str, descriptor: int) -> None:
    """Remove the file of a lock, unless someone has removed it already, and another run has made a new one."""
    with contextlib.suppress(OSError):
        if _is_file_of(descriptor, lock):
            os.unlink(lock)


def check_lock(target: str) -> None:
    """Raise RunError if the file of the output's lock was removed, and another run has made a new one or the output.

    Otherwise a lock whose file was removed is taken again.
    """
    lock = _lock_of(target)
    if lock not in _locks or _is_file_of(_locks[lock], lock):
        return
    if file_at(target) == _guarded[lock]:
        with contextlib.suppress(OSError):
            descriptor = _open_lock(lock)
            if lock_file(descriptor) is not False and _is_file_of(descriptor, lock):
                os.close(_locks[lock])
                _locks[lock] = descriptor
                return
            os.close(descriptor)
    raise RunError(f"{target} was not replaced: its lock {lock} was removed, and another run may have written it since")


def note_replaced(target: str) -> None:
    """Remember the file that this process has just written as the output `target`, for `check_lock`."""
    _guarded[_lock_of(target)] = file_at(target)


def new_file_beside(target: str) -> tuple[int, str]:
    """Make a temporary file and lock it for as long as this process lives; return its descriptor and its name."""
    directory, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=_prefix_of(name), suffix=TEMPORARY, dir=directory)
    lock_file(descriptor)
    return descriptor, temporary


def _prefix_of(name: str) -> str:
    """Return how the names of the hidden files of an output begin."""
    if len(name) > 100:  # file systems allow 255 bytes
        name = f"{name[:60]}{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."


def _remove_leftovers(directory: str, name: str) -> None:
    """Remove the temporary files for `name` that no living process has locked."""
    pattern = re.compile(re.escape(_prefix_of(name)) + "[a-z0-9_]{8}" + re.escape(TEMPORARY))  # as mkstemp makes them
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            if pattern.fullmatch(entry):
                with contextlib.suppress(OSError), open(os.path.join(directory, entry), "r+b") as file:
                    if lock_file(file.fileno()):
                        os.unlink(file.name)


@contextlib.contextmanager
def temporary_directory(parent: PathLike | None = None) -> Iterator[str]:
    """Make a directory that only this user may use, and remove it after the block; also if it cannot be emptied."""
    with tempfile.TemporaryDirectory(prefix="fastw2v-", dir=parent, ignore_cleanup_errors=True) as directory:
        _directories.add(directory)
        try:
            yield directory
        finally:
            _directories.discard(directory)


def remove_traces() -> None:
    """Remove locks and temporary directories, for a process that is about to end at once and leaves no block."""
    for lock, descriptor in _locks.items():
        _remove_lock(lock, descriptor)
    for directory in _directories:
        shutil.rmtree(directory, ignore_errors=True)


def _close_locks() -> None:
    """In a forked child, close the locks of its parent; otherwise they would not end with the parent."""
    for descriptor in _locks.values():
        os.close(descriptor)
    _locks.clear()


at_fork(after_in_child=_close_locks)
