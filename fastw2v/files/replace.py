"""Whole files or none: a file appears under its name only when it is complete and on disk."""

import contextlib
import io
import os
import stat
import time
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO

from ..errors import ReaderLeft, RunError
from ..machine import failure_of
from ..system import set_group, sync_directory
from .locks import TEMPORARY, check_lock, hidden_beside, locked, new_file_beside, note_replaced
from .names import STANDARD_STREAMS, PathLike, absolute_path, is_device, real_path

UTF8_MARK = b"\xef\xbb\xbf"
"""The byte order mark of UTF-8, which is the character U+FEFF. Readers of a text drop one at its beginning."""

_free_names: set[str] = set()
"""The absolute paths that `never_replacing` watches."""


class PatientFile(io.FileIO):
    """A descriptor whose writes wait for its reader, also where another program has made it non-blocking."""

    def write(self, data: Any) -> int:
        while (n_bytes := super().write(data)) is None:  # it would have had to wait
            time.sleep(0.002)
        return n_bytes


@contextlib.contextmanager
def replacing(path: PathLike, previous: PathLike | None = None) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` at the end of the block; after an exception `path` is as it was before.

    A reader of `path` sees the complete old file or the complete new one: the new file is written beside the old one,
    synced and renamed, and the directory is synced. A link is followed, and the permissions of an old file are kept.
    Pipes and devices are written to directly, `-` is stdout. Raises RunError where the disk is full or the path is not
    writable, and ReaderLeft where the reader of a pipe has ended.

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
    except BrokenPipeError as error:
        raise ReaderLeft(name) from error
    except OSError as error:
        raise RunError(f"cannot write {name}: {failure_of(error)}; no old file was changed") from error


@contextlib.contextmanager
def stdout_may_end() -> Iterator[None]:
    """Suppress ReaderLeft in the block for the reader of stdout: like `head`, it has what it wanted."""
    try:
        yield
    except ReaderLeft as error:
        if error.path not in STANDARD_STREAMS:
            raise


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
    descriptor, temporary = new_file_beside(target)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.umask(umask := os.umask(0))  # the only way to read it
        before = os.stat(target) if os.path.exists(target) else None
        if before is not None:
            set_group(temporary, before.st_gid)
        with contextlib.suppress(OSError):  # of a file system without permissions
            os.chmod(temporary, 0o666 & ~umask if before is None else stat.S_IMODE(before.st_mode))
        if absolute_path(name) in _free_names and os.path.lexists(name):
            raise RunError(
                f"{name} was created by another program in the meantime, and is not replaced without --overwrite"
            )
        check_lock(target)
        with contextlib.nullcontext() if previous is None else _kept(target, previous):
            os.replace(temporary, target)
        note_replaced(target)
        _free_names.discard(absolute_path(name))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(target))


@contextlib.contextmanager
def _kept(target: str, previous: PathLike) -> Iterator[None]:
    """Let the file `target`, which the block replaces, take the name `previous` after it.

    Meanwhile it has a second name. That has the form of a temporary file's, so that it is removed as one after a kill.
    Where it can have no second name (the file system has no hard links, or the file is another user's), it takes the
    name `previous` before the block.
    """
    spare = hidden_beside(target, f"previous{TEMPORARY}")
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
def all_locked(paths: Iterable[PathLike | None], overwrite: bool = True) -> Iterator[None]:
    """Keep other runs from writing each path that is not None, as `locked` and `never_replacing` do."""
    paths = list(paths)
    with contextlib.ExitStack() as locks:
        locks.enter_context(never_replacing(paths, overwrite))
        for path in paths:
            if path is not None:
                locks.enter_context(locked(path))
        yield
