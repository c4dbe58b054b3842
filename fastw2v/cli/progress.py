"""What the command line shows of a training run: the bar, the lines, the log, the summary."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from .corpus.corpus import Reading
from .corpus.vocabulary import Vocabulary
from .kernels.tokenize import MAX_TOKEN_BYTES
from .training.checkpoint import CheckpointFailed, CheckpointSaved, Resumed
from .training.cluster import ClusterChanged
from .training.distributed import RoundEnded
from .training.resources import Estimated
from .training.run import BytesRead, CorpusRead, Event, PhaseEnded, PhaseStarted
from .training.trainer import EpochEnded, Evaluating, Progress

SECONDS_BETWEEN_LINES = 10.0
SECONDS_BETWEEN_BARS = 0.1
LONGEST_BAR = 24


class Reporter:
    """The callback of `train`: turns its events into text on `stream` and records in `log_json`.

    On a terminal one line is drawn again and again; elsewhere a line is added every 10 seconds.
    """

    def __init__(
        self, quiet: bool, log_json: str | None, on_compiled: Callable[[], None] = lambda: None, append: bool = False
    ) -> None:  # fmt: skip
        self.on_vocabulary: Callable[[Vocabulary], None] = lambda vocabulary: None
        self._on_compiled = on_compiled
        self._stream = sys.stderr
        self._quiet = quiet or self._stream is None  # a process may have no stderr
        self._is_terminal = not self._quiet and self._stream.isatty()
        self._log_path = log_json
        self._log: IO[str] | None = None
        self._log_mode = "a" if append else "w"
        self._seconds: dict[str, float] = {}
        self._last_drawn = 0.0
        self._is_line_open = False
        self._corpus: CorpusRead | None = None
        self._progress: Progress | None = None
        self._epoch: EpochEnded | None = None
        self._round: RoundEnded | None = None

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end_line()
        self._close_log()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        match event:
            case PhaseStarted(note=note):
                self._last_drawn = time.monotonic()
                if note:
                    self._line(note)
            case PhaseEnded(name, seconds):
                self._seconds[name] = seconds
                if name == "compile":
                    self._on_compiled()
            case BytesRead(n_bytes):
                self._draw(f"reading {n_bytes / 1e6:,.0f} MB")
            case CorpusRead(vocabulary, n_tokens, reading, held_out, n_started):
                self._corpus = event
                self._line(f"read {_describe(reading, len(vocabulary), n_tokens)}")
                if n_started:
                    self._line(f"{n_started:,} of {len(vocabulary):,} words start from the vectors given")
                if held_out:
                    self._line(
                        f"held-out text: {held_out.n_tokens:,} words, {held_out.n_unknown:,} not in the vocabulary"
                    )
                self.on_vocabulary(vocabulary)
            case ClusterChanged(n_workers, message):
                self._line(f"{message} ({n_workers} workers)")
                self._record(workers=n_workers)
            case RoundEnded():
                self._round = event
                self._record(round_seconds=event.seconds, workers=event.n_workers, beats=event.n_beats,
                             bytes_sent_by_each=event.n_bytes, waited=event.waited)  # fmt: skip
            case Estimated():
                self._line(str(event))
            case Resumed(path, n_words, warning):
                if warning:
                    self._line(f"warning: {warning}")
                self._line(f"going on from {path}, after {n_words:,} words")
            case CheckpointFailed(message):
                self._line(f"warning: {message}; the run goes on")
            case CheckpointSaved():
                self._record(checkpoint=event.n_words, stall=event.stall, seconds=event.seconds)
            case Evaluating(share):
                self._draw(f"held-out text: {share:.0%}")
            case Progress():
                self._progress = event
                self._draw(self._bar(event))
                self._record(
                    epoch=event.epoch, words=event.n_words, words_total=event.n_words_total,
                    predictions=event.n_predictions, loss=event.loss, loss_error=event.loss_error,
                    lr=event.learning_rate, seconds=round(event.seconds, 3),
                    words_per_second=round(event.words_per_second),
                )  # fmt: skip
            case EpochEnded():
                self._epoch = event
                if not math.isnan(event.held_out_loss):
                    self._line(f"epoch {event.epoch}  {_losses(event)}")
                self._record(
                    epoch_ended=event.epoch, words=event.n_words, loss=event.loss, loss_error=event.loss_error,
                    held_out_loss=event.held_out_loss, held_out_loss_error=event.held_out_error,
                    seconds=round(event.seconds, 3),
                )  # fmt: skip

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time work that is done outside the library's call."""
        start = time.perf_counter()
        yield
        self._seconds[name] = time.perf_counter() - start

    def summary(self, output: str) -> None:
        """The last lines: what was made, and where the time went."""
        if self._corpus is None:
            return
        if self._progress:
            self._draw(self._bar(self._progress), at_once=True)
        self._line(f"wrote {output}: {len(self._corpus.vocabulary):,} words")
        if self._progress is None:  # the run that was resumed had come to its end
            return
        if self._epoch and _losses(self._epoch):
            self._line(f"last epoch: {_losses(self._epoch)}")
        seconds = ", ".join(f"{name} {value:.1f} s" for name, value in self._seconds.items())
        speed = self._progress.n_words / self._progress.seconds
        self._line(f"{self._progress.n_words:,} words trained at {speed:,.0f} words/s ({seconds})")

    def _record(self, **record: float) -> None:
        """Add a line to the log; null for what JSON does not know, NaN and infinity."""
        if not self._log_path:
            return
        try:
            self._log = self._log or open(self._log_path, self._log_mode, encoding="utf-8")  # noqa: SIM115
            known = {name: value if math.isfinite(value) else None for name, value in record.items()}
            print(json.dumps(known), file=self._log, flush=True)
        except OSError as error:
            self._line(f"warning: cannot write the log {self._log_path}: {error.strerror}; going on without it")
            self._close_log()
            self._log_path = None

    def _close_log(self) -> None:
        if self._log:
            with suppress(OSError):
                self._log.close()

    def _bar(self, progress: Progress) -> str:
        return _bar(progress, shutil.get_terminal_size().columns) if self._is_terminal else _bar(progress)

    def _draw(self, text: str, at_once: bool = False) -> None:
        now = time.monotonic()
        wait = SECONDS_BETWEEN_BARS if self._is_terminal else SECONDS_BETWEEN_LINES
        if self._quiet or not (at_once or now - self._last_drawn >= wait):
            return
        self._last_drawn = now
        if self._is_terminal:
            self._print(f"\r\033[K{text}", end="")
            self._is_line_open = True
        else:
            self._print(text)

    def _line(self, text: str) -> None:
        if not self._quiet:
            self._end_line()
            self._print(text)

    def _end_line(self) -> None:
        if self._is_line_open:
            self._print("")
            self._is_line_open = False

    def _print(self, text: str, end: str = "\n") -> None:
        try:
            print(text, end=end, file=self._stream, flush=True)
        except OSError:  # nobody reads any more: the run goes on
            self._quiet = True


