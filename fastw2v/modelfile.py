"""The native file, .fw2v: vectors that open at once. Models and checkpoints are native files too, with more in them.

Vectors are mapped into memory instead of read, and words are decoded when they are needed. A file consists of `MAGIC`,
the length of its header (uint64), the header's CRC-32 (uint32), the header in JSON,

    {"version": 1, "n": 5, "dim": 3, "sections": {name: [offset, bytes, CRC-32]}, "training": {...} or null}

and the sections: vectors (n x dim float32), norms (n float32), words (UTF-8, with a newline after each word),
word_ends (n int64: the end of each word's line) and, where they are known, counts (n int64), the model's
output_vectors (n x dim float32) and node_vectors (the same, of the nodes of its tree; the last row is unused). All
numbers are little-endian. Offsets are multiples of 64 bytes, counted from the first such multiple after the header.

A file is read in two ways. `read(path)` maps it without a look at its vectors: it checks the checksum of the header,
that the sections are whole and fit each other, and that the norms are finite numbers above 0. Of a file of more than
`CHECKED_WHOLE` bytes it finds neither flipped bits in a section, nor NaN, repeated words, counts below 0, or norms that
are not those of the vectors. `read(path, verify=True)` reads all of the file and finds them.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files.checks import check_unicode
from .files.names import PathLike
from .files.replace import replacing
from .matrix import is_finite, norms_of

CHECKPOINT, PREVIOUS_CHECKPOINT, BEST = "checkpoint.fw2v", "previous.fw2v", "best.fw2v"
"""The names that the latest checkpoint and the one before it have in their directory, and with early stopping the
vectors with the lowest held-out loss so far."""

MAGIC, VERSION = b"FASTW2V\0", 1

CHECKED_WHOLE = 1 << 23
"""Files of up to so many bytes are always verified. It takes 10 ms; loading NumPy takes ten times as long."""

_ALIGNMENT = 64
_PREFIX = struct.Struct("<8sQI")
"""What precedes the header: `MAGIC`, the header's length and its checksum."""

_DTYPE = {"vectors": "<f4", "norms": "<f4", "words": "u1", "word_ends": "<i8", "counts": "<i8"}
_DTYPE |= {"output_vectors": "<f4", "node_vectors": "<f4"}


def checkpoint_paths(directory: PathLike) -> list[str]:
    """The paths of the latest checkpoint and of the one before in a directory."""
    return [os.path.join(directory, name) for name in (CHECKPOINT, PREVIOUS_CHECKPOINT)]


class ModelFile(NamedTuple):
    """What a native file holds. training: facts about the training, at least {"model": ..., "loss": ...}."""

    words: Sequence[str]  # (n,)
    vectors: NDArray[np.float32]  # (n, dim)
    counts: NDArray[np.int64] | None = None  # (n,)
    norms: NDArray[np.float32] | None = None  # (n,), 1 for a zero vector; `write` computes them anew
    output_vectors: NDArray[np.float32] | None = None  # (n, dim)
    training: dict[str, Any] | None = None
    node_vectors: NDArray[np.float32] | None = None  # (n, dim)


_BYTES_AT_A_TIME = 1 << 22

_WORDS_AT_A_TIME = 1 << 16
"""The number of words that `MappedWords.at` decodes at once: the place of each byte takes eight."""


