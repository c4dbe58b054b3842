"""The word in the middle."""

from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(sentences, vector_size=20, min_count=1, sg=0, epochs=10)
words = model.predict_output_word(["t3w1", "t3w2", "t3w3"], topn=5)
unknown = model.predict_output_word(["nobody"])
