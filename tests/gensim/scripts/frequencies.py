"""A vocabulary from a table of counts."""

from gensim.models import Word2Vec

counts = {"t0w0": 100, "t0w1": 50, "t0w2": 20, "rare": 1}
model = Word2Vec(vector_size=8, min_count=5)
model.build_vocab_from_freq(counts)
words = model.wv.index_to_key
model.train([["t0w0", "t0w1", "t0w2"]] * 100, total_examples=100, epochs=2)
memory = sorted(model.estimate_memory())
EXACT = ["words", "memory"]
