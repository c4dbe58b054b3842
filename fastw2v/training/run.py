"""The whole job: compile, read, train."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus, Reading
from ..corpus.paths import find_files
from ..corpus.tokenizer import Tokenizer
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..kernels.jit import MAX_THREADS, is_cache_cold
from ..kernels.tokenize import end_of_last_separator, renumber
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .model import Model
from .objective import n_hot_rows
from .trainer import Progress, train_model


@dataclass(frozen=True)
class PhaseStarted:
    """name: compile, read or train. note: what the user may want to know before it."""

    name: str
    note: str = ""


@dataclass(frozen=True)
class PhaseEnded:
    name: str
    seconds: float


@dataclass(frozen=True)
class BytesRead:
    """While reading: bytes of text so far."""

    n_bytes: int


@dataclass(frozen=True)
class CorpusRead:
    """After reading, before training."""

    vocabulary: Vocabulary
    n_tokens: int
    reading: Reading


Event = PhaseStarted | PhaseEnded | BytesRead | CorpusRead | Progress
Callback = Callable[[Event], bool | None]


def train(
    corpus: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    vocabulary: Vocabulary | None = None,
    callback: Callback = lambda event: None,
    **options: Any,
) -> Vectors:
    """Train word vectors on text files.

    corpus: a path, glob or directory, or several; plain text or gz, bz2, xz, zst; `-` is stdin. A line is a sentence.
    vocabulary: use these words and counts instead of those of the corpus.
    callback: called with each event (`Progress` after each slice, twice a second or more); returning True at a
    `Progress` ends the training there, with the vectors so far.
    options: the fields of `TrainConfig`: dim, window, negative, min_count, epochs, lr, threads, seed, ...

    Raises InputError for what can be refused before the work, RunError (DivergedError) for what fails in it.
    """
    config = TrainConfig.from_options(options)
    threads = config.threads or min(available_threads(), MAX_THREADS)
    if threads > MAX_THREADS:
        raise InputError(
            f"threads is {threads}: Numba starts at most {MAX_THREADS} in this process; "
            f"set the environment variable NUMBA_NUM_THREADS={threads} before Python starts"
        )
    files = find_files(corpus)

    def timed(name: str, work: Callable[[], Any], note: str = "") -> Any:
        callback(PhaseStarted(name, note))
        start = time.perf_counter()
        result = work()
        callback(PhaseEnded(name, time.perf_counter() - start))
        return result

    cold = "compiling for this CPU, once: it takes about 12 s" if is_cache_cold() else ""
    timed("compile", lambda: compile_kernels(threads), cold)
    read: Corpus = timed("read", lambda: Corpus.from_text(
        files, min_count=config.min_count, max_vocab=config.max_vocab, vocabulary=vocabulary,
        invalid_utf8=config.invalid_utf8, threads=threads, temp_dir=config.temp_dir,
        on_bytes=lambda n_bytes: callback(BytesRead(n_bytes)),
    ))  # fmt: skip
    callback(CorpusRead(read.vocabulary, read.n_tokens, read.reading))

    def train_new_model() -> Model:
        n_copies = threads * n_hot_rows(len(read.vocabulary), config)
        model = Model.new(len(read.vocabulary), config.dim, config.seed, n_copies)
        train_model(model, read, config, threads, callback)
        return model

    return timed("train", train_new_model).vectors(read.vocabulary, config.vectors)  # type: ignore[no-any-return]


def compile_kernels(threads: int = 1, include_readers: bool = False) -> None:
    """Compile everything `train` needs, or load it from the cache, by running it once on a few words.

    Done before the work, so that a failure shows at once and no time is counted twice. include_readers: also what
    reads and writes files of vectors.
    """
    text = np.array(bytearray(b"a b a\n"))  # writable, like the blocks of a file: else another type to Numba
    end_of_last_separator(text)
    tokenizer, other = Tokenizer(n_words=1), Tokenizer()
    ids = tokenizer.encode(text)
    other.encode(text)
    tokenizer.absorb(other)
    renumber(ids, np.arange(2, dtype=np.int32))
    ids.flags.writeable = False
    vocabulary = Vocabulary(["a", "b"], np.array([4, 2]))
    corpus = Corpus(vocabulary, ids, 3, Reading(6, 3, 2, 0, 0, 0))
    config = TrainConfig(dim=1, epochs=1, min_count=1, sample=0)
    model = Model.new(2, config.dim, config.seed)
    train_model(model, corpus, config, threads)
    vectors = model.vectors(vocabulary, config.vectors)
    vectors.save(os.devnull)
    if include_readers:
        with tempfile.TemporaryDirectory() as directory:
            for name in ("v.txt", "v.bin"):
                vectors.save(os.path.join(directory, name))
                Vectors.load(os.path.join(directory, name))
