"""The curve that is drawn: its points, whatever the length of the run, and when it is drawn."""

import dataclasses
import math

import numpy as np
import pytest

from fastw2v import InputError, TrainConfig
from fastw2v.events import EpochEnded, Progress
from fastw2v.vectors import lossplot
from fastw2v.vectors.lossplot import MOST_POINTS, LossCurve, LossPlot, draw_loss

PROGRESS = Progress(1, 2, 100, 1000, 10, 3.0, 0.1, 0.02, 1.0, 100.0)
ENDED = EpochEnded(1, 500, 2.5, 0.1, math.nan, math.nan, 1.0)


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


def test_slices_without_a_new_loss_are_left_out():
    curve = LossCurve()
    for words, loss in ((1, float("nan")), (2, 3.0), (3, 3.0), (4, 2.5)):
        curve.add(words, loss, 0.1)
    assert (curve.words, curve.losses) == ([2, 4], [3.0, 2.5])


def test_a_loss_stands_where_it_was_taken(tmp_path):
    """The first slice of an epoch tells the loss that was taken at the end of the epoch before."""
    plot = LossPlot(tmp_path / "loss.svg", TrainConfig(), lambda event: None)
    for event in (PROGRESS, ENDED, dataclasses.replace(PROGRESS, n_words=600, loss=ENDED.loss)):
        plot(event)
    assert (plot._curve.words, plot._curve.losses) == ([100, 500], [3.0, 2.5])


def a_curve():
    curve = LossCurve([1.0, 2.0], [3.0, 2.0], [0.1, 0.05])
    before = dataclasses.replace(ENDED, epoch=0, n_words=0, loss=math.nan, held_out_loss=4.0)
    curve.epochs += [before, ENDED, dataclasses.replace(ENDED, epoch=2, held_out_loss=3.5)]
    return curve


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_of_a_loss(tmp_path, suffix, start):
    draw_loss(tmp_path / f"loss.{suffix}", a_curve(), "a title")
    assert (tmp_path / f"loss.{suffix}").read_bytes().startswith(start)


def test_lines_of_a_loss(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn, marks = {}, []
    plot = Axes.plot

    def note(axes, x, y, *style, label, **options):
        drawn[label] = (list(x), list(y))
        return plot(axes, x, y, *style, label=label, **options)

    monkeypatch.setattr(Axes, "plot", note)
    monkeypatch.setattr(Axes, "axvline", lambda axes, x, **options: marks.append(x))
    draw_loss(tmp_path / "loss.svg", a_curve(), "a title")
    assert drawn == {
        "loss of a sample of the text": ([1.0, 2.0], [3.0, 2.0]),
        "loss of the sample, after each epoch": ([500, 500], [2.5, 2.5]),
        "loss of held-out text": ([0, 500], [4.0, 3.5]),
        "learning rate": ([1.0, 2.0], [0.1, 0.05]),
    }
    assert marks == [500, 500]
    marks.clear()
    epochs = [dataclasses.replace(ENDED, epoch=i, n_words=i) for i in range(1, 102)]
    draw_loss(tmp_path / "loss.svg", LossCurve([1.0], [1.0], [1.0], epochs), "many epochs")
    assert marks == [*range(1, 102, 3)], "so many lines would hide the curve"


def test_a_plot_passes_events_on_and_draws_from_time_to_time(tmp_path, monkeypatch):
    monkeypatch.setattr(lossplot, "SECONDS_BETWEEN_PLOTS", 0)
    monkeypatch.setattr(lossplot, "SHARE_OF_TIME", 1)
    monkeypatch.setattr(lossplot, "draw_loss", lambda path, curve, title: drawings.append((len(curve.words), title)))
    drawings, events = [], []
    plot = LossPlot(tmp_path / "loss.png", TrainConfig(), lambda event: events.append(event) or event is ENDED)
    plot.draw()
    assert drawings == [], "there is nothing to draw yet"
    later = dataclasses.replace(PROGRESS, loss=PROGRESS.loss / 2)
    assert plot(PROGRESS) is False
    assert plot(later) is False
    assert plot(ENDED) is True
    assert events == [PROGRESS, later, ENDED]
    assert drawings == [(1, "skipgram, ns, dim 100, lr 0.025"), (2, "skipgram, ns, dim 100, lr 0.025")]
    monkeypatch.setattr(lossplot, "SECONDS_BETWEEN_PLOTS", 1000)
    plot.draw()
    plot(PROGRESS)
    assert len(drawings) == 3, "the next drawing waits"


def test_a_drawing_that_fails_is_a_warning(tmp_path):
    plot = LossPlot(tmp_path / "gone" / "loss.png", TrainConfig(), lambda event: None)
    plot(PROGRESS)
    with pytest.warns(RuntimeWarning, match="the loss could not be drawn"):
        plot.draw()


def test_a_drawing_without_memory_is_named(tmp_path, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr(lossplot, "draw_loss", fail)
    plot = LossPlot(tmp_path / "loss.png", TrainConfig(), lambda event: None)
    plot(PROGRESS)
    with pytest.warns(RuntimeWarning, match="the loss could not be drawn: out of memory"):
        plot.draw()


def test_a_name_that_cannot_be_drawn(tmp_path):
    with pytest.raises(InputError, match="must end in"):
        LossPlot(tmp_path / "loss.gif", TrainConfig(), lambda event: None)
