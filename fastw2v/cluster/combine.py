"""One model out of what several replicas made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .recycled import uninitialized


def combine(changes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What an exchange adds to some rows, (n, dim) float32: to each f * sum(changes), with an f of its own.

    f = min(1, sum(|change|^2) / |sum(change)|^2): replicas that moved a row in different directions learnt different
    things, which add up (f = 1); where all moved it the same way it is as far as one alone would have come, and the
    mean is taken (f = 1 / n). Rows that one replica moved take its change. This is adaptive summation (Maleki et al.
    2021, "Scaling distributed training with adaptive summation") of all replicas at once, so that their order does not
    matter; benchmarks/distributed.py compares it with the mean, the sum and GraphWord2Vec's model combiner.
    """
    if len(changes) == 1:
        return changes[0].copy()
    combined = np.add(changes[0], changes[1], out=uninitialized(changes[0].shape))
    for change in changes[2:]:
        combined += change
    lengths = sum(np.einsum("ij,ij->i", change, change) for change in changes)
    with np.errstate(divide="ignore", invalid="ignore"):  # a row that no replica moved
        factor = np.fmin(1, lengths / np.einsum("ij,ij->i", combined, combined))
    combined *= factor[:, None]
    return combined


def rate_of_replicas(n_replicas: int) -> float:
    """What the learning rate is multiplied by.

    Each of n replicas takes 1 / n of the steps, and where they agree the mean of them is taken: with the rate of one
    process the model falls behind: benchmarks/distributed.py. 4.8 for 8 replicas was worse than their root, 2.8.
    """
    return float(min(4.0, np.sqrt(n_replicas)))
