"""What the command line shows of a training run: lines and a bar, a log of JSON records, a summary."""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from .. import events
from ..corpus.vocabulary import Reading
from ..kernels.tokenize import MAX_TOKEN_BYTES
from ..machine import failure_of
from .stderr import Stderr
from .stopping import signals

SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_BARS = 10.0, 0.1
LONGEST_BAR, COLUMNS = 24, 120  # columns where there is no terminal

Record = Mapping[str, float | str]
"""What one line of a log holds."""


class Reporter:
    """A callback of `train` that shows its events on stderr and adds records of them to the file `log_json`."""

    def __init__(self, quiet: bool, log_json: str | None, append: bool = False) -> None:
        self._screen = Screen(quiet)
        self._log = JsonLog(log_json, "a" if append else "w", self.warn)
        self._seconds: dict[str, float] = {}  # of each phase
        self._progress: events.Progress | None = None
        self._epoch: events.EpochEnded | None = None
        self._n_failed_checkpoints = 0

    def close(self) -> None:
        self._screen.close()
        self._log.close()

    def warn(self, message: object) -> None:
        """Show a warning, which a quiet reporter shows too."""
        self._screen.line(f"warning: {message}", is_warning=True)

    def note(self, text: str) -> None:
        """Show a line, which a quiet reporter leaves out."""
        self._screen.line(text)

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.PhaseStarted():
                self._screen.last_drawn = time.monotonic()
            case events.PhaseEnded(name, seconds):
                self._seconds[name] = seconds
            case events.KernelCompiling(name, number, n_kernels):
                text = f"compiling kernel {number} of {n_kernels}: {name}"
                self._screen.draw(text, at_once=self._screen.is_terminal)
            case events.BytesRead(n_bytes):
                self._screen.draw(f"reading {n_bytes / 1e6:,.0f} MB")
            case events.Evaluating(share):
                self._screen.draw(f"held-out text: {share:.0%}")
            case events.Progress():
                self._progress = event
                self._screen.draw(format_bar(event, self._screen.columns))
            case events.EpochEnded():
                self._epoch = event
            case events.CheckpointFailed():  # which is a warning too, so it needs no line
                self._n_failed_checkpoints += 1
            case events.Resumed(warning=warning) if warning:
                self.warn(warning)
        for text in _lines_of(event):
            self._screen.line(text)
        if record := _record_of(event):
            self._log.add(record)

    def summary(self, output: str, n_words: int) -> None:
        """Show the last lines: how many words were written, and where the time went."""
        progress = self._progress  # None if the run that was resumed had trained all of its tokens
        if progress:
            self._screen.draw(format_bar(progress, self._screen.columns), at_once=True)
        self._screen.line(f"wrote {output}: {n_words:,} words")
        if self._epoch and (losses := _losses(self._epoch)):
            self._screen.line(f"last epoch: {losses}")
        if progress:
            seconds = ", ".join(f"{name} {value:.1f} s" for name, value in self._seconds.items())
            speed = progress.n_words / progress.seconds
            self._screen.line(f"{progress.n_words:,} tokens trained at {speed:,.0f} words/s ({seconds})")
        elif not self._epoch:
            self._screen.line("nothing was left to train, so nothing was added to a log or a loss plot")
        if self._n_failed_checkpoints:
            self.warn(f"failed checkpoints: {self._n_failed_checkpoints:,}")


class Screen:
    """Text on stderr: a terminal has a line that is drawn again and again, elsewhere a line comes every 10 seconds."""

    def __init__(self, quiet: bool) -> None:
        self._stderr, self._is_quiet = Stderr(), quiet
        self.is_terminal = self._stderr.is_terminal
        self.last_drawn = 0.0
        self._is_line_open = False

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size().columns if self.is_terminal else COLUMNS

    def draw(self, text: str, at_once: bool = False) -> None:
        """Show text that the next drawing replaces, unless the last drawing is too recent."""
        if self._is_quiet:
            return
        now = time.monotonic()
        interval = SECONDS_BETWEEN_BARS if self.is_terminal else SECONDS_BETWEEN_LINES
        if at_once or now - self.last_drawn >= interval:
            self.last_drawn, self._is_line_open = now, self.is_terminal
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

    def close(self) -> None:
        """Show what has not been read yet. A run that was stopped does not wait long for a reader."""
        self.end_line()
        end = time.monotonic() + 0.5
        self._stderr.drain(lambda: not signals.received or time.monotonic() < end)


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


