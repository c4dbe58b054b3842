"""A file by its name, read by many threads."""

from gensim.models import Word2Vec

model = Word2Vec(corpus_file="corpus.txt", vector_size=20, sg=1, negative=10, min_count=1, workers=2)
shapes = [model.wv.vectors.shape, model.syn1neg.shape]
words = list(model.wv.key_to_index)[:3]
