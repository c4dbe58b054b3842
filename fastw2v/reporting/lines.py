"""The events of a run in words: lines that stay, and the bar of its progress."""

import math

from .. import events
from ..corpus.vocabulary import Reading
from ..kernels.tokenize import MAX_TOKEN_BYTES

LONGEST_BAR, SHORTEST_BAR, COLUMNS = 24, 5, 120  # columns where there is no terminal


def lines_of(event: events.Event) -> list[str]:
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
            return [f"kept the vectors of epoch {epoch} of {n_epochs}, with the lowest held-out loss, {loss:.4f}"]
        case events.EpochEnded() if not math.isnan(event.held_out_loss):
            return [f"epoch {event.epoch}  {losses_of(event)}"]
    return []


def _lines_of_corpus(event: events.CorpusRead) -> list[str]:
    reading, n_words, n_types = event.reading, len(event.vocabulary), event.reading.n_types
    words = f"{n_words:,} of {n_types:,} distinct words"
    if n_words > n_types:  # a given vocabulary, or that of an earlier run
        words = f"{n_words:,} words (this corpus has {n_types:,})"
    text = (
        f"read {reading.n_bytes / 1e6:,.1f} MB, {reading.n_tokens:,} tokens; "
        f"vocabulary: {words}, covering {event.n_tokens:,} tokens"
    )
    lines = ["; ".join([text, *describe_changes(reading)])]
    lines += advice_lines(reading)
    if event.n_started:
        lines.append(f"{event.n_started:,} of {n_words:,} words start from given vectors")
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


def losses_of(epoch: events.EpochEnded) -> str:
    named = ("loss", epoch.loss, epoch.loss_error), ("held-out loss", epoch.held_out_loss, epoch.held_out_error)
    return "  ".join(
        f"{name} {loss:.4f}" + ("" if math.isnan(error) else f" ± {error:.4f}")
        for name, loss, error in named
        if not math.isnan(loss)
    )


def format_bar(progress: events.Progress, columns: int = COLUMNS) -> str:
    """A line of less than `columns` characters; a longer one could not be drawn again on a terminal.

    Where it is too narrow, the learning rate is left out first, then the speed and the loss, and the time left last.
    """
    share, left = progress.n_words / progress.n_words_total, round(progress.seconds_left)
    speed = progress.words_per_second
    parts = {
        "epoch": f"{share:4.0%} epoch {progress.epoch}/{progress.epochs}",
        "speed": f"{speed:,.0f} words/s" if speed < 1e5 else f"{speed / 1e6:.2f} M words/s",
        "loss": f"loss {'-' if math.isnan(progress.loss) else f'{progress.loss:.3f}'}",
        "lr": f"lr {progress.learning_rate:.2g}",
        "left": f"ETA {left // 3600}:{left // 60 % 60:02}:{left % 60:02}",
        "workers": f"{progress.n_workers} worker{'s' * (progress.n_workers > 1)}, waiting {progress.waited:.0%}"
        if progress.n_workers
        else "",
    }
    text = "  ".join(filter(None, parts.values()))
    for name in ("workers", "lr", "speed", "loss", "left"):
        if len(text) < columns:
            break
        del parts[name]
        text = "  ".join(filter(None, parts.values()))
    width = min(LONGEST_BAR, columns - len(text) - len("[] ") - 1)
    filled = round(share * width)
    return text[: columns - 1] if width < SHORTEST_BAR else f"[{'#' * filled}{'.' * (width - filled)}] {text}"


def last_lines(
    progress: events.Progress | None, epoch: events.EpochEnded | None, seconds: dict[str, float]
) -> list[str]:
    """The lines that end a run. progress, epoch: the last of each, if any. seconds: of each phase."""
    lines = [f"last epoch: {losses}"] if epoch and (losses := losses_of(epoch)) else []
    if progress:
        times = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        speed = progress.n_words / progress.seconds
        lines.append(f"{progress.n_words:,} tokens trained at {speed:,.0f} words/s ({times})")
    elif not epoch:
        lines.append("nothing was left to train, so nothing was added to a log or a loss plot")
    return lines
