"""Files, URLs and stdin, compressed or not, as blocks of text that end between tokens."""

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import os
import re
import select
import shlex
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Fastw2vError, InputError, MissingExtra, RunError
from ..files.replace import UTF8_MARK
from ..kernels.forks import LOADING
from ..kernels.tokenize import MAX_TOKEN_BYTES, NEWLINE, end_of_last_separator
from .paths import STDIN
from .remote import file_system, is_url

BLOCK_BYTES = 1 << 20
"""The size of a block: its overhead, about 0.1 ms, is small beside the work, and Ctrl-C is served between blocks."""

LINES_AT_A_TIME = 10_000

Block = tuple[int, NDArray[np.uint8]]
"""The number of bytes that were read for a block, and its text, uint8, which ends between tokens."""

_WHOLE_COPY = "Nothing was trained; get a whole copy (gzip -t, bzip2 -t and xz -t check one)"
_COMPRESSED_BYTES = 1 << 18
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 6  # the length of the longest magic number


class _Source(io.RawIOBase):
    """A stream that ends after `limit` bytes and whose reads block, even where those of `stream` do not.

    head: its first bytes, which are still to be read. n_read: the number of bytes taken from `stream`.
    """

    def __init__(self, stream: BinaryIO, limit: int = sys.maxsize) -> None:
        self._stream = stream
        self._limit = limit
        self._unread = b""
        self.n_read = 0
        head = np.empty(_HEAD_BYTES, np.uint8)
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


class _Streams(io.RawIOBase):
    """The text of one or more bz2 or xz streams; zeros between and behind them, xz's padding, are skipped.

    The file classes of bz2 and lzma do not serve: they mistake damage behind the first stream for its end.
    """

    def __init__(self, new_decompressor: Callable[[], Any], source: _Source) -> None:
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


def _open_zstandard(source: _Source) -> Any:
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
    open: Callable[[_Source], Any]


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
_PACKED = (*(compression.magic for compression in _COMPRESSIONS), *_UNREADABLE)
"""How compressed files and archives begin."""
_TAR_HEADER_BYTES = 512
_NO_TEXT = {
    re.compile(pattern, re.DOTALL): what
    for pattern, what in {
        rb"!<arch>\n": "an ar archive",
        rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}|(\xc7q|q\xc7).{0,23}\0": "a cpio archive",
        rb"PAR1\x15": "Parquet data",
        rb"ARROW1\0": "Arrow data",
        rb"Obj\x01": "Avro data",
        rb"\x89HDF\r\n": "HDF5 data",
        rb"\x93NUMPY": "a NumPy array",
        rb"SQLite format 3\0": "an SQLite database",
        rb"%PDF-\d": "a PDF document",
        rb"\x7fELF": "an ELF program",
        rb"\x89PNG\r\n": "a PNG picture",
        rb"\xff\xd8\xff": "a JPEG picture",
        rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a document of old Office programs",
        rb"ORC[\0-\x08\x0e-\x1f]": "ORC data",
        rb"\x80[\x02-\x05]": "a Python pickle",
        rb"x[\x01\x9c\xda]": "data that zlib compressed",
        rb"RIFF.{4}(WAVE|AVI |WEBP)": "sound or pictures",
    }.items()
}
"""What the first bytes of files say that hold no text as they are; none of them begins a text."""
_ZEROS_BYTES = 1024
"""The size of the pieces in which zero bytes are counted: UTF-16 that is longer holds many in one of them."""


def is_compressed(file: str) -> bool:
    """Return whether a file or URL begins like a compressed file or an archive."""
    with _open(file) as stream:
        head = stream.read(_HEAD_BYTES)
    return bool(head.startswith(_PACKED))


def read_blocks(files: list[str]) -> Iterator[Block]:
    """Yield the text of the files, decompressed, in blocks; the end of a file ends a line.

    A token over the limit may be shortened, though not to the limit, so that a line of any length takes the same
    memory. Raises InputError for what cannot be read or is damaged, RunError for a file that changes meanwhile: from
    the first block on, all regular files must stay as they are until their own turn is over.
    """
    found = {file: _state(file) for file in files}
    for file in files:
        with _opened(file, found[file]) as raw:
            source = _Source(raw)
            with _watched(file, source):
                yield from _cut(_decompress(file, source), file)


def read_range(file: str, start: int, stop: int) -> Iterator[Block]:
    """Yield the bytes of a plain file from `start` to `stop` in blocks; both move on to the start of the next line.

    So adjacent ranges divide the text between them. In a line of more than 1 MB they move on to a blank.
    """
    with _opened(file) as raw:
        first, end = (_line_start(raw, place) for place in (start, stop))
        raw.seek(first)
        source = _Source(raw, end - first)
        with _watched(file, source):
            yield from _cut(source, file, first)


