"""A text that is one long line."""

from gensim.models.word2vec import Text8Corpus, Word2Vec

corpus = Text8Corpus("text8", max_sentence_length=500)
lengths = [len(sentence) for sentence in corpus]
model = Word2Vec(corpus, vector_size=16, min_count=1, epochs=2)
nearest = model.wv.similar_by_word("t0w1", topn=3)
