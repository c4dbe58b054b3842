"""Texts with a structure planted in them, and how much of it vectors have found."""

import random

N_TOPICS = 8
WORDS_OF_TOPIC = 12

TRAIN = ["--dim", "20", "--min-count", "1", "--epochs", "3", "--sample", "0", "--lr", "0.05"]
"""Options of the command line by which the planted structure is learnt in a moment."""


def planted_text(seed=0, n_sentences=3000):
    """Sentences of ten words, each from one topic: words of a topic share their contexts, and no others do."""
    rng = random.Random(seed)
    topics = [[f"t{topic}w{i}" for i in range(WORDS_OF_TOPIC)] for topic in range(N_TOPICS)]
    return "\n".join(" ".join(rng.choices(rng.choice(topics), k=10)) for _ in range(n_sentences)) + "\n"


def share_of_planted_neighbours(vectors):
    """Of the 5 nearest words of each word, the share that is of its own topic; 0.12 by chance."""
    hits = [
        near.split("w")[0] == word.split("w")[0] for word in vectors for near, _ in vectors.most_similar(word, topn=5)
    ]
    return sum(hits) / len(hits)