def _line_start(stream: Any, place: int) -> int:
    """Return the first place from `place` on where a line begins, or the end of the file."""
    if place == 0:
        return 0
    stream.seek(place - 1)
    block_start = place - 1
    buffer = np.empty(BLOCK_BYTES, np.uint8)
    while n := fill(stream, buffer):  # whole blocks: the place must not depend on how much one read returns
        text = buffer[:n].tobytes()
        if ends := [text.index(separator) + 1 for separator in (b"\n", b" ", b"\t") if separator in text]:
            return block_start + ends[0]
        block_start += n
    return block_start


def _open(file: str) -> Any:
    """Open an unbuffered stream of bytes."""
    if is_url(file):
        with file_system(file) as (files, path):
            return files.open(path, "rb")
    return open(0 if file == STDIN else file, "rb", buffering=0, closefd=file != STDIN)


@contextlib.contextmanager
def _opened(file: str, found: os.stat_result | None = None) -> Iterator[Any]:
    """Open a file; it is an error if it cannot be read, or if it changes inside the `with` block.

    found: its state as the reading of the corpus began: it must not have changed since then either.
    """
    try:
        with _open(file) as raw:
            before = _state_of_opened(file, raw)
            if found and _differ(found, before):
                advice = "wait until it is complete, or copy it"
                raise RunError(f"corpus {file} changed while other files of the corpus were read: {advice}")
            yield raw
            after = _state_of_opened(file, raw)
    except OSError as error:
        raise InputError(f"cannot read {_name(file)}: {error.strerror or error}") from error
    if _differ(before, after):
        raise RunError(f"corpus {_name(file)} changed while it was read: wait until it is complete, or copy it")


@contextlib.contextmanager
def _watched(file: str, source: _Source) -> Iterator[None]:
    """Turn damage that is found inside the `with` block into an error that says where it is."""
    try:
        yield
    except Exception as error:
        # Other OSErrors come from the disk, or from the storage behind a URL. ZstdError exists only with zstd.
        is_damage = isinstance(error, gzip.BadGzipFile | EOFError | zlib.error | lzma.LZMAError)
        is_damage |= isinstance(error, OSError) and not error.errno and not is_url(file)
        if is_damage or type(error).__name__ == "ZstdError":
            raise InputError(
                f"{_name(file)} is damaged or cut off near its byte {source.n_read}: {error}. {_WHOLE_COPY}"
            ) from error
        if is_url(file) and not isinstance(error, OSError | Fastw2vError):  # each storage raises its own exceptions
            raise InputError(f"cannot read {file}: {type(error).__name__}: {error}") from error
        raise


def blocks_of_lines(lines: Iterator[str]) -> Iterator[Block]:
    """Yield strings, each of which is a line, in blocks."""
    while batch := list(islice(lines, LINES_AT_A_TIME)):
        try:
            joined = "\n".join(batch) + "\n"
            try:
                text = joined.encode("utf-8", "surrogateescape")
            except UnicodeEncodeError:  # half of a surrogate pair, which becomes bytes that are not UTF-8
                text = joined.encode("utf-8", "surrogatepass")
        except TypeError as error:
            wrong = next(line for line in batch if not isinstance(line, str))
            raise InputError(
                f"the lines hold a {type(wrong).__name__}: a line is a str; lists of words are sentences"
            ) from error
        yield len(text), np.frombuffer(bytearray(text), np.uint8)


def _state(file: str | int) -> os.stat_result | None:
    """Return the state of a regular file, by its name or descriptor; None for all else, and for what is not there."""
    if isinstance(file, str) and (file == STDIN or is_url(file)):
        return None
    with contextlib.suppress(OSError):  # opening the file will say why
        status = os.stat(file)
        return status if stat.S_ISREG(status.st_mode) else None
    return None


def _state_of_opened(file: str, stream: Any) -> object:
    """Return a value that tells whether an open file has changed."""
    if is_url(file):
        with file_system(file) as (files, path):
            return files.ukey(path)
    return _state(stream.fileno())


def _differ(before: object, after: object) -> bool:
    """Return whether a file has changed between two states, or another has taken its place."""
    if not isinstance(before, os.stat_result) or not isinstance(after, os.stat_result):
        return before != after
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        return True
    # A new number alone is no new file: file systems in user space may give one out whenever a file is looked up.
    return before.st_ino != after.st_ino and before.st_ctime_ns != after.st_ctime_ns


def _name(file: str) -> str:
    return "stdin" if file == STDIN else file


def _decompress(file: str, source: _Source) -> Any:
    for magic, what in _UNREADABLE.items():
        if source.head.startswith(magic):
            raise InputError(f"{_name(file)} is {what}: unpack it first (gz, bz2, xz and zst are read directly)")
    for compression in _COMPRESSIONS:
        if source.head.startswith(compression.magic):
            return compression.open(source)
    _refuse_beginnings(file, source.head)
    return source


