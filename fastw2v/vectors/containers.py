"""npz, and our own format: a file that opens at once, its vectors mapped and its words decoded when they are needed.

The native format: `MAGIC`, the length of the header (uint64), its CRC-32 (uint32), a JSON header

    {"version": 1, "n": 5, "dim": 3, "sections": {name: [offset, bytes, CRC-32]}, "training": {...} or null}

and behind it the sections: vectors (n x dim float32), norms (n float32), words (UTF-8, a newline behind each),
word_ends (n int64: where each line ends) and, where they are known, counts (n int64) and the model's output_vectors
(n x dim float32). Little-endian; offsets are multiples of 64 bytes and count from the first one behind the header.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files import check_unicode, replacing

MAGIC = b"FASTW2V\0"
VERSION = 1
_ALIGNMENT = 64
_SMALL = 1e-15
"""The length of a vector whose squares are near the smallest float32."""

_PREFIX = struct.Struct("<8sQI")
_MOST_INFLATION = 100
"""An npz may grow by this much when it is unpacked; vectors hardly shrink, words by less."""

_LONGEST_WORD, _MOST_PADDING = 100, 20
"""Words of an npz have one width, 4 bytes a letter: refused where the longest is long, and so many times the mean."""

_KINDS = {
    "vectors": "<f4", "norms": "<f4", "words": "u1", "word_ends": "<i8", "counts": "<i8", "output_vectors": "<f4"
}  # fmt: skip


class Content(NamedTuple):
    """What a file of vectors holds; training: about the run, at least {"model": ..., "loss": ...}."""

    words: Sequence[str]  # (n,)
    vectors: NDArray[np.float32]  # (n, dim)
    counts: NDArray[np.int64] | None = None  # (n,)
    norms: NDArray[np.float32] | None = None  # (n,), 1 for a zero vector
    output_vectors: NDArray[np.float32] | None = None  # (n, dim)
    training: dict[str, Any] | None = None


class MappedWords(Sequence[str]):
    """Words in UTF-8, a newline behind each, decoded when they are asked for."""

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._text, self._ends = text, ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return self._decode(int(self._ends[index - 1]) if index else 0, int(self._ends[index]))

    def __iter__(self) -> Iterator[str]:
        lines = self._decode(0, int(self._ends[-1])).split("\n")
        if len(lines) == len(self):
            return iter(lines)
        ends = self._ends.tolist()  # a word holds a newline
        return map(self._decode, [0, *ends[:-1]], ends)

    def _decode(self, start: int, end: int) -> str:
        return self._text[start : end - 1].tobytes().decode("utf-8", "backslashreplace")


def norms_of(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The length of each row, (n,) float32; 1 for a zero vector, which is similar to nothing.

    Raises InputError for NaN.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    odd = np.flatnonzero(~((norms > _SMALL) & (norms < np.inf)))
    if len(odd):  # the squares may have left the range of float32
        exact = np.linalg.norm(vectors[odd].astype(np.float64), axis=1)
        if np.isnan(exact).any():
            raise InputError("the vectors hold NaN")
        norms[odd] = np.where(exact == 0, 1, np.minimum(exact, np.finfo(np.float32).max))
    found: NDArray[np.float32] = norms
    return found


def _arena(words: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    check_unicode(words)
    encoded = [word.encode() + b"\n" for word in words]
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def save_native(path: str | os.PathLike[str], content: Content) -> None:
    """Write the native format."""
    vectors = np.ascontiguousarray(content.vectors, "<f4")
    words, word_ends = _arena(content.words)
    arrays = {"vectors": vectors, "norms": norms_of(vectors), "words": words, "word_ends": word_ends}
    if content.counts is not None:
        arrays["counts"] = np.asarray(content.counts)
    if content.output_vectors is not None:
        arrays["output_vectors"] = content.output_vectors
    arrays = {name: np.ascontiguousarray(array, _KINDS[name]) for name, array in arrays.items()}
    offset = 0
    sections = {}
    for name, array in arrays.items():
        sections[name] = [offset, array.nbytes, zlib.crc32(array.reshape(-1).view(np.uint8).data)]
        offset = _rounded(offset + array.nbytes)
    n, dim = vectors.shape
    named = {"version": VERSION, "n": n, "dim": dim, "sections": sections, "training": content.training}
    header = json.dumps(named).encode()
    start = _rounded(_PREFIX.size + len(header))
    with replacing(path) as file:
        file.write((_PREFIX.pack(MAGIC, len(header), zlib.crc32(header)) + header).ljust(start, b"\0"))
        for array in arrays.values():
            file.write(array.reshape(-1).view(np.uint8).data)
            file.write(b"\0" * (_rounded(array.nbytes) - array.nbytes))


def _rounded(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNMENT) * _ALIGNMENT


def load_native(path: str | os.PathLike[str], limit: int | None = None, verify: bool = False) -> Content:
    """Map a file of the native format. verify: read all of it and compare the checksums."""
    name = os.fspath(path)
    try:
        data = np.memmap(name, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read vectors {name}: {getattr(error, 'strerror', None) or error}") from error
    arrays = {}
    try:
        header, start = _native_header(name, data)
        n, dim = int(header["n"]), int(header["dim"])
        for section, (offset, n_bytes, checksum) in header["sections"].items():
            piece = data[start + offset : start + offset + n_bytes]
            if offset < 0 or len(piece) != n_bytes:
                raise InputError(f"{name} is cut off: its {section} should end at byte {start + offset + n_bytes}")
            if verify and zlib.crc32(piece.data) != checksum:
                raise InputError(f"{name} is damaged: the checksum of its {section} does not match")
            if section in _KINDS:
                arrays[section] = piece.view(_KINDS[section])
        vectors, ends = arrays["vectors"].reshape(n, dim), arrays["word_ends"].reshape(n)
        norms = arrays["norms"].reshape(n)
        counts = arrays["counts"].reshape(n) if "counts" in arrays else None
        outputs = arrays["output_vectors"].reshape(n, dim) if "output_vectors" in arrays else None
        words = arrays["words"]
    except InputError:
        raise
    except Exception as error:  # a header may be any JSON, or none
        raise InputError(f"{name} is damaged: its header and its sections do not fit ({error})") from error
    if n < 1 or dim < 1 or ends[0] < 1 or ends[-1] != len(words) or (np.diff(ends) < 1).any():
        raise InputError(f"{name} is damaged: its words do not fit their text")
    if not (norms > 0).all():
        raise InputError(f"{name} is damaged: the lengths of its vectors are not numbers above 0")
    found = MappedWords(words, ends)
    if verify and len(set(found)) < n:
        raise InputError(f"{name} holds {n - len(set(found))} words more than once")
    if verify and not np.allclose(norms, norms_of(vectors), rtol=1e-4):
        raise InputError(f"{name} is damaged: the lengths it holds are not those of its vectors")
    rows = slice(0, limit)
    return Content(
        MappedWords(words, ends[rows]), vectors[rows], None if counts is None else counts[rows], norms[rows],
        None if outputs is None else outputs[rows], header.get("training"),
    )  # fmt: skip


def _native_header(name: str, data: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """The header, and where the first section starts."""
    if len(data) < _PREFIX.size or data[: len(MAGIC)].tobytes() != MAGIC:
        raise InputError(f"{name} is not a file of fastw2v's native format: it starts with {data[:8].tobytes()!r}")
    _, length, checksum = _PREFIX.unpack(data[: _PREFIX.size].tobytes())
    text = data[_PREFIX.size : _PREFIX.size + length].tobytes()
    if len(text) != length or zlib.crc32(text) != checksum:
        raise InputError(f"{name} is damaged or cut off: the checksum of its header does not match")
    header: dict[str, Any] = json.loads(text)
    if header["version"] > VERSION:
        raise InputError(f"{name} has version {header['version']}, this fastw2v reads {VERSION}: update fastw2v")
    return header, _rounded(_PREFIX.size + length)


def save_npz(path: str | os.PathLike[str], content: Content) -> None:
    """Write arrays `words`, (n,) str, `vectors`, (n, dim) float32, and if known `counts`, (n,) int64.

    Raises InputError for words that NumPy cannot hold, or only in far more room than they need: as long as the longest.
    """
    longest, mean = max(map(len, content.words)), sum(map(len, content.words)) / len(content.words)
    if longest > _LONGEST_WORD and longest > _MOST_PADDING * mean:
        raise InputError(f"the longest word has {longest} letters, and npz would give so many to each word: "
                         "use another format, as .fw2v")  # fmt: skip
    arrays: dict[str, Any] = {"words": np.array(content.words), "vectors": content.vectors}
    if content.counts is not None:
        arrays["counts"] = np.asarray(content.counts)
    if (arrays["words"] != np.array(content.words, object)).any():  # NumPy cuts zeros off at the end
        raise InputError("a word ends in a zero byte: no npz file can hold it")
    with replacing(path) as file:
        np.savez(file, **arrays)


def load_npz(path: str | os.PathLike[str], limit: int | None = None) -> Content:
    """Read such a file; nothing in it is run."""
    name = os.fspath(path)
    try:
        size = os.path.getsize(name)
        with zipfile.ZipFile(name) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if unpacked > _MOST_INFLATION * size:
            raise InputError(f"{name} would grow from {size} to {unpacked} bytes: these are no vectors")
        with np.load(name, allow_pickle=False) as arrays:
            words, vectors = arrays["words"], arrays["vectors"]
            counts = arrays.get("counts")
        n = len(words) if words.ndim == 1 else -1
        fits = words.dtype.kind == "U" and vectors.dtype.kind == "f" and vectors.ndim == 2 and len(vectors) == n > 0
        if not fits or vectors.shape[1] < 1:
            raise InputError(f"{name} holds words {words.dtype} {words.shape} and vectors {vectors.dtype} "
                             f"{vectors.shape}: there should be n words and n x dim floats")  # fmt: skip
        if counts is not None and (counts.shape != (n,) or counts.dtype.kind not in "iu"):
            raise InputError(f"{name} holds counts {counts.dtype} {counts.shape}: there should be {n} integers")
        named = words[:limit].tolist()
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"cannot read vectors {name}: {error.strerror or error}") from error
    except Exception as error:  # NumPy and zipfile raise whatever a damaged file leads them to
        raise InputError(f"{name} is damaged, or no npz file with words and vectors: {error}") from error
    if len(set(named)) < len(named):
        raise InputError(f"{name} holds {len(named) - len(set(named))} words more than once")
    vectors = vectors[:limit].astype(np.float32, copy=False)
    if not (np.isfinite(vectors.min()) and np.isfinite(vectors.max())):
        raise InputError(f"{name} holds NaN or infinite numbers")
    return Content(named, vectors, None if counts is None else counts[:limit].astype(np.int64))
