"""What is drawn: the points kept, whatever the length of the run."""

import numpy as np

from fastw2v.vectors.plots import MOST_POINTS, LossCurve


def test_a_long_curve_is_thinned_to_the_same_shape():
    curve = LossCurve()
    n = 10 * MOST_POINTS
    for i in range(n):
        curve.add(i, 5 - i / n, 0.1 * (1 - i / n))
    assert MOST_POINTS <= len(curve.words) == len(curve.losses) == len(curve.learning_rates) < 2 * MOST_POINTS
    words = np.array(curve.words)
    assert (np.diff(words) > 0).all()
    np.testing.assert_allclose(curve.losses, 5 - words / n, rtol=1e-6)
    np.testing.assert_allclose(curve.learning_rates, 0.1 * (1 - words / n), rtol=1e-6)


def test_slices_without_a_loss_are_left_out():
    curve = LossCurve()
    curve.add(1, float("nan"), 0.1)
    curve.add(2, 3.0, 0.1)
    assert (curve.words, curve.losses) == ([2], [3.0])
