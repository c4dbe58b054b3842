"""What is no text: archives, data, other encodings. Each is refused by its name, with what to do."""

import re
import shlex

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..files.replace import UTF8_MARK
from .compression import PACKED
from .paths import STDIN, shown
from .remote import is_url

_NO_TEXT = {
    re.compile(pattern, re.DOTALL): what
    for pattern, what in {
        rb"!<arch>\n": "an ar archive",
        rb"07070[12][0-9A-Fa-f]{104}|070707[0-7]{70}|(\xc7q|q\xc7).{0,23}\0": "a cpio archive",
        rb"FASTW2V\0": "a file of vectors of fastw2v",
        rb"PAR1\x15": "Parquet data",
        rb"ARROW1\0": "Arrow data",
        rb"Obj\x01": "Avro data",
        rb"\x89HDF\r\n": "HDF5 data",
        rb"\x93NUMPY": "a NumPy array",
        rb"SQLite format 3\0": "an SQLite database",
        rb"%PDF-\d": "a PDF document",
        rb"\x7fELF": "an ELF program",
        rb"\x89PNG\r\n": "a PNG picture",
        rb"\xff\xd8\xff": "a JPEG picture",
        rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a document of old Office programs",
        rb"ORC[\0-\x08\x0e-\x1f]": "ORC data",
        rb"\x80[\x02-\x05]": "a Python pickle",
        rb"x[\x01\x9c\xda]": "data that zlib compressed",
        rb"RIFF.{4}(WAVE|AVI |WEBP)": "sound or pictures",
    }.items()
}
"""What the first bytes of files say that hold no text as they are; none of them begins a text."""

_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_TAR_HEADER_BYTES = 512
_FIRST_LINES_BYTES, _NUMBERS_SEEN = 4096, 30
"""Where a file of vectors is recognised: by all numbers of its first vector, or by so many of a long one."""

_ZEROS_BYTES = 1024
"""The size of the pieces in which zero bytes are counted: UTF-16 that is longer holds many in one of them."""


def refuse_no_text(text: NDArray[np.uint8], file: str) -> None:
    """Raise InputError if a file, decompressed if it was compressed, begins like no text or is compressed again."""
    start = text[:_TAR_HEADER_BYTES].tobytes()
    if _is_tar_header(start):
        quoted = "FILE" if file == STDIN or is_url(file) else shlex.quote(file)
        raise InputError(
            f"{shown(file)} is a tar archive, whose headers are not text: unpack it first, or pipe the text of its "
            f"files in, as in: tar -xOf {quoted} | fastw2v train - -o vecs.txt"
        )
    if file != STDIN and _is_vectors(text[:_FIRST_LINES_BYTES].tobytes()):
        raise InputError(
            f"{shown(file)} begins like a file of vectors (a line 'n dim', then rows of numbers): leave it out of the "
            "corpus, or if it is text, pipe it in as -"
        )
    for magic, what in _NO_TEXT.items():
        if magic.match(start):
            raise InputError(f"{shown(file)} is {what}, which is not text: extract the text first")
    if start.startswith(PACKED):
        raise InputError(
            f"{shown(file)} is compressed twice, or holds a compressed archive: decompress it until plain text is left "
            "(gz, bz2, xz and zst are read directly, but not inside each other)"
        )


def _is_vectors(start: bytes) -> bool:
    """Return whether a file begins with the line `n dim` and a word with its first numbers."""
    found = re.match(rb"\d+ (\d+)\r?\n\S+((?: -?\d\S*)+)", start)
    numbers = found[2].split() if found else []
    return found is not None and b"." in found[2] and (len(numbers) == int(found[1]) or len(numbers) >= _NUMBERS_SEEN)


def _is_tar_header(start: bytes) -> bool:
    """Return whether 512 bytes are a header of tar, whose checksum is right or which says so, as all but v7's do."""
    if len(start) < _TAR_HEADER_BYTES or 0 not in start:
        return False
    said = start[148:156].strip(b" \0")
    checksum = sum(start[:148]) + sum(b" " * 8) + sum(start[156:])
    return start[257:262] == b"ustar" or (said.isdigit() and int(said) == int(f"{checksum:o}"))


def refuse_zeros(text: NDArray[np.uint8], file: str, place: int) -> None:
    """Raise InputError if some piece of a file has too many zeros for UTF-8. place: where the text begins in it."""
    if text.min(initial=1):  # takes 0.03 ms
        return
    pieces = text[: len(text) // _ZEROS_BYTES * _ZEROS_BYTES].reshape(-1, _ZEROS_BYTES)
    found = np.flatnonzero(4 * np.count_nonzero(pieces == 0, axis=1) > _ZEROS_BYTES)
    if len(found):
        raise InputError(
            f"{shown(file)} is not UTF-8 near byte {place + int(found[0]) * _ZEROS_BYTES:,} of its text, but UTF-16, "
            "UTF-32 or no text at all: convert that part (iconv -f UTF-16 -t UTF-8), or leave it out"
        )


def without_mark(text: NDArray[np.uint8], file: str) -> NDArray[np.uint8]:
    """Return the text of a file without the byte order mark of UTF-8. Raises InputError for UTF-16 and UTF-32."""
    start = text[:4096].tobytes()
    # A quarter of NULs means UTF-16 or UTF-32 without its byte order mark, or no text at all.
    if start.startswith(_UTF16_BOMS) or 4 * start.count(0) > len(start):
        raise InputError(f"{shown(file)} is UTF-16, UTF-32 or not text: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return text[len(UTF8_MARK) :] if start.startswith(UTF8_MARK) else text
