"""Everything that a run reports while it works: one class for each event, and the callback that receives them.

`train(callback=...)` calls the callback with every event, in the order of the work:

    PhaseStarted, BytesRead..., PhaseEnded      for each of compile, connect (on a cluster), read and train
    KernelCompiling                             in the phase compile, if the cache of kernels lacks some
    CorpusRead, Estimated                       once, after reading
    Resumed                                     once, when the phase train begins, if the run resumes
    Progress, EpochEnded, Evaluating            while training; on a cluster RoundEnded, too
    BestKept                                    after the last epoch of a run with patience
    Waiting, ClusterChanged                     on a cluster, from connect on
    CheckpointSaved, CheckpointFailed           whenever a checkpoint has been written, or could not be
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
    """A phase of the run begins. name: compile, connect, read or train. note: what the user may want to know first."""

    name: str
    note: str = ""


@dataclass(frozen=True)
class PhaseEnded:
    """A phase of the run is over. seconds: how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class KernelCompiling:
    """A kernel that was not in the cache is being compiled.

    name: its module and its name. number: which of the `n_kernels` that are missing it is, from 1.
    """

    name: str
    number: int
    n_kernels: int


@dataclass(frozen=True)
class BytesRead:
    """While the corpus is read: how many bytes of text have been read so far."""

    n_bytes: int


@dataclass(frozen=True)
class CorpusRead:
    """The corpus has been read, training is about to begin.

    n_tokens: tokens of the corpus that are in the vocabulary. held_out: the figures of the held-out text, or None.
    n_started: how many words of the vocabulary start from earlier vectors.
    """

    vocabulary: Vocabulary
    n_tokens: int
    reading: Reading
    held_out: Reading | None
    n_started: int = 0


class NewFile(NamedTuple):
    """A file that a run will write, or several of one size. n_bytes: the size of one. n_more: what the disk will need.

    `what` names it in messages.
    """

    what: str
    path: str
    n_bytes: float
    n_more: float


@dataclass(frozen=True)
class Estimated:
    """What the training will need.

    memory: bytes that it will allocate besides what the process already has, by purpose. available: bytes that are
    free, None if unknown. limit: what sets that limit. files: the checkpoints and the model that it will write.
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
        free = "" if self.available is None else f"; {format_bytes(self.available)} is free ({self.limit})"
        return f"training needs {format_bytes(self.total)} of memory ({items}){free}"


@dataclass(frozen=True)
class Resumed:
    """The run resumes from a checkpoint.

    path: its file. n_words: tokens trained up to it. warning: why it is not the latest checkpoint, or an empty string.
    """

    path: str
    n_words: int
    warning: str


@dataclass(frozen=True)
class Progress:
    """The state of the training after a slice (on a cluster, a beat), usually about three times a second."""

    epoch: int  # from 1
    epochs: int
    n_words: int  # tokens trained so far, in all epochs
    n_words_total: int
    n_predictions: int  # of this slice: pairs of a context and a centre word, or with CBOW windows
    loss: float  # mean of a prediction of the sample, natural log, as it was last taken; NaN before
    loss_error: float  # the standard error of `loss`, as if windows were independent
    learning_rate: float
    seconds: float  # of training so far, without evaluation and callbacks
    words_per_second: float  # of this slice
    n_workers: int = 0  # of a cluster
    waited: float = 0.0  # the share of the time that a cluster's replicas spend on exchanges

    @property
    def seconds_left(self) -> float:
        """Seconds that the rest of the training will take at the mean speed so far."""
        return self.seconds * (self.n_words_total / max(1, self.n_words) - 1)


@dataclass(frozen=True)
class EpochEnded:
    """An epoch is over; with held-out text, epoch 0 is reported before the first. Losses are in nats.

    If a run is stopped while the held-out loss is computed, this event comes when the run is resumed. Without a
    checkpoint it comes at once, and the held-out loss is NaN.

    On a cluster it comes again if the epoch's last round was lost with a worker and had to be trained again.
    """

    epoch: int
    n_words: int  # tokens trained so far, in all epochs
    loss: float  # mean of a prediction of the sample, with the present vectors; NaN without a prediction
    loss_error: float  # the standard error of `loss`, as if windows were independent
    held_out_loss: float  # mean over the predictions of the held-out text, with the present vectors; NaN without one
    held_out_error: float
    seconds: float  # of training so far, without evaluation and callbacks


@dataclass(frozen=True)
class BestKept:
    """A run with `patience` is over, early or not: it keeps the vectors of the epoch with the lowest held-out loss."""

    epoch: int
    held_out_loss: float
    n_epochs: int  # that were trained


@dataclass(frozen=True)
class Evaluating:
    """While the loss of held-out text is computed, after each slice: the share of it that is done, from 0 to 1."""

    share: float


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is on disk.

    path: the file. n_words: tokens trained up to the checkpoint. stall: seconds for which the training waited. seconds:
    from the start of the checkpoint until it was on disk.
    """

    path: str
    n_words: int
    stall: float
    seconds: float


@dataclass(frozen=True)
class CheckpointFailed:
    """A checkpoint could not be written. The run continues without it, and the latest checkpoint is untouched.

    It is a RuntimeWarning too, at most one a minute. n_words: tokens trained up to the checkpoint. write_to: for
    the last checkpoint of a run, a function that writes it to another path while the callback is called; else None.
    """

    message: str
    n_words: int
    write_to: Callable[[str], None] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Waiting:
    """While a cluster works, twice a second or more. Returning True ends the training with the last whole round."""


@dataclass(frozen=True)
class ClusterChanged:
    """Workers came or went. n_workers: how many there are now. message: what happened, and what follows from it."""

    n_workers: int
    message: str


@dataclass(frozen=True)
class RoundEnded:
    """A round of a cluster's replicas is over.

    n_beats: beats of the round. n_bytes: what each worker sent in its exchanges. waited: the share of the time that
    exchanges took.
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
"""Receives events: every one, or if its parameter is annotated with a class of events, or a union of them, only these.
Returning True at a `Progress`, `Evaluating` or `Waiting` ends the training; a cluster keeps the model of its last
whole round."""


def for_every_event(callback: Callback) -> Callback:
    """Return the callback as a function of every event: if it is annotated with some of them, it receives no others."""
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
    """Give a RuntimeWarning that ends no run: where a filter makes errors of warnings, it is shown all the same."""
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    except RuntimeWarning as warning:
        warnings.showwarning(warning, RuntimeWarning, __file__, 0)
