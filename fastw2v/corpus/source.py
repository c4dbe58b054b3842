"""Open anything: files, globs, directories, compressed or not, stdin; give blocks that end between tokens."""

from __future__ import annotations

import bz2
import glob
import gzip
import importlib
import io
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra
from ..kernels.tokenize import MAX_TOKEN_BYTES, end_of_last_separator

BLOCK_BYTES = 1 << 20
"""Large enough to hide the cost of a block (about 0.1 ms), small enough that Ctrl-C never waits."""

STDIN = "-"
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 6  # of the longest magic number


def _open_zstandard(stream: BinaryIO) -> Any:
    # Not the package zstandard: its reader takes a cut-off file for a whole one.
    try:
        zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise MissingExtra("reading zst input", "backports.zstd") from None
    return zstd.ZstdFile(stream)


_DECOMPRESSORS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda stream: gzip.GzipFile(fileobj=stream),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _open_zstandard,
}
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"7z\xbc\xaf": "a 7z archive"}


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes have been read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head = head
        self.rest = rest
        self.n_read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.head:
            n = min(len(buffer), len(self.head))
            buffer[:n], self.head = self.head[:n], self.head[n:]
        else:
            n = self.rest.readinto(buffer) or 0  # type: ignore[attr-defined]
        self.n_read += n
        return n


def find_files(corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[str]:
    """The files that paths, globs and directories name, in order; a directory's files sorted, hidden ones left out.

    Raises InputError for what does not exist or cannot be read, before anything is opened.
    """
    try:
        names = [os.fsdecode(name) for name in ([corpus] if isinstance(corpus, str | os.PathLike) else corpus)]
    except TypeError as error:
        raise InputError(f"a corpus is a path or several: {error}") from error
    if not names:
        raise InputError("no corpus given: name at least one file, directory or glob, or - for stdin")
    files: list[str] = []
    for name in names:
        if name == STDIN or (os.path.exists(name) and not os.path.isdir(name)):
            found = [name]
        elif os.path.isdir(name):
            found = sorted(
                str(path) for path in Path(name).rglob("*")
                if path.is_file() and not any(part.startswith(".") for part in path.relative_to(name).parts)
            )  # fmt: skip
            if not found:
                raise InputError(f"corpus directory {name} holds no files")
        else:
            found = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
            if not found:
                raise InputError(f"corpus {name} does not exist, as a path or as a glob: check the spelling")
        files += found
    if files.count(STDIN) > 1:
        raise InputError("stdin (-) can be read only once: name it once")
    for file in files:
        if file != STDIN and not os.access(file, os.R_OK):
            raise InputError(f"corpus {file} cannot be read: permission denied")
    return files


def read_blocks(files: list[str]) -> Iterator[NDArray[np.uint8]]:
    """The text of the files, decompressed, as uint8 arrays that end between tokens; each file's end is a line's end.

    A token over the limit may come shortened, but never below the limit: a line of any length takes the same memory.
    """
    for file in files:
        with sys.stdin.buffer if file == STDIN else _open(file) as raw:
            head = _read_head(raw)
            stream = _Rejoined(head, raw)
            try:
                yield from _cut(_decompress(file, head, stream), file)
            except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise InputError(f"cannot read {file}: {error.strerror}") from error
                raise InputError(
                    f"{file} is damaged or cut off near its byte {stream.n_read}: {error}. Nothing was trained; "
                    "get a whole copy (gzip -t, bzip2 -t and xz -t check one)"
                ) from error
            except Exception as error:
                if type(error).__name__ != "ZstdError":  # its class is known only where zstandard is installed
                    raise
                raise InputError(f"{file} is damaged or cut off near its byte {stream.n_read}: {error}") from error


def _open(file: str) -> BinaryIO:
    try:
        return open(file, "rb", buffering=0)  # type: ignore[return-value]
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error


def _read_head(raw: BinaryIO) -> bytes:
    head = b""
    while len(head) < _HEAD_BYTES:
        more = raw.read(_HEAD_BYTES - len(head))
        if not more:
            break
        head += more
    return head


def _decompress(file: str, head: bytes, stream: _Rejoined) -> Any:
    for magic, what in _ARCHIVES.items():
        if head.startswith(magic):
            raise InputError(f"{file} is {what}: unpack it first (gz, bz2, xz and zst are read directly)")
    for magic, decompressor in _DECOMPRESSORS.items():
        if head.startswith(magic):
            return decompressor(io.BufferedReader(stream, 1 << 20))
    return stream


def _cut(stream: Any, file: str) -> Iterator[NDArray[np.uint8]]:
    unfinished = np.empty(0, np.uint8)
    is_first = True
    while True:
        text = np.empty(len(unfinished) + BLOCK_BYTES, np.uint8)
        text[: len(unfinished)] = unfinished
        n = len(unfinished) + _fill(stream, text[len(unfinished) :])
        is_last = n < len(text)
        text = text[:n]
        if is_first:
            text = _without_bom(text, file)
            is_first = False
        if is_last:
            yield np.append(text, np.uint8(ord("\n")))
            return
        cut = end_of_last_separator(text)
        unfinished = text[cut:]
        if len(unfinished) > MAX_TOKEN_BYTES + 2:
            # It will be dropped whatever it says. Its last bytes may be the first of a separator.
            unfinished = np.concatenate([np.full(MAX_TOKEN_BYTES + 1, ord("x"), np.uint8), text[-2:]])
        yield text[:cut]


def _fill(stream: Any, text: NDArray[np.uint8]) -> int:
    n = 0
    while n < len(text):
        n_read = stream.readinto(text[n:].data)
        if not n_read:
            break
        n += n_read
    return n


def _without_bom(text: NDArray[np.uint8], file: str) -> NDArray[np.uint8]:
    start = text[:4096].tobytes()
    # A quarter of NULs: UTF-16 or UTF-32 without its mark, or no text at all.
    if start.startswith(_UTF16_BOMS) or 4 * start.count(0) > len(start):
        raise InputError(f"{file} is UTF-16, UTF-32 or not text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return text[len(_UTF8_BOM) :] if start.startswith(_UTF8_BOM) else text
