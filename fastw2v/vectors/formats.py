"""Files of vectors: word2vec's text and binary, GloVe's, TensorBoard's; other modules have the other formats.

word2vec's files have a line `n_words dim`, then for each word a row: the word and its numbers, as text or as raw
float32. GloVe's have no first line. Text and binary files may be compressed by gzip.

A binary file has no checksums. word2vec writes a newline after each row, as we do; gensim writes none. With newlines,
missing and added bytes are found, unless they only make a word another word. Without newlines they are found where the
rows no longer fill the file, or where no word begins the next row; otherwise a few rows may be wrong. Bytes that were
changed in place are found only where they make a number infinite, or a word none.
"""

import contextlib
import gzip
import itertools
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..errors import CutOff, InputError, RunError
from ..files.checks import check_unicode, check_words
from ..files.names import PathLike
from ..files.replace import UTF8_MARK, replacing, write_text
from ..matrix import is_finite
from ..modelfile import ModelFile
from . import npz, safetensors
from .names import ANOTHER_FORMAT, check_format, check_input, outputs_of

_BLOCK_NUMBERS = 1 << 18
"""How many numbers are written at a time: some megabytes of text."""

_MAX_HEADER = 64

_MOST_NUMBERS, _MOST_NUMBER_BYTES = 100_000, 32
"""The most numbers of a row where no header tells how many they are, and the most bytes that each takes there."""

_MOST_INFLATION, _SMALL = 100, 1 << 22
"""How many times larger a compressed file may be when it is unpacked, unless that is a small number of bytes."""

_GZIP = b"\x1f\x8b"


def save(path: PathLike, content: ModelFile, kind: str) -> None:
    """Write words and vectors in a format of `VECTOR_FORMATS`; all but TensorBoard's read back to the same float32.

    Text and binary files are compressed where the name ends in .gz. Counts are kept by npz and native files. Raises
    RunError for NaN or infinite numbers and for a full disk, InputError for words that could not be read back.
    """
    check_format(kind)
    words, vectors = content.words, content.vectors
    n, dim = vectors.shape
    if n == 0 or dim == 0:
        raise InputError(f"there are no vectors to write: the matrix is {n} x {dim}")
    if not is_finite(vectors):
        raise RunError(f"the vectors hold NaN or infinite numbers: {os.fspath(path)} was not written")
    check_storable(words, kind, dim)
    if kind == "npz":
        npz.write(path, content)
    elif kind == "native":
        modelfile.write(path, content)
    elif kind == "tensorboard":
        _save_tensorboard(path, words, vectors)
    elif kind == "safetensors":
        safetensors.write(path, content)
    elif kind == "model2vec":
        safetensors.write_model2vec(path, content)
    else:
        [name] = outputs_of(path, kind)
        with replacing(name) as file, _compressed(name, file) as out:
            header = [] if kind == "glove" else [f"{n} {dim}\n".encode()]
            rows = _blocks_of_rows(words, vectors, kind == "binary")
            write_text(out, itertools.chain(header, (block.data for block in rows)))


def check_storable(words: Sequence[str], kind: str, dim: int) -> None:
    """Raise InputError where `save` could not write these words with vectors of `dim` numbers so that they are read."""
    check_unicode(words)
    if kind == "npz":
        npz.check_words(words)
    elif kind in ("tensorboard", "safetensors"):
        _check_lines(words)
    elif kind not in ("native", "model2vec"):
        check_words(words, "word2vec", f"rename it, or {ANOTHER_FORMAT}")
        _check_lengths(words)
    if kind == "glove" and dim > _MOST_NUMBERS:
        raise InputError(f"a row has {dim:,} numbers, and GloVe's format up to {_MOST_NUMBERS:,}: {ANOTHER_FORMAT}")
    if kind == "glove" and dim == 1 and words[0].encode().isdigit():
        raise InputError(f"the first row, {words[0]} and a number, would be taken for a header: {ANOTHER_FORMAT}")


