"""The three steps: options, vocabulary, training."""

from gensim.models import Word2Vec

sentences = [line.split() for line in open("corpus.txt")]
model = Word2Vec(vector_size=30, min_count=2, workers=1, seed=7)
model.build_vocab(sentences)
n_sentences, n_words = model.corpus_count, model.corpus_total_words
trained, total = model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
count = model.wv.get_vecattr("t0w0", "count")
first_words = model.wv.index_to_key[:5]
