"""The constructor that does it all."""

from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(sentences, vector_size=20, window=3, min_count=1, workers=2, sg=1, epochs=3, alpha=0.05)
similar = model.wv.most_similar("t1w1", topn=5)
vector = model.wv["t1w1"]
n_words = len(model.wv)
text = str(model)
