"""Files of vectors: word2vec's text and binary, GloVe's text, TensorBoard's, npz, and our own mapped one.

word2vec's files have a line `n_words dim`, then a word and its numbers a row, as text or as raw float32. GloVe's have
no first line. Text may be compressed by gzip.
"""

from __future__ import annotations

import contextlib
import gzip
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RunError
from ..files import check_unicode, check_words, replacing
from . import containers
from .containers import Content
from .names import outputs_of

_BLOCK_NUMBERS = 1 << 18
"""Numbers written at a time: some megabytes of text."""

_MAX_HEADER = 64
_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"


def save(
    path: str | os.PathLike[str],
    words: Sequence[str],
    vectors: NDArray[np.float32],
    kind: str,
    counts: NDArray[np.int64] | None = None,
) -> None:
    """Write `words`, (n,), and `vectors`, (n, dim) float32; all but TensorBoard's read back to the same float32.

    Text is compressed where the name ends in .gz. counts, (n,) int64: kept by npz and native. Raises RunError for NaN
    or infinite numbers or a full disk, InputError for words that could not be read back.
    """
    n, dim = vectors.shape
    if n == 0 or dim == 0:
        raise InputError(f"there are no vectors to write: the matrix is {n} x {dim}")
    if not is_finite(vectors):
        raise RunError(f"the vectors hold NaN or infinite numbers: {os.fspath(path)} was not written")
    check_unicode(words)
    if kind == "npz":
        containers.save_npz(path, Content(words, vectors, counts))
    elif kind == "native":
        containers.save_native(path, Content(words, vectors, counts))
    elif kind == "tensorboard":
        _save_tensorboard(path, words, vectors)
    else:
        check_words(words, "word2vec")
        with replacing(path) as file, _compressed(path, file) as out:
            if kind != "glove":
                out.write(f"{n} {dim}\n".encode())
            for block in _blocks_of_rows(words, vectors, kind == "binary"):
                out.write(block.data)


@contextlib.contextmanager
def _compressed(path: str | os.PathLike[str], file: BinaryIO) -> Iterator[BinaryIO]:
    if Path(path).suffix == ".gz":
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as compressed:
            yield compressed  # type: ignore[misc]
    else:
        yield file


def _blocks_of_rows(
    words: Sequence[str], vectors: NDArray[np.float32], binary: bool
) -> Iterator[NDArray[np.uint8]]:  # fmt: skip
    from ..kernels.numbers import MAX_NUMBER_BYTES, format_binary_rows, format_rows

    n, dim = vectors.shape
    n_rows = max(1, _BLOCK_NUMBERS // dim)
    for first in range(0, n, n_rows):
        arena = np.frombuffer(("\n".join(words[first : first + n_rows]) + "\n").encode(), np.uint8)
        ends = np.flatnonzero(arena == ord("\n"))
        rows = np.ascontiguousarray(vectors[first : first + n_rows])
        text = np.empty(len(arena) + len(rows) * (dim * MAX_NUMBER_BYTES + 2), np.uint8)
        if binary:
            n_bytes = format_binary_rows(arena, ends, rows.astype("<f4", copy=False).view(np.uint8), text)
        else:
            n_bytes = format_rows(arena, ends, rows, text)
        yield text[:n_bytes]


def _save_tensorboard(path: str | os.PathLike[str], words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """The projector's two files: rows of numbers between tabs, and a word a line."""
    bad = next((word for word in words if not word or any(sign in word for sign in "\t\n\r")), None)
    if bad is not None:
        raise InputError(f"the word {bad!r} is empty or holds a tab or a line end: TensorBoard's file cannot hold it")
    with replacing(path) as file:
        for text in _blocks_of_rows([""] * len(words), vectors, binary=False):
            text[text == ord(" ")] = ord("\t")
            starts_line = np.append(True, text[:-1] == ord("\n"))
            file.write(text[~starts_line].data)
    with replacing(outputs_of(path, "tensorboard")[1]) as file:
        file.write(("\n".join(words) + "\n").encode())


def is_finite(matrix: NDArray[np.float32]) -> bool:
    """Whether no number is NaN or infinite, without a copy of the matrix."""
    return bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))


