"""What a model says of words and sentences: predicted words, and the likelihood of sentences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels.huffman import Paths


def probabilities(
    inputs: NDArray[np.float32], outputs: NDArray[np.float32], contexts: Sequence[int], by_mean: bool = True
) -> NDArray[np.float64]:
    """Return the probability of each word between these contexts, (n_words,): the softmax of its logits.

    inputs, outputs: (n_words, dim). contexts: rows, whose mean, or sum, is the input.
    """
    total = inputs[list(contexts)].sum(axis=0, dtype=np.float64)
    logits = outputs @ (total / len(contexts) if by_mean else total)
    powers: NDArray[np.float64] = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers


def log_likelihood(
    words: Sequence[int], inputs: NDArray[np.float32], nodes: NDArray[np.float32], paths: Paths, window: int, kind: str
) -> float:
    """Return the log probability of a sentence under hierarchical softmax, the sum over all its predictions.

    words: ids, of known words. inputs, nodes: (n_words, dim). kind: skipgram, where each word is predicted from each
    word up to `window` away, or mean or sum, where it is predicted from theirs (Taddy 2015, "Document Classification by
    Inversion of Distributed Language Representations").
    """
    total = 0.0
    for place, word in enumerate(words):
        contexts = [*words[max(0, place - window) : place], *words[place + 1 : place + window + 1]]
        path = slice(paths.starts[word], paths.starts[word + 1])
        signs = 1.0 - 2.0 * paths.labels[path]
        vectors = inputs[contexts]
        if kind != "skipgram":  # a word without contexts is predicted from a zero vector
            vectors = vectors.sum(axis=0, keepdims=True) / (max(1, len(contexts)) if kind == "mean" else 1)
        logits = vectors.astype(np.float64) @ nodes[paths.nodes[path]].T
        total -= float(np.logaddexp(0.0, signs * logits).sum())  # -log s(-x) = log(1 + exp(x))
    return total
