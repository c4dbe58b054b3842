"""What the kernels must compute, in plain NumPy and Python: slow, obvious, and without a line from fastw2v.

Probabilities, draws and updates are written once more from their definitions; test_reference.py checks the gradients
by finite differences.
"""

import heapq
import re
import unicodedata

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


def loss(inputs, outputs, contexts, centre, negatives, weight=1.0):
    """Summed over the pairs of a window: -log s(u.v) of the centre, and -log s(-u.v), weighted, of each negative."""
    words, labels = outputs_of(centre, negatives)
    return sum(
        (1.0 if label else weight) * np.logaddexp(0, -(2 * label - 1) * (outputs[word] @ inputs[context]))
        for context in contexts
        for word, label in zip(words, labels, strict=True)
    )


def step(inputs, outputs, contexts, centre, negatives, learning_rate, weight=1.0):
    """All pairs of a window at the same parameters; in place."""
    labelled_step(inputs, outputs, contexts, *outputs_of(centre, negatives), learning_rate, weight)


def labelled_step(inputs, outputs, contexts, rows, labels, learning_rate, weight=1.0):
    """The same for any output rows and labels: hierarchical softmax's are the nodes above the centre word."""
    v, u = inputs[contexts].copy(), outputs[rows].copy()
    coefficients = learning_rate * np.where(labels == 1, 1.0, weight) * (labels - sigmoid(v @ u.T))
    np.add.at(inputs, contexts, coefficients @ u)
    np.add.at(outputs, rows, coefficients.T @ v)


def mean_step(inputs, outputs, contexts, rows, labels, learning_rate, is_exact, weight=1.0, by_sum=False):
    """CBOW: the mean, or the sum, of the contexts predicts. Each context gets its exact gradient or word2vec.c's step.

    That is the whole step of the mean, which is n times the gradient, or as in gensim 1 / n of the step of the sum.
    """
    predicting = inputs[contexts].sum(axis=0) if by_sum else inputs[contexts].mean(axis=0)
    moved = predicting[None].copy()
    labelled_step(moved, outputs, [0], rows, labels, learning_rate, weight)
    gradient, other = (1, 1 / len(contexts)) if by_sum else (1 / len(contexts), 1)
    np.add.at(inputs, contexts, (gradient if is_exact else other) * (moved[0] - predicting))


def labelled_loss(v, outputs, rows, labels):
    """-log s(u.v) for each row of label 1, -log s(-u.v) for each of label 0."""
    return sum(np.logaddexp(0, -(2 * y - 1) * (outputs[row] @ v)) for row, y in zip(rows, labels, strict=True))


def softmax_loss(inputs, outputs, groups, centres):
    """-log p of each centre, given the mean of its group of contexts."""
    logits = np.array([inputs[group].mean(axis=0) for group in groups]) @ outputs.T
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(centres)), centres]


def softmax_step(inputs, outputs, groups, centres, learning_rate, is_exact):
    """A batch at the same parameters; each context gets its mean's whole step, or its share of it."""
    means = np.array([inputs[group].mean(axis=0) for group in groups])
    errors = -np.exp(means @ outputs.T)
    errors /= -errors.sum(axis=1, keepdims=True)
    errors[np.arange(len(centres)), centres] += 1
    steps = learning_rate * errors @ outputs
    outputs += learning_rate * errors.T @ means
    for group, step_of_mean in zip(groups, steps, strict=True):
        np.add.at(inputs, group, step_of_mean / (len(group) if is_exact else 1))


# Huffman's tree


def huffman_cost(counts):
    """The least possible sum of count * code length."""
    heap = sorted(counts)
    cost = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


# The walk


def start_of_span(ids, span, length, max_shift):
    start = min(span * length, len(ids))
    if start == 0:
        return 0
    for position in range(start, min(start + max_shift, len(ids))):
        if ids[position - 1] < 0:
            return position
    return start


