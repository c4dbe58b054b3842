"""Which words stay is up to a function."""

from gensim import utils
from gensim.models import Word2Vec


def rule(word, count, min_count):
    if word.startswith("t1"):
        return utils.RULE_DISCARD
    return utils.RULE_KEEP if word == "rare" else utils.RULE_DEFAULT


sentences = [line.split() for line in open("corpus.txt")] + [["rare", "t0w1"]]
model = Word2Vec(min_count=3, vector_size=8)
model.build_vocab(sentences, trim_rule=rule)
words = sorted(model.wv.key_to_index)
EXACT = ["words"]
