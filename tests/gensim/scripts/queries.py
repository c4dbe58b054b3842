"""All the questions of a tutorial."""

from gensim.models import KeyedVectors

wv = KeyedVectors.load_word2vec_format("news.bin", binary=True)
analogy = wv.most_similar(positive=["t0w1", "t1w2"], negative=["t0w2"], topn=1)
multiplied = wv.most_similar_cosmul(positive=["t0w1", "t1w2"], negative=["t0w2"])
odd = wv.doesnt_match(["t0w1", "t0w2", "t0w3", "t5w1"])
closest = wv.most_similar_to_given("t0w1", ["t0w2", "t3w3"])
distances = wv.distances("t0w1", ["t0w2", "t3w3"])
between = wv.n_similarity(["t0w1", "t0w2"], ["t0w3"])
closer, rank = wv.closer_than("t0w1", "t3w3"), wv.rank("t0w1", "t0w2")
relative = wv.relative_cosine_similarity("t0w1", "t0w2")
all_cosines = wv.most_similar("t0w1", topn=None)
pair = wv[["t0w1", "t0w2"]]
EXACT = ["odd", "closest", "closer", "rank"]