def _refuse_beginnings(file: str, head: bytes) -> None:
    """Raise InputError if the name of a file says that it is compressed, and not even its magic number is all there."""
    for name, suffix, magic, _ in _COMPRESSIONS:
        if file.lower().endswith(suffix) and len(head) < len(magic) and magic.startswith(head):
            what = f"{file} is cut off: its name says {name}, and it has {len(head)} bytes, fewer than any such file"
            raise InputError(f"{what}. {_WHOLE_COPY}; a text that is not compressed needs another name")


def _cut(stream: Any, file: str, place: int = 0) -> Iterator[Block]:
    unfinished = np.empty(0, np.uint8)
    is_first = place == 0
    while True:
        text = np.empty(len(unfinished) + BLOCK_BYTES, np.uint8)
        text[: len(unfinished)] = unfinished
        n_read = fill(stream, text[len(unfinished) :])
        n = len(unfinished) + n_read
        is_last = n < len(text)
        text = text[:n]
        if is_first:
            _refuse_archives(text, file)
            text = _without_bom(text, file)
            is_first = False
        _refuse_zeros(text, file, place)
        place += n_read
        if is_last:
            yield n_read, np.append(text, np.uint8(NEWLINE))
            return
        cut = end_of_last_separator(text)
        unfinished = text[cut:]
        if len(unfinished) > MAX_TOKEN_BYTES + 2:
            # The token will be dropped, so its text does not matter. Its last bytes may begin a separator.
            unfinished = np.concatenate([np.full(MAX_TOKEN_BYTES + 1, ord("x"), np.uint8), text[-2:]])
        yield n_read, text[:cut]


def fill(stream: Any, text: NDArray[np.uint8]) -> int:
    """Read bytes until `text` is full or the stream ends; return their number."""
    n = 0
    while n < len(text) and (n_read := stream.readinto(text[n:].data)):
        n += n_read
    return n


def _refuse_archives(text: NDArray[np.uint8], file: str) -> None:
    """Raise InputError if a file, decompressed if it was compressed, begins like no text or is compressed again."""
    start = text[:_TAR_HEADER_BYTES].tobytes()
    if _is_tar_header(start):
        quoted = "FILE" if file == STDIN or is_url(file) else shlex.quote(file)
        raise InputError(
            f"{_name(file)} is a tar archive, whose headers are not text: unpack it first, or pipe the text of its "
            f"files in, as in: tar -xOf {quoted} | fastw2v train - -o vecs.txt"
        )
    for magic, what in _NO_TEXT.items():
        if magic.match(start):
            raise InputError(f"{_name(file)} is {what}, which is not text: take the text out of it first")
    if start.startswith(_PACKED):
        raise InputError(
            f"{_name(file)} is compressed twice, or holds a compressed archive: decompress it until plain text is left "
            "(gz, bz2, xz and zst are read directly, but not inside each other)"
        )


def _is_tar_header(start: bytes) -> bool:
    """Return whether 512 bytes are a header of tar, whose checksum is right or which says so, as all but v7's do."""
    if len(start) < _TAR_HEADER_BYTES or 0 not in start:
        return False
    said = start[148:156].strip(b" \0")
    checksum = sum(start[:148]) + sum(b" " * 8) + sum(start[156:])
    return start[257:262] == b"ustar" or (said.isdigit() and int(said) == int(f"{checksum:o}"))


def _refuse_zeros(text: NDArray[np.uint8], file: str, place: int) -> None:
    """Raise InputError if some piece of a file has too many zeros for UTF-8. place: where the text begins in it."""
    if text.min(initial=1):  # takes 0.03 ms
        return
    pieces = text[: len(text) // _ZEROS_BYTES * _ZEROS_BYTES].reshape(-1, _ZEROS_BYTES)
    found = np.flatnonzero(4 * np.count_nonzero(pieces == 0, axis=1) > _ZEROS_BYTES)
    if len(found):
        raise InputError(
            f"{_name(file)} holds UTF-16, UTF-32 or no text near byte {place + int(found[0]) * _ZEROS_BYTES:,} of its "
            "text: make all of it UTF-8 (iconv -f UTF-16 -t UTF-8), then put the parts together"
        )


def _without_bom(text: NDArray[np.uint8], file: str) -> NDArray[np.uint8]:
    start = text[:4096].tobytes()
    # A quarter of NULs means UTF-16 or UTF-32 without its byte order mark, or no text at all.
    if start.startswith(_UTF16_BOMS) or 4 * start.count(0) > len(start):
        raise InputError(f"{_name(file)} is UTF-16, UTF-32 or not text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return text[len(UTF8_MARK) :] if start.startswith(UTF8_MARK) else text
