"""The files that paths, globs, directories and URLs name, listed before any of them is opened."""

import contextlib
import glob
import os
import sys
from collections.abc import Iterable, Iterator

from ..errors import InputError
from ..files import PathLike
from .remote import find_urls, is_url

STDIN = "-"

Texts = PathLike | Iterable[PathLike]
"""A path, glob, directory or URL, `-` for stdin, or several of them."""


def find_files(corpus: Texts) -> list[str]:
    """Return the files that a corpus names, in order; those of a directory or glob are sorted, without hidden files.

    Raises InputError for what does not exist or cannot be read.
    """
    files = [file for name in _names(corpus) for file in _files_of(name)]
    if files.count(STDIN) > 1:
        raise InputError("stdin (-) can be read only once: name it once")
    if STDIN in files and sys.stdin is None:
        raise InputError("the corpus is stdin (-), which is closed")
    for file in files:
        if file != STDIN and not is_url(file) and not os.access(file, os.R_OK):
            raise InputError(f"corpus {file} cannot be read: permission denied")
    return files


def _files_of(name: str) -> list[str]:
    if is_url(name):
        return find_urls(name)
    if os.path.isdir(name):
        if files := _files_below(name):
            return files
        raise InputError(f"corpus directory {name} holds no files")
    if name == STDIN or os.path.exists(name):
        return [name]
    if files := _regular(glob.glob(name, recursive=True)):
        return files
    raise InputError(f"corpus {name} does not exist, as a path or as a glob: check the spelling")


def _names(corpus: Texts) -> list[str]:
    try:
        names = [os.fsdecode(name) for name in ([corpus] if isinstance(corpus, str | os.PathLike) else corpus)]
    except TypeError as error:
        raise InputError(f"a corpus is a path or several: {error}") from error
    if not names:
        raise InputError("no corpus given: name at least one file, directory or glob, or - for stdin")
    return names


def names_for_workers(corpus: Texts) -> list[str]:
    """Return the names of a corpus as absolute paths and URLs, so that other machines can find its files."""
    names = _names(corpus)
    if STDIN in names:
        raise InputError("stdin (-) cannot be read by several machines: give files that all of them can see")
    return [name if is_url(name) else os.path.abspath(name) for name in names]


def find_held_out(held_out: Texts, corpus: list[str]) -> list[str]:
    """Return the files of a held-out text. corpus: the files of the corpus, which may not be stdin as well."""
    with about_held_out_text():
        files = find_files(held_out)
        if STDIN in files and STDIN in corpus:
            raise InputError("stdin (-) is the corpus already: name a file")
        return files


@contextlib.contextmanager
def about_held_out_text() -> Iterator[None]:
    """Make errors inside the `with` block say that they are about the held-out text."""
    try:
        yield
    except InputError as error:
        raise InputError(f"held-out text: {error}") from error


def _files_below(directory: str) -> list[str]:
    def refuse(error: OSError) -> None:
        raise InputError(f"corpus directory {error.filename} cannot be read: {error.strerror}") from error

    files = []
    visited = set()
    for place, directories, names in os.walk(directory, onerror=refuse, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in visited:  # a link to a directory above
            directories.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        directories[:] = [name for name in directories if not name.startswith(".")]
        files += [os.path.join(place, name) for name in names if not name.startswith(".")]
    return _regular(files)


def _regular(paths: list[str]) -> list[str]:
    """Return the regular files among paths, sorted. Raises InputError for what cannot be reached."""
    for path in paths:
        if not os.path.exists(path):
            what = f"is a symbolic link to {os.readlink(path)}, which" if os.path.islink(path) else "is listed, but"
            raise InputError(f"corpus {path} {what} does not exist or cannot be reached: remove it, or name the others")
    return sorted(filter(os.path.isfile, paths))
