"""Files of vectors in NumPy's npz format, without pickled objects."""

import encodings.cp437  # noqa: F401  zipfile would load it when it reads: a fork must not meet a thread that imports
import os
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..files.names import PathLike
from ..files.replace import replacing
from ..matrix import is_finite
from ..modelfile import ModelFile
from .names import ANOTHER_FORMAT

_MOST_INFLATION = 100
"""How many times larger an npz file may be when it is unpacked: vectors hardly shrink, words by less than that."""

_LONGEST_WORD, _MOST_PADDING = 100, 20
"""NumPy pads all words to the longest. That one may have so many letters, or so many times the mean."""


def check_words(words: Sequence[str]) -> None:
    """Raise InputError for words that NumPy cannot hold, or for which it would need far more room than they take."""
    lengths = [len(word) for word in words]
    longest = max(lengths)
    if longest > _LONGEST_WORD and longest > _MOST_PADDING * sum(lengths) / len(lengths):
        waste = f"the longest word has {longest} letters, and npz would reserve as many for every word"
        raise InputError(f"{waste}: {ANOTHER_FORMAT}")
    if any(word.endswith("\0") for word in words):  # NumPy drops zero bytes at the end
        raise InputError(f"a word ends in a zero byte, so no npz file can hold it: {ANOTHER_FORMAT}")


def write(path: PathLike, content: ModelFile) -> None:
    """Write arrays `words`, (n,) str, `vectors`, (n, dim) float32, and if they are known `counts`, (n,) int64.

    The caller sees to it that `check_words` accepts the words.
    """
    arrays: dict[str, Any] = {"words": np.array(content.words), "vectors": content.vectors}
    if content.counts is not None:
        arrays["counts"] = content.counts
    with replacing(path) as file:
        np.savez(file, **arrays)


def read(path: PathLike, limit: int | None = None) -> ModelFile:
    """Read what `write` has written; at most `limit` words. Nothing in the file is executed.

    Raises InputError for a file that is damaged, holds other arrays, or numbers that are not finite.
    """
    name = os.fspath(path)
    try:
        return _content_of(name, limit)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read vectors {name}: {error.strerror or error}") from error
    except Exception as error:  # NumPy and zipfile raise whatever a damaged file leads them to
        raise InputError(f"{name} is damaged, or not an npz file with words and vectors: {error}") from error


def _content_of(name: str, limit: int | None) -> ModelFile:
    """The arrays, whose shapes and types fit. Raises InputError, or whatever a damaged file leads to."""
    size = os.path.getsize(name)
    with zipfile.ZipFile(name) as archive:
        unpacked = sum(item.file_size for item in archive.infolist())
    if unpacked > _MOST_INFLATION * size:
        raise InputError(f"{name} would grow from {size} to {unpacked} bytes: these are not vectors")
    with np.load(name, allow_pickle=False) as arrays:
        words, vectors, counts = arrays["words"], arrays["vectors"], arrays.get("counts")
    n = len(words) if words.ndim == 1 else -1
    fits = words.dtype.kind == "U" and vectors.dtype.kind == "f" and vectors.ndim == 2 and len(vectors) == n > 0
    if not fits or vectors.shape[1] < 1:
        contents = f"words {words.dtype} {words.shape} and vectors {vectors.dtype} {vectors.shape}"
        raise InputError(f"{name} holds {contents}: there should be n words and n x dim floats")
    if counts is not None and (counts.shape != (n,) or counts.dtype.kind not in "iu"):
        raise InputError(f"{name} holds counts {counts.dtype} {counts.shape}: there should be {n} integers")
    if counts is not None and counts.min() < 0:
        raise InputError(f"{name} is damaged: it holds counts below 0")
    vectors = vectors[:limit].astype(np.float32, copy=False)
    if not is_finite(vectors):
        raise InputError(f"{name} holds NaN or infinite numbers")
    return ModelFile(words[:limit].tolist(), vectors, None if counts is None else counts[:limit].astype(np.int64))
