"""What the command line shows of a training run on stderr, and the log of JSON records."""

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from .. import events
from ..machine import failure_of
from ..reporting.reporter import Reporter
from ..reporting.screen import Screen
from .stopping import signals

Record = Mapping[str, float | str]
"""What one line of a log holds."""


class CommandReporter(Reporter):
    """A callback of `train` that shows its events on stderr and adds records of them to the file `log_json`."""

    def __init__(self, quiet: bool, log_json: str | None, append: bool = False) -> None:
        super().__init__(Screen(quiet))
        self._log = JsonLog(log_json, "a" if append else "w", self.warn)
        self._n_failed_checkpoints = 0

    def close(self) -> None:
        """Show what has not been read yet. A run that was stopped does not wait long for a reader."""
        end = time.monotonic() + 0.5
        self.screen.close(lambda: not signals.received or time.monotonic() < end)
        self._log.close()

    def __call__(self, event: events.Event) -> None:
        super().__call__(event)
        if isinstance(event, events.CheckpointFailed):  # which is a warning too, so it needs no line
            self._n_failed_checkpoints += 1
        if record := _record_of(event):
            self._log.add(record)

    def summary(self, first_line: str = "", next_step: str = "") -> None:
        """Show the last lines, and what to do next, if that is given."""
        super().summary(first_line)
        if next_step:
            self.note(f"next: {next_step}")
        if self._n_failed_checkpoints:
            self.warn(f"failed checkpoints: {self._n_failed_checkpoints:,}")


class JsonLog:
    """A file of JSON records, one a line, opened for the first one. If it cannot be written, `warn` is called once."""

    def __init__(self, path: str | None, mode: str, warn: Callable[[str], None]) -> None:
        self._path, self._mode, self._warn = path, mode, warn
        self._file: IO[str] | None = None

    def add(self, record: Record) -> None:
        """Add a record; null stands for NaN and infinity, which JSON does not have."""
        if not self._path:
            return
        try:
            self._file = self._file or self._open(self._path)
            finite = {name: value if _is_in_json(value) else None for name, value in record.items()}
            print(json.dumps(finite), file=self._file, flush=True)
        except OSError as error:
            self._warn(f"cannot write the log {self._path}: {failure_of(error)}; continuing without it")
            self.close()
            self._path = None

    def _open(self, path: str) -> IO[str]:
        file = open(path, self._mode, encoding="utf-8")  # noqa: SIM115
        if self._mode == "a" and _ends_within_a_line(path):  # the disk was full, or the machine lost power
            file.write("\n")
        return file

    def close(self) -> None:
        if self._file:
            with suppress(OSError):
                self._file.close()


def _ends_within_a_line(path: str) -> bool:
    if not os.path.isfile(path) or not os.path.getsize(path):
        return False
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _is_in_json(value: float | str) -> bool:
    return isinstance(value, str) or math.isfinite(value)


def _record_of(event: events.Event) -> Record:
    """The record of an event, empty if the event is not logged."""
    match event:
        case events.ClusterChanged(n_workers):
            return {"workers": n_workers}
        case events.RoundEnded(n_workers, n_beats, n_bytes, seconds, waited):
            workers = {"round_seconds": seconds, "workers": n_workers, "beats": n_beats}
            return workers | {"bytes_sent_by_each": n_bytes, "waited": waited}
        case events.CheckpointSaved():
            return {"checkpoint": event.n_words, "stall": event.stall, "seconds": event.seconds}
        case events.CheckpointFailed(message, n_words):
            return {"checkpoint_failed": n_words, "message": message}
        case events.Progress():
            words = {"epoch": event.epoch, "words": event.n_words, "words_total": event.n_words_total}
            losses = {"predictions": event.n_predictions, "loss": event.loss, "loss_error": event.loss_error}
            speed = {"seconds": round(event.seconds, 3), "words_per_second": round(event.words_per_second)}
            return words | losses | {"lr": event.learning_rate} | speed
        case events.BestKept(epoch, loss, n_epochs):
            return {"best_epoch": epoch, "held_out_loss": loss, "epochs": n_epochs}
        case events.EpochEnded():
            words = {"epoch_ended": event.epoch, "words": event.n_words}
            losses = {"loss": event.loss, "loss_error": event.loss_error, "held_out_loss": event.held_out_loss}
            return {**words, **losses, "held_out_loss_error": event.held_out_error, "seconds": round(event.seconds, 3)}
    return {}
