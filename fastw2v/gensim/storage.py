"""Models and vectors on disk: our native file, whatever its name, and what gensim has saved, if it is plain data."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..errors import InputError
from ..files.names import PathLike
from ..matrix import as_float32
from ..modelfile import ModelFile
from . import pickles
from .corpora import plain_key
from .stored import Stored

_OF_PICKLES = {"separately", "sep_limit", "ignore", "pickle_protocol"}
"""gensim's options that say how to pickle."""

PICKLE = b"\x80"
"""The first byte of pickles of protocol 2 and later, which is what gensim writes."""


def check_options(options: dict[str, Any]) -> None:
    """Raise TypeError for an option that gensim's `save` does not have."""
    if unknown := options.keys() - _OF_PICKLES:
        raise TypeError(f"save has no option {unknown.pop()!r}")


def save(path: PathLike, stored: Stored) -> None:
    """Write a native file. Raises InputError for what it cannot hold, RunError for NaN and a full disk."""
    modelfile.write(path, _content_of(stored))


def _content_of(stored: Stored) -> ModelFile:
    keys = list(map(plain_key, stored.keys))
    kinds = set(map(type, keys))
    if len(kinds) > 1 or not kinds <= {str, int}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"the keys are of the types {names}: a file holds keys that are all str, or all int")
    counts = stored.expandos.get("count")
    if counts is not None and (counts.dtype.kind not in "iu" or (len(counts) and counts.min() < 0)):
        counts = None
    others = {name: values for name, values in stored.expandos.items() if name != "count" or counts is None}
    about = {
        "keys": "int" if kinds == {int} else "str",
        "dtype": str(stored.vectors.dtype),
        "expandos": {name: [str(values.dtype), _plain(name, values)] for name, values in others.items()},
        "attributes": stored.attributes,
    }
    return ModelFile(
        words=list(map(str, keys)),
        vectors=as_float32(stored.vectors),
        counts=None if counts is None else counts.astype(np.int64),
        output_vectors=stored.output_vectors,
        node_vectors=stored.node_vectors,
        training={"model": None, "loss": None, **stored.training, "gensim": about},
    )


def is_plain(value: Any) -> bool:
    """Whether JSON holds a value and gives it back as it was, but for tuples."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int | float)


def _plain(name: str, values: NDArray[Any]) -> list[Any]:
    """Return the values of an attribute as JSON holds them. Raises InputError for others."""
    plain: list[Any] = values.tolist()
    if values.dtype.kind == "O" and not all(isinstance(value, str | int | float | None) for value in plain):
        raise InputError(f"the attribute {name!r} holds other values than numbers and str: a file cannot keep it")
    return plain


def load(path: PathLike, mmap: str | None = None) -> Stored:
    """Read what `save` has written, another native file, or a pickle of gensim's.

    mmap: None for arrays that can be changed, "r" for mapped ones, which cannot. Raises InputError.
    """
    name = os.fspath(path)
    if mmap not in (None, "r"):
        raise InputError(f"mmap is {mmap!r}: it must be None, or 'r' for vectors that are mapped and cannot be changed")
    with open(path, "rb") as file:
        head = file.read(1)
    if head == PICKLE:
        return pickles.stored(path)
    return _stored(name, modelfile.read(path, verify=mmap is None), is_mapped=mmap == "r")


def _stored(name: str, content: ModelFile, is_mapped: bool) -> Stored:
    training = content.training if isinstance(content.training, dict) else {}
    about = training.get("gensim", {})
    matrices = [
        matrix if is_mapped or matrix is None else np.array(matrix, np.float32)
        for matrix in (content.vectors, content.output_vectors, content.node_vectors)
    ]
    assert matrices[0] is not None
    try:
        dtype = np.dtype(about.get("dtype", "float32"))
        expandos = {key: np.array(values, kind) for key, (kind, values) in about.get("expandos", {}).items()}
        keys = list(map(int, content.words)) if about.get("keys") == "int" else list(content.words)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{name} is damaged: it does not say what its keys and attributes are ({error})") from error
    if content.counts is not None:
        expandos["count"] = np.array(content.counts)
    attributes = about.get("attributes")
    return Stored(keys, matrices[0].astype(dtype, copy=False), expandos, matrices[1], matrices[2], attributes, training)
