"""The formats of files of vectors, and which one a file's name says. Loads nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..files import STANDARD_STREAMS

FORMATS = ("text", "binary", "glove", "tensorboard", "npz", "native")
_SUFFIXES = {".bin": "binary", ".tsv": "tensorboard", ".npz": "npz", ".fw2v": "native"}

CHECKPOINT, PREVIOUS_CHECKPOINT = "checkpoint.fw2v", "previous.fw2v"
"""In a directory of checkpoints: the latest, and the one before."""


def format_of(path: str | os.PathLike[str]) -> str:
    """By the end of the name: .bin binary, .npz npz, .fw2v native, .tsv tensorboard, else text; .gz may be behind it.

    Raises InputError for a format that is not compressed.
    """
    name = Path(path)
    is_compressed = name.suffix == ".gz"
    kind = _SUFFIXES.get(name.with_suffix("").suffix if is_compressed else name.suffix, "text")
    if is_compressed and kind not in ("text", "binary"):
        raise InputError(f"{os.fspath(path)}: only text and binary files are compressed; leave out .gz")
    return kind


def outputs_of(path: str | os.PathLike[str], kind: str) -> list[str]:
    """The files that are written: TensorBoard's words stand in a file of their own."""
    name = os.fspath(path)
    if kind != "tensorboard":
        return [name]
    if name in STANDARD_STREAMS:
        raise InputError(f"TensorBoard's format is two files, which {name} cannot hold: name one that ends in .tsv")
    stem, suffix = os.path.splitext(name)
    directory, last = os.path.split(stem)
    metadata = last.replace("vectors", "metadata") if "vectors" in last else f"{last}.metadata"
    return [name, os.path.join(directory, metadata + suffix)]
