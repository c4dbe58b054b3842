"""A nameless temporary file of token ids, and threads that fill it in order."""

import contextlib
import errno
import mmap
import os
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, RunError
from ..kernels.forks import LOADING
from ..kernels.tokenize import renumber
from ..machine import format_bytes
from ..system import largest_file
from ..threads import Pool
from .compression import fill

IDS_AT_A_TIME = 1 << 20
"""The number of ids that one thread renumbers or merges at a time, 4 MB."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextlib.contextmanager
def temporary_file(directory: str | None) -> Iterator[BinaryIO]:
    """Open a nameless file for ids. A full disk becomes a RunError that says what to do."""
    try:
        with LOADING:  # `gettempdir` holds a lock when it is first called
            directory = directory or tempfile.gettempdir()
        spool = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115
    except OSError as error:
        raise InputError(
            f"cannot keep the encoded corpus in {directory or 'a temporary directory'}: {error.strerror}. "
            "Name another directory with --temp-dir"
        ) from error
    with spool as file:
        try:
            yield file  # type: ignore[misc]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            problem, advice = f"no room left in {directory}", "Name a directory with more room with --temp-dir"
            if error.errno == errno.EFBIG and (limit := largest_file()) is not None:
                problem, advice = f"ulimit -f allows files of {format_bytes(limit)}", "Raise that limit"
            raise RunError(
                f"{problem}, with {format_bytes(file.tell())} of the encoded corpus written: it takes 4 bytes per "
                f"token, about the size of the text. {advice}"
            ) from error


def write_ids(file: BinaryIO, ids: NDArray[np.int32]) -> None:
    rest = ids.data.cast("B")
    while rest:
        rest = rest[file.write(rest) :]


def map_ids(file: BinaryIO) -> NDArray[np.int32]:
    """Map the ids of a file into memory, read only; an empty file cannot be mapped."""
    if os.fstat(file.fileno()).st_size == 0:
        return np.frombuffer(b"", np.int32)
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.int32)


def renumber_file(file: BinaryIO, new_ids: NDArray[np.int32], pool: Pool) -> int:
    """Replace each id by `new_ids[id]` in place, and drop those that become -1; return the CRC-32 of the new ids.

    Sentences without words are dropped too: no sentence end follows another, or comes first.
    """
    n_ids = file.seek(0, os.SEEK_END) // 4
    n_written = checksum = 0
    is_in_sentence = False

    def pieces() -> Iterator[NDArray[np.int32]]:
        for first in range(0, n_ids, IDS_AT_A_TIME):
            piece = np.empty(min(IDS_AT_A_TIME, n_ids - first), np.int32)
            file.seek(4 * first)
            if fill(file, piece.view(np.uint8)) < piece.nbytes:
                raise RunError(
                    "the file of the encoded corpus became shorter: was its directory cleaned? See --temp-dir"
                )
            yield piece

    # Pieces are written behind those that are read, never over them, since they only become shorter.
    for piece in map_in_order(pool, lambda piece: piece[: renumber(piece, new_ids)], pieces(), n_ahead=8):
        ends_nothing = len(piece) and piece[0] < 0 and not is_in_sentence
        ids = piece[1:] if ends_nothing else piece
        if len(ids):
            is_in_sentence = bool(ids[-1] >= 0)
        file.seek(4 * n_written)
        write_ids(file, ids)
        checksum = zlib.crc32(ids.data, checksum)
        n_written += len(ids)
    file.truncate(4 * n_written)
    return checksum


def map_in_order(
    pool: Pool, work: Callable[[_Item], _Result], items: Iterable[_Item], n_ahead: int
) -> Iterator[_Result]:
    """Yield `work(item)` for each item in order, like `pool.map`, but take at most `n_ahead` items in advance."""
    pending: deque[Future[_Result]] = deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) > n_ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