def kept_sentences(ids, keep, draws):
    """The words of each sentence that subsampling keeps."""
    sentences = [[]]
    for word in ids:
        if word < 0:
            sentences.append([])
        elif draws.next() >> 32 <= keep[word]:
            sentences[-1].append(int(word))
    return sentences


def windows_of_sentences(sentences, windows, draws):
    """Each kept token and its contexts, which may be none."""
    for sentence in sentences:
        for position, centre in enumerate(sentence):
            reach = windows.window if windows.fixed_window else 1 + below(draws.next(), windows.window)
            yield centre, sentence[max(0, position - reach) : position] + sentence[position + 1 : position + reach + 1]


class Span:
    """A span of the text in training: the windows of its kept tokens, with the draws that the streams define."""

    def __init__(self, ids, start, stop, windows, objective, state):
        draws = Draws(state)
        self.windows, self.objective = windows, objective
        self.tokens = list(windows_of_sentences(kept_sentences(ids[start:stop], windows.keep, draws), windows, draws))
        self.draws, self.n_steps = Draws(stream(state, 1)), 0
        self.negatives = [self.draw_negatives() for _ in range(objective.negatives.n_draws)]

    def draw_negatives(self):
        negatives = self.objective.negatives
        return [draw_alias(negatives.noise, self.draws.next()) for _ in range(negatives.n)]

    def rows_and_labels(self, centre):
        """The outputs of the next step."""
        negatives, paths = self.objective
        if paths.longest:
            path = slice(paths.starts[centre], paths.starts[centre + 1])
            return paths.nodes[path].tolist(), paths.labels[path].astype(float)
        number = self.n_steps % negatives.n_draws
        now = self.negatives[number]
        if self.n_steps // negatives.n_draws % negatives.n_turns == negatives.n_turns - 1:  # their last turn
            self.negatives[number] = self.draw_negatives()
        self.n_steps += 1
        return outputs_of(centre, now)

    def train(self, tokens, inputs, outputs, learning_rate):
        """Train on the windows of a slice of the tokens, in order, in place. Returns the predictions."""
        windows, objective = self.windows, self.objective
        weight = 1.0 if objective.paths.longest else float(objective.negatives.weight)
        frozen = np.flatnonzero(windows.is_frozen)
        frozen_rows = inputs[frozen]
        n_predictions = 0
        for centre, contexts in self.tokens[tokens]:
            if not contexts:
                continue
            if windows.by_mean:
                n_predictions += 1
                target = self.rows_and_labels(centre)
                exact, by_sum = windows.exact_mean, windows.by_sum
                mean_step(inputs, outputs, contexts, *target, learning_rate, exact, weight, by_sum)
                inputs[frozen] = frozen_rows
                continue
            n_predictions += len(contexts)
            for group in [contexts] if windows.by_window else [[context] for context in contexts]:
                labelled_step(inputs, outputs, group, *self.rows_and_labels(centre), learning_rate, weight)
                inputs[frozen] = frozen_rows
        return n_predictions


