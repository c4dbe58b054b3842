"""Native files whose checksums are right, whatever is in their sections."""

import json
import zlib

import numpy as np

from fastw2v import modelfile
from fastw2v.matrix import norms_of


def native_file(words, vectors, **sections):
    """The bytes of a file; sections: arrays that take the place of the true ones, or that are added."""
    vectors = np.asarray(vectors, "<f4")
    lines = [word.encode() + b"\n" for word in words]
    ends = np.cumsum([len(line) for line in lines], dtype="<i8")
    arrays = {"vectors": vectors, "words": np.frombuffer(b"".join(lines), np.uint8), "word_ends": ends, **sections}
    if "norms" not in arrays:
        arrays["norms"] = norms_of(vectors)
    return file_of(*vectors.shape, {name: np.asarray(array, DTYPE[name]).tobytes() for name, array in arrays.items()})


DTYPE = modelfile._DTYPE


def file_of(n, dim, sections):
    """The bytes of a file with a header for these sections, name: bytes."""
    places, body = {}, b""
    for name, section in sections.items():
        places[name] = [len(body), len(section), zlib.crc32(section)]
        body += section + b"\0" * (-len(section) % 64)
    header = json.dumps({"version": 1, "n": n, "dim": dim, "sections": places, "training": None}).encode()
    start = modelfile._PREFIX.pack(modelfile.MAGIC, len(header), zlib.crc32(header)) + header
    return start + b"\0" * (-len(start) % 64) + body
