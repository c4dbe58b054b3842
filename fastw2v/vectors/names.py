"""The formats of files of vectors, which one a name implies, and what they hold. Importing this does not load NumPy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from ..files import STANDARD_STREAMS, PathLike

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VECTOR_FORMATS = ("text", "binary", "glove", "tensorboard", "npz", "native")
_FORMAT_OF_SUFFIX = {".bin": "binary", ".tsv": "tensorboard", ".npz": "npz", ".fw2v": "native"}


class StoredVectors(NamedTuple):
    """Words and vectors as files hold them; None where a file's format has no such field."""

    words: Sequence[str]  # (n,)
    vectors: NDArray[np.float32]  # (n, dim)
    counts: NDArray[np.int64] | None = None  # (n,)
    norms: NDArray[np.float32] | None = None  # (n,), 1 for a zero vector


def format_of(path: PathLike) -> str:
    """The format that a name ends in: .bin binary, .npz npz, .fw2v native, .tsv tensorboard, any other text.

    .gz may follow the suffix of text and binary files. Raises InputError where it follows another.
    """
    name = Path(path)
    is_compressed = name.suffix == ".gz"
    kind = _FORMAT_OF_SUFFIX.get(name.with_suffix("").suffix if is_compressed else name.suffix, "text")
    if is_compressed and kind not in ("text", "binary"):
        raise InputError(f"{os.fspath(path)}: only text and binary files are compressed; leave out .gz")
    return kind


def outputs_of(path: PathLike, kind: str) -> list[str]:
    """The files that are written: TensorBoard's words are in a second one. Raises InputError for a stream of two."""
    name = os.fspath(path)
    if kind != "tensorboard":
        return [name]
    if name in STANDARD_STREAMS:
        raise InputError(f"TensorBoard's format is two files, which {name} cannot hold: name one that ends in .tsv")
    stem, suffix = os.path.splitext(name)
    directory, last = os.path.split(stem)
    metadata = last.replace("vectors", "metadata") if "vectors" in last else f"{last}.metadata"
    return [name, os.path.join(directory, metadata + suffix)]
