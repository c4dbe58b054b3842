"""Fixtures for the tests of gensim's names."""

import gensim.models
import pytest
from keyed import WORDS, matrix

from fastw2v.gensim import KeyedVectors


@pytest.fixture
def both():
    """The same words and vectors, as ours and as gensim's."""
    pair = KeyedVectors(3), gensim.models.KeyedVectors(3)
    for kv in pair:
        kv.add_vectors(WORDS, matrix())
        for word, count in zip(WORDS, [4, 9, 2, 9], strict=True):
            kv.set_vecattr(word, "count", count)
    return pair
