"""What the tests of kernels share: a small corpus, settings made from options, and matrices to begin with."""

from typing import NamedTuple

import numpy as np

from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.layout import RowLayout
from fastw2v.kernels.train import Objective
from fastw2v.kernels.walk import Windows
from fastw2v.training.matrices import Matrices, row_layout
from fastw2v.training.objective import objective_of, windows_of

N_WORDS = 50
SEED, EPOCH = 7, 2


class Case(NamedTuple):
    """What options become for the kernels, for a vocabulary of falling counts."""

    config: TrainConfig
    windows: Windows
    objective: Objective
    layout: RowLayout


def corpus(n=4000, seed=1):
    """Sentences of 1 to 30 words, none twice in a sentence (test_update.py has the repeats)."""
    rng = np.random.default_rng(seed)
    sentences = [np.append(rng.permutation(N_WORDS)[: rng.integers(1, 31)], -1) for _ in range(n)]
    return read_only(np.concatenate(sentences)[:n])


def read_only(ids):
    """Ids as a mapped file gives them: writable ones have another type to Numba."""
    ids = np.array(ids, np.int32)
    ids.flags.writeable = False
    return ids


def case(keep=1.0, threads=1, n_frozen=0, **options):
    """The case of some options; each token is kept with probability `keep`, and `n_frozen` random words are frozen."""
    config = TrainConfig(**{"window": 3, "negative": 4, "ns_exponent": 1.0, "sample": 0, **options})
    counts = np.array([int(1e6 * 0.9**i) for i in range(N_WORDS)])
    vocabulary = Vocabulary([f"w{i}" for i in range(N_WORDS)], counts)
    thresholds = np.full(N_WORDS, min(keep * 2**32, 2**32 - 1)).astype(np.uint32)
    is_frozen = np.random.default_rng(5).permutation(N_WORDS) < n_frozen
    windows = windows_of(vocabulary, config)._replace(
        keep=thresholds, is_frozen=is_frozen[: N_WORDS if n_frozen else 0]
    )
    layout = row_layout(N_WORDS, config, threads, has_frozen=n_frozen > 0)
    return Case(config, windows, objective_of(vocabulary, config), layout)


def random_matrices(layout, dim):
    """Matrices with normal inputs and outputs of scale 0.3, and float64 copies of the words' rows for the reference."""
    matrices = Matrices.new(layout, dim, seed=1)
    rng = np.random.default_rng(3)
    both = rng.normal(size=(2, N_WORDS, dim), scale=0.3)
    matrices.word_inputs[:], matrices.word_outputs[:] = both
    return matrices, tuple(rows.astype(np.float32).astype(np.float64) for rows in both)
