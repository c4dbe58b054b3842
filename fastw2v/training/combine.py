"""One model out of what several replicas made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def combine(before: NDArray[np.float32], changes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The rows after an exchange, (n, dim) float32: each is before + f * sum(changes), one f for a row.

    f = min(1, sum(|change|^2) / |sum(change)|^2): replicas that moved a row in different directions learnt different
    things, which add up (f = 1); where all moved it the same way it is as far as one alone would have come, and the
    mean is taken (f = 1 / n). Rows that one replica moved take its change. This is adaptive summation (Maleki et al.
    2021, "Scaling distributed training with adaptive summation") of all replicas at once, so that their order does not
    matter; benchmarks/distributed.py compares it with the mean, the sum and GraphWord2Vec's model combiner.
    """
    if len(changes) == 1:
        return before + changes[0]
    total: NDArray[np.float32] = np.sum(changes, axis=0)
    lengths = sum(np.einsum("ij,ij->i", change, change) for change in changes)
    length_of_total = np.einsum("ij,ij->i", total, total)
    with np.errstate(divide="ignore", invalid="ignore"):  # a row that no replica moved
        factor = np.fmin(1, lengths / length_of_total)
    combined: NDArray[np.float32] = before + factor[:, None] * total
    return combined


def rate_of_replicas(n_replicas: int) -> float:
    """What the learning rate is multiplied by.

    Each of n replicas takes 1 / n of the steps, and where they agree the mean of them is taken: with the rate of one
    process the model falls behind. On wiki8 sqrt(n) reaches its quality with 2 replicas, ...
    """
    return float(np.sqrt(n_replicas))
