"""Ctrl-C, SIGTERM, SIGHUP and SIGXCPU, and the messages on stderr."""

import atexit
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping

from ..files.locks import remove_traces
from ..files.names import file_at
from ..system import CPU_LIMIT, HANGUP, HAS_POLL, is_writable

TOGETHER_SECONDS = 0.3
"""Signals so soon after the first one belong to it. `timeout` sends each twice: to its command, and to the group."""


class Stopped(BaseException):
    """Raised by a signal. It is not KeyboardInterrupt, which Click would handle itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """Ctrl-C, SIGTERM, SIGHUP and SIGXCPU: the first ends the work cleanly, at the next safe point; a second, at once.

    SIGHUP is no sign of impatience: the shell, the terminal and the service manager each send one, together with
    SIGTERM. So a SIGHUP after another signal is ignored, and the first signal after a SIGHUP does not end it at once.
    The same holds for SIGXCPU, which is sent again and again, and for any signal within `TOGETHER_SECONDS`.

    Until the kernels are compiled there is nothing to put in order, and an exception inside the compiler could be lost
    or crash it: during that time the first signal ends the process at once.
    """

    ends_at_once = True
    waits = False  # for the end of a slice, where the state of a run can be saved
    received = 0  # the number of the first signal
    received_at = -math.inf  # on the monotonic clock
    consequence = ""  # what an early end means, appended to the message that reports it
    outputs: Mapping[str, object] = {}  # the outputs of the command, and what file each was when it began

    def catch(self) -> None:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        for number in filter(None, (HANGUP, CPU_LIMIT)):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves SIGHUP
                signal.signal(number, self._on_signal)
        atexit.register(_ignore_more)  # first of all, and so called last

    def expect(self, outputs: Iterable[str]) -> None:
        """Note the outputs that an early end leaves as they are, unless it comes when they have been replaced."""
        self.outputs = {path: file_at(path) for path in outputs}

    def what_follows(self) -> str:
        """Return what the early end of the command means: the end of a sentence."""
        written = [path for path, before in self.outputs.items() if file_at(path) != before]
        if not written:
            return self.consequence
        only = "" if len(written) == len(self.outputs) else "only "
        return f": {only}{' and '.join(written)} {'has' if len(written) == 1 else 'have'} been written"

    def end_in_good_order(self, *_: object) -> None:
        """Let the next signal raise Stopped: the kernels are compiled, and there may be something to put in order."""
        self.ends_at_once = False

    def _on_signal(self, number: int, frame: object) -> None:
        is_impatient = number not in (HANGUP, CPU_LIMIT)
        is_together = time.monotonic() - self.received_at < TOGETHER_SECONDS
        if self.received and not is_impatient:
            return
        if self.ends_at_once and not is_together:
            self.received = self.received or number
            say_stopped(number)
            remove_traces()
            os._exit(128 + number)
        self.ends_at_once = is_impatient
        if self.received:
            return
        self.received, self.received_at = number, time.monotonic()
        if not self.waits:
            raise Stopped(number)


def _ignore_more() -> None:
    """Ignore what is sent again and again: Python is about to end, and then catches no signals any more."""
    for number in filter(None, (HANGUP, CPU_LIMIT)):
        signal.signal(number, signal.SIG_IGN)


def say_stopped(number: int) -> None:
    say(reason_of(number) + signals.what_follows())


def reason_of(number: int) -> str:
    """Why a run ends that got this signal."""
    reasons = {
        signal.SIGINT: "interrupted",
        HANGUP: "the terminal was closed",
        CPU_LIMIT: "the CPU time that ulimit -t allows is used up",
    }
    return reasons.get(number, "terminated")


def say(message: str) -> None:
    if sys.stderr is None:  # closed: its number may be another file's by now
        return
    with contextlib.suppress(OSError):
        if signals.received and HAS_POLL and not is_writable(2, seconds=0.5):
            return  # nobody reads it, and who sent a signal wants the process to end
        # A file name or a word may hold bytes that the terminal's encoding does not have.
        os.write(2, f"fastw2v: {message}\n".encode(errors="backslashreplace"))


signals = Signals()
