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
from ..corpus.paths import about_held_out_text, find_files, find_held_out
from ..corpus.tokenizer import Tokenizer
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..kernels.jit import MAX_THREADS, is_cache_cold
from ..kernels.tokenize import end_of_last_separator, renumber
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .lossplot import LossPlot
from .model import Model
from .objective import new_model, windows_of
from .softmax import refuse_absurd
from .trainer import EpochEnded, Progress, train_model


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
    held_out: Reading | None


Event = PhaseStarted | PhaseEnded | BytesRead | CorpusRead | Progress | EpochEnded
Callback = Callable[[Event], bool | None]


Texts = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def train(
    corpus: Texts,
    *,
    vocabulary: Vocabulary | None = None,
    held_out: Texts | None = None,
    loss_plot: str | os.PathLike[str] | None = None,
    callback: Callback = lambda event: None,
    **options: Any,
) -> Vectors:
    """Train word vectors on text files.

    corpus: a path, glob or directory, or several; plain text or gz, bz2, xz, zst; `-` is stdin. A line is a sentence.
    vocabulary: use these words and counts instead of those of the corpus.
    held_out: text of the same kind that is not trained on; after each epoch and before the first the loss of all its
    predictions is told, which are made of it as of the corpus (subsampled, with drawn windows), each time the same.
    loss_plot: a .png, .svg or .pdf file for the loss curve, drawn again and again while training.
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
    held_out_files = None if held_out is None else find_held_out(held_out, files)
    plot = None if loss_plot is None else LossPlot(loss_plot, config, callback)
    callback = plot or callback

    def timed(name: str, work: Callable[[], Any], note: str = "") -> Any:
        callback(PhaseStarted(name, note))
        start = time.perf_counter()
        result = work()
        callback(PhaseEnded(name, time.perf_counter() - start))
        return result

    cold = (
        "compiling for this CPU, once: it takes about 12 s"
        if is_cache_cold("take_exponentials" if config.loss == "softmax" else "train_spans")
        else ""
    )
    timed("compile", lambda: compile_kernels(threads, config.loss), cold)
    reading: dict[str, Any] = {"invalid_utf8": config.invalid_utf8, "threads": threads, "temp_dir": config.temp_dir}

    def read() -> tuple[Corpus, Corpus | None]:
        text = Corpus.from_text(
            files, min_count=config.min_count, max_vocab=config.max_vocab, vocabulary=vocabulary,
            on_bytes=lambda n_bytes: callback(BytesRead(n_bytes)), **reading,
        )  # fmt: skip
        if held_out_files is None:
            return text, None
        with about_held_out_text():
            return text, Corpus.from_text(held_out_files, vocabulary=text.vocabulary, **reading)

    text, held_out_text = timed("read", read)
    if config.loss == "softmax":
        refuse_absurd(text, held_out_text, windows_of(text.vocabulary, config), config, threads)
    callback(CorpusRead(text.vocabulary, text.n_tokens, text.reading, held_out_text and held_out_text.reading))

    def train_new_model() -> Model:
        model = new_model(len(text.vocabulary), config, threads)
        train_model(model, text, config, threads, callback, held_out_text)
        return model

    try:
        model: Model = timed("train", train_new_model)
    finally:
        if plot:
            plot.draw()
    return model.vectors(text.vocabulary, config.vectors)


def compile_kernels(threads: int = 1, loss: str = "ns", include_readers: bool = False) -> None:
    """Compile everything `train` needs for a loss, or load it from the cache, by running it once on a few words.

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
    config = TrainConfig(dim=1, epochs=1, min_count=1, sample=0, loss=loss)
    model = new_model(2, config, threads)
    train_model(model, corpus, config, threads)
    vectors = model.vectors(vocabulary, config.vectors)
    vectors.save(os.devnull)
    if include_readers:
        with tempfile.TemporaryDirectory() as directory:
            for name in ("v.txt", "v.bin"):
                vectors.save(os.path.join(directory, name))
                Vectors.load(os.path.join(directory, name))
