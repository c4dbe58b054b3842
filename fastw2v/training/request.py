"""The arguments of `train` as values, checked before any work begins."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Self

from ..config import TrainConfig, check_flags
from ..corpus.paths import Texts
from ..corpus.sequences import Walks, iterated
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..events import Callback, ignore
from ..files.names import PathLike
from ..vectors.vectors import Vectors
from .model import TrainedModel


@dataclass(frozen=True)
class Source:
    """Where the text comes from: exactly one of files, sentences, lines and walks. Raises InputError otherwise."""

    corpus: Texts | None = None
    sentences: Iterable[Sequence[str]] | None = None
    lines: Iterable[str] | None = None
    walks: Walks | None = None

    def __post_init__(self) -> None:
        named = [name for name, value in vars(self).items() if value is not None]
        if len(named) != 1:
            got = ", ".join(named) or "none"
            raise InputError(f"train needs one of corpus, sentences, lines and walks, found {got}")

    @classmethod
    def of(cls, **given: Any) -> Self:
        """The source of these arguments, in which lists of words may also be the corpus, and walks both of these."""
        for name in ("corpus", "sentences"):
            if not isinstance(given.get(name), str | bytes | os.PathLike | None):
                right_name, value = _named_rightly(given[name], name)
                if right_name != name and given.get(right_name) is None:
                    given |= {name: None, right_name: value}
                elif right_name == name:
                    given[name] = value
        return cls(**given)


def _named_rightly(given: Any, name: str) -> tuple[str, Any]:
    """Return the name of the argument that something is, which was given as the corpus or as sentences; and its value.

    It is iterated over once: what was looked at comes first in the value.
    """
    is_array = getattr(given, "ndim", 1) == 2 and hasattr(given, "dtype")
    if is_array or (isinstance(given, tuple) and any(hasattr(item, "dtype") for item in given)):
        return "walks", given
    if not hasattr(given, "__iter__"):
        if name == "sentences":
            return name, given  # which has an error of its own
        kind = type(given).__name__
        raise InputError(f"the corpus is of type {kind}: it must be the name of a file or several, or lists of words")
    items, seen = iterated(given, name), []
    for item in items:
        seen.append(item)
        if not isinstance(item, Sized) or len(item) > 0:
            break
    whole = given if isinstance(given, Sequence) else itertools.chain(seen, items)
    if not seen or isinstance(seen[-1], str | bytes | os.PathLike):
        return name, list(whole) if name == "corpus" else whole
    last = seen[-1]
    is_walk = isinstance(last, Iterable) and isinstance(next(iter(last), None), Integral)
    return "walks" if is_walk else "sentences", whole


@dataclass(frozen=True)
class Request:
    """The arguments of `train`, which documents them. config: its options. Raises InputError for a wrong type."""

    source: Source
    config: TrainConfig
    vocabulary: Vocabulary | None = None
    init_vectors: Vectors | PathLike | None = None
    continue_from: TrainedModel | PathLike | None = None
    freeze: bool = False
    save_model: PathLike | None = None
    checkpoint: PathLike | None = None
    checkpoint_every: float = 10.0
    resume: bool = False
    held_out: Texts | None = None
    loss_plot: PathLike | None = None
    callback: Callback = ignore

    def __post_init__(self) -> None:
        check_flags(freeze=self.freeze, resume=self.resume)
        if isinstance(self.held_out, Iterator):
            object.__setattr__(self, "held_out", list(self.held_out))
        for name in ("save_model", "checkpoint", "loss_plot"):
            path = getattr(self, name)
            if not isinstance(path, str | os.PathLike | None):
                raise InputError(f"{name} is {path!r}: it must be a path, a str or os.PathLike")
        if not isinstance(self.checkpoint_every, Real):
            raise InputError(f"checkpoint_every is {self.checkpoint_every!r}: it must be a number of minutes")
        if self.held_out is not None and self.config.held_out_share:
            raise InputError("held_out and held_out_share are both held-out text: give one of them")
        if self.config.patience and self.held_out is None and not self.config.held_out_share:
            raise InputError("patience needs held-out text: give held_out_share, such as 0.01, or held_out")
        if not callable(self.callback):
            raise InputError(f"callback is {self.callback!r}: it must be a function that takes an event")

    def without_effect(self, has_cluster: bool) -> list[str]:
        """Return what to say of each argument and option that was changed but has no effect."""
        reasons = self.config.without_effect()
        if self.checkpoint is None and self.checkpoint_every != Request.checkpoint_every:
            reasons.append("checkpoint_every has no effect without checkpoint")
        if self.vocabulary is not None and self.config.min_count != TrainConfig.min_count:
            reasons.append("min_count has no effect with a given vocabulary: its rare words stay; max_vocab limits it")
        if self.vocabulary is not None and self.config.invalid_utf8 != TrainConfig.invalid_utf8:
            reasons.append("invalid_utf8 has no effect with a given vocabulary: tokens are compared as bytes")
        if self.source.corpus is None and self.source.lines is None:
            given = "walks" if self.source.sentences is None else "sentences"
            reasons += [
                f"{name} has no effect with {given}: their words are taken as they are"
                for name in ("lower", "strip_punctuation", "digits")
                if getattr(self.config, name) != getattr(TrainConfig, name)
            ]
        if not has_cluster and self.config.worker_timeout != TrainConfig.worker_timeout:
            reasons.append("worker_timeout has no effect: the training is not on a cluster")
        if has_cluster and self.config.temp_dir is not None:
            reasons.append("temp_dir has no effect on a cluster: its workers keep the encoded corpus in memory")
        return reasons