def _check_lines(words: Sequence[str]) -> None:
    """Raise InputError for a word that cannot be a line of a file of words."""
    bad = next((word for word in words if not word or any(sign in word for sign in "\t\n\r")), None)
    if bad is not None:
        problem = f"the word {bad!r} is empty or holds a tab or a line end: a file of words cannot hold it"
        raise InputError(f"{problem}; {ANOTHER_FORMAT}")


def _check_lengths(words: Sequence[str]) -> None:
    """Raise InputError for a word that would be taken for damage when the file is read."""
    from ..kernels.numbers import MAX_WORD_BYTES

    if (longest := max(len(word.encode()) for word in words)) > MAX_WORD_BYTES:
        limit = f"text and binary files hold words of up to {MAX_WORD_BYTES:,}"
        raise InputError(f"a word has {longest:,} bytes: {limit}; {ANOTHER_FORMAT}")


def _compressed(path: PathLike, file: BinaryIO) -> contextlib.AbstractContextManager[Any]:
    is_gz = Path(path).suffix == ".gz"
    return gzip.GzipFile("", "wb", 6, file, mtime=0) if is_gz else contextlib.nullcontext(file)


def _blocks_of_rows(words: Sequence[str], vectors: NDArray[np.float32], binary: bool) -> Iterator[NDArray[np.uint8]]:
    """The bytes of the rows, many rows at a time."""
    from ..kernels import numbers  # which loads Numba: npz and native files need none

    n, dim = vectors.shape
    n_rows = max(1, _BLOCK_NUMBERS // dim)
    for first in range(0, n, n_rows):
        arena = np.frombuffer(("\n".join(words[first : first + n_rows]) + "\n").encode(), np.uint8)
        ends = np.flatnonzero(arena == ord("\n"))
        rows = np.array(vectors[first : first + n_rows], order="C")  # writable: else another type to Numba
        text = np.empty(len(arena) + len(rows) * (dim * numbers.MAX_NUMBER_BYTES + 2), np.uint8)
        if binary:
            n_bytes = numbers.format_binary_rows(arena, ends, rows.astype("<f4", copy=False).view(np.uint8), text)
        else:
            n_bytes = numbers.format_rows(arena, ends, rows, text)
        yield text[:n_bytes]


def _save_tensorboard(path: PathLike, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write the projector's two files: one of rows with tabs between their numbers, one with a word a line."""
    with replacing(path) as file:
        for text in _blocks_of_rows([""] * len(words), vectors, binary=False):
            text[text == ord(" ")] = ord("\t")
            starts_line = np.append(True, text[:-1] == ord("\n"))
            file.write(text[~starts_line].data)
    with replacing(outputs_of(path, "tensorboard")[1]) as file:
        write_text(file, [("\n".join(words) + "\n").encode()])


def load(path: PathLike, kind: str, limit: int | None = None, verify: bool = False) -> ModelFile:
    """Read words, vectors, and what else the file has; at most `limit` rows.

    Raises InputError for a damaged file: a wrong header, short or long rows, numbers that are not finite, repeated
    words. Bytes of a word that are not UTF-8 are read as \\xNN. A native file is mapped, and checked as far as
    `modelfile.read` does with `verify` or without; all others are always checked, as far as they can be. Memory is
    bounded by the size of the file, whatever its header claims, and however far a compressed one would grow.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}: it must be at least 1")
    check_format(kind)
    check_input(path, kind)
    if kind == "native":
        return modelfile.read(path, limit, verify)
    if kind == "npz":
        content = npz.read(path, limit)
    elif kind == "safetensors":
        content = safetensors.read(path, limit)
    else:
        content = read_rows(path, kind, limit)
    n_repeated = len(content.words) - len(set(content.words))
    if n_repeated:
        raise InputError(f"{os.fspath(path)} holds {n_repeated} words more than once: each may occur once")
    return content


class _Shape(NamedTuple):
    """What the beginning of a file says of its rows."""

    n: int  # rows; the most there may be, where there is no header
    dim: int
    start: int = 0  # the place of the first row; 0 where there is no header


def read_rows(
    path: PathLike, kind: str, limit: int | None, encoding: str = "utf-8", unicode_errors: str = "backslashreplace"
) -> ModelFile:
    """Read the rows of a text, binary or GloVe file; words that are the same stay so.

    encoding, unicode_errors: how words become str, as in `bytes.decode`. Raises InputError, CutOff, UnicodeDecodeError.
    """
    from ..kernels import numbers

    name = os.fspath(path)
    data = _mapped(name)
    shape = _shape_of(name, data, kind)
    n_wanted = min(shape.n, limit or shape.n)
    vectors = np.empty((n_wanted, shape.dim), np.float32)
    starts, stops = np.empty((2, n_wanted), np.int64)  # of the words
    state = np.zeros(3, np.int64)
    state[numbers.BYTES_READ] = shape.start
    if kind == "binary":
        numbers.parse_binary_rows(data, vectors.view(np.uint8), starts, stops, state)
    else:
        numbers.parse_rows(data, vectors, starts, stops, state)
    n_read, problem = int(state[numbers.ROWS_READ]), int(state[numbers.PROBLEM])
    if kind == "binary" and n_read and not is_finite(vectors[:n_read]):
        claim = f"{shape.n} x {shape.dim}"
        raise InputError(f"{name} holds NaN or infinite numbers: it is damaged, or not binary ({claim})")
    if problem == numbers.TOO_MANY and n_wanted < shape.n:
        problem = numbers.FINE
    if problem or (shape.start and n_read < n_wanted):
        rest = data[state[numbers.BYTES_READ] :]
        error = CutOff if problem in (numbers.FINE, numbers.TRUNCATED) else InputError
        raise error(f"{name}{_problem_of(problem, n_read + 1, rest, shape, kind)}")
    places = zip(starts[:n_read].tolist(), stops[:n_read].tolist(), strict=True)
    words = [str(data.data[start:stop], encoding, unicode_errors) for start, stop in places]
    has_newlines = kind != "binary" or data[stops[0] + 1 + 4 * shape.dim :][:1].tobytes() == b"\n"
    if not has_newlines and not "".join(words).isprintable():
        _check_bytes(name, (data[start:stop].tobytes() for start, stop in zip(starts, stops, strict=True)))
    return ModelFile(words, vectors[:n_read])


def _check_bytes(name: str, words: Iterable[bytes]) -> None:
    """Raise InputError for a word that is no UTF-8 and has control characters: numbers of a damaged row are such."""
    for row, word in enumerate(words, start=1):
        if "\ufffd" in word.decode(errors="replace") and min(word) < ord(" "):
            raise InputError(f"{name} is damaged: row {row} should begin with a word, not with {word[:40]!r}")


def _mapped(name: str) -> NDArray[np.uint8]:
    """The bytes of a file. A temporary file holds those of a compressed file, of a pipe, or of stdin, `-`."""
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:
            is_compressed = file.peek(2)[:2] == _GZIP
            if file.seekable() and not is_compressed:
                return _map(name, file)
            with tempfile.TemporaryFile() as text:
                if is_compressed:
                    _unpack(name, file, text)
                else:
                    shutil.copyfileobj(file, text)
                text.flush()
                return _map(name, text)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CutOff(f"{name} is damaged or cut off: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read vectors {name}: {error.strerror}") from error


class _Counted:
    """A stream that counts the bytes that are read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.n_read = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.n_read += len(data)
        return data


def _unpack(name: str, file: IO[bytes], text: IO[bytes]) -> None:
    """Decompress a file. Raises InputError as soon as it grows as no vectors do."""
    source = _Counted(file)
    n_bytes = 0
    stream = gzip.GzipFile(fileobj=source)  # type: ignore[call-overload]
    for block in iter(partial(stream.read, 1 << 20), b""):
        n_bytes += text.write(block)
        if n_bytes > max(_SMALL, _MOST_INFLATION * source.n_read):
            growth = f"{name} grows to more than {_MOST_INFLATION} times its size when it is unpacked"
            raise InputError(f"{growth}, which vectors hardly ever do: if it holds vectors, unpack it first")


def _map(name: str, file: IO[bytes]) -> NDArray[np.uint8]:
    if os.fstat(file.fileno()).st_size == 0:
        raise InputError(f"vector file {name} is empty")
    data = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    return data[len(UTF8_MARK) :] if data[: len(UTF8_MARK)].tobytes() == UTF8_MARK else data


def _shape_of(name: str, data: NDArray[np.uint8], kind: str) -> _Shape:
    """The shape by the header, or by the first row where there is no header."""
    line = data[:_MAX_HEADER].tobytes().split(b"\n")[0]
    parts = line.split()
    if len(parts) == 2 and all(part.isdigit() for part in parts):
        n, dim = map(int, parts)
        start = len(line) + 1
        least_row = 2 + (4 if kind == "binary" else 2) * dim  # a letter, then a blank and a digit, or 4 bytes
        if n < 1 or dim < 1 or n * least_row - 2 > len(data) - start:
            claim = f"{name} claims {n} words x {dim}, which its {len(data)} bytes cannot hold"
            raise CutOff(f"{claim}: it is cut off, or not {kind}")
        return _Shape(n, dim, start)
    dim = 0 if kind == "binary" else _length_of_row(data)
    if dim == 0:
        advice = ": it is native: give --format native (kind)" if line.startswith(modelfile.MAGIC) else ""
        raise InputError(
            f"{name} does not start with a line 'words dim' or a vector, but with {line[:40]!r}"
            f"{advice or ': see --format'}"
        )
    if dim > _MOST_NUMBERS:
        raise InputError(
            f"{name} starts with a row of more than {_MOST_NUMBERS:,} numbers: it needs a line 'words dim'"
        )
    return _Shape(min(_count_lines(data), (len(data) + 1) // (2 * dim + 2)), dim)


def _length_of_row(data: NDArray[np.uint8]) -> int:
    """How many numbers stand in the first row, `_MOST_NUMBERS` + 1 for more than that; 0 where it is none."""
    from ..kernels.numbers import MAX_WORD_BYTES

    most_bytes = MAX_WORD_BYTES + _MOST_NUMBERS * _MOST_NUMBER_BYTES
    line = data[: most_bytes + 1].tobytes().split(b"\n")[0]
    texts = line.split(None, _MOST_NUMBERS + 1)[1:]
    try:
        dim = len([float(text) for text in texts[:_MOST_NUMBERS]])
    except ValueError:
        return 0
    is_longer = len(texts) > _MOST_NUMBERS or len(line) > most_bytes
    return _MOST_NUMBERS + 1 if dim and is_longer else dim


def _count_lines(data: NDArray[np.uint8]) -> int:
    starts = range(0, len(data), 1 << 20)
    return 1 + sum(int(np.count_nonzero(data[start : start + (1 << 20)] == ord("\n"))) for start in starts)


def _problem_of(problem: int, row: int, rest: NDArray[np.uint8], shape: _Shape, kind: str) -> str:
    """What is wrong with a row, in words that follow the name of the file; rest: the bytes from the problem on."""
    from ..kernels import numbers

    if problem == numbers.TOO_MANY:
        if kind == "binary":
            claim = f"the {shape.n} x {shape.dim} it claims"
            return f" is damaged, or its first line is wrong: {len(rest):,} bytes follow {claim}"
        if shape.start:
            return f" holds more rows than the {shape.n} its first line claims"
        return f" has rows that are not {shape.dim} long, unlike its first one"  # the file is too small for that
    if problem == numbers.BAD_WORD:
        word = f"a word of up to {numbers.MAX_WORD_BYTES:,} bytes and a blank"
        return f" is damaged: row {row} should begin with {word}, not with {rest[:40].tobytes()!r}"
    if problem == numbers.BAD_END:
        what = "a newline" if rest[:1].tobytes() == b"\n" else "no newline"
        return f" is damaged, cut off or not {shape.dim} wide: {what} follows row {row}, unlike row 1"
    if problem in (numbers.BAD_NUMBER, numbers.NOT_FINITE):
        text = (rest[:40].tobytes().split() or [b""])[0]
        what = "a number" if problem == numbers.BAD_NUMBER else "a finite float32"
        return f", row {row}: {text!r} is not {what}, or the row is not {shape.dim} long"
    return f" is cut off: {shape.n} words x {shape.dim} claimed, row {row} is missing or short ({kind})"
