"""Which files a corpus is: paths, globs and directories, found before anything is opened."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
from collections.abc import Iterable, Iterator

from ..errors import InputError
from .remote import find_urls, is_url

STDIN = "-"


def find_files(corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """The files that paths, globs, directories and URLs name, in order; a directory's sorted, hidden ones left out.

    Raises InputError for what does not exist or cannot be read.
    """
    names = _names(corpus)
    files: list[str] = []
    for name in names:
        if is_url(name):
            found = find_urls(name)
        elif os.path.isdir(name):
            found = _files_below(name)
            if not found:
                raise InputError(f"corpus directory {name} holds no files")
        elif name == STDIN or os.path.exists(name):
            found = [name]
        else:
            found = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
            if not found:
                raise InputError(f"corpus {name} does not exist, as a path or as a glob: check the spelling")
        files += found
    if files.count(STDIN) > 1:
        raise InputError("stdin (-) can be read only once: name it once")
    if STDIN in files and sys.stdin is None:
        raise InputError("the corpus is stdin (-), which is closed")
    for file in files:
        if file != STDIN and not is_url(file) and not os.access(file, os.R_OK):
            raise InputError(f"corpus {file} cannot be read: permission denied")
    return files


def _names(corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    try:
        names = [os.fsdecode(name) for name in ([corpus] if isinstance(corpus, str | os.PathLike) else corpus)]
    except TypeError as error:
        raise InputError(f"a corpus is a path or several: {error}") from error
    if not names:
        raise InputError("no corpus given: name at least one file, directory or glob, or - for stdin")
    return names


def names_for_workers(corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """The names, which other machines will look for, as absolute paths."""
    names = _names(corpus)
    if STDIN in names:
        raise InputError("stdin (-) cannot be read by several machines: give files that all of them can see")
    return [name if is_url(name) else os.path.abspath(name) for name in names]


def find_held_out(held_out: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], corpus: list[str]) -> list[str]:
    """The files of held-out text, beside those of the corpus."""
    with about_held_out_text():
        files = find_files(held_out)
        if STDIN in files and STDIN in corpus:
            raise InputError("stdin (-) is the corpus already: name a file")
        return files


@contextlib.contextmanager
def about_held_out_text() -> Iterator[None]:
    """Errors inside say that they are not about the corpus."""
    try:
        yield
    except InputError as error:
        raise InputError(f"held-out text: {error}") from error


def _files_below(directory: str) -> list[str]:
    def refuse(error: OSError) -> None:
        raise InputError(f"corpus directory {error.filename} cannot be read: {error.strerror}") from error

    found = []
    seen = set()
    for place, directories, names in os.walk(directory, onerror=refuse, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:  # a link back up
            directories.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        directories[:] = [name for name in directories if not name.startswith(".")]
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    return sorted(path for path in found if os.path.isfile(path))
