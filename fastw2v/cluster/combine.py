"""How the changes that several replicas made to the same rows become one change."""

import numpy as np
from numpy.typing import NDArray

from .buffers import uninitialized


def combine(changes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Combine the changes that replicas made to the same rows, each (n, dim) float32: f * sum(changes).

    The factor of each row is

        f = min(1, sum(|change|^2) / |sum(change)|^2)

    Replicas that moved a row in different directions learnt different things, which add up (f = 1). Where all of them
    moved it the same way, it has come as far as one alone would have brought it, and the mean is taken (f = 1 / n). A
    row that only one replica moved takes its change. This is adaptive summation (Maleki et al. 2021, "Scaling
    distributed training with adaptive summation") of all replicas at once, so that their order does not matter;
    benchmarks/clusters.py compares it with the mean, the sum and GraphWord2Vec's model combiner.
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


def learning_rate_factor(n_replicas: int) -> float:
    """The factor by which n replicas raise the learning rate: the root of n, at most 4.

    Each replica takes 1 / n of the steps, and where replicas agree their changes are averaged. So at the learning rate
    of one process the model falls behind (benchmarks/clusters.py). For 8 replicas, 4.8 was worse than the root, 2.8.
    """
    return float(min(4.0, np.sqrt(n_replicas)))
