# %% [markdown]
# A user of gensim: the same names, a logger, and files that go both ways.

# %%
import logging
import pydoc_data.topics

import fastw2v

logging.basicConfig(format="%(asctime)s : %(levelname)s : %(message)s", level=logging.INFO)
sentences = [line.lower().split() for text in pydoc_data.topics.topics.values() for line in text.splitlines()]

# %% gensim's names of options are answered with ours.
try:
    fastw2v.train(sentences, vector_size=50, workers=2)
except fastw2v.InputError as error:
    assert "did you mean dim?" in str(error)
try:
    fastw2v.train(sentences, sg=1, hs=1)
except fastw2v.InputError as error:
    assert "did you mean model (1: skipgram, 0: cbow)?" in str(error)

# %%
vectors = fastw2v.train(sentences, dim=50, min_count=5, epochs=20, threads=2)
print(vectors.most_similar("exception", topn=5))
print(vectors.similarity("list", "tuple"), vectors["list"][:5], vectors.get_vecattr("list", "count"))

# %%
bigrams = fastw2v.Phrases.learn(sentences=sentences, min_count=5, threshold=10)
print(bigrams, bigrams[["the", "data", "model", "of", "the", "built-in", "function"]])
phrased = fastw2v.train([bigrams[sentence] for sentence in sentences], dim=50, epochs=20)

# %% Train further with other text.
model = fastw2v.train_model(sentences, dim=50, epochs=5)
print(model, model.vocabulary, model.config)
model = fastw2v.train_model(sentences[:1000], dim=50, epochs=1, lr=0.005, continue_from=model)

# %%
vectors.save_word2vec_format("vectors.bin", binary=True)
again = fastw2v.Vectors.load_word2vec_format("vectors.bin", binary=True)
assert again.index_to_key == vectors.index_to_key
