"""What a run reports while it works: one class for each kind of event, and the callback that receives them.

`train(callback=...)` calls the callback with every event, in the order of the work:

    PhaseStarted, PhaseEnded                    around each of the phases compile, connect (on a cluster), read, train
    BytesRead                                   while reading
    KernelCompiling                             in the phase compile, if the cache of kernels lacks some
    CorpusRead, Estimated                       once, after reading
    Resumed                                     once, when the phase train begins, if the run resumes
    Progress, EpochEnded, Evaluating            while training; on a cluster also RoundEnded
    BestKept                                    after the last epoch of a run with patience
    Waiting, ClusterChanged                     on a cluster, from the phase connect on
    CheckpointSaved, CheckpointFailed           whenever a checkpoint has been written, or could not be written
"""

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from .corpus.vocabulary import Reading, Vocabulary
from .machine import format_bytes


@dataclass(frozen=True)
class PhaseStarted:
    """A phase of the run begins.

    name: compile, connect, read or train.
    note: what the user may want to know first, or an empty string.
    """

    name: str
    note: str = ""


@dataclass(frozen=True)
class PhaseEnded:
    """A phase of the run is over.

    name: compile, connect, read, train or, on the command line, write.
    seconds: how long it took.
    """

    name: str
    seconds: float


@dataclass(frozen=True)
class KernelCompiling:
    """A kernel that was not in the cache is being compiled.

    name: its module and its name.
    number: its number among the missing kernels, from 1.
    n_kernels: how many kernels are missing.
    """

    name: str
    number: int
    n_kernels: int


@dataclass(frozen=True)
class BytesRead:
    """The corpus is being read.

    n_bytes: the bytes of text that have been read so far.
    """

    n_bytes: int


@dataclass(frozen=True)
class CorpusRead:
    """The corpus has been read, and training is about to begin.

    vocabulary: the words that will be trained, and their counts.
    n_tokens: the tokens of the corpus that are in the vocabulary.
    reading: a `Reading`: the bytes, tokens and distinct words of the text.
    held_out: the `Reading` of the held-out text, or None.
    n_started: how many words of the vocabulary start from given vectors.
    """

    vocabulary: Vocabulary
    n_tokens: int
    reading: Reading
    held_out: Reading | None
    n_started: int = 0


class NewFile(NamedTuple):
    """A file that a run will write, or several files of one size.

    what: its name in messages.
    path: where it will be.
    n_bytes: the size of one file.
    n_more: the additional disk space for all of them, in bytes.
    """

    what: str
    path: str
    n_bytes: float
    n_more: float


@dataclass(frozen=True)
class Estimated:
    """The memory and the files that the training will need.

    memory: the bytes that it will allocate beyond what the process already has, by purpose.
    available: the bytes that are free, or None if unknown.
    limit: what sets `available`: the machine, the cgroup's limit, or ulimit -v.
    files: the checkpoints and the model that it will write.
    """

    memory: dict[str, int]
    available: int | None
    limit: str
    files: tuple[NewFile, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.memory.values())

    def __str__(self) -> str:
        items = ", ".join(f"{name} {format_bytes(n)}" for name, n in self.memory.items() if n > 0.005 * self.total)
        where = "on the machine" if self.limit == "the machine" else f"under {self.limit}"
        free = "" if self.available is None else f"; {format_bytes(self.available)} is free {where}"
        return f"training needs {format_bytes(self.total)} of memory ({items}){free}"


@dataclass(frozen=True)
class Resumed:
    """The run resumes from a checkpoint.

    path: the file of the checkpoint.
    n_words: the tokens that had been trained when it was written.
    warning: why it is not the latest checkpoint, or an empty string.
    """

    path: str
    n_words: int
    warning: str


