"""What the kernels must compute, in plain NumPy and Python: slow, obvious, and without a line from fastw2v.

Probabilities, draws and updates are written once more from their definitions; test_reference.py checks the gradients
by finite differences.
"""

import re

import numpy as np

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


# Random numbers: splitmix64


def mix(state):
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stream(seed, number):
    return mix(mix(seed) ^ ((number * GOLDEN + GOLDEN) & MASK))


class Draws:
    def __init__(self, state):
        self.state = state

    def next(self):
        self.state = (self.state + GOLDEN) & MASK
        return mix(self.state)


def below(draw, n):
    return ((draw >> 32) * n) >> 32


def draw_alias(table, draw):
    column = below(draw, len(table))
    threshold, alias = divmod(int(table[column]), 2**32)
    return column if draw % 2**32 < threshold else alias


def alias_probabilities(table):
    """The exact distribution that an alias table draws from."""
    n = len(table)
    probabilities = np.zeros(n)
    for column, record in enumerate(table):
        threshold, alias = divmod(int(record), 2**32)
        probabilities[column] += threshold / 2**32 / n
        probabilities[alias] += (1 - threshold / 2**32) / n
    return probabilities


# One update


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def outputs_of(centre, negatives):
    """Output words and labels; a negative that is the centre is skipped."""
    words = [centre] + [word for word in negatives if word != centre]
    return words, np.array([1.0] + [0.0] * (len(words) - 1))


def loss(inputs, outputs, contexts, centre, negatives):
    """Summed over the pairs of a window: -log s(u.v) of the centre, -log s(-u.v) of each negative."""
    words, labels = outputs_of(centre, negatives)
    signs = 2 * labels - 1
    return sum(
        np.logaddexp(0, -sign * (outputs[word] @ inputs[context]))
        for context in contexts
        for word, sign in zip(words, signs, strict=True)
    )


def step(inputs, outputs, contexts, centre, negatives, learning_rate):
    """All pairs of a window at the same parameters; in place."""
    words, labels = outputs_of(centre, negatives)
    v, u = inputs[contexts].copy(), outputs[words].copy()
    coefficients = learning_rate * (labels - sigmoid(v @ u.T))
    np.add.at(inputs, contexts, coefficients @ u)
    np.add.at(outputs, words, coefficients.T @ v)


# The walk


def start_of_span(ids, span, length, max_shift):
    start = min(span * length, len(ids))
    if start == 0:
        return 0
    for position in range(start, min(start + max_shift, len(ids))):
        if ids[position - 1] < 0:
            return position
    return start


def train_span(ids, start, stop, inputs, outputs, sampling, learning_rate, state):
    """The windows of a span, in order, with the draws that the streams define; in place. Returns the pairs trained."""
    keep, noise, window, fixed_window, n_negatives, share_negatives = sampling
    draws = Draws(state)
    sentences = [[]]
    for word in ids[start:stop]:
        if word < 0:
            sentences.append([])
        elif draws.next() >> 32 <= keep[word]:
            sentences[-1].append(int(word))

    def draw_negatives():
        return [draw_alias(noise, draws.next()) for _ in range(n_negatives)]

    negatives = draw_negatives()
    n_pairs = 0
    for sentence in sentences:
        for position, centre in enumerate(sentence):
            reach = window if fixed_window else 1 + below(draws.next(), window)
            contexts = sentence[max(0, position - reach) : position] + sentence[position + 1 : position + reach + 1]
            n_pairs += len(contexts)
            for group in [contexts] if share_negatives and contexts else [[context] for context in contexts]:
                now, negatives = negatives, draw_negatives()
                step(inputs, outputs, group, centre, now, learning_rate)
    return n_pairs


# Text

SEPARATOR = re.compile(
    rb"[\x00-\x20\x7f]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)


def sentences_of(text, longest=1000):
    """Lists of tokens, one for each line that holds any."""
    lines = [[word for word in SEPARATOR.split(line) if 0 < len(word) <= longest] for line in text.split(b"\n")]
    return [line for line in lines if line]
