"""Corpora for tests: read with rare words kept, and written out again as sentences."""

import numpy as np
import reference

from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning

ALL_WORDS = Pruning(min_count=1)


def read(path, pruning=ALL_WORDS, **options):
    return Corpus.from_text(path, pruning, **options)


def sentences_of(corpus):
    """The sentences of a corpus as lists of words, without empty ones."""
    sentences = [[]]
    for word in corpus.ids.tolist():
        if word < 0:
            sentences.append([])
        else:
            sentences[-1].append(corpus.vocabulary.words[word])
    return [sentence for sentence in sentences if sentence]


def reference_sentences(text):
    """The sentences of a text, bytes, as the reference splits it."""
    return [[word.decode() for word in line] for line in reference.sentences_of(text)]


def random_text(n_lines=1000, seed=0):
    rng = np.random.default_rng(seed)
    words = ["a", "b", "été", "日本", "x\u00a0y", "w" * 50, "\ufeffz"]
    lines = [" ".join(words[i] for i in rng.integers(0, len(words), rng.integers(0, 9))) for _ in range(n_lines)]
    return ("\n".join(lines) + "\n").encode()
