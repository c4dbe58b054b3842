"""Files of Hugging Face's safetensors, and directories of Model2Vec, which hold one.

A safetensors file is the length of a header as 8 bytes, the header, which is JSON, and the numbers
(https://huggingface.co/docs/safetensors). It holds no words, so they have a file beside it, one in each line.
"""

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.names import PathLike
from ..files.replace import replacing, write_text
from ..matrix import is_finite
from ..modelfile import ModelFile
from .names import MODEL2VEC_FILES, make_directory, outputs_of

TENSOR = "embeddings"
"""The name of the matrix, which is Model2Vec's."""

UNKNOWN = "[UNK]"
"""What Model2Vec's tokenizer makes of an unknown word, which it leaves out. Its vector is zero."""

_LENGTH = struct.Struct("<Q")
_MOST_HEADER_BYTES = 1 << 20


def write(path: PathLike, content: ModelFile) -> None:
    """Write the vectors, and beside them the words. The caller has checked that each word can be a line."""
    tensors, words = outputs_of(path, "safetensors")
    _write_matrix(tensors, content.vectors)
    with replacing(words) as file:
        write_text(file, [("\n".join(content.words) + "\n").encode()])


def _write_matrix(path: PathLike, matrix: NDArray[np.float32]) -> None:
    about = {"dtype": "F32", "shape": list(matrix.shape), "data_offsets": [0, 4 * matrix.size]}
    header = json.dumps({TENSOR: about, "__metadata__": {"format": "pt"}}).encode()
    header += b" " * (-len(header) % 8)
    with replacing(path) as file:
        file.write(_LENGTH.pack(len(header)) + header)
        file.write(np.ascontiguousarray(matrix, "<f4").data)


def read(path: PathLike, limit: int | None = None) -> ModelFile:
    """Read what `write` has written, or another file with one float32 matrix and its words beside it.

    Raises InputError for a file that is damaged or holds other tensors.
    """
    tensors, words_path = outputs_of(path, "safetensors")
    try:
        words = Path(words_path).read_text("utf-8-sig").removesuffix("\n").split("\n")
        size = os.path.getsize(tensors)
        with open(tensors, "rb") as file:
            start = file.read(_LENGTH.size)
            n_header = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
            if n_header > min(size, _MOST_HEADER_BYTES):
                raise InputError(f"{tensors} is not a safetensors file, or damaged")
            shape, first = _matrix_in(tensors, file.read(n_header))
            n, dim = shape
            if n != len(words):
                raise InputError(
                    f"{tensors} holds {n:,} vectors, but {words_path} {len(words):,} words: they do not belong together"
                )
            first += _LENGTH.size + n_header
            if first + 4 * n * dim > size:
                raise InputError(f"{tensors} is cut off: {n:,} vectors x {dim} do not fit into its {size:,} bytes")
            file.seek(first)
            n = min(n, limit or n)
            vectors = np.fromfile(file, "<f4", n * dim).reshape(n, dim).astype(np.float32, copy=False)
    except OSError as error:
        reason = error.strerror or error
        if error.filename == words_path:
            raise InputError(f"{tensors} needs its words in {words_path}, one in each line: {reason}") from error
        raise InputError(f"cannot read vectors {tensors}: {reason}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{words_path} is not UTF-8 at byte {error.start}") from error
    if not is_finite(vectors):
        raise InputError(f"{tensors} holds NaN or infinite numbers")
    return ModelFile(words[:n], vectors)


def _matrix_in(path: str, header: bytes) -> tuple[tuple[int, int], int]:
    """Return the shape of the float32 matrix in a file, and where it begins behind the header."""
    try:
        found: dict[str, Any] = json.loads(header)
        matrices = {
            name: about
            for name, about in found.items()
            if name != "__metadata__" and about["dtype"] == "F32" and len(about["shape"]) == 2
        }
        if len(matrices) != 1:
            raise InputError(f"{path} holds {len(matrices)} matrices of float32: there should be one")
        [about] = matrices.values()
        (n, dim), (start, stop) = map(int, about["shape"]), map(int, about["data_offsets"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a safetensors file, or damaged: {error}") from error
    if min(n, dim) < 1 or start < 0 or stop - start != 4 * n * dim:
        raise InputError(f"{path} is damaged: its header claims {n} vectors x {dim} in {stop - start} bytes")
    return (n, dim), start


def write_model2vec(path: PathLike, content: ModelFile) -> None:
    """Write a directory that Model2Vec's `StaticModel.from_pretrained` loads, and with it sentence-transformers.

    A sentence is the mean of its known words. Its words are those between blanks; in lower case if all of ours are,
    and without the punctuation around them if ours have none.
    """
    make_directory(path, "model2vec")
    directory = Path(path)
    config, tokenizer, tensors = (directory / name for name in MODEL2VEC_FILES)
    words, vectors = list(content.words), content.vectors
    if UNKNOWN not in words:
        words.append(UNKNOWN)
        vectors = np.concatenate([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
    _write_matrix(tensors, vectors)
    about = {"model_type": "model2vec", "architectures": ["StaticModel"], "hidden_dim": vectors.shape[1]}
    for file_path, text in ((tokenizer, _tokenizer(words)), (config, {**about, "normalize": False})):
        with replacing(file_path) as file:
            write_text(file, [(json.dumps(text, ensure_ascii=False) + "\n").encode()])


def _tokenizer(words: Sequence[str]) -> dict[str, Any]:
    """The description of a tokenizer, as the library tokenizers reads it."""
    is_lower = all(word == word.lower() for word in words if word != UNKNOWN)
    has_punctuation = any(word[-1:] in ".,;:!?" and len(word) > 1 for word in words)
    splits: list[dict[str, Any]] = [{"type": "WhitespaceSplit"}]
    if not has_punctuation:
        around = {"Regex": r"^\p{P}+|\p{P}+$"}
        splits.append({"type": "Split", "pattern": around, "behavior": "Removed", "invert": False})
    unknown = {"id": list(words).index(UNKNOWN), "content": UNKNOWN, "special": True}
    unknown |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [unknown],
        "normalizer": {"type": "Lowercase"} if is_lower else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: i for i, word in enumerate(words)}, "unk_token": UNKNOWN},
    }
