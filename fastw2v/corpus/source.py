"""Open anything: files and stdin, compressed or not; give blocks that end between tokens."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import os
import select
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import Fastw2vError, InputError, MissingExtra, RunError
from ..kernels.tokenize import MAX_TOKEN_BYTES, NEWLINE, end_of_last_separator
from .paths import STDIN
from .remote import file_system, is_url

BLOCK_BYTES = 1 << 20
"""Large enough to hide the cost of a block (about 0.1 ms), small enough that Ctrl-C never waits."""

LINES_AT_A_TIME = 10_000

_COMPRESSED_BYTES = 1 << 18
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 6  # of the longest magic number


class _Source(io.RawIOBase):
    """A stream whose first bytes can be looked at; waits where the stream would not. n_read: bytes taken from it.

    It ends after `limit` bytes.
    """

    def __init__(self, stream: BinaryIO, limit: int = sys.maxsize) -> None:
        self._stream = stream
        self._limit = limit
        self._unread = b""
        self.n_read = 0
        head = b""
        while len(head) < _HEAD_BYTES and (more := self.read(_HEAD_BYTES - len(head))):
            head += more
        self.head = self._unread = head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._unread:
            n = min(len(buffer), len(self._unread))
            buffer[:n], self._unread = self._unread[:n], self._unread[n:]
            return n
        buffer = memoryview(buffer)[: self._limit - self.n_read]
        while (read := self._stream.readinto(buffer)) is None:  # type: ignore[attr-defined]
            select.select([self._stream], [], [])
        self.n_read += read
        return int(read)


class _Streams(io.RawIOBase):
    """The text of one or more bz2 or xz streams; the classes of bz2 and lzma take damage behind the first for its end.

    Zeros between and behind streams, xz's padding, are passed over.
    """

    def __init__(self, new_decompressor: Callable[[], Any], source: _Source) -> None:
        self._new = new_decompressor
        self._source = source
        self._stream = new_decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            data = b""
            if self._stream.eof:
                data = self._stream.unused_data.lstrip(b"\0")
                while not data:
                    if not (data := self._read()):
                        return 0
                    data = data.lstrip(b"\0")
                self._stream = self._new()
            elif self._stream.needs_input and not (data := self._read()):
                raise EOFError("the compressed data ends too early")
            text = self._stream.decompress(data, len(buffer))
            if text:
                buffer[: len(text)] = text
                return len(text)

    def _read(self) -> bytes:
        return self._source.read(_COMPRESSED_BYTES) or b""


def _open_zstandard(source: _Source) -> Any:
    # Not the package zstandard: its reader takes a cut-off file for a whole one.
    try:
        zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise MissingExtra("reading zst input", "backports.zstd") from None
    return zstd.ZstdFile(source)


_DECOMPRESSORS: dict[bytes, Callable[[_Source], Any]] = {
    b"\x1f\x8b": lambda source: gzip.GzipFile(fileobj=source),  # type: ignore[call-overload]
    b"BZh": lambda source: _Streams(bz2.BZ2Decompressor, source),
    b"\xfd7zXZ\x00": lambda source: _Streams(lzma.LZMADecompressor, source),
    b"\x28\xb5\x2f\xfd": _open_zstandard,
}
_ARCHIVES = {b"PK\x03\x04": "a zip archive", b"7z\xbc\xaf": "a 7z archive"}


def is_compressed(file: str) -> bool:
    """Whether the first bytes of a file or URL are those of a compressed one, or of an archive."""
    with _open(file) as stream:
        head = stream.read(_HEAD_BYTES)
    return bool(head.startswith((*_DECOMPRESSORS, *_ARCHIVES)))


def read_blocks(files: list[str]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The text of the files, decompressed: bytes read, and uint8 arrays of whole tokens; a file's end ends a line.

    A token over the limit may come shortened, but never below the limit: a line of any length takes the same memory.
    """
    for file in files:
        with _opened(file) as raw:
            source = _Source(raw)
            with _watched(file, source):
                yield from _cut(_decompress(file, source), file)


