"""The files that paths, globs, directories and URLs name, listed before any of them is opened."""

import contextlib
import fnmatch
import glob
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePath

from ..errors import InputError
from ..files.names import STANDARD_STREAMS, PathLike, absolute_path, is_device
from .remote import find_urls, is_url

STDIN = "-"

_WORDS_OF_A_NAME = 4
"""A name with more words than these may be text that was meant itself."""

Texts = PathLike | Iterable[PathLike]
"""A path, glob, directory or URL, `-` for stdin, or several of them."""


def shown(file: str) -> str:
    """Return the name of a file of a corpus as messages give it."""
    return "stdin" if file == STDIN else file


def find_files(corpus: Texts) -> list[str]:
    """Return the files that a corpus names, in order; those of a directory or glob are sorted, without hidden files.

    Raises InputError for what does not exist or cannot be read.
    """
    files = [file for name in names_of(corpus) for file in _files_of(name)]
    if files.count(STDIN) > 1:
        raise InputError("stdin (-) can be read only once: name it once")
    if STDIN in files and sys.stdin is None:
        raise InputError("the corpus is stdin (-), which is closed: pipe text in, or name a file")
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
        raise InputError(f"corpus directory {name} holds no files (hidden ones do not count): name another")
    if name == STDIN or os.path.exists(name):
        return [name]
    _check_readable(name)
    found = _glob(name)
    directories = set(filter(os.path.isdir, found))
    below = {file for directory in directories for file in _files_below(directory)}
    if files := _regular({*found, *below} - directories):
        return files
    if found:
        raise InputError(f"corpus glob {name} matches no files, only {found[0]}: check the pattern")
    is_text = len(name.split()) > _WORDS_OF_A_NAME
    advice = "; to train on text itself, put it in a file, or from Python give lines=[...]" if is_text else ""
    shown_name = f"{name[:60]}..." if len(name) > 60 and is_text else name
    raise InputError(
        f"corpus {shown_name} does not exist, and as a glob it matches nothing: check the spelling{advice}"
    )


def names_of(corpus: Texts) -> list[str]:
    """Return the names that a corpus consists of, as they were given. Raises InputError."""
    try:
        names = [os.fsdecode(name) for name in ([corpus] if isinstance(corpus, str | os.PathLike) else corpus)]
        names = [re.sub("^(file|local)://", "", name) for name in names]  # a path, with all that holds for paths
    except TypeError as error:
        raise InputError(f"a corpus is one or more paths: {error}") from error
    if not names:
        raise InputError("no corpus given: name at least one file, directory or glob, or - for stdin")
    return names


def names_for_workers(corpus: Texts) -> list[str]:
    """Return the names of a corpus as absolute paths and URLs, so that other machines can find its files."""
    names = names_of(corpus)
    if STDIN in names:
        raise InputError("stdin (-) cannot be read by several machines: give files that all of them can see")
    return [name if is_url(name) else absolute_path(name) for name in names]


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


def check_outside(outputs: Iterable[PathLike | None], corpus: Texts | None, held_out: Texts | None = None) -> None:
    """Raise InputError for an output that the same command, given again, would read as text of a directory or glob.

    It makes no difference whether the output exists, or the directory that it will be in. Outputs that are None are
    ignored.
    """
    named = [os.fspath(path) for path in outputs if path is not None]
    written = [name for name in named if name and name not in STANDARD_STREAMS and not is_device(name)]
    if written and corpus is not None:
        _check_outside(written, corpus)
    if written and held_out is not None:
        with about_held_out_text():
            _check_outside(written, held_out)


def _check_outside(outputs: list[str], corpus: Texts) -> None:
    names = [name for name in names_of(corpus) if name != STDIN and not is_url(name)]
    places = [(output, place) for output in outputs for place in _places_of(output)]
    for name in names:
        is_glob = glob.has_magic(name) and not os.path.exists(name)
        top = filter(os.path.isdir, _glob(name) if is_glob else [name])
        found = {_identity(directory) for above in top for directory, _ in _walk(above)}
        for output, (directory, parts) in places:
            if directory in found and not any(map(_is_hidden, parts)):
                what = "a directory of the corpus glob" if is_glob else "the corpus directory"
                advice = "the next run would read it as text; choose a place outside"
                raise InputError(f"output {output} lies in {what} {name}: {advice}")
            if is_glob and _glob_finds_part_of(PurePath(name).parts, directory, parts):
                advice = "the next run would read it as text; choose another name or place"
                raise InputError(f"output {output} matches the corpus glob {name}: {advice}")


_Identity = tuple[int, int]
"""The numbers of a directory's device and of the directory, by whatever links it was reached."""


