"""Pictures, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, MissingExtra
from ..files import replacing

FORMATS = ("png", "svg", "pdf")
MOST_POINTS = 2000
"""More than a picture has columns; twice as many are merged two by two."""


@dataclass
class LossCurve:
    """What a loss plot shows. Words are those trained so far, in all epochs."""

    words: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    epoch_ends: list[int] = field(default_factory=list)  # in words, as are the following
    epoch_losses: list[float] = field(default_factory=list)
    held_out_words: list[int] = field(default_factory=list)
    held_out_losses: list[float] = field(default_factory=list)

    def add(self, words: int, loss: float, learning_rate: float) -> None:
        """Add a point, if the loss is not NaN."""
        if math.isnan(loss):
            return
        for values, value in (self.words, words), (self.losses, loss), (self.learning_rates, learning_rate):
            values.append(value)
            if len(values) == 2 * MOST_POINTS:
                values[:] = [(one + other) / 2 for one, other in zip(values[::2], values[1::2], strict=True)]


def check_plot(path: str | os.PathLike[str]) -> None:
    """Raise InputError if `path` has no known suffix, MissingExtra if matplotlib is not installed."""
    suffix = os.path.splitext(os.fspath(path))[1][1:].lower()
    if suffix not in FORMATS:
        raise InputError(f"plot {os.fspath(path)}: its name must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtra("a plot", "matplotlib") from None


def draw_loss(path: str | os.PathLike[str], curve: LossCurve, title: str) -> None:
    """Draw loss and learning rate against words seen, with a mark at the end of each epoch.

    Raises RunError if the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    figure = Figure(figsize=(9, 5), dpi=120, layout="constrained")
    axes: Any = figure.add_subplot()
    axes.plot(curve.words, curve.losses, color="tab:blue", alpha=0.35, linewidth=1, label="loss, each slice")
    if curve.epoch_ends:
        axes.plot(curve.epoch_ends, curve.epoch_losses, "o-", color="tab:blue", label="loss, mean of the epoch")
    if curve.held_out_words:
        axes.plot(curve.held_out_words, curve.held_out_losses, "s-", color="tab:green", label="loss of held-out text")
    for place in _some(curve.epoch_ends):
        axes.axvline(place, color="0.8", linewidth=0.8, zorder=0)
    axes.set(title=title, xlabel="words seen", ylabel="loss of a prediction (natural log)")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.spines["top"].set_visible(False)

    rates = axes.twinx()
    rates.plot(curve.words, curve.learning_rates, color="tab:orange", linewidth=1, label="learning rate")
    rates.set_ylabel("learning rate")
    rates.set_ylim(bottom=0)
    rates.spines["top"].set_visible(False)
    lines = [*axes.get_lines(), *rates.get_lines()]
    named = [line for line in lines if not str(line.get_label()).startswith("_")]
    axes.legend(named, [line.get_label() for line in named], loc="upper right", frameon=False)
    with replacing(path) as file:
        figure.savefig(file, format=os.path.splitext(os.fspath(path))[1][1:].lower())


def _some(places: Sequence[int]) -> Sequence[int]:
    """All of them, or every n-th where they would hide the curve."""
    return places[:: -(-len(places) // 50)] if places else places
