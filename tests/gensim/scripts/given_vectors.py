"""Vectors from elsewhere, some of them locked."""

import numpy as np
from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(vector_size=20, min_count=1, epochs=2)
model.build_vocab(sentences)
model.wv.vectors_lockf = np.ones(len(model.wv), dtype=np.float32)
model.wv.intersect_word2vec_format("given.txt", binary=False, lockf=0.0)
locked = model.wv["t0w1"].copy()
model.train(sentences, total_examples=model.corpus_count, epochs=2)
is_kept = bool((model.wv["t0w1"] == locked).all())
lock = model.wv.vectors_lockf
EXACT = ["is_kept"]
