"""What files keep of models and vectors, in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Stored:
    """What a file keeps of `KeyedVectors`, or of a `Word2Vec`.

    keys: (n,), all str or all int. vectors: (n, dim). expandos: attributes of the keys, (n,) each. output_vectors,
    node_vectors: (n, dim), `syn1neg` and `syn1` of a Word2Vec. attributes: the others of a Word2Vec, plain data; None
    for KeyedVectors. training: what a `TrainedModel` of the same file needs.
    """

    keys: Sequence[Any]
    vectors: NDArray[Any]
    expandos: dict[str, NDArray[Any]] = field(default_factory=dict)
    output_vectors: NDArray[np.float32] | None = None
    node_vectors: NDArray[np.float32] | None = None
    attributes: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)
