"""Compressed files, known by what they begin with, as streams of their text."""

import bz2
import gzip
import importlib
import io
import lzma
import select
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra
from ..kernels.forks import LOADING
from .paths import shown

HEAD_BYTES = 6
"""The length of the longest magic number."""

WHOLE_COPY = "Nothing was trained; get an intact copy (gzip -t, bzip2 -t and xz -t check one)"
"""What to do about damage."""

_COMPRESSED_BYTES = 1 << 18


class Source(io.RawIOBase):
    """A stream that ends after `limit` bytes and whose reads block, even where those of `stream` do not.

    head: its first bytes, which are still to be read. n_read: the number of bytes taken from `stream`.
    """

    def __init__(self, stream: BinaryIO, limit: int = sys.maxsize) -> None:
        self._stream = stream
        self._limit = limit
        self._unread = b""
        self.n_read = 0
        head = np.empty(HEAD_BYTES, np.uint8)
        self.head = self._unread = head[: fill(self, head)].tobytes()

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


def fill(stream: Any, text: NDArray[np.uint8]) -> int:
    """Read bytes until `text` is full or the stream ends; return their number."""
    n = 0
    while n < len(text) and (n_read := stream.readinto(text[n:].data)):
        n += n_read
    return n


class _Streams(io.RawIOBase):
    """The text of one or more bz2 or xz streams; zeros between and behind them, xz's padding, are skipped.

    The file classes of bz2 and lzma do not serve: they mistake damage behind the first stream for its end.
    """

    def __init__(self, new_decompressor: Callable[[], Any], source: Source) -> None:
        self._new = new_decompressor
        self._source = source
        self._stream = new_decompressor()

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


def _open_zstandard(source: Source) -> Any:
    # The package zstandard does not serve: its reader takes a truncated file for a whole one.
    try:
        with LOADING:
            zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        raise MissingExtra("reading zst input", "backports.zstd") from None
    return zstd.ZstdFile(source)


class _Compression(NamedTuple):
    """A compressed format. open: a function that decompresses a source."""

    name: str
    suffix: str
    magic: bytes
    open: Callable[[Source], Any]


_COMPRESSIONS = (
    _Compression("gzip", ".gz", b"\x1f\x8b", lambda source: gzip.GzipFile(fileobj=source)),  # type: ignore[call-overload]
    _Compression("bzip2", ".bz2", b"BZh", lambda source: _Streams(bz2.BZ2Decompressor, source)),
    _Compression("xz", ".xz", b"\xfd7zXZ\x00", lambda source: _Streams(lzma.LZMADecompressor, source)),
    _Compression("zstd", ".zst", b"\x28\xb5\x2f\xfd", _open_zstandard),
)
_UNREADABLE = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x04\x22\x4d\x18": "lz4 data",
    b"LZIP\x01": "lzip data",
    b"\x1f\x9d": "data of compress (.Z)",
    b"\x5d\x00\x00": "lzma data without the headers of xz",
}
PACKED = (*(compression.magic for compression in _COMPRESSIONS), *_UNREADABLE)
"""How compressed files and archives begin."""


def decompress(file: str, source: Source) -> Any:
    """Return a stream of the text of a source. Raises InputError for one that is packed in a way that is not read."""
    for magic, what in _UNREADABLE.items():
        if source.head.startswith(magic):
            raise InputError(f"{shown(file)} is {what}: unpack it first (gz, bz2, xz and zst are read directly)")
    for compression in _COMPRESSIONS:
        if source.head.startswith(compression.magic):
            return compression.open(source)
    _refuse_beginnings(file, source.head)
    return source


def _refuse_beginnings(file: str, head: bytes) -> None:
    """Raise InputError if the name of a file says that it is compressed, and not even its magic number is all there."""
    for name, suffix, magic, _ in _COMPRESSIONS:
        if file.lower().endswith(suffix) and len(head) < len(magic) and magic.startswith(head):
            what = f"{file} is cut off: its name says {name}, and it has {len(head)} bytes, too few for any such file"
            raise InputError(f"{what}. {WHOLE_COPY}; a text that is not compressed needs another name")
