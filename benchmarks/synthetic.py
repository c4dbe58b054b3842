"""Corpora of random words, and the speed of training on them; for the other benchmarks."""

from __future__ import annotations

import numpy as np

from fastw2v import Progress, TrainConfig, Vocabulary
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Reading
from fastw2v.events import Event
from fastw2v.training.loop import LocalLoop
from fastw2v.training.matrices import new_matrices
from fastw2v.training.run import TrainingRun

N_TOKENS, SENTENCE = 5_000_000, 20


def zipf_corpus(n_words: int) -> Corpus:
    """Random sentences of `SENTENCE` words; word r with probability in proportion to 1 / (r + 2.7) (Mandelbrot)."""
    rng = np.random.default_rng(n_words)
    weights = 1.0 / (np.arange(n_words) + 2.7)
    words = np.searchsorted(weights.cumsum() / weights.sum(), rng.random(N_TOKENS)).clip(0, n_words - 1)
    counts = np.bincount(words, minlength=n_words)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(n_words, np.int32)
    rank[order] = np.arange(n_words)
    ids = np.full((N_TOKENS // SENTENCE, SENTENCE + 1), -1, np.int32)
    ids[:, :-1] = rank[words].reshape(-1, SENTENCE)
    ids = ids.ravel()
    ids.flags.writeable = False
    vocabulary = Vocabulary([str(word) for word in range(n_words)], np.maximum(counts[order], 1))
    return Corpus(vocabulary, ids, N_TOKENS, Reading(0, N_TOKENS, n_words))


def speed(corpus: Corpus, config: TrainConfig, threads: int, seconds: float) -> tuple[float, float]:
    """Words/s and predictions/s of the training alone: after a first slice, for `seconds`."""
    slices: list[Progress] = []

    def keep(event: Event) -> bool:
        if isinstance(event, Progress):
            slices.append(event)
        return len(slices) > 2 and slices[-1].seconds - slices[0].seconds > seconds

    run = TrainingRun(config, corpus, new_matrices(len(corpus.vocabulary), config, threads), threads, keep)
    run.train(LocalLoop(run, corpus))
    took = slices[-1].seconds - slices[0].seconds
    n_words = slices[-1].n_words - slices[0].n_words
    return n_words / took, sum(event.n_predictions for event in slices[1:]) / took
