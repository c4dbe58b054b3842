"""Vectors of random words, here and in the real gensim."""

import numpy as np
import pytest
from gensim.models import KeyedVectors

from fastw2v import Vectors

N, DIM = 500, 12


@pytest.fixture(scope="module")
def both():
    """(Vectors, KeyedVectors) with the words w0 to w499 and the same 12 numbers for each."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(N)]
    matrix = rng.normal(size=(N, DIM)).astype(np.float32)
    gensims = KeyedVectors(DIM)
    gensims.add_vectors(words, matrix)
    gensims.fill_norms()
    return Vectors(words, matrix, np.arange(N, 0, -1)), gensims