def _lines_of(event: events.Event) -> list[str]:
    match event:
        case events.PhaseStarted(note=note) if note:
            return [note]
        case events.CorpusRead():
            return _lines_of_corpus(event)
        case events.ClusterChanged(n_workers, message):
            return [f"{message} ({n_workers} {'worker' if n_workers == 1 else 'workers'})"]
        case events.Estimated():
            return [str(event)]
        case events.Resumed(path, n_words):
            return [f"resuming from {path}, written after {n_words:,} tokens"]
        case events.BestKept(epoch, loss, n_epochs):
            early = ", which has not fallen since" if epoch < n_epochs else ""
            return [f"kept the vectors of epoch {epoch} of {n_epochs}: held-out loss {loss:.4f}{early}"]
        case events.EpochEnded() if not math.isnan(event.held_out_loss):
            return [f"epoch {event.epoch}  {_losses(event)}"]
    return []


def _lines_of_corpus(event: events.CorpusRead) -> list[str]:
    reading, n_words, n_types = event.reading, len(event.vocabulary), event.reading.n_types
    words = f"{n_words:,} of {n_types:,} distinct words"
    if n_words > n_types:  # a given vocabulary, or that of an earlier run
        words = f"{n_words:,} words, for {n_types:,} distinct words of the text"
    text = (
        f"read {reading.n_bytes / 1e6:,.1f} MB, {reading.n_tokens:,} tokens; "
        f"vocabulary of {words}, covering {event.n_tokens:,} tokens"
    )
    lines = ["; ".join([text, *describe_changes(reading)])]
    lines += advice_lines(reading)
    if event.n_started:
        lines.append(f"{event.n_started:,} of {n_words:,} words start from the vectors given")
    if held_out := event.held_out:
        lines.append(f"held-out text: {held_out.n_tokens:,} tokens, {held_out.n_unknown:,} not in the vocabulary")
    return lines


def describe_changes(reading: Reading) -> list[str]:
    """What of the text was dropped or changed, a line for each kind."""
    changes = {
        f"dropped {reading.n_overlong:,} tokens of more than {MAX_TOKEN_BYTES:,} bytes": reading.n_overlong,
        f"dropped {reading.n_unknown:,} tokens that are not in the given vocabulary": reading.n_unknown,
        f"{reading.n_invalid:,} tokens were not valid UTF-8 (see --invalid-utf8)": reading.n_invalid,
    }
    return [text for text, n_tokens in changes.items() if n_tokens]


def advice_lines(reading: Reading) -> list[str]:
    """What could be done to the text first, a line each."""
    return [f"hint: {text}" for text in reading.advice]


def _losses(epoch: events.EpochEnded) -> str:
    named = ("loss", epoch.loss, epoch.loss_error), ("held-out loss", epoch.held_out_loss, epoch.held_out_error)
    return "  ".join(
        f"{name} {loss:.4f}" + ("" if math.isnan(error) else f" ± {error:.4f}")
        for name, loss, error in named
        if not math.isnan(loss)
    )


def format_bar(progress: events.Progress, columns: int = COLUMNS) -> str:
    """A line of less than `columns` characters; a longer one could not be drawn again on a terminal."""
    share, left = progress.n_words / progress.n_words_total, round(progress.seconds_left)
    speed = progress.words_per_second
    loss = "-" if math.isnan(progress.loss) else f"{progress.loss:.3f}"
    text = (
        f"{share:4.0%} epoch {progress.epoch}/{progress.epochs}  "
        + (f"{speed:,.0f} words/s" if speed < 1e5 else f"{speed / 1e6:.2f} M words/s")
        + f"  loss {loss}  lr {progress.learning_rate:.2g}  ETA {left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
        + (f"  {progress.n_workers} workers, waiting {progress.waited:.0%}" if progress.n_workers else "")
    )
    width = min(LONGEST_BAR, columns - len(text) - len("[] ") - 1)
    filled = round(share * width)
    return text[: columns - 1] if width < 1 else f"[{'#' * filled}{'.' * (width - filled)}] {text}"
