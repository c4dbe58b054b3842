"""Where a run is shown: a terminal has a line that is drawn again and again, a notebook an output of its own."""

import logging
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from .lines import COLUMNS
from .stderr import Stderr

WARNING = "warning: "
"""How a line begins that is a warning."""

logging.getLogger("fastw2v").addHandler(logging.NullHandler())  # else Python prints warnings that nobody asked to log

SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_BARS, SECONDS_IN_NOTEBOOKS = 10.0, 0.1, 0.5


class Screen:
    """Text on stderr. Where that is no terminal, what is to be drawn is a line of its own every 10 seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self._stderr, self._is_quiet = Stderr(), quiet
        self.is_terminal = self._stderr.is_terminal
        self.last_drawn = 0.0
        self._is_line_open = False

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size().columns if self.is_terminal else COLUMNS

    @property
    def seconds_between(self) -> float:
        """The least time between two drawings."""
        return SECONDS_BETWEEN_BARS if self.is_terminal else SECONDS_BETWEEN_LINES

    def draw(self, text: str, at_once: bool = False) -> None:
        """Show text that the next drawing replaces, unless the last drawing is too recent."""
        now = time.monotonic()
        if not self._is_quiet and (at_once or now - self.last_drawn >= self.seconds_between):
            self.last_drawn = now
            self._draw(text)

    def _draw(self, text: str) -> None:
        self._is_line_open = self.is_terminal
        start, end = ("\r\033[K", "") if self.is_terminal else ("", "\n")
        self._stderr.write(start + text + end, is_passing=True)

    def line(self, text: str, is_warning: bool = False) -> None:
        """Show a line that stays; a quiet screen shows warnings only."""
        if is_warning or not self._is_quiet:
            self.end_line()
            self._stderr.write(f"{text}\n")

    def end_line(self) -> None:
        """Keep the text that was drawn last, and start a new line."""
        if self._is_line_open:
            self._stderr.write("\n")
            self._is_line_open = False

    def close(self, may_wait: Callable[[], bool] = lambda: True) -> None:
        """Show what has not been read yet, and wait for a reader as long as `may_wait`."""
        self.end_line()
        self._stderr.drain(may_wait)


class Notebook(Screen):
    """The output of a notebook's cell: lines that stay, and a bar with a place of its own, which is redrawn there."""

    seconds_between = SECONDS_IN_NOTEBOOKS
    columns = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self.is_terminal = True  # what is drawn passes, and may be drawn often
        self._bar: Any = None

    def _draw(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        if self._bar is None:
            self._bar = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._bar.update(content, raw=True)

    def line(self, text: str, is_warning: bool = False) -> None:
        """Show a line that stays. What is drawn next comes below it."""
        self._bar = None
        print(text, flush=True)

    def end_line(self) -> None:
        """Keep the text that was drawn last."""
        self._bar = None


class LogScreen(Screen):
    """The logger `fastw2v`: lines are of level INFO, warnings of WARNING, and the bar is a line every 10 seconds."""

    seconds_between = SECONDS_BETWEEN_LINES
    columns = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self.is_terminal = False
        self._logger = logging.getLogger("fastw2v")

    def _draw(self, text: str) -> None:
        self._logger.info(text)

    def line(self, text: str, is_warning: bool = False) -> None:
        """Log a line."""
        self._logger.log(logging.WARNING if is_warning else logging.INFO, text.removeprefix(WARNING))

    def close(self, may_wait: Callable[[], bool] = lambda: True) -> None:
        """Nothing is left to show."""


def screen_here() -> Screen:
    """Return where Python shows things: in the notebook that it serves, or on stderr."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return Notebook() if hasattr(shell, "kernel") else Screen()
