"""What a run will need, itemised, before it begins: memory for the training, disk space for its files."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Sequence

from ..config import TrainConfig
from ..corpus.paths import STDIN
from ..corpus.source import is_compressed, read_blocks
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..events import Estimated, NewFile
from ..files.names import STANDARD_STREAMS, is_device, real_path
from ..kernels.layout import RowLayout
from ..machine import available_memory, format_bytes
from ..system import largest_file
from .matrices import matrix_bytes
from .objective import length_of_paths
from .softmax import BATCH

SAMPLED_FILES = 16
"""The most files of a corpus that are sampled to estimate the number of its ids."""

BYTES_OF_A_NUMBER, BYTES_OF_A_NAME = 11.6, 10
"""The bytes of a number and of a word in a text file of vectors, with the blanks between them."""

BYTES_OF_A_WORD = 40
"""The memory of a word while the words are written. Reading the text took more, so there is room for more."""

BYTES_OF_DRAWING = 60_000_000
"""What matplotlib takes when it draws first and keeps: 47 to 69 MB of addresses, of which it uses 13 to 30."""


def estimate_memory(
    layout: RowLayout,
    config: TrainConfig,
    vocabulary: Vocabulary,
    has_checkpoints: bool = False,
    gathers_rows: bool = False,
    n_unmapped: int = 0,
    draws_loss: bool = False,
) -> Estimated:
    """The memory that training will allocate for matrices of this layout, and what is free now.

    gathers_rows: from the workers of a cluster, which are all received before they take the place of earlier ones.
    n_unmapped: the bytes of the checkpoint that the run resumes from, which is mapped only until it is copied.
    """
    n_words = layout.n_words
    model_bytes = 2 * 4 * n_words * config.dim
    n_thread_rows = layout.n_input_rows + layout.n_output_rows - 2 * n_words
    tables = 20 * n_words + 8 * length_of_paths(vocabulary) if config.loss == "hs" else 25 * n_words
    if config.deterministic:
        tables += 16 * n_words
    memory = {
        "2 matrices": 2 * matrix_bytes(n_words, config.dim),
        "copies per thread": matrix_bytes(n_thread_rows, config.dim),
        "tables": tables,
        "a batch": 4 * BATCH * n_words if config.loss == "softmax" else 0,
        "words": BYTES_OF_A_WORD * n_words,
        "a checkpoint": model_bytes if has_checkpoints else 0,
        "the best vectors": model_bytes if config.patience else 0,
        "rows from workers": model_bytes if gathers_rows else 0,
        "the loss plot": BYTES_OF_DRAWING if draws_loss else 0,
    }
    return Estimated(memory, *available_memory(n_unmapped))


def check_memory(estimated: Estimated) -> None:
    """Raise InputError if there is too little memory."""
    if estimated.available is not None and estimated.total > estimated.available:
        raise InputError(f"too little memory: {estimated}. Lower --dim or --max-vocab, or raise --min-count")


def check_disk(files: Sequence[NewFile], advice: str) -> None:
    """Raise InputError if a disk, or `ulimit -f`, leaves less room than the files on it will need together."""
    limit = largest_file()
    on_disk: dict[int, list[tuple[str, NewFile]]] = {}
    for file in files:
        if file.path in STANDARD_STREAMS or is_device(file.path):
            continue
        if limit is not None and file.n_bytes > limit:
            sizes = (
                f"a file of about {format_bytes(file.n_bytes)} is needed, and ulimit -f allows {format_bytes(limit)}"
            )
            raise InputError(f"no room for {file.what}: {sizes}; raise that limit")
        directory = os.path.dirname(real_path(file.path))
        with contextlib.suppress(OSError):  # creating the file will say why
            on_disk.setdefault(os.stat(directory).st_dev, []).append((directory, file))
    for found in on_disk.values():
        directory = found[0][0]
        needed, (total, _, free) = sum(file.n_more for _, file in found), shutil.disk_usage(directory)
        if needed > free and total > 0:  # some file systems do not tell their size
            what = " and ".join(file.what for _, file in found if file.n_more)
            sizes = f"about {format_bytes(needed)} is needed in {directory}, which has {format_bytes(free)} free"
            raise InputError(f"no room for {what}: {sizes}; {advice}")


def model_file_bytes(n_words: int, dim: int) -> float:
    """The approximate size of a file with both matrices: a checkpoint, or a model."""
    norm, end_of_word, count = 4, 8, 8
    return n_words * (2 * 4 * dim + norm + end_of_word + count + BYTES_OF_A_NAME)


def vector_file_bytes(kind: str, n_words: int, dim: int) -> float:
    """The approximate size of a file of vectors."""
    bytes_of_a_number = 4.0 if kind in ("binary", "npz", "native") else BYTES_OF_A_NUMBER
    return n_words * (bytes_of_a_number * dim + BYTES_OF_A_NAME)


def check_room_for_ids(files: Sequence[str], temp_dir: str | None) -> int | None:
    """The bytes that the ids of plain files will take, from their sizes and first blocks; None if unknown.

    Raises InputError if the temporary directory has less room.
    """
    if not files or STDIN in files:
        return None
    n_bytes = n_sampled_bytes = n_sampled_ids = 0
    step = -(-len(files) // SAMPLED_FILES)
    for number, file in enumerate(files):
        if not os.path.isfile(file):
            return None
        n_bytes += os.path.getsize(file)
        if number % step == 0:
            if is_compressed(file):  # how much text it holds is not known
                return None
            n_read, block = next(iter(read_blocks([file])))
            text = block.tobytes()
            n_sampled_bytes += n_read
            n_sampled_ids += len(text.split()) + sum(not line.isspace() for line in text.split(b"\n")[:-1] if line)
    needed = round(4 * n_sampled_ids * n_bytes / max(1, n_sampled_bytes))
    try:
        directory = temp_dir or tempfile.gettempdir()
    except FileNotFoundError:  # creating the file of ids will say so
        return None
    ids = NewFile("the encoded corpus", os.path.join(directory, "ids"), needed, needed)
    check_disk([ids], "name another directory with --temp-dir")
    return needed
