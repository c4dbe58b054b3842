"""The cost of moving the words of one document to those of another, by the package POT."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtra


def transport_cost(words1: Sequence[int], words2: Sequence[int], vectors: NDArray[np.float64]) -> float:
    """Return the least mean distance by which the words of one document become those of another.

    words1, words2: the documents, each word as a row of `vectors`, (n, dim). This is the Word Mover's distance of
    Kusner et al. (2015), "From Word Embeddings To Document Distances". Raises MissingExtra.
    """
    try:
        from ot import emd2
    except ImportError as error:
        raise MissingExtra("wmdistance", "POT") from error
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    if not distances.any():  # which the solver cannot take
        return 0.0
    shares = [np.bincount(words, minlength=len(vectors)) / len(words) for words in (words1, words2)]
    return float(emd2(*shares, distances))
