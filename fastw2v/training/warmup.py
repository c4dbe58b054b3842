"""Kernels compiled ahead of the work, or loaded from the cache."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.tokenizer import Tokenizer, count_words
from ..corpus.vocabulary import Reading, Vocabulary
from ..corpus.words import WordCounter
from ..kernels.cache import is_cache_cold
from ..kernels.forks import LOADING
from ..kernels.jit import MAX_THREADS
from ..kernels.statistics import STATISTICS
from ..kernels.tokenize import end_of_last_separator, renumber
from ..kernels.walk import Spans
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .loop import LocalLoop
from .matrices import Matrices, new_matrices, row_layout, zeros
from .objective import HogwildTrainer, blank_objective, objective_of, windows_of
from .run import TrainingRun

HELPER = """
import sys
_, loss, *sys.path[:] = sys.argv
from fastw2v.training.warmup import compile_beside
compile_beside(loss)
"""


def compile_kernels(threads: int = 1, loss: str = "ns", include_readers: bool = False) -> None:
    """Compile everything that `train` needs for a loss, or load it from the cache, by running it once on a few words.

    Done before the work, so that a failure shows at once and no time is counted twice. More threads than Numba can
    start count as that many. include_readers: also compile what reads and writes files of vectors.
    """
    threads = min(threads, MAX_THREADS)
    with LOADING:
        with _helper(loss):
            _compile_spans(threads, loss)
        _compile_training(threads, loss)
        compile_files(include_readers)


@contextmanager
def _helper(loss: str) -> Iterator[None]:
    """Let another process `compile_beside` into the same cache, if the kernels are not there yet.

    Compiling holds Python's lock, so a thread would not help. If the process fails, they are compiled here afterwards.
    """
    process = _start_helper(loss)
    try:
        yield
        if process:
            process.wait()
    finally:
        if process:
            process.kill()
            process.wait()


def _start_helper(loss: str) -> subprocess.Popen[bytes] | None:
    is_python = os.path.basename(sys.executable or "").startswith("python")  # not a program that embeds it
    if is_python and available_threads() > 1 and is_cache_cold("find_tokens"):
        nowhere = subprocess.DEVNULL
        command = [sys.executable, "-c", HELPER, loss, *sys.path]
        with suppress(OSError):  # the user may start no more processes
            return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    return None


def _smallest_training(loss: str) -> tuple[TrainConfig, Corpus]:
    ids = np.array([0, 1, 0, -1], np.int32)
    ids.flags.writeable = False
    corpus = Corpus(Vocabulary(["a", "b"], np.array([4, 2])), ids, n_tokens=3, reading=Reading(6, 3, 2, 0, 0, 0))
    return TrainConfig(dim=1, epochs=1, min_count=1, sample=0, loss=loss), corpus


def _compile_training(threads: int, loss: str) -> None:
    config, corpus = _smallest_training(loss)
    run = TrainingRun(config, corpus, new_matrices(2, config, threads), threads)
    run.train(LocalLoop(run, corpus))


def _compile_spans(threads: int, loss: str) -> None:
    """Compile the largest kernel, which trains on spans, and none of those that prepare its arguments."""
    if loss == "softmax":  # which has none
        return
    config, corpus = _smallest_training(loss)
    matrices = Matrices.empty(row_layout(2, config, threads, has_frozen=False), config.dim, zeros)
    windows, objective = windows_of(corpus.vocabulary, config), blank_objective(2, config)
    spans = Spans(np.zeros(1, np.int64), np.zeros(1, np.float32), len(corpus.ids))
    train = HogwildTrainer(matrices, windows, objective, config.seed, threads)
    train(corpus.ids, spans, 0, np.zeros((1, STATISTICS)))


def compile_beside(loss: str) -> None:
    """Compile what a training with this loss needs besides the kernel that trains: its tables, reading and writing."""
    config, corpus = _smallest_training(loss)
    new_matrices(2, config, threads=1)
    if loss != "softmax":
        objective_of(corpus.vocabulary, config)
    compile_files(include_readers=False)


def compile_files(include_readers: bool) -> None:
    """Compile the kernels that read text and write vectors, or also those that read vectors and merge dictionaries."""
    text = np.array(bytearray(b"a b a\n"))  # writable, like the blocks of a file: else another type to Numba
    end_of_last_separator(text)
    tokenizer = Tokenizer(n_words=1)
    ids = tokenizer.encode(text)
    renumber(ids, count_words(tokenizer.parts, "replace").word_of_id)
    vectors = Vectors(["a", "b"], np.zeros((2, 1), np.float32))
    vectors.save(os.devnull)
    if include_readers:
        WordCounter().absorb(WordCounter.of([b"a"]))
        with tempfile.TemporaryDirectory() as directory:
            for name in ("v.txt", "v.bin"):
                vectors.save(os.path.join(directory, name))
                Vectors.load(os.path.join(directory, name))
