"""Files, URLs and stdin, compressed or not, as blocks of text that end between tokens."""

import contextlib
import gzip
import lzma
import os
import stat
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Fastw2vError, InputError, RunError
from ..kernels.tokenize import MAX_TOKEN_BYTES, NEWLINE, end_of_last_separator
from .compression import HEAD_BYTES, PACKED, WHOLE_COPY, Source, decompress, fill
from .nontext import refuse_no_text, refuse_zeros, without_mark
from .paths import STDIN, shown
from .remote import file_system, is_url

BLOCK_BYTES = 1 << 20
"""The size of a block: its overhead, about 0.1 ms, is small beside the work, and Ctrl-C is served between blocks."""

LINES_AT_A_TIME = 10_000

Block = tuple[int, NDArray[np.uint8]]
"""The number of bytes that were read for a block, and its text, uint8, which ends between tokens."""


def is_compressed(file: str) -> bool:
    """Return whether a file or URL begins like a compressed file or an archive."""
    with _open(file) as stream:
        head = stream.read(HEAD_BYTES)
    return bool(head.startswith(PACKED))


def read_blocks(files: list[str]) -> Iterator[Block]:
    """Yield the text of the files, decompressed, in blocks; the end of a file ends a line.

    A token over the limit may be shortened, though not to the limit, so that a line of any length takes the same
    memory. Raises InputError for what cannot be read or is damaged, RunError for a file that changes meanwhile: from
    the first block on, all regular files must stay as they are until their own turn is over.
    """
    found = {file: _state(file) for file in files}
    for file in files:
        with _opened(file, found[file]) as raw:
            source = Source(raw)
            with _watched(file, source):
                yield from _cut(decompress(file, source), file)


def read_range(file: str, start: int, stop: int) -> Iterator[Block]:
    """Yield the bytes of a plain file from `start` to `stop` in blocks; both move on to the start of the next line.

    So adjacent ranges divide the text between them. In a line of more than 1 MB they move on to a blank.
    """
    with _opened(file) as raw:
        first, end = (_line_start(raw, place) for place in (start, stop))
        raw.seek(first)
        source = Source(raw, end - first)
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
        raise InputError(f"cannot read {shown(file)}: {error.strerror or error}") from error
    if _differ(before, after):
        raise RunError(f"corpus {shown(file)} changed while it was read: wait until it is complete, or copy it")


@contextlib.contextmanager
def _watched(file: str, source: Source) -> Iterator[None]:
    """Turn damage that is found inside the `with` block into an error that says where it is."""
    try:
        yield
    except Exception as error:
        # Other OSErrors come from the disk, or from the storage behind a URL. ZstdError exists only with zstd.
        is_damage = isinstance(error, gzip.BadGzipFile | EOFError | zlib.error | lzma.LZMAError)
        is_damage |= isinstance(error, OSError) and not error.errno and not is_url(file)
        if is_damage or type(error).__name__ == "ZstdError":
            raise InputError(
                f"{shown(file)} is damaged or cut off near its byte {source.n_read}: {error}. {WHOLE_COPY}"
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
            refuse_no_text(text, file)
            text = without_mark(text, file)
            is_first = False
        refuse_zeros(text, file, place)
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