def train_on_tracks(spans, rates, inputs, outputs, length, hot, rounds_to_merge):
    """Train spans side by side, in rounds of `length` tokens of each, in place. Returns the predictions of each.

    hot: the input and the output rows of which each track keeps a copy until every so many rounds they are merged.
    """
    n_rounds = -(-max(len(span.tokens) for span in spans) // length)
    matrices, n_predictions = (inputs, outputs), [0] * len(spans)
    kept = [[matrix[rows].copy() for matrix, rows in zip(matrices, hot, strict=True)] for _ in spans]
    for number in range(n_rounds):
        trained = []
        for i, (span, rate) in enumerate(zip(spans, rates, strict=True)):
            own = [matrix.copy() for matrix in matrices]
            for matrix, rows, values in zip(own, hot, kept[i], strict=True):
                matrix[rows] = values
            n_predictions[i] += span.train(slice(number * length, (number + 1) * length), *own, rate)
            kept[i] = [matrix[rows].copy() for matrix, rows in zip(own, hot, strict=True)]
            trained.append(own)
        is_merged = (number + 1) % rounds_to_merge == 0 or number + 1 == n_rounds
        for k, (matrix, rows) in enumerate(zip(matrices, hot, strict=True)):
            before = matrix.copy()
            matrix[:] = combine_replicas(before, [own[k] - before for own in trained])
            if is_merged:
                for values in kept:
                    values[k] = matrix[rows].copy()
            else:
                matrix[rows] = before[rows]
    return n_predictions


def train_span(ids, start, stop, inputs, outputs, windows, objective, learning_rate, state):
    """The windows of a span, in order, with the draws that the streams define; in place. Returns the predictions."""
    return Span(ids, start, stop, windows, objective, state).train(slice(None), inputs, outputs, learning_rate)


def predictions_of_span(ids, start, stop, windows, state):
    """What softmax predicts, with the draws that the streams define: groups of contexts, centres, sizes of windows."""
    draws = Draws(state)
    sentences = kept_sentences(ids[start:stop], windows.keep, draws)
    groups, centres, window_sizes = [], [], []
    for centre, contexts in windows_of_sentences(sentences, windows, draws):
        if not contexts:
            continue
        groups_of_window = [contexts] if windows.by_mean else [[context] for context in contexts]
        groups += groups_of_window
        centres += [centre] * len(groups_of_window)
        window_sizes.append(len(groups_of_window))
    return groups, centres, np.array(window_sizes)


# Text

SEPARATOR = re.compile(
    rb"[\x00-\x20\x7f]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)


def sentences_of(text, longest=1000):
    """Lists of tokens, one for each line that holds any."""
    lines = [[word for word in SEPARATOR.split(line) if 0 < len(word) <= longest] for line in text.split(b"\n")]
    return [line for line in lines if line]


def prepared(text, lower, strip_punctuation, digits):
    """Lists of words, one for each line, by a pattern over the classes of the characters."""
    unit = "[LDO]"
    word = f"{unit}(?:{unit}|J(?={unit})|(?<=D)T(?=D))*" if strip_punctuation else ".+"
    lines = []
    for line in text.split(b"\n"):
        words = []
        for token in SEPARATOR.split(line):
            characters = token.decode(errors="surrogateescape")
            classes = "".join(map(class_of, characters))
            for match in re.finditer(word, classes):
                if digits == "drop" and "D" in match[0] and "L" not in match[0]:
                    continue
                pieces = [
                    piece(characters, classes, i, lower, digits == "zero") for i in range(match.start(), match.end())
                ]
                words.append("".join(pieces).encode(errors="surrogateescape"))
        lines.append(words)
    return lines


def class_of(character):
    """L(etter), D(igit), P(unctuation), J(oiner), (poin)T or O(ther)."""
    category = unicodedata.category(character)
    if character in "'-_\u2019\u2010\u2011\u05be\u05f3\u05f4\u00b7":
        return "J"
    if character in ".,":
        return "T"
    if category[0] == "P" or category in ("Sm", "Sc") or character in "$+<=>^`|~":
        return "P"
    return "D" if category == "Nd" else "L" if category[0] in "LMC" or category == "Nl" else "O"


def piece(characters, classes, i, lower, zero):
    """What a character of a token becomes."""
    if zero and classes[i] == "D":
        return "0"
    if not lower:
        return characters[i]
    if characters[i] == "\u03a3" and classes[max(0, i - 1)] == "L" and i and classes[i + 1 : i + 2] != "L":
        return "\u03c2"
    return characters[i].lower()[0]


def combine_replicas(before, changes):
    """Adaptive summation of what replicas added to each row, a row at a time."""
    after = np.array(before, np.float64)
    for row in range(len(after)):
        total = sum(np.asarray(change[row], np.float64) for change in changes)
        length = float(total @ total)
        if length > 0:
            lengths = sum(float(np.asarray(change[row], np.float64) @ change[row]) for change in changes)
            after[row] += min(1.0, lengths / length) * total
    return after
