"""A large binary file, of which the first words are enough."""

from gensim.models import KeyedVectors

kv = KeyedVectors.load_word2vec_format("news.bin", binary=True, limit=50)
n_words, size = len(kv), kv.vector_size
nearest = kv.most_similar(positive=["t0w1"], topn=4)
words = kv.index_to_key
dtype = kv.vectors.dtype
EXACT = ["n_words", "size", "words"]
