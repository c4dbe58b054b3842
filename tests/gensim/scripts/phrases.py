"""Bigrams first, vectors then."""

from gensim.models import Word2Vec
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phraser, Phrases

sentences = [line.split() for line in open("news.txt")]
bigram = Phrases(sentences, min_count=2, threshold=0.5, connector_words=ENGLISH_CONNECTOR_WORDS)
phraser = Phraser(bigram)
one = phraser[["the", "mayor", "of", "new", "york", "was", "there"]]
found = sorted(bigram.export_phrases())
scores = bigram.find_phrases(sentences)
model = Word2Vec(phraser[sentences], vector_size=10, min_count=1)
has_phrase = "new_york" in model.wv
EXACT = ["one", "found", "has_phrase"]
