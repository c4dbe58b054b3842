"""The counters of a span, which the kernels fill: tokens, predictions and the sampled loss."""

import numpy as np

from .jit import Float64s, inlined

STATISTICS = 32
"""The number of float64 counters of a span, 256 bytes: no two threads write to neighbouring cache lines."""

N_TOKENS, N_PREDICTIONS, LOGIT_SUM, N_SAMPLES, LOSS, SIZE, LOSS_LOSS, LOSS_SIZE, SIZE_SIZE = range(9)
"""The columns of the statistics. N_TOKENS: the tokens of the span. N_PREDICTIONS: the predictions it trained.
LOGIT_SUM: the sum of all logits, which is finite as long as training is. N_SAMPLES: the steps whose loss was taken;
of these, LOSS and SIZE are the sums of loss and size (number of predictions), and the last three the sums of
loss * loss, loss * size and size * size, which the standard error of LOSS / SIZE needs."""


@inlined
def add_sample(statistics: Float64s, loss: float, size: int) -> None:
    """Count the summed loss of one step of `size` predictions. statistics: (STATISTICS,) float64, changed in place."""
    statistics[N_SAMPLES] += 1
    statistics[LOSS] += loss
    statistics[SIZE] += size
    statistics[LOSS_LOSS] += loss * loss
    statistics[LOSS_SIZE] += loss * size
    statistics[SIZE_SIZE] += size * size


def mean_loss(total: Float64s) -> tuple[float, float]:
    """Return the mean loss of a prediction and its standard error, from summed statistics; NaN without a sample.

    The mean is a ratio of two sums over n independent steps, whose variance is
    n / (n - 1) sum((loss - mean size)^2) / sum(size)^2 (Cochran 1977, "Sampling techniques", 6.4).
    """
    n = total[N_SAMPLES]
    if n == 0:
        return float("nan"), float("nan")
    mean = total[LOSS] / total[SIZE]
    squares = total[LOSS_LOSS] - 2 * mean * total[LOSS_SIZE] + mean * mean * total[SIZE_SIZE]
    error = np.sqrt(max(squares, 0.0) * n / (n - 1)) / total[SIZE] if n > 1 else float("nan")
    return float(mean), float(error)
