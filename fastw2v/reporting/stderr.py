"""Text on stderr, which keeps no run waiting: nobody may read it for hours, as when Ctrl-S has stopped a terminal."""

import os
import sys
from collections.abc import Callable

from ..system import HAS_POLL, is_writable

BYTES_AT_A_TIME = 512
"""What is written at once: where a pipe or a terminal takes anything, it takes so much without waiting."""

MOST_PENDING = 1 << 20
"""The bytes of text that are kept until someone reads; lines beyond that are counted."""


class Stderr:
    """Text that is passed on as fast as it is read."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self.is_gone = self._stream is None  # a process may have none
        self.is_terminal = not self.is_gone and self._stream.isatty()
        self._descriptor = _descriptor_of(self._stream)
        self._pending = b""
        self._n_lost = 0

    def write(self, text: str, is_passing: bool = False) -> None:
        """Pass on a text. is_passing: it means nothing any more when it cannot be shown at once."""
        if self.is_gone:
            return
        try:
            if self._descriptor is None:
                print(text, end="", file=self._stream, flush=True)
                return
            self._pass_on()
            if self._pending and is_passing:
                return
            if len(self._pending) > MOST_PENDING:
                self._n_lost += 1
                return
            if self._n_lost:
                text = f"({self._n_lost:,} lines are missing here because nobody read them)\n{text}"
                self._n_lost = 0
            self._pending += text.encode(self._stream.encoding or "utf-8", "backslashreplace")
            self._pass_on()
        except OSError:  # nobody reads any more: the run goes on
            self.is_gone = True

    def drain(self, may_wait: Callable[[], bool]) -> None:
        """Pass on all that is left, as long as `may_wait`, which is asked four times a second."""
        try:
            while self._pending and not self.is_gone and may_wait():
                self._pass_on(seconds=0.25)
        except OSError:
            self.is_gone = True

    def _pass_on(self, seconds: float = 0.0) -> None:
        assert self._descriptor is not None
        while self._pending and is_writable(self._descriptor, seconds):
            n_bytes = os.write(self._descriptor, self._pending[:BYTES_AT_A_TIME])
            self._pending = self._pending[n_bytes:]


def _descriptor_of(stream: object) -> int | None:
    """The number of a stream that can be asked whether it takes text; None for others, as those of notebooks."""
    if not HAS_POLL:
        return None
    try:
        return stream.fileno()  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):
        return None