def read_range(file: str, start: int, stop: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The same for the bytes of a plain file from `start` to `stop`, both moved on to the next line's start.

    So ranges that meet share the text out between them. In a line of more than 1 MB they are moved on to a blank.
    """
    with _opened(file) as raw:
        first, end = (_line_start(raw, place) for place in (start, stop))
        raw.seek(first)
        source = _Source(raw, end - first)
        with _watched(file, source):
            yield from _cut(source, file, is_first=start == 0)


def _line_start(stream: Any, place: int) -> int:
    """The first place from `place` on where a line begins, or the end of the file."""
    if place == 0:
        return 0
    stream.seek(place - 1)
    here = place - 1
    while text := _up_to(stream, BLOCK_BYTES):
        for separator in (b"\n", b" ", b"\t"):
            found = text.find(separator)
            if found >= 0:
                return here + int(found) + 1
        here += len(text)
    return here


def _up_to(stream: Any, n_bytes: int) -> bytes:
    """So many bytes, fewer at the end: where a range is cut must not depend on how much one read brings."""
    text = b""
    while len(text) < n_bytes and (more := stream.read(n_bytes - len(text))):
        text += more
    return text


def _open(file: str) -> Any:
    """A stream of bytes, not buffered."""
    if is_url(file):
        with file_system(file) as (files, path):
            return files.open(path, "rb")
    return open(0 if file == STDIN else file, "rb", buffering=0, closefd=file != STDIN)


@contextlib.contextmanager
def _opened(file: str) -> Iterator[Any]:
    """A stream of the file; one that cannot be read, or changes meanwhile, is an error."""
    try:
        with _open(file) as raw:
            before = _state(file, raw)
            yield raw
            after = _state(file, raw)
    except OSError as error:
        raise InputError(f"cannot read {_name(file)}: {error.strerror or error}") from error
    if before != after:
        raise RunError(f"corpus {_name(file)} changed while it was read: wait until it is complete, or copy it")


@contextlib.contextmanager
def _watched(file: str, source: _Source) -> Iterator[None]:
    """Damage found inside becomes an error that says where."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        # BadGzipFile is an OSError; others are of the disk, or of what is behind a URL.
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile) and (error.errno or is_url(file)):
            raise
        raise _damaged(file, source.n_read, error) from error
    except Exception as error:
        if type(error).__name__ != "ZstdError":  # its class is known only where zstd is installed
            if is_url(file) and not isinstance(error, Fastw2vError):  # each storage has errors of its own
                raise InputError(f"cannot read {file}: {type(error).__name__}: {error}") from error
            raise
        raise _damaged(file, source.n_read, error) from error


def blocks_of_lines(lines: Iterator[str]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The same for strings; each is a line."""
    while batch := list(islice(lines, LINES_AT_A_TIME)):
        try:
            joined = "\n".join(batch) + "\n"
            try:
                text = joined.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:  # half of a pair: bytes that are not UTF-8, like those escaped
                text = joined.encode("utf-8", "surrogatepass")
        except TypeError as error:
            wrong = next(line for line in batch if not isinstance(line, str))
            raise InputError(
                f"the lines hold a {type(wrong).__name__}: a line is a str; lists of words are sentences"
            ) from error
        yield len(text), np.frombuffer(bytearray(text), np.uint8)


def _state(file: str, stream: Any) -> object:
    """What is another once a file has changed; None for what is no regular file."""
    if is_url(file):
        with file_system(file) as (files, path):
            return files.ukey(path)
    found = os.fstat(stream.fileno())
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _name(file: str) -> str:
    return "stdin" if file == STDIN else file


def _damaged(file: str, n_read: int, error: Exception) -> InputError:
    return InputError(
        f"{_name(file)} is damaged or cut off near its byte {n_read}: {error}. Nothing was trained; get a whole copy "
        "(gzip -t, bzip2 -t and xz -t check one)"
    )


def _decompress(file: str, source: _Source) -> Any:
    for magic, what in _ARCHIVES.items():
        if source.head.startswith(magic):
            raise InputError(f"{_name(file)} is {what}: unpack it first (gz, bz2, xz and zst are read directly)")
    for magic, decompressor in _DECOMPRESSORS.items():
        if source.head.startswith(magic):
            return decompressor(source)
    return source


def _cut(stream: Any, file: str, is_first: bool = True) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    unfinished = np.empty(0, np.uint8)
    while True:
        text = np.empty(len(unfinished) + BLOCK_BYTES, np.uint8)
        text[: len(unfinished)] = unfinished
        n_read = _fill(stream, text[len(unfinished) :])
        n = len(unfinished) + n_read
        is_last = n < len(text)
        text = text[:n]
        if is_first:
            text = _without_bom(text, file)
            is_first = False
        if is_last:
            yield n_read, np.append(text, np.uint8(NEWLINE))
            return
        cut = end_of_last_separator(text)
        unfinished = text[cut:]
        if len(unfinished) > MAX_TOKEN_BYTES + 2:
            # It will be dropped whatever it says. Its last bytes may be the first of a separator.
            unfinished = np.concatenate([np.full(MAX_TOKEN_BYTES + 1, ord("x"), np.uint8), text[-2:]])
        yield n_read, text[:cut]


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
        raise InputError(f"{_name(file)} is UTF-16, UTF-32 or not text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return text[len(_UTF8_BOM) :] if start.startswith(_UTF8_BOM) else text
