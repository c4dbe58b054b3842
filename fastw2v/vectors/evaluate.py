"""How good vectors are: correlation with human similarity, analogies solved."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:
    from .vectors import Vectors

QUERIES_AT_A_TIME = 512
CANDIDATES = 8
"""The nearest words of an analogy that are looked at: its own three may be among them, and other spellings."""


def word_pairs(
    vectors: Vectors,
    path: str | os.PathLike[str],
    delimiter: str,
    encoding: str,
    restrict_vocab: int,
    case_insensitive: bool,
    dummy4unknown: bool,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """See Vectors.evaluate_word_pairs."""
    rows = _rows(vectors, restrict_vocab, case_insensitive)
    human: list[float] = []
    ours: list[float] = []
    n_unknown = 0
    for line in _lines(path, encoding):
        parts = line.split(delimiter)
        if line.startswith("#") or len(parts) != 3:
            continue
        first, second, score = (part.strip().upper() if case_insensitive else part.strip() for part in parts)
        try:
            value = float(score)
        except ValueError:  # a heading
            continue
        if not math.isfinite(value):
            raise InputError(f"{os.fspath(path)} holds the score {score!r}: scores are finite numbers")
        known = first in rows and second in rows
        n_unknown += not known
        if known or dummy4unknown:
            human.append(value)
            ours.append(vectors.similarity(rows[first], rows[second]) if known else 0.0)
    if not human:
        raise InputError(
            f"{os.fspath(path)} holds no pair of known words ({n_unknown} of unknown ones): its lines must be "
            f"word{delimiter!r}word{delimiter!r}score"
        )
    n_pairs = len(human) + (0 if dummy4unknown else n_unknown)
    ranks = correlation(_ranks(np.array(human)), _ranks(np.array(ours)))
    return correlation(np.array(human), np.array(ours)), ranks, 100 * n_unknown / n_pairs


def word_analogies(
    vectors: Vectors, path: str | os.PathLike[str], restrict_vocab: int, case_insensitive: bool, dummy4unknown: bool
) -> tuple[float, list[dict[str, Any]]]:
    """See Vectors.evaluate_word_analogies."""
    rows = _rows(vectors, restrict_vocab, case_insensitive)
    sections: list[dict[str, Any]] = []
    asked: list[tuple[dict[str, Any], tuple[str, ...]]] = []
    for number, line in enumerate(_lines(path, "utf8"), 1):
        if line.startswith(":"):
            sections.append({"section": line[1:].strip(), "correct": [], "incorrect": []})
            continue
        words = tuple((line.upper() if case_insensitive else line).split())
        if len(words) != 4:
            continue
        if not sections:
            raise InputError(f"{os.fspath(path)}, line {number} stands before the first ': section'")
        if all(word in rows for word in words):
            asked.append((sections[-1], words))
        elif dummy4unknown:
            sections[-1]["incorrect"].append(words)
    found = _solve(vectors, [[rows[word] for word in words[:3]] for _, words in asked], rows, case_insensitive)
    for (section, words), answer in zip(asked, found, strict=True):
        section["correct" if answer == words[3] else "incorrect"].append(words)
    total = {
        "section": "Total accuracy",
        "correct": [words for section in sections for words in section["correct"]],
        "incorrect": [words for section in sections for words in section["incorrect"]],
    }
    n = len(total["correct"]) + len(total["incorrect"])
    if not n:
        raise InputError(f"{os.fspath(path)} holds no analogy of known words: its lines must be 'a b c d'")
    return len(total["correct"]) / n, [*sections, total]


def _solve(
    vectors: Vectors, questions: list[list[int]], rows: dict[str, int], case_insensitive: bool
) -> list[str | None]:
    """The nearest word to b + c - a that is none of the three, for questions of three rows each."""
    n = max(rows.values(), default=-1) + 1
    spelling = [word.upper() if case_insensitive else word for word in vectors.index_to_key[:n]]
    answers: list[str | None] = []
    for first in range(0, len(questions), QUERIES_AT_A_TIME):
        asked = np.array(questions[first : first + QUERIES_AT_A_TIME])
        a, b, c = ((vectors.vectors[index] / vectors.norms[index][:, None]) for index in asked.T)
        nearest = vectors.most_similar_batch(b + c - a, topn=CANDIDATES, restrict_vocab=n)
        for question, neighbours in zip(asked.tolist(), nearest, strict=True):
            own = {spelling[row] for row in question}
            found = ((word.upper() if case_insensitive else word) for word, _ in neighbours)
            answers.append(next((word for word in found if word not in own), None))
    return answers


def _rows(vectors: Vectors, restrict_vocab: int, case_insensitive: bool) -> dict[str, int]:
    """The row of each word, of spellings that differ by case the first."""
    words = vectors.index_to_key[:restrict_vocab]
    return {(word.upper() if case_insensitive else word): row for row, word in reversed(list(enumerate(words)))}


def _lines(path: str | os.PathLike[str], encoding: str) -> list[str]:
    try:
        with open(path, encoding=encoding) as file:
            return [line.strip() for line in file if line.strip()]
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{os.fspath(path)} is not text in {encoding}: {error.reason}") from error


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 on; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks


def correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Pearson's r and its two-sided p: that of t = r sqrt((n - 2) / (1 - r^2)) with n - 2 degrees of freedom.

    NaN where one of the two does not vary, or for less than three pairs.
    """
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    if scale == 0 or len(x) < 3:
        return math.nan, math.nan
    r = max(-1.0, min(1.0, float(x @ y) / scale))
    return r, _incomplete_beta((len(x) - 2) / 2, 0.5, 1 - r * r)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes, 6.4)."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 300):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / (1 + term * d), 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction / a
