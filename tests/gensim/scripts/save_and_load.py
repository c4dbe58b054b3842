"""The model and its vectors on disk."""

from gensim.models import KeyedVectors, Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(sentences, vector_size=12, min_count=1)
model.save("word2vec.model")
loaded = Word2Vec.load("word2vec.model")
is_same = bool((loaded.wv.vectors == model.wv.vectors).all())
loaded.train([["t0w0", "t0w1"]] * 50, total_examples=50, epochs=1)
model.wv.save("vectors.kv")
wv = KeyedVectors.load("vectors.kv", mmap="r")
vector = wv["t0w0"]
model.wv.save_word2vec_format("vectors.txt", fvocab="vocab.txt", binary=False)
header = open("vectors.txt").readline().split()
first_count = open("vocab.txt").readline().split()[1]
EXACT = ["is_same", "header", "first_count"]
