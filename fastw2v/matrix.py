"""Facts about a matrix of vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def is_finite(matrix: NDArray[np.float32]) -> bool:
    """Whether no number is NaN or infinite, without a copy of the matrix."""
    return bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))
