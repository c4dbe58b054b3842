"""A tree instead of negatives, and the likelihood of sentences."""

from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(sentences, vector_size=10, min_count=1, hs=1, negative=0, sg=1, epochs=2)
shape = model.syn1.shape
scores = model.score(sentences[:10], total_sentences=10)
code = model.wv.get_vecattr("t0w0", "code")
