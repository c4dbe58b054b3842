"""The formats of files of vectors, and which format and files a name implies. Importing this does not load NumPy."""

import os
from pathlib import Path

from ..errors import InputError
from ..files.checks import check_plain
from ..files.names import STANDARD_STREAMS, PathLike

VECTOR_FORMATS = ("text", "binary", "glove", "tensorboard", "npz", "native", "safetensors", "model2vec")

WRITTEN_ONLY = {"tensorboard": "TensorBoard's files", "model2vec": "Model2Vec's directories"}
"""The formats that are not read, by what their files are called."""

MODEL2VEC_FILES = "config.json", "tokenizer.json", "model.safetensors"
"""The files of Model2Vec in their directory."""

ANOTHER_FORMAT = "use another format, such as .fw2v"
"""What to do about words that a format cannot hold: native files hold any that are Unicode."""

_OTHER_SUFFIXES = {".parquet", ".feather", ".arrow", ".csv", ".json", ".jsonl", ".xlsx", ".h5", ".hdf5", ".npy"}
_OTHER_SUFFIXES |= {".pt", ".pth", ".onnx", ".pkl", ".pickle", ".kv", ".model", ".ftz"}
"""What names end in whose files have formats that are not written; other names are those of text."""

_FORMAT_OF_SUFFIX = {".bin": "binary", ".tsv": "tensorboard", ".npz": "npz", ".fw2v": "native"}
_FORMAT_OF_SUFFIX |= {".safetensors": "safetensors"}


def format_of(path: PathLike) -> str:
    """The format that the end of a name implies: .bin binary, .npz npz, .fw2v native, .tsv tensorboard, others text.

    .gz may follow the suffix of text and binary files. Raises InputError where it follows another.
    """
    name = Path(path)
    is_compressed = name.suffix == ".gz"
    kind = _FORMAT_OF_SUFFIX.get(name.with_suffix("").suffix if is_compressed else name.suffix, "text")
    if is_compressed and kind not in ("text", "binary"):
        raise InputError(f"{os.fspath(path)}: only text and binary files can be compressed; leave out .gz")
    return kind


def check_format(kind: str) -> None:
    """Raise InputError for what is no format of vectors."""
    if kind not in VECTOR_FORMATS:
        raise InputError(f"the format is {kind!r}: it must be one of {', '.join(VECTOR_FORMATS)}")


def format_to_write(path: PathLike) -> str:
    """`format_of` a file to be written. Raises InputError where the name promises another format, as .parquet does."""
    suffix = Path(path).suffix.lower()
    if suffix in _OTHER_SUFFIXES:
        raise InputError(
            f"{os.fspath(path)}: files that end in {suffix} are not written: use .txt, .txt.gz, .bin, .npz, .fw2v, "
            ".safetensors or .tsv, or name a format (--format text)"
        )
    return format_of(path)


def make_directory(path: PathLike, kind: str) -> None:
    """Create the directory that the output of a format is, if it is one. Raises InputError."""
    if kind == "model2vec":
        try:
            os.makedirs(path, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a zero byte
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot make the directory {os.fspath(path)}: {reason}") from error


def check_input(path: PathLike, kind: str) -> None:
    """Raise InputError for a file of vectors that does not exist, or of a format that is not read. `-` is stdin."""
    name = os.fspath(path)
    if kind in WRITTEN_ONLY:
        raise InputError(
            f"{name}: {WRITTEN_ONLY[kind]} can be written but not read; read the file that they were made from"
        )
    try:
        if name != "-":
            os.stat(name)
    except (OSError, ValueError) as error:  # ValueError: a zero byte
        raise InputError(f"cannot read vectors {name}: {getattr(error, 'strerror', None) or error}") from error


def outputs_of(path: PathLike, kind: str) -> list[str]:
    """The files that are written: some formats have a second one for the words, and Model2Vec a directory of files.

    Raises InputError where a stream would have to hold several, and for names of compressed files that do not end in
    .gz.
    """
    name = os.fspath(path)
    if not name.endswith(".gz"):
        check_plain([name])
    if kind not in ("tensorboard", "safetensors", "model2vec"):
        return [name]
    if name in STANDARD_STREAMS:
        raise InputError(f"the format {kind} is several files, which {name} cannot hold: name a file or directory")
    if kind == "model2vec":
        return [os.path.join(name, file) for file in MODEL2VEC_FILES]
    stem, suffix = os.path.splitext(name)
    if kind == "safetensors":
        return [name, f"{stem}.words.txt"]
    directory, last = os.path.split(stem)
    metadata = last.replace("vectors", "metadata") if "vectors" in last else f"{last}.metadata"
    return [name, os.path.join(directory, metadata + suffix)]
