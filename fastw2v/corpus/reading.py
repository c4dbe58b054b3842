"""What a corpus turned out to hold when it was read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """The figures of a text as it was read, before any word was left out.

    n_bytes: the size of the text. n_tokens: running words, rare ones included. n_types: distinct words. n_overlong:
    tokens that were dropped because they are too long. n_unknown: tokens that are not in the vocabulary that was
    given. n_invalid: tokens with bytes that are not UTF-8.
    """

    n_bytes: int
    n_tokens: int
    n_types: int
    n_overlong: int = 0
    n_unknown: int = 0
    n_invalid: int = 0
