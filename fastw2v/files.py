"""Whole files or none: a file appears under its name only when it is complete and on disk."""

import contextlib
import errno
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, BinaryIO

from .errors import InputError, RunError
from .machine import failure_of

try:
    import fcntl
except ImportError:  # Windows has no flock
    fcntl = None  # type: ignore[assignment]

PathLike = str | os.PathLike[str]

STANDARD_STREAMS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/2": 2}
"""The descriptors of names that are not opened: that would truncate a file the shell has redirected them to."""

UTF8_MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which is the character U+FEFF. Readers of a text drop one at its beginning."""

_SUFFIX = ".tmp"

_locks: dict[str, int] = {}
"""The locks that this process holds: the file descriptor of each lock's file."""

_guarded: dict[str, object] = {}
"""What `file_at` says of the path that each lock is for, as this process has found or written it."""

_directories: set[str] = set()
"""The temporary directories of this process."""

_free_names: set[str] = set()
"""The absolute paths that `never_replacing` watches."""


class PatientFile(io.FileIO):
    """A descriptor whose writes wait for its reader, also where another program has made it non-blocking."""

    def write(self, data: Any) -> int:
        while (n_bytes := super().write(data)) is None:  # it would have had to wait
            time.sleep(0.002)
        return n_bytes


def check_output(path: PathLike, inputs: Iterable[PathLike] = (), overwrite: bool = True) -> None:
    """Raise InputError if `path` cannot become an output, so that this is known before the work and not after it.

    `-` among the inputs is stdin. To see whether its directory is writable, a file is made there and removed.
    """
    name = os.fspath(path)
    if name in STANDARD_STREAMS:
        if (sys.stdout if STANDARD_STREAMS[name] == 1 else sys.stderr) is None:
            raise InputError(f"output {name} is closed: name a file, or leave the stream open")
        return
    if not name:
        raise InputError("an output has an empty name: name a file, or - for stdout")
    target = real_path(name)
    if not os.path.isdir(os.path.dirname(target)):
        raise InputError(f"output directory {os.path.dirname(target)} does not exist: create it first")
    if os.path.isdir(target):
        raise InputError(f"output {name} is a directory: name a file in it")
    if is_device(target):
        return
    if os.path.exists(target):
        for source in inputs:
            with contextlib.suppress(OSError):  # an input that is not a file
                if os.path.samestat(os.stat(target), os.fstat(0) if source == "-" else os.stat(source)):
                    raise InputError(f"output {name} is the same file as the input {source}: choose another name")
        if not overwrite:
            raise InputError(f"output {name} exists: give --overwrite (overwrite=True) to replace it")
        _check_replaceable(name, target)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.stat(target)  # raises for a name that is too long
        descriptor, temporary = _new_file_beside(target)
    except OSError as error:
        raise InputError(f"output {name} cannot be written in its directory: {error.strerror}") from error
    os.close(descriptor)
    with contextlib.suppress(FileNotFoundError):  # another run may have taken it for a leftover
        os.unlink(temporary)


