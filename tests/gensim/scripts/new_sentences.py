"""More text for a model that is trained already."""

from gensim.models import Word2Vec

old = [line.split() for line in open("corpus.txt")]
new = [["the", "new", "t0w1", "word"], ["another", "new", "word"]] * 20
model = Word2Vec(old, vector_size=14, min_count=5)
before = len(model.wv)
model.build_vocab(new, update=True)
model.train(new, total_examples=model.corpus_count, epochs=3)
added = sorted(set(model.wv.key_to_index) - {word for line in old for word in line})
after = len(model.wv)
same_rows = model.wv.index_to_key[:before] == sorted(model.wv.key_to_index, key=model.wv.key_to_index.get)[:before]
EXACT = ["before", "added", "after", "same_rows"]
