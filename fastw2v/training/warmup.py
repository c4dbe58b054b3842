"""Kernels compiled ahead of the work, or loaded from the cache."""

import os
import tempfile

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.tokenizer import Tokenizer, count_words
from ..corpus.vocabulary import Reading, Vocabulary
from ..corpus.words import WordCounter
from ..kernels.forks import LOADING
from ..kernels.jit import MAX_THREADS
from ..kernels.tokenize import end_of_last_separator, renumber
from ..vectors.vectors import Vectors
from .loop import LocalLoop
from .matrices import new_matrices
from .run import TrainingRun


def compile_kernels(threads: int = 1, loss: str = "ns", include_readers: bool = False) -> None:
    """Compile everything that `train` needs for a loss, or load it from the cache, by running it once on a few words.

    Done before the work, so that a failure shows at once and no time is counted twice. More threads than Numba can
    start count as that many. include_readers: also compile what reads and writes files of vectors.
    """
    with LOADING:
        vectors = _train(min(threads, MAX_THREADS), loss)
        vectors.save(os.devnull)
        if include_readers:
            WordCounter().absorb(WordCounter.of([b"a"]))
            with tempfile.TemporaryDirectory() as directory:
                for name in ("v.txt", "v.bin"):
                    vectors.save(os.path.join(directory, name))
                    Vectors.load(os.path.join(directory, name))


def _train(threads: int, loss: str) -> Vectors:
    text = np.array(bytearray(b"a b a\n"))  # writable, like the blocks of a file: else another type to Numba
    end_of_last_separator(text)
    tokenizer = Tokenizer(n_words=1)
    ids = tokenizer.encode(text)
    counts = count_words(tokenizer.parts, "replace")
    renumber(ids, counts.word_of_id)
    ids.flags.writeable = False
    vocabulary = Vocabulary(["a", "b"], np.array([4, 2]))
    corpus = Corpus(vocabulary, ids, n_tokens=3, reading=Reading(6, 3, 2, 0, 0, 0))
    config = TrainConfig(dim=1, epochs=1, min_count=1, sample=0, loss=loss)
    run = TrainingRun(config, corpus, new_matrices(2, config, threads), threads)
    run.train(LocalLoop(run, corpus))
    return Vectors(vocabulary.words, run.matrices.word_inputs)