@dataclass(frozen=True)
class Progress:
    """The state of the training, usually about three times a second.

    It comes after each slice, which is the work between two checks for signals and progress; on a cluster after each
    beat, which is the work between two exchanges of the vectors of frequent words.

    epoch: the current epoch, from 1.
    epochs: the number of epochs of the run.
    n_words: the tokens that have been trained so far, in all epochs.
    n_words_total: the tokens of the whole run.
    n_predictions: the predictions of this slice: pairs of a context and a centre word; with CBOW, windows.
    loss: the mean loss per prediction on a fixed sample of the text, as last computed, in nats; NaN before that.
    loss_error: the standard error of `loss`, as if windows were independent.
    learning_rate: the current learning rate.
    seconds: the seconds of training so far, without evaluation and callbacks.
    words_per_second: the speed of this slice, in tokens.
    n_workers: the number of workers of a cluster, or 0.
    waited: on a cluster, the share of the time that its workers spend on exchanges.
    """

    epoch: int
    epochs: int
    n_words: int
    n_words_total: int
    n_predictions: int
    loss: float
    loss_error: float
    learning_rate: float
    seconds: float
    words_per_second: float
    n_workers: int = 0
    waited: float = 0.0

    @property
    def seconds_left(self) -> float:
        """The seconds that the rest of the training will take at the mean speed so far."""
        return self.seconds * (self.n_words_total / max(1, self.n_words) - 1)


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is over. With held-out text, an epoch 0 is reported before the first one. Losses are in nats.

    If a run is stopped while the held-out loss is computed, this event comes when the run is resumed. Without a
    checkpoint it comes at once, and the held-out loss is NaN. On a cluster it comes again if the epoch's last round was
    lost with a worker and had to be trained again.

    epoch: the epoch that is over, from 1, or 0.
    n_words: the tokens that have been trained so far, in all epochs.
    loss: the mean loss per prediction on that sample with the current vectors; NaN if it has no predictions.
    loss_error: the standard error of `loss`, as if windows were independent.
    held_out_loss: the mean loss per prediction on the held-out text with the current vectors; NaN without such
    text.
    held_out_error: the standard error of `held_out_loss`.
    seconds: the seconds of training so far, without evaluation and callbacks.
    """

    epoch: int
    n_words: int
    loss: float
    loss_error: float
    held_out_loss: float
    held_out_error: float
    seconds: float


@dataclass(frozen=True)
class BestKept:
    """A run with `patience` is over. It keeps the vectors of the epoch with the lowest held-out loss.

    epoch: that epoch.
    held_out_loss: its loss.
    n_epochs: the epochs that were trained, which may be fewer than planned.
    """

    epoch: int
    held_out_loss: float
    n_epochs: int


@dataclass(frozen=True)
class Evaluating:
    """The loss of held-out text is being computed.

    share: the share of it that is done, from 0 to 1.
    """

    share: float


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is on disk.

    path: the file of the checkpoint.
    n_words: the tokens that had been trained when the checkpoint was begun.
    stall: the seconds for which the training waited.
    seconds: the seconds from the start of the checkpoint until it was on disk.
    """

    path: str
    n_words: int
    stall: float
    seconds: float


@dataclass(frozen=True)
class CheckpointFailed:
    """A checkpoint could not be written. The run continues without it, and the latest checkpoint is untouched.

    A RuntimeWarning says the same, at most once a minute.

    message: what failed.
    n_words: the tokens that had been trained when the checkpoint was begun.
    write_to: for the last checkpoint of a run, a function that writes it to another path and can be called during the
    callback; else None.
    """

    message: str
    n_words: int
    write_to: Callable[[str], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Waiting:
    """The run is waiting for the workers of a cluster. This comes at least twice a second.

    A callback that returns True ends the training with the result of the last completed round (see `RoundEnded`).
    """


@dataclass(frozen=True)
class ClusterChanged:
    """Workers came or went.

    n_workers: how many workers there are now.
    message: what happened, and what follows from it.
    """

    n_workers: int
    message: str


@dataclass(frozen=True)
class RoundEnded:
    """A round is over: the workers of a cluster, each with its own replica of the model, have exchanged all vectors.

    n_workers: the number of workers.
    n_beats: the number of beats in the round; after each, the vectors of frequent words were exchanged.
    n_bytes: the bytes that each worker sent in its exchanges.
    seconds: how long the round took.
    waited: the share of this time that exchanges took.
    """

    n_workers: int
    n_beats: int
    n_bytes: int
    seconds: float
    waited: float


_Preparing = PhaseStarted | PhaseEnded | KernelCompiling | BytesRead | CorpusRead | Estimated | Resumed
_Training = Progress | EpochEnded | BestKept | Evaluating | Waiting | RoundEnded | ClusterChanged
Event = _Preparing | _Training | CheckpointSaved | CheckpointFailed

Callback = Callable[[Any], bool | None]
"""A function that receives events: all of them, or, if its parameter is annotated with a class of events or a union of
classes, only those. If it returns True at a `Progress`, `Evaluating` or `Waiting`, the training ends; a cluster keeps
the model of its last completed round."""


def for_every_event(callback: Callback) -> Callback:
    """Return a function that takes every event and calls the callback with those that its annotation names."""
    try:
        parameter = next(iter(inspect.signature(callback, eval_str=True).parameters.values()))
    except (NameError, SyntaxError, TypeError, ValueError, StopIteration):  # what has no signature, or another's names
        return callback
    kinds = tuple(kind for kind in get_args(parameter.annotation) or [parameter.annotation] if kind in get_args(Event))
    if not kinds:
        return callback
    return lambda event: callback(event) if isinstance(event, kinds) else None


def ignore(event: Event) -> None:
    """The default callback: ignores all events."""


def warn(message: str) -> None:
    """Issue a RuntimeWarning that never ends a run: where a filter turns warnings into errors, it is only shown."""
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    except RuntimeWarning as warning:
        warnings.showwarning(warning, RuntimeWarning, __file__, 0)
