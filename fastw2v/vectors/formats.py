"""word2vec's files: a line `n_words dim`, then a word and its numbers a row, as text or as raw float32."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RunError
from ..files import replacing

FORMATS = ("text", "binary")
_BLOCK_NUMBERS = 1 << 18
"""Numbers written at a time: some megabytes of text."""

_MAX_HEADER = 64


def format_of(path: str | os.PathLike[str]) -> str:
    """`binary` for a name that ends in .bin, else `text`."""
    return "binary" if Path(path).suffix == ".bin" else "text"


def save(path: str | os.PathLike[str], words: Sequence[str], vectors: NDArray[np.float32], kind: str) -> None:
    """Write `words`, (n,), and `vectors`, (n, dim) float32; text reads back to the same float32.

    Raises RunError for NaN or infinite numbers or a full disk, InputError for words that could not be read back.
    """
    from ..kernels.numbers import MAX_NUMBER_BYTES, format_binary_rows, format_rows

    n, dim = vectors.shape
    if n == 0 or dim == 0:
        raise InputError(f"there are no vectors to write: the matrix is {n} x {dim}")
    if not is_finite(vectors):
        raise RunError(f"the vectors hold NaN or infinite numbers: {os.fspath(path)} was not written")
    if "\n".join(words).split() != list(words):
        bad = next(word for word in words if word.split() != [word])
        raise InputError(f"the word {bad!r} is empty or holds white space: no word2vec file can hold it")
    with replacing(path) as file:
        file.write(f"{n} {dim}\n".encode())
        n_rows = max(1, _BLOCK_NUMBERS // dim)
        for first in range(0, n, n_rows):
            arena = np.frombuffer(("\n".join(words[first : first + n_rows]) + "\n").encode(), np.uint8)
            ends = np.flatnonzero(arena == ord("\n"))
            rows = np.ascontiguousarray(vectors[first : first + n_rows])
            text = np.empty(len(arena) + len(rows) * (dim * MAX_NUMBER_BYTES + 2), np.uint8)
            if kind == "text":
                n_bytes = format_rows(arena, ends, rows, text)
            else:
                n_bytes = format_binary_rows(arena, ends, rows.astype("<f4", copy=False).view(np.uint8), text)
            file.write(text[:n_bytes].data)


def is_finite(matrix: NDArray[np.float32]) -> bool:
    """Whether no number is NaN or infinite, without a copy of the matrix."""
    return bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))


def load(path: str | os.PathLike[str], kind: str) -> tuple[list[str], NDArray[np.float32]]:
    """Read words, (n,), and vectors, (n, dim) float32.

    Raises InputError for a file that is damaged: a wrong header, short or long rows, numbers that are not finite.
    Memory is bounded by the file's size, whatever its header claims.
    """
    from ..kernels.numbers import BYTES_READ, PROBLEM, ROWS_READ, parse_binary_rows, parse_rows

    name = os.fspath(path)
    data = _mapped(name)
    n, dim, start = _header(name, data, kind)
    vectors = np.empty((n, dim), np.float32)
    word_starts, word_stops = np.empty(n, np.int64), np.empty(n, np.int64)
    state = np.zeros(3, np.int64)
    state[BYTES_READ] = start
    if kind == "text":
        parse_rows(data, vectors, word_starts, word_stops, state)
    else:
        parse_binary_rows(data, vectors.view(np.uint8), word_starts, word_stops, state)
        if state[ROWS_READ] and not is_finite(vectors[: state[ROWS_READ]]):
            raise InputError(f"{name} holds NaN or infinite numbers: it is damaged, or not binary ({n} x {dim})")
    n_read = int(state[ROWS_READ])
    if state[PROBLEM] or n_read < n:
        raise InputError(_problem(name, data, n, dim, n_read, int(state[PROBLEM]), int(state[BYTES_READ]), kind))
    places = zip(word_starts.tolist(), word_stops.tolist(), strict=True)
    words = [str(data.data[first:last], "utf-8", "backslashreplace") for first, last in places]
    if len(set(words)) < n:
        raise InputError(f"{name} holds {n - len(set(words))} words more than once")
    return words, vectors


def _mapped(name: str) -> NDArray[np.uint8]:
    try:
        with open(name, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise InputError(f"vector file {name} is empty")
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except OSError as error:
        raise InputError(f"cannot read vectors {name}: {error.strerror}") from error


def _header(name: str, data: NDArray[np.uint8], kind: str) -> tuple[int, int, int]:
    """(n, dim, where the rows start)."""
    line = data[:_MAX_HEADER].tobytes().split(b"\n")[0]
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise InputError(f"{name} does not start with a line 'words dim', but with {line[:40]!r}")
    n, dim = map(int, parts)
    start = len(line) + 1
    least_row = 2 + (4 if kind == "binary" else 2) * dim  # a word of a letter, then blank and digit, or 4 bytes
    if n < 1 or dim < 1 or n * least_row - 2 > len(data) - start:
        raise InputError(f"{name} claims {n} words x {dim}, which its {len(data)} bytes cannot hold: "
                         f"it is cut off, or not {kind}")  # fmt: skip
    return n, dim, start


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
