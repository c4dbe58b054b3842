"""A class that reads one line after the other."""

import re

from gensim.models import Word2Vec


class Sentences:
    def __init__(self, path):
        self.path = path

    def __iter__(self):
        with open(self.path) as file:
            for line in file:
                yield re.findall("[a-z0-9]+", line.lower())


model = Word2Vec(Sentences("corpus.txt"), vector_size=16, min_count=1)
found = "t0w0" in model.wv