def _check_replaceable(name: str, target: str) -> None:
    """Raise InputError if the file `target` cannot be replaced though its directory is writable."""
    advice = "choose another name"
    mounted: set[bytes] = set()
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as mounts:  # not every system has this list
        mounted = {line.split()[4] for line in mounts}
    if re.sub(rb"[ \t\n\\]", lambda found: b"\\%03o" % ord(found[0]), os.fsencode(target)) in mounted:
        raise InputError(f"output {name} is a mount point, which cannot be replaced: mount its directory instead")
    try:
        os.close(os.open(target, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        if error.errno == errno.EPERM:  # what fails otherwise, as a file that is read-only, can be replaced
            raise InputError(f"output {name} is immutable (chattr): {advice}") from error
    above, found = os.stat(os.path.dirname(target)), os.stat(target)
    if above.st_mode & stat.S_ISVTX and hasattr(os, "geteuid") and os.geteuid() not in (0, found.st_uid, above.st_uid):
        owner = "is another user's, in a directory where only owners may replace files (its sticky bit is set)"
        raise InputError(f"output {name} {owner}: {advice}")


def real_path(path: PathLike) -> str:
    """Return an absolute path without links. Raises InputError as `absolute_path` does."""
    absolute_path(path)  # for its error
    return os.path.realpath(path)


def absolute_path(path: PathLike) -> str:
    """Return an absolute path. Raises InputError for a relative one where the working directory was removed."""
    try:
        return os.path.abspath(path)
    except FileNotFoundError as error:
        advice = "go to one that exists, or give absolute paths"
        raise InputError(
            f"{os.fspath(path)!r} is a relative path, but the working directory is gone: {advice}"
        ) from error


def check_outputs(outputs: Iterable[PathLike | None], inputs: Iterable[PathLike], overwrite: bool) -> None:
    """Check each output that is not None by `check_output`, and all of them by `check_distinct`."""
    paths = [path for path in outputs if path is not None]
    for path in paths:
        check_output(path, inputs, overwrite)
    check_distinct(paths)


def check_plain(outputs: Iterable[PathLike | None]) -> None:
    """Raise InputError for names of compressed files, where plain text is written. None is no output."""
    for name in [os.fspath(path) for path in outputs if path is not None]:
        suffix = os.path.splitext(name)[1]
        if suffix in (".gz", ".bz2", ".xz", ".zst"):
            raise InputError(
                f"output {name} would not be compressed: leave out {suffix}, or write to - and compress that"
            )


def check_distinct(outputs: Iterable[PathLike | None]) -> None:
    """Raise InputError where two outputs are the same file. Outputs that are None are ignored."""
    targets: set[str] = set()
    for name in [os.fspath(path) for path in outputs if path is not None]:
        target = real_path(f"/dev/fd/{STANDARD_STREAMS[name]}" if name in STANDARD_STREAMS else name)
        if target in targets:
            raise InputError(f"{name} is named for two outputs: give each its own file")
        targets.add(target)


def check_words(words: Sequence[str], whose: str, advice: str = "rename it") -> None:
    """Raise InputError for a word that cannot stand between blanks in a file of the kind that `whose` names."""
    if "\n".join(words).split() != list(words):
        bad = next(word for word in words if word.split() != [word])
        raise InputError(f"the word {bad!r} is empty or holds white space, so no {whose} file can hold it: {advice}")
    check_unicode(words)


def check_unicode(words: Sequence[str]) -> None:
    """Raise InputError for a word with half a surrogate pair, for which UTF-8 has no bytes."""
    try:
        "\n".join(words).encode()
    except UnicodeEncodeError as error:
        bad = next(word for word in words if any("\ud800" <= letter <= "\udfff" for letter in word))
        raise InputError(f"the word {bad!r} is not valid Unicode, so no file can hold it: rename it") from error


def is_device(path: PathLike) -> bool:
    """Return whether `path` is a pipe, terminal or device, which is written to directly and never replaced."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: a zero byte
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_no_link(path: PathLike) -> None:
    """Raise InputError for a symbolic link, pipe or device where a checkpoint or the one before is to be."""
    if os.path.islink(path):
        advice = "put a copy of the file in its place, or remove it; the directory itself may be a link"
        raise InputError(f"{os.fspath(path)} is a symbolic link, and a checkpoint must be a file of its own: {advice}")
    if is_device(path):
        raise InputError(f"{os.fspath(path)} is a pipe or device, and a checkpoint must be a regular file: remove it")


@contextlib.contextmanager
def replacing(path: PathLike, previous: PathLike | None = None) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` at the end of the block; after an exception `path` is as it was before.

    A reader of `path` sees the complete old file or the complete new one: the new file is written beside the old one,
    synced and renamed, and the directory is synced. A link is followed, and the permissions of an old file are kept.
    Pipes and devices are written to directly, `-` is stdout; it is no error if their reader leaves early. Raises
    RunError where the disk is full or the path is not writable.

    previous: the name beside `path` that the old file takes, once it has been replaced. Until then, and if the new file
    cannot be written, both names keep their files. Where a file system has no hard links, the old file takes that name
    just before, so that for a moment there is no file `path`.
    """
    name = os.fspath(path)
    try:
        if name in STANDARD_STREAMS or is_device(path):
            target = os.dup(STANDARD_STREAMS[name]) if name in STANDARD_STREAMS else path
            with io.BufferedWriter(PatientFile(target, "wb")) as stream:
                yield stream
        else:
            with _renamed_at_end(name, previous) as file:
                yield file
    except BrokenPipeError:
        pass
    except OSError as error:
        raise RunError(f"cannot write {name}: {failure_of(error)}; no old file was changed") from error


def write_text(file: IO[bytes], pieces: Iterable[Any]) -> None:
    """Write the pieces of a text, bytes or the like, so that readers find all of it.

    A first word that begins with U+FEFF gets a byte order mark before it; otherwise readers would take that for one.
    """
    is_first = True
    for piece in pieces:
        if is_first and bytes(piece[: len(UTF8_MARK)]) == UTF8_MARK:
            file.write(UTF8_MARK)
        is_first = is_first and not len(piece)
        file.write(piece)


@contextlib.contextmanager
def _renamed_at_end(name: str, previous: PathLike | None) -> Iterator[BinaryIO]:
    target = real_path(name)
    descriptor, temporary = _new_file_beside(target)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.umask(umask := os.umask(0))  # the only way to read it
        before = os.stat(target) if os.path.exists(target) else None
        with contextlib.suppress(OSError, AttributeError):  # of a group that the user is not in; Windows has no groups
            if before is not None:
                os.chown(temporary, -1, before.st_gid)
        with contextlib.suppress(OSError):  # of a file system without permissions
            os.chmod(temporary, 0o666 & ~umask if before is None else stat.S_IMODE(before.st_mode))
        if absolute_path(name) in _free_names and os.path.lexists(name):
            raise RunError(f"{name} was made by someone else meanwhile, and is not replaced without --overwrite")
        _check_lock(target)
        with contextlib.nullcontext() if previous is None else _kept(target, previous):
            os.replace(temporary, target)
        _guarded[_lock_of(target)] = file_at(target)
        _free_names.discard(absolute_path(name))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not every directory can be synced; the file is there
        directory = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


@contextlib.contextmanager
def never_replacing(paths: Iterable[PathLike | None], overwrite: bool) -> Iterator[None]:
    """Unless `overwrite`, let `replacing` raise RunError where someone else has created the file since the block began.

    Paths that are None are ignored.
    """
    names = [os.fspath(path) for path in paths if path is not None and not overwrite]
    free = {absolute_path(name) for name in names if name not in STANDARD_STREAMS and not os.path.lexists(name)}
    _free_names.update(free)
    try:
        yield
    finally:
        _free_names.difference_update(free)


@contextlib.contextmanager
def _kept(target: str, previous: PathLike) -> Iterator[None]:
    """Let the file `target`, which the block replaces, take the name `previous` after it.

    Meanwhile it has a second name. That has the form of a temporary file's, so that it is removed as one after a kill.
    Where it can have no second name (the file system has no hard links, or the file is another user's), it takes the
    name `previous` before the block.
    """
    directory, name = os.path.split(target)
    spare = os.path.join(directory, f"{_prefix_of(name)}previous{_SUFFIX}")
    with contextlib.suppress(OSError):
        os.unlink(spare)  # of a killed run
    try:
        os.link(target, spare)
    except FileNotFoundError:  # there is no old file yet
        pass
    except OSError:
        with _moved(target, previous):
            yield
        return
    try:
        yield
        with contextlib.suppress(OSError):
            os.replace(spare, previous)
    finally:
        with contextlib.suppress(OSError):  # it stays if both were names of one file already
            os.unlink(spare)


@contextlib.contextmanager
def _moved(target: str, previous: PathLike) -> Iterator[None]:
    """Rename the file `target` to `previous`, and back after an exception if nothing has replaced it."""
    is_moved = False
    with contextlib.suppress(OSError):
        os.replace(target, previous)
        is_moved = True
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if is_moved and not os.path.lexists(target):
                os.replace(previous, target)
        raise


def _new_file_beside(target: str) -> tuple[int, str]:
    """Make a temporary file and lock it for as long as this process lives; return its descriptor and its name."""
    directory, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=_prefix_of(name), suffix=_SUFFIX, dir=directory)
    _lock(descriptor)
    return descriptor, temporary


def _prefix_of(name: str) -> str:
    """Return how the names of a file's temporary files and of its lock begin."""
    if len(name) > 100:  # file systems allow 255 bytes
        name = f"{name[:60]}{zlib.crc32(os.fsencode(name)):08x}"
    return f".{name}."


def _lock(descriptor: int) -> bool | None:
    """Lock a file; return True, or False if another process has it locked, or None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


@contextlib.contextmanager
def locked(path: PathLike) -> Iterator[None]:
    """Keep other runs from writing `path` during the block, and remove what killed runs left half-written beside it.

    The lock is on a file beside `path` and ends with the process, however that ends. Streams and devices have none.
    Raises InputError at once if another run has it.
    """
    target = real_path(path)
    if os.fspath(path) in STANDARD_STREAMS or is_device(target):
        yield
        return
    lock = _lock_of(target)
    while True:
        try:
            descriptor = _open_lock(lock)
        except OSError as error:
            advice = "remove that file if no other run writes here, or name another output"
            problem = f"output {os.fspath(path)} cannot be locked: {lock}: {error.strerror}: {advice}"
            raise InputError(problem) from error
        if _lock(descriptor) is False:
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
    directory, name = os.path.split(target)
    return os.path.join(directory, f"{_prefix_of(name)}lock")


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


def _check_lock(target: str) -> None:
    """Raise RunError if the file of the output's lock was removed, and another run has made a new one or the output.

    Otherwise a lock whose file was removed is taken again.
    """
    lock = _lock_of(target)
    if lock not in _locks or _is_file_of(_locks[lock], lock):
        return
    if file_at(target) == _guarded[lock]:
        with contextlib.suppress(OSError):
            descriptor = _open_lock(lock)
            if _lock(descriptor) is not False and _is_file_of(descriptor, lock):
                os.close(_locks[lock])
                _locks[lock] = descriptor
                return
            os.close(descriptor)
    raise RunError(f"{target} was not replaced: its lock {lock} was removed, and another run may have written it since")


def file_at(path: str) -> object:
    """Return which file stands at a path, None if there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_dev, found.st_ino, found.st_mtime_ns  # the number of a removed file may be used again
    return None


def _open_lock(path: str) -> int:
    """Open the file of a lock. A killed run of another user may have left it: to lock it, it suffices to read it."""
    no_link = getattr(os, "O_NOFOLLOW", 0)  # which might lead to a new file somewhere else
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY | no_link)


@contextlib.contextmanager
def all_locked(paths: Iterable[PathLike | None], overwrite: bool = True) -> Iterator[None]:
    """Keep other runs from writing each path that is not None, as `locked` and `never_replacing` do."""
    paths = list(paths)
    with contextlib.ExitStack() as locks:
        locks.enter_context(never_replacing(paths, overwrite))
        for path in paths:
            if path is not None:
                locks.enter_context(locked(path))
        yield


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locks)


def _remove_leftovers(directory: str, name: str) -> None:
    """Remove the temporary files for `name` that no living process has locked."""
    pattern = re.compile(re.escape(_prefix_of(name)) + "[a-z0-9_]{8}" + re.escape(_SUFFIX))  # as mkstemp makes them
    with contextlib.suppress(OSError):
        for entry in os.listdir(directory):
            if pattern.fullmatch(entry):
                with contextlib.suppress(OSError), open(os.path.join(directory, entry), "r+b") as file:
                    if _lock(file.fileno()):
                        os.unlink(file.name)
