"""What gensim has pickled, read as plain data. Nothing that a file names is imported or called.

A pickle names classes and functions, and says how to call them. Here all of them are stand-ins that only keep what they
are given: `Item` for objects, `_Array` and `_Dtype` for those of NumPy. What they keep is then checked like that of any
other file.
"""

import os
import pickle
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.names import PathLike
from .stored import Stored

_DTYPE = re.compile(r"[biuf][1248]|O8?")
"""The types of arrays that are read: numbers, or objects, which a pickle holds as a list."""


class Item(dict[Any, Any]):
    """An object of a pickle: its attributes, and its items if it is a dict. source: the name of its class."""

    source = ""

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update({str(name): value for name, value in state.items() if str(name) not in _OWN})

    def get_first(self, *names: str, default: Any = None) -> Any:
        """Return the first of these attributes that is set."""
        return next((vars(self)[name] for name in names if vars(self).get(name) is not None), default)


_OWN = {"source", "get_first", "__class__", "__dict__", "__setstate__"}


class _Dtype:
    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = str(code), "="

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1]) if state[1] in ("<", ">", "=", "|") else "?"

    def dtype(self) -> np.dtype[Any]:
        if not _DTYPE.fullmatch(self.code):
            raise ValueError(f"an array of type {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order if self.order != "|" else "=")  # type: ignore[arg-type]


class _Array:
    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> NDArray[Any]:
        _, shape, kind, is_fortran, data = self.state
        dtype = kind.dtype()
        if dtype.kind == "O":
            return np.fromiter(data, object, len(data)).reshape(shape)
        flat = np.frombuffer(data if isinstance(data, bytes) else data.encode("latin-1"), dtype)
        return flat.reshape(shape, order="F" if is_fortran else "C").astype(dtype.newbyteorder("="))


def _scalar(kind: _Dtype, data: Any = b"") -> Any:
    return np.frombuffer(data if isinstance(data, bytes) else data.encode("latin-1"), kind.dtype())[0].item()


def _encoded(text: str, _: str = "latin1") -> bytes:  # the only encoding in which pickles keep bytes
    return text.encode("latin-1")


_NUMPY = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Dtype, "scalar": _scalar}
_PLAIN: dict[str, Callable[..., Any]] = {"frozenset": frozenset, "set": set, "long": int, "int": int}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for what a pickle names."""
        if module.partition(".")[0] == "numpy" and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) == ("_codecs", "encode"):
            return _encoded
        if module in ("builtins", "__builtin__") and name in _PLAIN:
            return _PLAIN[name]
        return type(name, (Item,), {"source": f"{module} {name}"})


def read(path: PathLike) -> Item:
    """Return the object that gensim has saved: its attributes, in which arrays are NumPy's, and objects are `Item`.

    Arrays that gensim has written to files of their own are read too. Raises InputError for any other pickle.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            root = _Unpickler(file, encoding="latin1").load()
        if not isinstance(root, Item):
            raise ValueError(f"it holds a {type(root).__name__}")
        _complete(root, name)
    except OSError as error:
        raise InputError(f"cannot read {error.filename or name}: {error.strerror or error}") from error
    except Exception as error:  # whatever a damaged file leads pickle and NumPy to
        raise InputError(f"{name} is a pickle that cannot be read as plain data ({error}): {ADVICE}") from error
    return root


ADVICE = (
    "save it from gensim by model.wv.save_word2vec_format('vectors.bin', binary=True), and read that here by "
    "KeyedVectors.load_word2vec_format"
)


def _complete(item: Item, name: str) -> None:
    """Put arrays in the place of their stand-ins, and read those that gensim has kept in files of their own."""
    attributes = vars(item)
    for attribute in _strings(attributes.get("__numpys")):
        attributes[attribute] = np.load(f"{name}.{attribute}.npy", allow_pickle=False)
    for attribute in _strings(attributes.get("__scipys")):
        raise ValueError(f"its {attribute} is a sparse matrix")
    for attribute, value in attributes.items():
        attributes[attribute] = _resolved(value)
        if isinstance(value, Item):
            _complete(value, f"{name}.{attribute}")
        elif attribute == "expandos":
            attributes[attribute] = {key: _resolved(values) for key, values in value.items()}


def _resolved(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


def _strings(names: Any) -> Iterable[str]:
    found = list(names or [])
    if not all(isinstance(name, str) and name.isidentifier() for name in found):
        raise ValueError(f"its attributes are called {found}")
    return found


def stored(path: PathLike) -> Stored:
    """Return the vectors or the model that gensim, version 0.12 or later, has pickled. Raises InputError."""
    name = os.fspath(path)
    root = read(path)
    try:
        return _stored(root)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        kind = root.source.split()[-1]
        raise InputError(f"{name} is a pickled {kind} whose parts do not fit each other ({error}): {ADVICE}") from error


def _stored(root: Item) -> Stored:
    keyed = root.get_first("wv", default=root)
    trainables, vocabulary = (root.get_first(part, default=Item()) for part in ("trainables", "vocabulary"))
    keys = list(keyed.get_first("index_to_key", "index2word", "index2entity") or root.get_first("index2word"))
    vectors = np.asarray(keyed.get_first("vectors", "syn0", default=root.get_first("syn0")))
    if vectors.ndim != 2 or len(vectors) != len(keys) or vectors.dtype.kind != "f":
        raise ValueError(f"{len(keys)} keys and vectors {vectors.dtype} {vectors.shape}")
    expandos = {
        key: values
        for key, values in keyed.get_first("expandos", default={}).items()
        if key not in ("code", "point", "sample_int") and len(values) == len(keys)
    }
    words = keyed.get_first("vocab", default=root.get_first("vocab"))
    if "count" not in expandos and words is not None:
        expandos["count"] = np.array([int(vars(words[key])["count"]) for key in keys], np.int64)
    result = Stored(keys, np.array(vectors), expandos)
    if not root.source.endswith(" Word2Vec"):
        return result
    for place, attribute in ("output_vectors", "syn1neg"), ("node_vectors", "syn1"):
        matrix = root.get_first(attribute, default=trainables.get_first(attribute))
        if matrix is not None and matrix.shape == vectors.shape:
            setattr(result, place, np.array(matrix, np.float32))
    plain = {**vars(vocabulary), **vars(trainables), **vars(root)}
    plain["epochs"] = plain.get("epochs", plain.get("iter"))
    result.attributes = {
        key: value for key, value in plain.items() if isinstance(value, bool | int | float) and not key.startswith("_")
    }
    return result
