"""What a path names: a standard stream, a device, a file."""

import contextlib
import os
import stat

from ..errors import InputError

PathLike = str | os.PathLike[str]

STANDARD_STREAMS = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/1": 1, "/dev/fd/2": 2}
"""The descriptors of names that are not opened: that would truncate a file the shell has redirected them to."""


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


def is_device(path: PathLike) -> bool:
    """Return whether `path` is a pipe, terminal or device, which is written to directly and never replaced."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # ValueError: a zero byte
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def file_at(path: str) -> object:
    """Return which file stands at a path, None if there is none."""
    with contextlib.suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_dev, found.st_ino, found.st_mtime_ns  # the number of a removed file may be used again
    return None
