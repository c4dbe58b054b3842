"""Fuzzing: any bytes are read or refused, in bounded memory.

python fuzz.py TARGET SECONDS [CORPUS_DIRECTORY]   by atheris (pip install atheris); exit code 0: nothing found
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

INSTRUMENTED = ["fastw2v.corpus", "fastw2v.vectors", "fastw2v.training", "fastw2v.modelfile"]

if __name__ == "__main__":
    import atheris

    import fastw2v.kernels.numbers
    import fastw2v.kernels.tokenize
    import fastw2v.kernels.train  # noqa: F401  before the others: Numba cannot compile what is instrumented

    instrumented = atheris.instrument_imports(include=INSTRUMENTED)
else:
    instrumented = contextlib.nullcontext()
with instrumented:
    from fastw2v import InputError
    from fastw2v.corpus.corpus import Corpus
    from fastw2v.corpus.pruning import Pruning
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
            try:
                content = formats.load(path, kind)
                words = list(content.words)
            except InputError:
                continue
            assert len(words) == len(content.vectors)
            assert kind == "native" or np.isfinite(content.vectors).all()

    return load


def checkpoints(data):
    (ROOM / CHECKPOINT).write_bytes(data)
    with contextlib.suppress(InputError):
        checkpoint.load(ROOM)


LOADERS = {kind: loader(kind) for kind in ("text", "binary", "glove", "npz", "native")}
TARGETS = {"tokenizer": tokenizer, "checkpoint": checkpoints, **LOADERS}


def main(name, seconds, *directories):
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=0", "-max_len=4096"]
    output = ["-print_final_stats=1", f"-artifact_prefix={os.getcwd()}/"]
    atheris.Setup(["fuzz", *limits, *output, *directories], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
