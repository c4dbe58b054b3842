"""The loss curve of a training run, drawn by matplotlib while the training runs."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

from ..config import TrainConfig
from ..errors import text_of
from ..events import Callback, EpochEnded, Event, Progress, warn
from ..files.names import PathLike
from ..files.replace import replacing
from .pictures import check_picture

SECONDS_BETWEEN_PLOTS, SHARE_OF_TIME = 20.0, 0.01
"""The least time from one drawing to the next, and the greatest share of the training's time that drawing may take."""

MOST_POINTS = 2000
"""How many points a curve keeps, more than a picture has columns. At twice as many, pairs of points are merged."""


@dataclass
class LossCurve:
    """What a loss plot shows: a point for each time that the loss was taken, or for several, and the epochs so far."""

    words: list[float] = field(default_factory=list)  # trained so far, in all epochs
    losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    epochs: list[EpochEnded] = field(default_factory=list)

    def add(self, words: int, loss: float, learning_rate: float) -> None:
        """Add a point, unless the loss is NaN, or the last one, which was not taken anew."""
        if math.isnan(loss) or (self.losses and loss == self.losses[-1]):
            return
        for values, value in (self.words, words), (self.losses, loss), (self.learning_rates, learning_rate):
            values.append(value)
            if len(values) == 2 * MOST_POINTS:
                values[:] = [(left + right) / 2 for left, right in zip(values[::2], values[1::2], strict=True)]


class LossPlot:
    """A callback that keeps the losses of a training run, draws them from time to time, and passes all events on.

    Raises InputError or MissingExtra if it will not be able to draw. A drawing that fails later is a warning.
    """

    def __init__(self, path: PathLike, config: TrainConfig, callback: Callback) -> None:
        check_picture(path, "plot")
        self._path, self._callback = path, callback
        self._title = f"{config.model}, {config.loss}, dim {config.dim}, lr {config.first_lr:g}"
        self._curve = LossCurve()
        self._learning_rate = config.first_lr
        self._next_drawing = time.monotonic() + SECONDS_BETWEEN_PLOTS

    def __call__(self, event: Event) -> bool | None:
        """Keep what the plot needs of an event, pass the event on and return what the callback returns."""
        match event:
            case Progress():
                self._learning_rate = event.learning_rate
                self._curve.add(event.n_words, event.loss, event.learning_rate)
                if time.monotonic() > self._next_drawing:
                    self.draw()
            case EpochEnded():
                self._curve.epochs.append(event)
                self._curve.add(event.n_words, event.loss, self._learning_rate)
        return self._callback(event)

    def draw(self) -> None:
        """Write the picture of the losses so far, if there are any."""
        if not self._curve.words:
            return
        start = time.monotonic()
        try:
            draw_loss(self._path, self._curve, self._title)
        except Exception as error:  # whatever it is, the training is worth more
            warn(f"the loss could not be drawn: {text_of(error)}")
        seconds = time.monotonic() - start
        self._next_drawing = start + max(SECONDS_BETWEEN_PLOTS, seconds / SHARE_OF_TIME)


def draw_loss(path: PathLike, curve: LossCurve, title: str) -> None:
    """Draw loss and learning rate against the words trained, with a line at the end of each epoch.

    Raises RunError if the file cannot be written.
    """
    suffix = check_picture(path, "plot")
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(9, 5), dpi=120, layout="constrained")
    axes: Any = figure.add_subplot()
    axes.plot(
        curve.words, curve.losses, color="tab:blue", alpha=0.35, linewidth=1, label="loss of a sample of the text"
    )
    trained = [(epoch.n_words, epoch.loss) for epoch in curve.epochs if epoch.epoch > 0]
    if trained:
        axes.plot(*zip(*trained, strict=True), "o-", color="tab:blue", label="loss of the sample, after each epoch")
    held_out = [(epoch.n_words, epoch.held_out_loss) for epoch in curve.epochs if not math.isnan(epoch.held_out_loss)]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "s-", color="tab:green", label="loss of held-out text")
    for n_words, _ in trained[:: -(-len(trained) // 50) or 1]:  # more lines would hide the curve
        axes.axvline(n_words, color="0.8", linewidth=0.8, zorder=0)
    axes.set(title=title, xlabel="words seen", ylabel="loss of a prediction (natural log)")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.spines["top"].set_visible(False)

    rates = axes.twinx()
    rates.plot(curve.words, curve.learning_rates, color="tab:orange", linewidth=1, label="learning rate")
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    rates.spines["top"].set_visible(False)
    labelled = [line for each in (axes, rates) for line in each.get_legend_handles_labels()[0]]
    axes.legend(handles=labelled, loc="upper right", frameon=False)
    with replacing(path) as file:
        figure.savefig(file, format=suffix)
