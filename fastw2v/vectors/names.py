"""The formats of files of vectors, and which format and files a name implies. Importing this does not load NumPy."""

import os
from pathlib import Path

from ..errors import InputError
from ..files.checks import check_plain
from ..files.names import STANDARD_STREAMS, PathLike

VECTOR_FORMATS = ("text", "binary", "glove", "tensorboard", "npz", "native")
ANOTHER_FORMAT = "use another format, such as .fw2v"
"""What to do about words that a format cannot hold: native files hold any that are Unicode."""

_FORMAT_OF_SUFFIX = {".bin": "binary", ".tsv": "tensorboard", ".npz": "npz", ".fw2v": "native"}


def format_of(path: PathLike) -> str:
    """The format that the end of a name implies: .bin binary, .npz npz, .fw2v native, .tsv tensorboard, others text.

    .gz may follow the suffix of text and binary files. Raises InputError where it follows another.
    """
    name = Path(path)
    is_compressed = name.suffix == ".gz"
    kind = _FORMAT_OF_SUFFIX.get(name.with_suffix("").suffix if is_compressed else name.suffix, "text")
    if is_compressed and kind not in ("text", "binary"):
        raise InputError(f"{os.fspath(path)}: only text and binary files are compressed; leave out .gz")
    return kind


def check_input(path: PathLike, kind: str) -> None:
    """Raise InputError for a file of vectors that does not exist, or of a format that is not read. `-` is stdin."""
    name = os.fspath(path)
    if kind == "tensorboard":
        raise InputError(f"{name}: TensorBoard's files are written only; read the ones they were made of")
    try:
        if name != "-":
            os.stat(name)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        raise InputError(f"cannot read vectors {name}: {getattr(error, 'strerror', None) or error}") from error


def outputs_of(path: PathLike, kind: str) -> list[str]:
    """The files that are written: TensorBoard's format has a second one for the words.

    Raises InputError where a stream would have to hold both, and for names of compressed files that do not end in .gz.
    """
    name = os.fspath(path)
    if not name.endswith(".gz"):
        check_plain([name])
    if kind != "tensorboard":
        return [name]
    if name in STANDARD_STREAMS:
        raise InputError(f"TensorBoard's format is two files, which {name} cannot hold: name one that ends in .tsv")
    stem, suffix = os.path.splitext(name)
    directory, last = os.path.split(stem)
    metadata = last.replace("vectors", "metadata") if "vectors" in last else f"{last}.metadata"
    return [name, os.path.join(directory, metadata + suffix)]
