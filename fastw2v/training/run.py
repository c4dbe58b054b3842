"""The whole job: compile, read, train."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus, Reading
from ..corpus.paths import about_held_out_text, find_files, find_held_out, names_for_workers
from ..corpus.sequences import Walks, from_lines, from_sentences, from_walks
from ..corpus.tokenizer import Tokenizer
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError, RunError
from ..files import check_unicode, locked
from ..kernels.jit import MAX_THREADS, is_cache_cold
from ..kernels.tokenize import end_of_last_separator, renumber
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .checkpoint import (
    CURRENT,
    Checkpoint,
    Checkpointer,
    CheckpointFailed,
    CheckpointSaved,
    Resumed,
    check_directory,
    room_of,
)  # fmt: skip
from .checkpoint import load as load_checkpoint
from .cluster import Cluster, ClusterChanged, Waiting
from .clustercorpus import ClusterCorpus
from .clustercorpus import read_corpus as read_on_cluster
from .distributed import RoundEnded, train_on_cluster
from .lossplot import LossPlot
from .model import Model, model_bytes
from .objective import new_model, windows_of
from .resources import Estimated, check_disk, check_room_for_ids, estimate_memory
from .softmax import refuse_absurd
from .start import check_model, start_of, write_model
from .trainer import EpochEnded, Evaluating, Progress, train_model


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
    n_started: int = 0  # words of the vocabulary that have vectors to start from


Event = (
    PhaseStarted | PhaseEnded | BytesRead | CorpusRead | Progress | EpochEnded | Evaluating | Resumed | CheckpointSaved
    | CheckpointFailed | Estimated | Waiting | ClusterChanged | RoundEnded
)  # fmt: skip
Callback = Callable[[Event], bool | None]


def _only_warn(event: Event) -> None:
    """What is done with events where nobody listens."""
    if isinstance(event, CheckpointFailed):
        warnings.warn(event.message, RuntimeWarning, stacklevel=2)


Path = str | os.PathLike[str]
Texts = Path | Iterable[Path]


def train(
    corpus: Texts | None = None,
    *,
    sentences: Iterable[Sequence[str]] | None = None,
    lines: Iterable[str] | None = None,
    walks: Walks | None = None,
    vocabulary: Vocabulary | None = None,
    init_vectors: Vectors | Path | None = None,
    continue_from: Path | None = None,
    freeze: bool = False,
    save_model: Path | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: float = 10.0,
    resume: bool = False,
    held_out: Texts | None = None,
    loss_plot: Path | None = None,
    client: Any = None,
    callback: Callback = _only_warn,
    **options: Any,
) -> Vectors:
    """Train word vectors on text files, or on one of sentences, lines and walks.

    corpus: a path, glob or directory, or several; plain text or gz, bz2, xz, zst; `-` is stdin. A line is a sentence.
    sentences: lists of words, from any iterable, also a generator: it is gone through once.
    lines: strings of words between white space, from any iterable.
    walks: sequences of integers as an array, (n, length), in which a negative number ends a walk, or as a tuple
    (labels, offsets), walk i being labels[offsets[i] : offsets[i + 1]]. The words are the decimals, "17" for 17.
    vocabulary: use these words and counts instead of those of the corpus.
    init_vectors: Vectors, or a file of them, to start from; words without one start from random vectors as usual.
    continue_from: a file that save_model wrote: start from its input and output vectors, and add the words and counts
    of this corpus to its own, which all stay. Both need an explicit lr. freeze: keep the vectors started from.
    save_model: a file, of suffix .fw2v, for both matrices, the words and counts; also a file of vectors.
    checkpoint: a directory for the state of the run, written every `checkpoint_every` minutes, after long epochs, at
    the end, and when a callback stops the run; the one before is kept. resume: go on from there, with the same corpus
    and options (but for threads, temp_dir, force, vectors); if there is none yet, begin. One thread gives the bytes of
    an uninterrupted run, several the same schedule.
    held_out: text of the same kind that is not trained on; after each epoch and before the first the loss of all its
    predictions is told, which are made of it as of the corpus (subsampled, with drawn windows), each time the same.
    client: a `distributed.Client`: the workers of its Dask cluster read the corpus, which all must see under the same
    paths or URLs, and train replicas of the model, with as many threads as they have or `threads` says.
    loss_plot: a .png, .svg or .pdf file for the loss curve, drawn again and again while training.
    callback: called with each event (`Progress` after each slice, twice a second or more); returning True at a
    `Progress` ends the training there, with the vectors so far.
    options: the fields of `TrainConfig`: dim, window, negative, min_count, epochs, lr, threads, seed, ...

    Raises InputError for what can be refused before the work, RunError (DivergedError) for what fails in it; where
    that is the writing of the model, the error has the `vectors`.
    """
    config = TrainConfig.from_options(options)
    threads = config.threads or min(available_threads(), MAX_THREADS)
    if client is not None:
        if not hasattr(client, "scheduler"):
            raise InputError(f"client is a {type(client).__name__}: it must be a distributed.Client")
        threads = min(threads, MAX_THREADS)  # of this process
    if threads > MAX_THREADS:
        raise InputError(
            f"threads is {threads}: Numba starts at most {MAX_THREADS} in this process; "
            f"set the environment variable NUMBA_NUM_THREADS={threads} before Python starts"
        )
    given = {"corpus": corpus, "sentences": sentences, "lines": lines, "walks": walks}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise InputError(f"train needs one of corpus, sentences, lines and walks, found {', '.join(named) or 'none'}")
    start = start_of(config, init_vectors, continue_from, freeze, vocabulary is not None)
    found = _find_checkpoint(config, checkpoint, checkpoint_every, resume)
    if client is not None and (corpus is None or config.loss == "softmax"):
        raise InputError("a cluster trains on files, with loss ns or hs")
    files = [] if corpus is None else find_files(corpus) if client is None else names_for_workers(corpus)
    if save_model is not None:
        sources = [name for name in (init_vectors, continue_from) if isinstance(name, (str, os.PathLike))]
        check_model(save_model, config, [*files, *sources])
    held_out_files = None if held_out is None else find_held_out(held_out, files)
    plot = None if loss_plot is None else LossPlot(loss_plot, config, callback)
    callback = plot or callback
    cluster = None if client is None else Cluster(client, config.threads, callback)

    def timed(name: str, work: Callable[[], Any], note: str = "") -> Any:
        callback(PhaseStarted(name, note))
        begun = time.perf_counter()
        result = work()
        callback(PhaseEnded(name, time.perf_counter() - begun))
        return result

    reading: dict[str, Any] = {"invalid_utf8": config.invalid_utf8, "threads": threads, "temp_dir": config.temp_dir}

    def read_corpus() -> Corpus:
        pruning: dict[str, Any] = {
            "min_count": config.min_count, "max_vocab": config.max_vocab, "vocabulary": vocabulary,
            "earlier": start and start.vocabulary,
        }  # fmt: skip
        if sentences is not None:
            return from_sentences(sentences, temp_dir=config.temp_dir, **pruning)
        if walks is not None:
            return from_walks(walks, temp_dir=config.temp_dir, **pruning)
        pruning |= {"on_bytes": lambda n_bytes: callback(BytesRead(n_bytes)), **reading}
        return Corpus.from_text(files, **pruning) if lines is None else from_lines(lines, **pruning)

    def read() -> tuple[Corpus | ClusterCorpus, Corpus | None]:
        text: Corpus | ClusterCorpus
        if cluster:
            text = read_on_cluster(
                cluster, texts, lambda n_bytes: callback(BytesRead(n_bytes)), min_count=config.min_count,
                max_vocab=config.max_vocab, vocabulary=vocabulary, earlier=start.vocabulary if start else None,
                invalid_utf8=config.invalid_utf8,
            )  # fmt: skip
        else:
            text = read_corpus()
        if held_out_files is None:
            return text, None
        with about_held_out_text():
            return text, Corpus.from_text(held_out_files, vocabulary=text.vocabulary, **reading)

    with contextlib.ExitStack() as locks:
        for path in (checkpoint and os.path.join(checkpoint, CURRENT), save_model):
            if path is not None:
                locks.enter_context(locked(path))
        cold = "compiling for this CPU, once: it takes about 13 s" if is_cache_cold(_main_kernel(config)) else ""
        texts = timed("compile", lambda: compile_kernels(threads, config.loss), cold)
        if cluster:
            texts = timed("connect", lambda: cluster.prepare(files, config.loss))
        elif vocabulary is None:  # else an unknown part of the text is left out
            check_room_for_ids(files, config.temp_dir)
        text, held_out_text = timed("read", read)
        if config.loss == "softmax":
            refuse_absurd(text, held_out_text, windows_of(text.vocabulary, config), config, threads)
        rows = np.full(0, -1) if start is None else start.rows(text.vocabulary)
        held_out_reading = held_out_text and held_out_text.reading
        n_started = int(np.count_nonzero(rows >= 0))
        callback(CorpusRead(text.vocabulary, text.n_tokens, text.reading, held_out_reading, n_started))
        _check_resources(text, config, threads, callback, checkpoint, save_model)

        def train_new_model() -> Model:
            nonlocal found
            position = None
            is_frozen = rows >= 0 if start and start.is_frozen else None
            model = new_model(len(text.vocabulary), config, threads, is_frozen)
            if found:
                found.check_corpus(text, config, model)
                found.fill(model)
                found.make_current()
                callback(Resumed(found.path, found.position.n_words, found.warning))
                position, found = found.position, None  # which has the file mapped
            elif start:
                start.fill(model, rows)
            with contextlib.ExitStack() as closing:
                checkpointer = None
                if checkpoint is not None:
                    checkpointer = Checkpointer(checkpoint, 60 * checkpoint_every, model, text, config, callback)
                    closing.callback(checkpointer.close)
                more = threads, callback, held_out_text, position, checkpointer
                if cluster:
                    train_on_cluster(cluster, model, text, config, *more)
                else:
                    train_model(model, text, config, *more)
            return model

        try:
            model: Model = timed("train", train_new_model)
        finally:
            if plot:
                plot.draw()
        try:
            if save_model is not None:
                write_model(save_model, model, text.vocabulary, config)
        except RunError as error:
            error.vectors = model.vectors(text.vocabulary, config.vectors)
            raise
        return model.vectors(text.vocabulary, config.vectors)


def _find_checkpoint(config: TrainConfig, directory: Path | None, minutes: float, resume: bool) -> Checkpoint | None:
    """What to resume from, None for a run from the beginning. Raises InputError."""
    if not minutes > 0:
        raise InputError(f"checkpoint_every is {minutes} minutes: it must be above 0")
    if directory is None:
        if resume:
            raise InputError("resume needs the directory of the checkpoint to go on from")
        return None
    check_directory(directory, resume)
    found = load_checkpoint(directory) if resume else None
    if found:
        found.check_options(config)
    return found


def _check_resources(
    text: Corpus, config: TrainConfig, threads: int, callback: Callback, checkpoint: Path | None,
    save_model: Path | None,
) -> None:  # fmt: skip
    """Tell what the training needs. Raises InputError for what there is no room for, or what could not be written."""
    needed = estimate_memory(len(text.vocabulary), config, threads, checkpoint is not None)
    callback(needed)
    needed.check()
    n_bytes = model_bytes(len(text.vocabulary), config.dim)
    if checkpoint is not None:
        needed_there = 2 * n_bytes - room_of(checkpoint)
        check_disk(os.path.join(checkpoint, CURRENT), needed_there, "two checkpoints", "name another directory")
    if save_model is not None:
        check_disk(save_model, n_bytes, "the model", "name another directory")
    if checkpoint is not None or save_model is not None:
        check_unicode(text.vocabulary.words)


def _main_kernel(config: TrainConfig) -> str:
    return "take_exponentials" if config.loss == "softmax" else "train_spans"


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
