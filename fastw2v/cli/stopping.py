"""Ctrl-C and SIGTERM, and the messages on stderr."""

import contextlib
import os
import signal
import sys

from ..files import remove_locks


class Stopped(BaseException):
    """Raised by a signal. It is not KeyboardInterrupt, which Click would handle itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Ctrl-C and SIGTERM: the first one ends the work in good order, at the next safe point; a second one at once.

    Until the kernels are compiled there is nothing to put in order, and an exception inside the compiler could be lost
    or crash it: during that time the first signal ends the process at once.
    """

    ends_at_once = True
    waits = False  # for the end of a slice, where the state of a run can be saved
    received = 0  # the number of the first signal
    consequence = ""  # what an early end means, appended to the message that reports it

    def catch(self) -> None:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def end_in_good_order(self, *_: object) -> None:
        """Let the next signal raise Stopped: the kernels are compiled, and there may be something to put in order."""
        self.ends_at_once = False

    def _on_signal(self, number: int, frame: object) -> None:
        if self.ends_at_once:
            say_stopped(number)
            remove_locks()
            os._exit(128 + number)
        self.ends_at_once = True
        self.received = number
        if not self.waits:
            raise Stopped(number)


def say_stopped(number: int) -> None:
    say(("interrupted" if number == signal.SIGINT else "terminated") + signals.consequence)


def say(message: str) -> None:
    if sys.stderr is None:  # closed: its number may be another file's by now
        return
    with contextlib.suppress(OSError):
        # A file name or a word may hold bytes that the terminal's encoding does not have.
        os.write(2, f"fastw2v: {message}\n".encode(errors="backslashreplace"))


signals = Signals()
