"""Fuzzing: any bytes are read or refused, in bounded memory.

python fuzz.py TARGET SECONDS [CORPUS_DIRECTORY]   by atheris (pip install atheris); exit code 0: nothing found
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))  # where a script does not look for native_files

INSTRUMENTED = ["fastw2v.corpus", "fastw2v.vectors", "fastw2v.training", "fastw2v.modelfile"]

if __name__ == "__main__":
    import atheris

    import fastw2v.kernels.dictionary
    import fastw2v.kernels.numbers
    import fastw2v.kernels.tokenize
    import fastw2v.kernels.train  # noqa: F401  before the others: Numba cannot compile what is instrumented

    instrumented = atheris.instrument_imports(include=INSTRUMENTED)
else:
    instrumented = contextlib.nullcontext()
with instrumented:
    import native_files

    from fastw2v import InputError
    from fastw2v.corpus.corpus import Corpus
    from fastw2v.corpus.pruning import Pruning
    from fastw2v.matrix import norms_of
    from fastw2v.modelfile import CHECKPOINT
    from fastw2v.training import checkpoint
    from fastw2v.vectors import formats

ROOM = Path(tempfile.mkdtemp(prefix="fuzz"))
HEADS = {"text": b"2 1\na ", "binary": b"2 1\na ", "glove": b"a 1\n"}


def tokenizer(data):
    path = ROOM / "t"
    path.write_bytes(data)
    for invalid in ("replace", "keep", "refuse"):
        try:
            corpus = Corpus.from_text(path, Pruning(min_count=1, least_words=1), invalid_utf8=invalid, threads=2)
        except InputError:
            continue
        assert corpus.n_tokens == np.count_nonzero(corpus.ids >= 0) == corpus.vocabulary.counts.sum()
        assert "\n".join(corpus.vocabulary.words).split() == corpus.vocabulary.words


def loader(kind):
    def load(data):
        path = ROOM / "v"
        for head in {b"", HEADS.get(kind, b"")}:
            path.write_bytes(head + data)
            with contextlib.suppress(InputError):
                check(formats.load(path, kind, verify=True))

    return load


def check(content):
    """What a file that was read in full promises."""
    words = list(content.words)
    assert len(words) == len(set(words)) == len(content.vectors)
    assert words == [content.words[i] for i in range(len(words))]
    for matrix in (content.vectors, content.output_vectors):
        assert matrix is None or (matrix.shape == content.vectors.shape and np.isfinite(matrix).all())
    assert content.norms is None or np.allclose(content.norms, norms_of(content.vectors), rtol=1e-4, atol=1e-37)
    assert content.counts is None or content.counts.shape == (len(words),)


def sections(data):
    """Sections of right sizes and checksums that hold anything, unless the first bytes say that they hold no lies."""
    head, data = (data[:5] + bytes(5))[:5], data[5:] or b"\0"
    n, dim, lies = 1 + head[0] % 4, 1 + head[1] % 3, head[4]
    sizes = {"vectors": 4 * n * dim, "words": n + head[2] % 16, "norms": 4 * n, "word_ends": 8 * n}
    optional = {"counts": 8 * n, "output_vectors": 4 * n * dim, "of a later version": 3}
    sizes |= {name: size for i, (name, size) in enumerate(optional.items()) if head[3] >> i & 1}
    parts = {}
    for name, size in sizes.items():
        parts[name], data = (data * size)[:size], data[size:] or b"\0"
    if not lies & 1:
        parts["words"] = parts["words"][:-1] + b"\n"
        newlines = np.flatnonzero(np.frombuffer(parts["words"], np.uint8) == ord("\n"))
        parts["word_ends"] = (np.append(newlines[: n - 1], newlines[-1:]) + 1).astype("<i8").tobytes()
    if not lies & 2:
        with contextlib.suppress(InputError), np.errstate(invalid="ignore"):  # a NaN may be a signalling one
            vectors = np.frombuffer(parts["vectors"], "<f4").reshape(n, dim)
            parts["norms"] = norms_of(vectors).astype("<f4").tobytes()
    (ROOM / "v").write_bytes(native_files.file_of(n, dim, parts))
    with contextlib.suppress(InputError):
        check(formats.load(ROOM / "v", "native"))
        accepted.append(1)


accepted = []
"""One for each file of `sections` that was no lie."""


def checkpoints(data):
    (ROOM / CHECKPOINT).write_bytes(data)
    with contextlib.suppress(InputError):
        checkpoint.load(ROOM)


LOADERS = {kind: loader(kind) for kind in ("text", "binary", "glove", "npz", "native")}
TARGETS = {"tokenizer": tokenizer, "checkpoint": checkpoints, "sections": sections, **LOADERS}


def main(name, seconds, *directories):
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=0", "-max_len=4096"]
    output = ["-print_final_stats=1", f"-artifact_prefix={os.getcwd()}/"]
    atheris.Setup(["fuzz", *limits, *output, *directories], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
