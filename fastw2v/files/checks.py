"""Whether a path can become an output, and words stand in a file: errors before the work and not after it."""

import contextlib
import errno
import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence

from ..errors import InputError
from ..system import NO_WAIT, mounts, user_number
from .locks import new_file_beside
from .names import STANDARD_STREAMS, PathLike, is_device, real_path


def check_output(path: PathLike, inputs: Iterable[PathLike] = (), overwrite: bool = True) -> None:
    """Raise InputError if `path` cannot become an output, so that this is known before the work and not after it.

    `-` among the inputs is stdin. To see whether its directory is writable, a file is made there and removed.
    """
    name = os.fspath(path)
    if name in STANDARD_STREAMS:
        if (sys.stdout if STANDARD_STREAMS[name] == 1 else sys.stderr) is None:
            raise InputError(f"output {name} is closed: name a file, or leave the stream open")
        _check_no_input(name, STANDARD_STREAMS[name], inputs)
        return
    if not name:
        raise InputError("an output has an empty name: name a file, or - for stdout")
    if is_device(name):
        return
    target = real_path(name)
    if not os.path.isdir(os.path.dirname(target)):
        raise InputError(f"output directory {os.path.dirname(target)} does not exist: create it first")
    if os.path.isdir(target):
        raise InputError(f"output {name} is a directory: name a file in it")
    if os.path.exists(target):
        _check_no_input(name, target, inputs)
        if not overwrite:
            raise InputError(f"output {name} exists: give --overwrite (overwrite=True) to replace it")
        _check_replaceable(name, target)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.stat(target)  # raises for a name that is too long
        descriptor, temporary = new_file_beside(target)
    except OSError as error:
        raise InputError(f"output {name} cannot be written in its directory: {error.strerror}") from error
    os.close(descriptor)
    with contextlib.suppress(FileNotFoundError):  # another run may have taken it for a leftover
        os.unlink(temporary)


def _check_no_input(name: str, target: str | int, inputs: Iterable[PathLike]) -> None:
    """Raise InputError if an output, given by its path or descriptor, is the file of one of the inputs."""
    for source in inputs:
        with contextlib.suppress(OSError):  # an input that is not a file
            found = os.stat(target)
            is_same = os.path.samestat(found, os.fstat(0) if source == "-" else os.stat(source))
            if is_same and stat.S_ISREG(found.st_mode):
                raise InputError(f"output {name} is the same file as the input {source}: choose another name")


def _check_replaceable(name: str, target: str) -> None:
    """Raise InputError if the file `target` cannot be replaced though its directory is writable."""
    advice = "choose another name"
    if re.sub(rb"[ \t\n\\]", lambda found: b"\\%03o" % ord(found[0]), os.fsencode(target)) in mounts():
        raise InputError(f"output {name} is a mount point, which cannot be replaced: mount its directory instead")
    try:
        os.close(os.open(target, os.O_WRONLY | NO_WAIT))
    except OSError as error:
        if error.errno == errno.EPERM:  # what fails otherwise, as a file that is read-only, can be replaced
            raise InputError(f"output {name} is immutable (chattr): {advice}") from error
    above, found = os.stat(os.path.dirname(target)), os.stat(target)
    if above.st_mode & stat.S_ISVTX and user_number() not in (None, 0, found.st_uid, above.st_uid):
        owner = "is another user's, in a directory where only owners may replace files (its sticky bit is set)"
        raise InputError(f"output {name} {owner}: {advice}")


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
            raise InputError(f"{name} is given as two outputs: give each its own file")
        targets.add(target)


def check_no_link(path: PathLike) -> None:
    """Raise InputError for a symbolic link, pipe or device where a checkpoint or the one before is to be."""
    if os.path.islink(path):
        advice = "put a copy of the file in its place, or remove it; the directory itself may be a link"
        raise InputError(f"{os.fspath(path)} is a symbolic link, and a checkpoint must be a file of its own: {advice}")
    if is_device(path):
        raise InputError(f"{os.fspath(path)} is a pipe or device, and a checkpoint must be a regular file: remove it")


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
