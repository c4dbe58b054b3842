"""What theory says the vectors converge to, for dim >= the number of words: u.v = PMI(word, context) - log k.

Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization".
"""

import numpy as np

import fastw2v

N_WORDS, NEGATIVE = 20, 5


def test_negative_sampling_factorises_shifted_pmi(tmp_path):
    rng = np.random.default_rng(0)
    transitions = np.exp(rng.normal(size=(N_WORDS, N_WORDS)))
    cumulative = (transitions / transitions.sum(axis=1, keepdims=True)).cumsum(axis=1)
    chain = [0]
    for draw in rng.random(60_000):
        chain.append(min(int(np.searchsorted(cumulative[chain[-1]], draw)), N_WORDS - 1))
    path = tmp_path / "chain.txt"
    path.write_text(" ".join(f"w{word}" for word in chain))
    options = {"dim": 32, "window": 1, "negative": NEGATIVE, "ns_exponent": 1, "sample": 0}
    options |= {"epochs": 60, "lr": 0.1, "threads": 1}
    contexts, centres = (fastw2v.train(path, vectors=which, **options) for which in ("input", "output"))
    words = [int(word[1:]) for word in contexts.index_to_key]
    got = centres.vectors @ contexts.vectors.T

    pairs = np.zeros((N_WORDS, N_WORDS))
    np.add.at(pairs, (chain[1:], chain[:-1]), 1)
    pairs += pairs.T  # (centre, context): each neighbour of a word, to the left and to the right
    pairs = pairs[np.ix_(words, words)]
    share = pairs.sum(axis=0) / pairs.sum()
    pmi = np.log(pairs / pairs.sum() / np.outer(share, share))
    expected = pmi - np.log(NEGATIVE)
    assert np.corrcoef(expected.ravel(), got.ravel())[0, 1] > 0.99
    assert abs(np.polyfit(expected.ravel(), got.ravel(), 1)[0] - 1) < 0.05

    # Theory does not count that a negative equal to the centre is skipped. With it nothing but noise is left.
    exact = np.log(pairs / (NEGATIVE * share[:, None] * (pairs.sum(axis=0) - pairs)))
    assert np.abs(got - exact).mean() < 0.05
