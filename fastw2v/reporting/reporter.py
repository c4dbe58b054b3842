"""The callback that shows the events of a run on a screen."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .. import events
from .lines import format_bar, last_lines, lines_of
from .screen import WARNING, LogScreen, Screen, screen_here


class Reporter:
    """Shows the events of a run on a screen, as they come."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._seconds: dict[str, float] = {}  # of each phase
        self._progress: events.Progress | None = None
        self._epoch: events.EpochEnded | None = None

    def warn(self, message: object) -> None:
        """Show a warning, which a quiet screen shows too."""
        self.screen.line(f"{WARNING}{message}", is_warning=True)

    def note(self, text: str) -> None:
        """Show a line, which a quiet screen leaves out."""
        self.screen.line(text)

    def __call__(self, event: events.Event) -> None:
        screen = self.screen
        match event:
            case events.PhaseStarted():
                screen.last_drawn = time.monotonic()
            case events.PhaseEnded(name, seconds):
                self._seconds[name] = seconds
            case events.KernelCompiling(name, number, n_kernels):
                screen.draw(f"compiling kernel {number} of {n_kernels}: {name}", at_once=screen.is_terminal)
            case events.BytesRead(n_bytes):
                screen.draw(f"read {n_bytes / 1e6:,.0f} MB so far")
            case events.Evaluating(share):
                screen.draw(f"held-out text: {share:.0%}")
            case events.Progress():
                self._progress = event
                screen.draw(format_bar(event, screen.columns))
            case events.EpochEnded():
                self._epoch = event
                if self._progress:  # the loss that was taken last is that of the epoch
                    self._progress = replace(self._progress, loss=event.loss)
            case events.Resumed(warning=warning) if warning:
                self.warn(warning)
        for text in lines_of(event):
            screen.line(text)

    def summary(self, first_line: str = "") -> None:
        """Show the last lines: `first_line`, if any, the losses of the last epoch, and where the time went."""
        if self._progress:  # None if the run that was resumed had trained all of its tokens
            self.screen.draw(format_bar(self._progress, self.screen.columns), at_once=True)
        for text in filter(None, [first_line, *last_lines(self._progress, self._epoch, self._seconds)]):
            self.screen.line(text)


@contextmanager
def reporting(callback: events.Callback, progress: bool) -> Iterator[events.Callback]:
    """Give a callback that logs each event, shows it where `progress` says so, and passes it on."""
    reporters = [Reporter(LogScreen()), *([Reporter(screen_here())] if progress else [])]

    def on_event(event: events.Event) -> bool | None:
        for reporter in reporters:
            reporter(event)
            if isinstance(event, events.PhaseEnded) and event.name == "train":
                reporter.summary()
        return callback(event)

    try:
        yield on_event
    finally:
        for reporter in reporters:
            reporter.screen.close()