def _describe(reading: Reading, n_words: int, n_tokens: int) -> str:
    text = (
        f"{reading.n_bytes / 1e6:,.1f} MB, {reading.n_tokens:,} words; "
        f"vocabulary {n_words:,} of {reading.n_types:,} distinct, covering {n_tokens:,} words"
    )
    return "; ".join([text, *what_was_changed(reading)])


def what_was_changed(reading: Reading) -> list[str]:
    """What of the text was dropped or is not as it was, in words."""
    found = []
    if reading.n_overlong:
        found.append(f"dropped {reading.n_overlong:,} tokens of more than {MAX_TOKEN_BYTES:,} bytes")
    if reading.n_unknown:
        found.append(f"dropped {reading.n_unknown:,} words that are not in the given vocabulary")
    if reading.n_invalid:
        found.append(f"{reading.n_invalid:,} words were not valid UTF-8 (see --invalid-utf8)")
    return found


def _speed(words_per_second: float) -> str:
    if words_per_second < 1e5:
        return f"{words_per_second:,.0f} words/s"
    return f"{words_per_second / 1e6:.2f} M words/s"


def _losses(epoch: EpochEnded) -> str:
    named = ("loss", epoch.loss, epoch.loss_error), ("held-out loss", epoch.held_out_loss, epoch.held_out_error)
    return "  ".join(
        f"{name} {loss:.4f}" + ("" if math.isnan(error) else f" ± {error:.4f}")
        for name, loss, error in named
        if not math.isnan(loss)
    )


def _bar(progress: Progress, columns: int = 120) -> str:
    """One line of less than `columns` characters: a longer one could not be drawn again on a terminal."""
    share = progress.n_words / progress.n_words_total
    left = round(progress.seconds_left)
    loss = "-" if math.isnan(progress.loss) else f"{progress.loss:.3f}"
    text = (
        f"{share:4.0%} epoch {progress.epoch}/{progress.epochs}  "
        f"{_speed(progress.words_per_second)}  loss {loss}  lr {progress.learning_rate:.2g}  "
        f"ETA {left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
        + (f"  {progress.n_workers} workers, waiting {progress.waited:.0%}" if progress.n_workers else "")
    )
    width = min(LONGEST_BAR, columns - len(text) - len("[] ") - 1)
    filled = round(share * width)
    return text[: columns - 1] if width < 1 else f"[{'#' * filled}{'.' * (width - filled)}] {text}"
