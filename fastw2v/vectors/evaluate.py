"""How good vectors are: their correlation with human similarity, and the analogies that they solve."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..events import warn
from ..files.names import PathLike
from ..lazy import computed_once
from .search import Rows, unit_rows

QUERIES_AT_A_TIME, CANDIDATES = 512, 8
"""Of so many nearest words, the first that is no spelling of an analogy's own three answers it."""


Correlation = tuple[float, float]
"""A coefficient of correlation and its two-sided p."""


@dataclass(frozen=True)
class Evaluation:
    """The vectors that are judged, and how the words of test sets are matched to theirs."""

    words: Sequence[str]  # (n,), the most frequent first
    rows: Rows  # their n vectors
    case_insensitive: bool  # of words that differ by case, only the first is known
    dummy4unknown: bool  # questions with unknown words are counted as failed instead of left out

    def word_pairs(self, path: PathLike, delimiter: str, encoding: str) -> tuple[Correlation, Correlation, float]:
        """See Vectors.evaluate_word_pairs."""
        scores: list[tuple[float, float]] = []  # of each pair: the human one and its cosine
        n_unknown = 0
        for line in _lines(path, encoding):
            parts = [self._spelling(part.strip()) for part in line.split(delimiter)]
            if line.startswith("#") or len(parts) != 3:
                continue
            first, second, score = parts
            try:
                value = float(score)
            except ValueError:  # a heading
                continue
            if not math.isfinite(value):
                raise InputError(f"{os.fspath(path)} holds the score {score!r}: scores are finite numbers")
            known = first in self._row_of and second in self._row_of
            n_unknown += not known
            if known or self.dummy4unknown:
                left, right = self._units([first, second]) if known else np.zeros((2, 1))
                scores.append((value, float(left @ right)))
        if not scores:
            lack = f"{os.fspath(path)} holds no pair of known words ({n_unknown} have unknown ones)"
            raise InputError(f"{lack}: its lines must be word{delimiter!r}word{delimiter!r}score")
        n_pairs = len(scores) + (0 if self.dummy4unknown else n_unknown)
        human, ours = np.transpose(scores)
        return correlation(human, ours), correlation(_ranks(human), _ranks(ours)), 100 * n_unknown / n_pairs

    def word_analogies(self, path: PathLike) -> tuple[float, list[dict[str, Any]]]:
        """See Vectors.evaluate_word_analogies."""
        sections: list[dict[str, Any]] = []
        questions: list[tuple[dict[str, Any], tuple[str, ...]]] = []  # with their sections
        n_others = 0
        for number, line in enumerate(_lines(path, "utf8"), 1):
            if line.startswith(":"):
                sections.append({"section": line[1:].strip(), "correct": [], "incorrect": []})
                continue
            analogy = tuple(self._spelling(line).split())
            if len(analogy) != 4:
                n_others += 1
                continue
            if not sections:
                raise InputError(f"{os.fspath(path)}, line {number} stands before the first ': section'")
            if all(word in self._row_of for word in analogy):
                questions.append((sections[-1], analogy))
            elif self.dummy4unknown:
                sections[-1]["incorrect"].append(analogy)
        if n_others:
            warn(f"{os.fspath(path)}: left out {n_others:,} lines that do not hold four words")
        answers = self._solve([analogy for _, analogy in questions])
        for (section, analogy), answer in zip(questions, answers, strict=True):
            section["correct" if answer == analogy[3] else "incorrect"].append(analogy)
        outcomes = "correct", "incorrect"
        total = {outcome: [analogy for section in sections for analogy in section[outcome]] for outcome in outcomes}
        n = len(total["correct"]) + len(total["incorrect"])
        if not n:
            raise InputError(f"{os.fspath(path)} holds no analogy of known words: its lines must be 'a b c d'")
        return len(total["correct"]) / n, [*sections, {"section": "Total accuracy", **total}]

    def _spelling(self, text: str) -> str:
        return text.upper() if self.case_insensitive else text

    @computed_once
    def _row_of(self) -> dict[str, int]:
        """The row of each word; the first of those whose spellings differ by case."""
        return {self._spelling(word): row for row, word in reversed(list(enumerate(self.words)))}

    def _units(self, words: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of known words at length 1, (n, dim)."""
        rows = [self._row_of[word] for word in words]
        return self.rows.vectors[rows] / self.rows.norms[rows][:, None]

    def _solve(self, analogies: list[tuple[str, ...]]) -> list[str | None]:
        """For each a b c d the nearest word to b + c - a, vectors of length 1, that is none of the three."""
        spellings = [self._spelling(word) for word in self.words]
        answers: list[str | None] = []
        for first in range(0, len(analogies), QUERIES_AT_A_TIME):
            asked = analogies[first : first + QUERIES_AT_A_TIME]
            a, b, c, _ = map(self._units, zip(*asked, strict=True))
            nearest = self.rows.nearest(unit_rows(b + c - a), min(CANDIDATES, len(spellings)))
            for analogy, rows, cosines in zip(asked, nearest.rows.tolist(), nearest.cosines, strict=True):
                words = [spellings[row] for row, cosine in zip(rows, cosines, strict=True) if cosine > -np.inf]
                answers.append(next((word for word in words if word not in analogy[:3]), None))
        return answers


def _lines(path: PathLike, encoding: str) -> list[str]:
    try:
        with open(path, encoding=encoding) as file:
            text = file.read().removeprefix("\ufeff")  # a byte order mark
            return [line.strip() for line in text.split("\n") if line.strip()]
    except OSError as error:
        raise InputError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{os.fspath(path)} is not text in {encoding}: {error.reason}") from error


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rank of each value, from 1 on; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return mean_ranks[inverse]


def correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> Correlation:
    """Pearson's r and its two-sided p: that of t = r sqrt((n - 2) / (1 - r^2)) with n - 2 degrees of freedom.

    x, y: (n,). Both results are NaN where x or y does not vary, and for less than three pairs.
    """
    x, y = (values / (np.abs(values).max() or 1.0) for values in (x, y))  # else squares of 1e200 were infinite
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    if scale == 0 or len(x) < 3:
        return math.nan, math.nan
    r = max(-1.0, min(1.0, float(x @ y) / scale))
    return r, _incomplete_beta((len(x) - 2) / 2, 0.5, 1 - r * r)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction (Numerical Recipes, 6.4)."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in even, odd:
            d, c = 1 / (1 + term * d), 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction / a
