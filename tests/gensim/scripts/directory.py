"""All files of a directory."""

from gensim.models.word2vec import PathLineSentences, Word2Vec

sentences = PathLineSentences("texts")
files = sentences.input_files
model = Word2Vec(sentences, vector_size=16, min_count=1, window=2)
n_words = len(model.wv)
