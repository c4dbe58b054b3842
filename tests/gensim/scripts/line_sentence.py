"""A file as an iterable of sentences."""

from gensim.models.word2vec import LineSentence, Word2Vec

sentences = LineSentence("corpus.txt")
lines = [len(words) for words in sentences]
model = Word2Vec(sentences, vector_size=20, min_count=1, workers=2, epochs=2)
score = model.wv.similarity("t2w1", "t2w2")