def _places_of(output: str) -> list[tuple[_Identity, list[str]]]:
    """Return a directory that exists, and the parts of the path from there to the output; for a link, its target's too.

    Empty for a name that cannot be a path, which is refused when the file is created.
    """
    places = []
    with contextlib.suppress(OSError, ValueError):  # ValueError: a zero byte
        directory, last = os.path.split(output)
        for path in {os.path.join(os.path.realpath(directory), last), os.path.realpath(output)}:
            above, *parts = os.path.split(path)
            while not os.path.isdir(above) and above != os.path.dirname(above):
                above, part = os.path.split(above)
                parts.insert(0, part)
            places.append((_identity(above), parts))
    return places


def _glob_finds_part_of(pattern: Sequence[str], directory: _Identity, parts: list[str]) -> bool:
    """Return whether a glob would find a file, were it there, or a directory above it that is not hidden."""
    for end in range(1, len(parts) + 1):
        if not any(map(_is_hidden, parts[end:])) and _glob_finds(pattern, directory, parts[:end]):
            return True
    return False


def _glob_finds(pattern: Sequence[str], directory: _Identity, parts: list[str]) -> bool:
    """Return whether `glob.glob` would find a file, were it there: at these parts of a path below the directory."""
    for i in range(len(pattern) + 1):
        # Of the directories that ** stands for, some may exist and others not.
        starts = (i, i - 1) if i and pattern[i - 1] == "**" else (i,)
        if any(_matches(pattern[start:], parts) for start in starts):
            found = _glob(os.path.join(*pattern[:i], "")) if i else [os.curdir]
            if directory in map(_identity, found):
                return True
    return False


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Return whether the parts of a file's path match those of a glob, as `glob.glob` compares them."""
    if not pattern or not parts:
        return not pattern and not parts
    first, part = pattern[0], parts[0]
    if first == "**":
        if len(pattern) == 1:
            return not any(map(_is_hidden, parts))
        return _matches(pattern[1:], parts) or (not _is_hidden(part) and _matches(pattern, parts[1:]))
    is_equal = part == first
    if glob.has_magic(first):
        is_equal = fnmatch.fnmatch(part, first) and _is_hidden(part) <= _is_hidden(first)
    return is_equal and _matches(pattern[1:], parts[1:])


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _identity(directory: str) -> _Identity:
    status = os.stat(directory)
    return status.st_dev, status.st_ino


def _walk(directory: str, onerror: Callable[[OSError], None] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield each directory from this one down, also behind links, and what it holds; nothing that is hidden."""
    visited = set()
    for place, directories, names in os.walk(directory, onerror=onerror, followlinks=True):
        identity = _identity(place)
        if identity in visited:  # a link to a directory above
            directories.clear()
            continue
        visited.add(identity)
        directories[:] = [name for name in directories if not _is_hidden(name)]
        yield place, [name for name in names if not _is_hidden(name)]


def _glob(pattern: str) -> list[str]:
    """Return what `glob.glob` finds, but let ** stand for each directory once: links may lead in circles."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        return glob.glob(pattern)
    i = parts.index("**")
    above, below = os.sep.join([*parts[:i], ""]), parts[i + 1 :]
    while below[:1] == ["**"]:  # which would stand for the same directories again
        del below[0]
    tops = glob.glob(above) if i else [os.curdir]
    found: dict[str, None] = {}
    for top in tops:
        for directory, names in _walk(top):
            place = os.path.join(directory, "")[0 if i else len(os.curdir + os.sep) :]
            if not below:
                found |= dict.fromkeys(place + name for name in names)
            elif below == [""]:
                found[directory] = None
            else:
                found |= dict.fromkeys(_glob(glob.escape(place) + os.sep.join(below)))
    return list(found) or ([] if below else tops)


def _files_below(directory: str) -> list[str]:
    def refuse(error: OSError) -> None:
        raise InputError(f"corpus directory {error.filename} cannot be read: {error.strerror}") from error

    return _regular([os.path.join(place, name) for place, names in _walk(directory, refuse) for name in names])


def _check_readable(pattern: str) -> None:
    """Raise InputError for a directory that `glob.glob` would pass over without a word because it cannot list it."""
    above = os.path.dirname(pattern)
    if not glob.has_magic(pattern) or above == pattern:
        return
    _check_readable(above)
    for directory in _glob(above or os.curdir):
        if os.path.isdir(directory) and not os.access(directory, os.R_OK | os.X_OK):
            raise InputError(f"corpus directory {directory} cannot be read: permission denied")


def _regular(paths: Iterable[str]) -> list[str]:
    """Return the paths of regular files, sorted. Raises InputError for one that is something else, or out of reach."""
    for path in paths:
        if not os.path.exists(path):
            what = f"is a symbolic link to {os.readlink(path)}, which" if os.path.islink(path) else "is listed, but"
            raise InputError(
                f"corpus {path} {what} does not exist or cannot be reached: remove it, or name the other files"
            )
        if not os.path.isfile(path):
            raise InputError(f"corpus {path} is a pipe, a socket or a device: remove it, or name the other files")
    return sorted(paths)
