"""A file of GloVe's."""

from gensim.models import KeyedVectors

glove = KeyedVectors.load_word2vec_format("glove.txt", binary=False, no_header=True)
size = glove.vector_size
words = glove.index_to_key[:4]
vector = glove.get_vector("t0w0", norm=True)
EXACT = ["size", "words"]
