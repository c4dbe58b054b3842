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
from ..kernels.tokenize import end_of_last_separator, renumber
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .loop import LocalLoop
from .matrices import new_matrices
from .run import TrainingRun

HELPER = """
import sys
sys.path[:] = sys.argv[1:]
from fastw2v.training.warmup import compile_files
compile_files(False)
"""


def compile_kernels(threads: int = 1, loss: str = "ns", include_readers: bool = False) -> None:
    """Compile everything that `train` needs for a loss, or load it from the cache, by running it once on a few words.

    Done before the work, so that a failure shows at once and no time is counted twice. More threads than Numba can
    start count as that many. include_readers: also compile what reads and writes files of vectors.
    """
    with LOADING:
        with _helper():
            _compile_training(min(threads, MAX_THREADS), loss)
        compile_files(include_readers)


@contextmanager
def _helper() -> Iterator[None]:
    """Let another process compile the kernels for files into the same cache, if they are not there yet.

    Compiling holds Python's lock, so a thread would not help. If the process fails, they are compiled here afterwards.
    """
    process = _start_helper()
    try:
        yield
        if process:
            process.wait()
    finally:
        if process:
            process.kill()
            process.wait()


def _start_helper() -> subprocess.Popen[bytes] | None:
    is_python = os.path.basename(sys.executable or "").startswith("python")  # not a program that embeds it
    if is_python and available_threads() > 1 and is_cache_cold("find_tokens"):
        nowhere = subprocess.DEVNULL
        command = [sys.executable, "-c", HELPER, *sys.path]
        with suppress(OSError):  # the user may start no more processes
            return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    return None


def _compile_training(threads: int, loss: str) -> None:
    ids = np.array([0, 1, 0, -1], np.int32)
    ids.flags.writeable = False
    corpus = Corpus(Vocabulary(["a", "b"], np.array([4, 2])), ids, n_tokens=3, reading=Reading(6, 3, 2, 0, 0, 0))
    config = TrainConfig(dim=1, epochs=1, min_count=1, sample=0, loss=loss)
    run = TrainingRun(config, corpus, new_matrices(2, config, threads), threads)
    run.train(LocalLoop(run, corpus))


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