def load(path: str | os.PathLike[str], kind: str, limit: int | None = None) -> Content:
    """Read words, (n,), vectors, (n, dim) float32, and counts where the file has them; at most `limit` rows.

    Raises InputError for a file that is damaged: a wrong header, short or long rows, numbers that are not finite.
    Memory is bounded by the file's size, whatever its header claims.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}: it must be at least 1")
    if kind == "tensorboard":
        raise InputError(f"{os.fspath(path)}: TensorBoard's files are written only; read the ones they were made of")
    if kind == "npz":
        return containers.load_npz(path, limit)
    if kind == "native":
        return containers.load_native(path, limit)
    return _load_rows(os.fspath(path), kind, limit)


def _load_rows(name: str, kind: str, limit: int | None) -> Content:
    from ..kernels.numbers import BYTES_READ, PROBLEM, ROWS_READ, TOO_MANY, parse_binary_rows, parse_rows

    data = _mapped(name)
    n, dim, start, has_header = _shape(name, data, kind)
    n_wanted = n if limit is None else min(n, limit)
    vectors = np.empty((n_wanted, dim), np.float32)
    word_starts, word_stops = np.empty(n_wanted, np.int64), np.empty(n_wanted, np.int64)
    state = np.zeros(3, np.int64)
    state[BYTES_READ] = start
    if kind == "binary":
        parse_binary_rows(data, vectors.view(np.uint8), word_starts, word_stops, state)
        if state[ROWS_READ] and not is_finite(vectors[: state[ROWS_READ]]):
            raise InputError(f"{name} holds NaN or infinite numbers: it is damaged, or not binary ({n} x {dim})")
    else:
        parse_rows(data, vectors, word_starts, word_stops, state)
    n_read, problem = int(state[ROWS_READ]), int(state[PROBLEM])
    if problem == TOO_MANY and n_wanted < n:
        problem = 0
    if problem == TOO_MANY and not has_header:  # fewer bytes than so many whole rows take
        raise InputError(f"{name} has rows that are not {dim} long, as its first one is")
    if problem or (has_header and n_read < n_wanted):
        raise InputError(_problem(name, data, n, dim, n_read, problem, int(state[BYTES_READ]), kind))
    places = zip(word_starts[:n_read].tolist(), word_stops[:n_read].tolist(), strict=True)
    words = [str(data.data[first:last], "utf-8", "backslashreplace") for first, last in places]
    if len(set(words)) < n_read:
        raise InputError(f"{name} holds {n_read - len(set(words))} words more than once")
    return Content(words, vectors[:n_read])


def _mapped(name: str) -> NDArray[np.uint8]:
    """The bytes of a file; a temporary file holds those of a compressed one, of a pipe, or of stdin, `-`."""
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
            is_compressed = file.peek(2)[:2] == _GZIP
            if file.seekable() and not is_compressed:
                return _map(name, file)
            with tempfile.TemporaryFile() as text:
                source = gzip.GzipFile(fileobj=file) if is_compressed else file
                shutil.copyfileobj(source, text, 1 << 20)  # type: ignore[misc]
                text.flush()
                return _map(name, text)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name} is damaged or cut off: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read vectors {name}: {error.strerror}") from error


def _map(name: str, file: IO[bytes]) -> NDArray[np.uint8]:
    if os.fstat(file.fileno()).st_size == 0:
        raise InputError(f"vector file {name} is empty")
    data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    return data[len(_UTF8_BOM) :] if data[: len(_UTF8_BOM)].tobytes() == _UTF8_BOM else data


def _shape(name: str, data: NDArray[np.uint8], kind: str) -> tuple[int, int, int, bool]:
    """(n, dim, where the rows start, whether a header said so)."""
    line = data[:_MAX_HEADER].tobytes().split(b"\n")[0]
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        n, dim = map(int, parts)
        start = len(line) + 1
        least_row = 2 + (4 if kind == "binary" else 2) * dim  # a word of a letter, then blank and digit, or 4 bytes
        if n < 1 or dim < 1 or n * least_row - 2 > len(data) - start:
            raise InputError(f"{name} claims {n} words x {dim}, which its {len(data)} bytes cannot hold: "
                             f"it is cut off, or not {kind}")  # fmt: skip
        return n, dim, start, True
    ends = np.flatnonzero(data == ord("\n"))
    numbers = data[: ends[0] if len(ends) else len(data)].tobytes().split()[1:]
    if kind == "binary" or not numbers or not all(_is_number(number) for number in numbers):
        raise InputError(f"{name} does not start with a line 'words dim', but with {line[:40]!r}")
    dim = len(numbers)
    most_rows = (len(data) + 1) // (2 * dim + 2)
    return min(len(ends) + 1, most_rows), dim, 0, False


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _problem(
    name: str, data: NDArray[np.uint8], n: int, dim: int, n_read: int, problem: int, place: int, kind: str
) -> str:
    from ..kernels.numbers import BAD_NUMBER, NOT_FINITE, TOO_MANY

    if problem == TOO_MANY:
        return f"{name} holds more rows than the {n} its first line claims"
    if problem in (BAD_NUMBER, NOT_FINITE):
        found = data[place : place + 40].tobytes().split()[:1]
        what = "a number" if problem == BAD_NUMBER else "a finite float32"
        return f"{name}, row {n_read + 1}: {found[0] if found else b''!r} is not {what}, or the row is not {dim} long"
    return f"{name} is cut off: {n} words x {dim} claimed, row {n_read + 1} is missing or short ({kind})"