class MappedWords(Sequence[str]):
    """Words that are stored as UTF-8 text, with a newline after each, and decoded when they are asked for.

    ends: (n,) int64, the place behind the newline of each word.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        # Items of memoryviews cost less than those of arrays. A foreign file may hold unaligned ends, which have none.
        self._text, self._ends = text.data, np.require(ends, requirements="A").data

    def __reduce__(self) -> tuple[Any, ...]:  # because a memoryview cannot be pickled
        return MappedWords, (np.array(self._text), np.array(self._ends))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return self._decode(self._ends[index - 1] if index else 0, self._ends[index])

    def __iter__(self) -> Iterator[str]:
        lines = self._decode(0, self._ends[-1]).split("\n") if self else []
        if len(lines) == len(self) and _end_lines(np.asarray(self._text), np.asarray(self._ends)):
            return iter(lines)
        ends = self._ends.tolist()  # a word holds a newline
        return map(self._decode, [0, *ends[:-1]], ends)

    def at(self, numbers: NDArray[np.int64]) -> list[str]:
        """Return the words of these numbers, (m,), which is much faster than to ask for one by one."""
        text, ends = np.asarray(self._text), np.asarray(self._ends)
        words: list[str] = []
        for first in range(0, len(numbers), _WORDS_AT_A_TIME):
            some = numbers[first : first + _WORDS_AT_A_TIME]
            starts = np.where(some > 0, ends[some - 1], 0)
            lengths = ends[some] - starts
            new_ends = np.cumsum(lengths)
            places = np.arange(lengths.sum()) + np.repeat(starts - new_ends + lengths, lengths)
            words += MappedWords(text[places], new_ends)
        return words

    def _decode(self, start: int, end: int) -> str:
        return str(self._text[start : end - 1], "utf-8", "backslashreplace")


def _end_lines(text: NDArray[np.uint8], ends: NDArray[np.int64]) -> bool:
    """Return whether there is a newline before each of the `ends`, as there is in each file that was written here."""
    return bool((text[ends - 1] == ord("\n")).all())


def write(path: PathLike, content: ModelFile, previous: PathLike | None = None) -> None:
    """Write a native file.

    Raises InputError for NaN, for words that are not Unicode and for parts that do not fit each other, RunError for a
    full disk.

    previous: the name beside `path` that the old file takes, once it has been replaced.

    The caller sees to it that no number is infinite and that no word occurs twice: `verify` refuses such a file.
    """
    _check_shapes(os.fspath(path), content)
    check_unicode(content.words)
    lines = [word.encode() + b"\n" for word in content.words]
    ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    text = np.frombuffer(b"".join(lines), np.uint8)
    norms = norms_of(np.asarray(content.vectors, np.float32))
    arrays: dict[str, NDArray[Any] | None] = {"vectors": content.vectors, "norms": norms, "words": text}
    arrays |= {"word_ends": ends, "counts": content.counts}
    arrays |= {"output_vectors": content.output_vectors, "node_vectors": content.node_vectors}
    sections = {key: (array, _DTYPE[key]) for key, array in arrays.items() if array is not None}
    places: dict[str, list[int]] = {}
    offset = 0
    for key, section in sections.items():
        n_bytes = checksum = 0
        for block in _blocks(*section):
            n_bytes, checksum = n_bytes + len(block), zlib.crc32(block, checksum)
        places[key] = [offset, n_bytes, checksum]
        offset = _aligned(offset + n_bytes)
    n, dim = content.vectors.shape
    fields = {"version": VERSION, "n": n, "dim": dim, "sections": places, "training": content.training}
    header = json.dumps(fields).encode()
    prefix = _PREFIX.pack(MAGIC, len(header), zlib.crc32(header))
    with replacing(path, previous) as file:
        file.write(prefix + header)
        file.write(_padding(len(prefix) + len(header)))
        for key, section in sections.items():
            for block in _blocks(*section):
                file.write(block)
            file.write(_padding(places[key][1]))


def _check_shapes(name: str, content: ModelFile) -> None:
    """Raise InputError for a content that `read` would refuse: nothing in it, or parts that do not fit each other."""
    shape, n = np.shape(content.vectors), len(content.words)
    if len(shape) != 2 or shape[0] != n or 0 in shape:
        raise InputError(f"{name} was not written: {n} words need as many vectors, found an array {shape}")
    matrices = {"output_vectors": (content.output_vectors, shape), "node_vectors": (content.node_vectors, shape)}
    for part, (array, expected) in {"counts": (content.counts, (n,)), **matrices}.items():
        if array is not None and np.shape(array) != expected:
            found = f"found {part} {np.shape(array)}, needed {expected}"
            raise InputError(f"{name} was not written: its parts do not fit each other; {found}")


def _blocks(array: NDArray[Any], dtype: str) -> Iterator[memoryview]:
    """Yield the bytes of an array, row by row, in pieces: a copy of a whole matrix would take as much memory again."""
    n_rows = max(1, _BYTES_AT_A_TIME // max(1, array[:1].nbytes))
    for first in range(0, len(array), n_rows):
        yield np.ascontiguousarray(array[first : first + n_rows], dtype).reshape(-1).view(np.uint8).data


def _padding(n_bytes: int) -> bytes:
    return b"\0" * (-n_bytes % _ALIGNMENT)


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNMENT) * _ALIGNMENT


def read(path: PathLike, limit: int | None = None, verify: bool = False) -> ModelFile:
    """Map a native file into memory; at most `limit` words.

    verify: read all of it, compare checksums and norms, and refuse numbers that are not finite, repeated words and
    counts below 0. Otherwise only a file of up to `CHECKED_WHOLE` bytes is checked so. Raises InputError for damage,
    another format or a later version.
    """
    name = os.fspath(path)
    data = _mapped(name)
    verify = verify or len(data) <= CHECKED_WHOLE
    try:
        header, start = _header_of(name, data)
        sections = _sections_of(name, data, start, header["sections"], verify)
        content = _content_of(name, header, sections)
        if verify:
            _verify(name, content, sections)
    except InputError:
        raise
    except Exception as error:  # the header may be any JSON, or none
        raise InputError(f"{name} is damaged: its header does not match its sections ({error})") from error
    if limit is None:
        return content
    first: dict[str, Any] = {"words": MappedWords(sections["words"], sections["word_ends"][:limit])}
    first |= {field: array[:limit] for field, array in content._asdict().items() if isinstance(array, np.ndarray)}
    return content._replace(**first)


def holds_model(path: PathLike) -> bool:
    """Return whether `path` is a native file with output vectors. It reads the header only, and nothing from a pipe."""
    name = os.fspath(path)
    try:
        return os.path.isfile(name) and "output_vectors" in _header_of(name, _mapped(name))[0]["sections"]
    except Exception:  # another format, or a damaged header
        return False


def _mapped(name: str) -> NDArray[np.uint8]:
    try:
        return np.memmap(name, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read vectors {name}: {getattr(error, 'strerror', None) or error}") from error


def _header_of(name: str, data: NDArray[np.uint8]) -> tuple[dict[str, Any], int]:
    """Return the header and the place of the first section. JSON that is not a header may raise any exception."""
    if len(data) < _PREFIX.size or data[: len(MAGIC)].tobytes() != MAGIC:
        raise InputError(f"{name} is not a file of fastw2v's native format: it starts with {data[:8].tobytes()!r}")
    _, length, checksum = _PREFIX.unpack(data[: _PREFIX.size].tobytes())
    text = data[_PREFIX.size : _PREFIX.size + length].tobytes()
    if len(text) != length or zlib.crc32(text) != checksum:
        raise InputError(f"{name} is damaged or cut off: the checksum of its header does not match")
    header: dict[str, Any] = json.loads(text)
    if header["version"] > VERSION:
        raise InputError(
            f"{name} has format version {header['version']}, this fastw2v reads up to {VERSION}: update fastw2v"
        )
    return header, _aligned(_PREFIX.size + length)


def _sections_of(
    name: str, data: NDArray[np.uint8], start: int, places: dict[str, Any], verify: bool
) -> dict[str, NDArray[Any]]:
    """Return the array of each known section, one-dimensional. Raises InputError for a section that is not whole."""
    sections = {}
    for section, (offset, n_bytes, checksum) in places.items():
        piece = data[start + offset : start + offset + n_bytes]
        if offset < 0 or len(piece) != n_bytes:
            raise InputError(f"{name} is cut off: its {section} should end at byte {start + offset + n_bytes}")
        if verify and zlib.crc32(piece.data) != checksum:
            raise InputError(f"{name} is damaged: the checksum of its {section} does not match")
        if section in _DTYPE:
            sections[section] = piece.view(_DTYPE[section])
    return sections


def _content_of(name: str, header: dict[str, Any], sections: dict[str, NDArray[Any]]) -> ModelFile:
    """Return the sections in their shapes.

    Raises InputError where they contradict each other. A wrong shape may raise any exception, which `read` translates.
    """
    n, dim = int(header["n"]), int(header["dim"])
    text, ends, norms = sections["words"], sections["word_ends"].reshape(n), sections["norms"].reshape(n)
    vectors = sections["vectors"].reshape(n, dim)
    counts = sections["counts"].reshape(n) if "counts" in sections else None
    output_vectors, node_vectors = (
        sections[key].reshape(n, dim) if key in sections else None for key in ("output_vectors", "node_vectors")
    )
    if n < 1 or dim < 1 or ends[0] < 1 or ends[-1] != len(text) or (np.diff(ends) < 1).any():
        raise InputError(f"{name} is damaged: its words do not fit their text")
    if not (norms.min() > 0 and norms.max() < np.inf):  # False for NaN
        raise InputError(f"{name} is damaged: the norms of its vectors are not finite numbers above 0")
    words = MappedWords(text, ends)
    return ModelFile(words, vectors, counts, norms, output_vectors, header.get("training"), node_vectors)


def _verify(name: str, content: ModelFile, sections: dict[str, NDArray[Any]]) -> None:
    """Raise InputError where the content of a file whose checksums are right contradicts itself, or is not finite."""
    if not _end_lines(sections["words"], sections["word_ends"]):
        raise InputError(f"{name} is damaged: its words do not fit their text")
    if n_repeated := len(content.words) - len(set(content.words)):
        raise InputError(f"{name} holds {n_repeated} words more than once: each may occur once")
    matrices = content.vectors, content.output_vectors, content.node_vectors
    if not all(is_finite(matrix) for matrix in matrices if matrix is not None):
        raise InputError(f"{name} holds NaN or infinite numbers")
    norms, tiny = np.asarray(content.norms), np.finfo(np.float32).tiny
    if not np.allclose(norms, norms_of(content.vectors), rtol=1e-4, atol=tiny):
        raise InputError(f"{name} is damaged: the norms it holds are not those of its vectors")
    if content.counts is not None and content.counts.min() < 0:
        raise InputError(f"{name} is damaged: it holds counts below 0")
