"""What a run will need, itemised, before it is begun: memory for the training, disk for what is written."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import TrainConfig
from ..corpus.paths import STDIN
from ..corpus.source import is_compressed, read_blocks
from ..errors import InputError
from ..files import STANDARD_STREAMS, is_device
from ..machine import available_memory
from .model import model_bytes
from .objective import n_hot_rows
from .softmax import BATCH

SAMPLED_FILES = 16

BYTES_OF_A_NUMBER, BYTES_OF_A_NAME = 11.6, 10
"""In a text file of vectors, with blanks."""

BYTES_OF_A_WORD = 40
"""While the words are written; for more there is room where the text was read."""

PATH_SHARE = 1.3
"""The mean Huffman path is about so many times log2 of the number of words; measured on wiki8."""


@dataclass(frozen=True)
class Estimated:
    """memory: bytes that the training will need besides what the process has, by what for.

    available: what is free, None if unknown; limit: what sets that.
    """

    memory: dict[str, int]
    available: int | None
    limit: str

    def __str__(self) -> str:
        total = sum(self.memory.values())
        items = ", ".join(f"{name} {size_of(n)}" for name, n in self.memory.items() if n > 0.005 * total)
        free = "" if self.available is None else f" of {size_of(self.available)} free ({self.limit})"
        return f"memory for training {size_of(total)}{free}: {items}"

    def check(self) -> None:
        """Raises InputError if the memory will not do."""
        if self.available is not None and sum(self.memory.values()) > self.available:
            raise InputError(f"not enough {self}. Lower --dim or --max-vocab, or raise --min-count")


def size_of(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.{0 if n_bytes >= 1e7 else 1}f} MB"


def estimate_memory(n_words: int, config: TrainConfig, threads: int, has_checkpoints: bool) -> Estimated:
    """What training on a vocabulary of so many words will allocate, and what is free now."""
    matrices = model_bytes(n_words, config.dim)
    n_hot_words, n_hot_nodes = n_hot_rows(n_words, config, threads)
    tables = (20 + round(8 * PATH_SHARE * math.log2(n_words)) if config.loss == "hs" else 25) * n_words
    memory = {
        "2 matrices": matrices,
        "rows of threads": threads * (2 * n_hot_words + n_hot_nodes) * model_bytes(1, config.dim),
        "tables": tables,
        "a batch": 4 * BATCH * n_words if config.loss == "softmax" else 0,
        "words": BYTES_OF_A_WORD * n_words,
        "a checkpoint": 2 * 4 * n_words * config.dim if has_checkpoints else 0,
    }
    return Estimated(memory, *available_memory())


def check_disk(path: str | os.PathLike[str], needed: float, what: str, advice: str) -> None:
    """Raise InputError if the disk of a file to be has less room than `needed` bytes."""
    directory = os.path.dirname(os.path.realpath(path))
    if os.fspath(path) in STANDARD_STREAMS or is_device(path):
        return
    try:
        free = shutil.disk_usage(directory).free
    except OSError:  # who makes the file will say why
        return
    if needed > free:
        raise InputError(
            f"{what} needs about {size_of(needed)} in {directory}, which has {size_of(free)} free: {advice}"
        )


def file_bytes(kind: str, n_words: int, dim: int) -> float:
    """The size of a file of vectors, about."""
    of_a_number = 4.0 if kind in ("binary", "npz", "native") else BYTES_OF_A_NUMBER
    return n_words * (of_a_number * dim + BYTES_OF_A_NAME)


def check_room_for_ids(files: Sequence[str], temp_dir: str | None) -> int | None:
    """The bytes that the ids of plain files will take, from their sizes and first blocks; None if unknown.

    Raises InputError if the temporary directory has less room.
    """
    if not files or STDIN in files:
        return None
    n_bytes = sampled = n_ids = 0
    step = -(-len(files) // SAMPLED_FILES)
    for number, file in enumerate(files):
        if not os.path.isfile(file):
            return None
        n_bytes += os.path.getsize(file)
        if number % step == 0:
            if is_compressed(file):  # how much text it holds is not known
                return None
            for n_read, text in read_blocks([file]):
                sampled += n_read
                n_ids += len(text.tobytes().split()) + len(re.findall(rb"\S[^\n]*\n", text.tobytes()))
                break
    needed = round(4 * n_ids * n_bytes / max(1, sampled))
    try:
        directory = temp_dir or tempfile.gettempdir()
    except FileNotFoundError:  # the file of ids will say so
        return None
    check_disk(os.path.join(directory, "ids"), needed, "the encoded corpus", "name another one with --temp-dir")
    return needed
