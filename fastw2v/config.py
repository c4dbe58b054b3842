"""TrainConfig: every option of training once: its default, its range, its meaning.

The command line and the Python call read it here.
"""

from __future__ import annotations

import math
import types
import typing
from dataclasses import dataclass, field, fields
from typing import Any

from .errors import InputError

MOST_WORK = 10_000_000
"""dim * outputs * window: with it the shortest span keeps a slow core busy for some seconds, which no signal ends."""


@dataclass(frozen=True)
class Allowed:
    """The values an option takes: a range of numbers, or one of a few words."""

    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    low_excluded: bool = False

    def __contains__(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        return bool((self.low < value if self.low_excluded else self.low <= value) and value <= self.high)

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(self.choices) if len(self.choices) < 3 else "one of " + ", ".join(self.choices)
        lower = f"above {self.low:g}" if self.low_excluded else f"at least {self.low:g}"
        return lower if self.high == math.inf else f"{lower} and at most {self.high:g}"


def option(default: Any, meaning: str, *choices: str, **limits: Any) -> Any:
    """A dataclass field with its help text and allowed values."""
    return field(default=default, metadata={"help": meaning, "allowed": Allowed(choices=choices, **limits)})


@dataclass(frozen=True)
class TrainConfig:
    """The options of a training run, checked when made. Raises InputError for a value out of range."""

    model: str = option("skipgram", "Predict a word from each context word, or from their mean (cbow: faster).",
                        "skipgram", "cbow")  # fmt: skip
    loss: str = option(
        "ns",
        "Negative sampling (fastest), hierarchical softmax over a Huffman tree, or the full "
        "softmax (exact and very slow).",
        "ns",
        "hs",
        "softmax",
    )
    dim: int = option(100, "Numbers in a vector.", low=1, high=10_000)
    window: int = option(5, "Words to each side that count as context; each word draws 1..window.", low=1, high=1_000)
    fixed_window: bool = option(False, "Always use the whole window instead of drawing its size.")
    negative: int = option(
        5, "With ns: negative samples for a pair (5 to 20; fewer for a large corpus).", low=1, high=1_000
    )
    ns_exponent: float = option(
        0.75, "With ns: negatives are drawn in proportion to count ** exponent.", low=-10, high=10
    )
    sample: float = option(1e-3, "Drop words above about this share of the text at random; 0: keep all.", low=0, high=1)
    sample_formula: str = option("word2vec", "Keep with sqrt(t/f)+t/f (word2vec) or sqrt(t/f) (paper).",
                                 "word2vec", "paper")  # fmt: skip
    min_count: int = option(5, "Ignore words seen less often.", low=1)
    max_vocab: int | None = option(None, "Keep only this many of the most frequent words.", low=2)
    epochs: int = option(5, "Passes over the corpus.", low=1, high=1_000_000)
    lr: float | None = option(None, "Learning rate at the start (default: 0.025, with cbow 0.05); it falls linearly to "
                              "lr / 10,000.", low=0, low_excluded=True, high=100)  # fmt: skip
    update: str = option("window", "Skip-gram: share negatives and step once in a window, or for each pair (slower).",
                         "window", "pair")  # fmt: skip
    cbow_gradient: str = option("word2vec", "CBOW: give each context word the whole step of the mean, or its share.",
                                "word2vec", "exact")  # fmt: skip
    vectors: str = option("input", "Which vectors to keep: of words as context (usual), as centre, or the mean.",
                          "input", "output", "average")  # fmt: skip
    threads: int | None = option(None, "Threads; default: the cores this process may use.", low=1, high=4096)
    seed: int = option(1, "Seed of all random numbers.", low=0, high=2**63 - 1)
    invalid_utf8: str = option("replace", "Words with bytes that are not UTF-8: put U+FFFD, keep as \\xNN, or refuse.",
                               "replace", "keep", "refuse")  # fmt: skip
    force: bool = option(False, "Train with the full softmax even where that takes days.")
    temp_dir: str | None = option(None, "Directory for the encoded corpus, 4 bytes a word (default: the system's).")

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None and item.default is None:
                continue
            expected = base_type(item.name)
            if expected is float and type(value) is int:
                value = float(value)
                object.__setattr__(self, item.name, value)
            if type(value) is not expected:
                raise InputError(f"{item.name} is {value!r}: it must be of type {expected.__name__}")
            allowed: Allowed = item.metadata["allowed"]
            is_limited = allowed.choices or expected in (int, float)
            if is_limited and value not in allowed:
                raise InputError(f"{item.name} is {value!r}: it must be {allowed}")

        n_outputs = 1 + self.negative if self.loss == "ns" else 1
        if self.dim * n_outputs * (self.window + 1) > MOST_WORK:
            raise InputError(
                f"dim {self.dim} x negative {self.negative} x window {self.window} is more than {MOST_WORK:,} "
                "multiplications a word: nothing could interrupt the kernel for seconds; lower one of them"
            )
        if self.loss == "hs" and self.vectors != "input":
            raise InputError(f"vectors is {self.vectors!r}: with hierarchical softmax the output rows are those of the "
                             "tree's nodes, no word has one; use input, or loss ns")  # fmt: skip
        if self.loss == "softmax" and self.update == "pair":
            raise InputError("update is 'pair': with softmax predictions are trained in batches; use window")
        if self.model == "cbow" and self.update == "pair":
            raise InputError("update is 'pair': with cbow a window is one prediction, it has no pairs; use window")

    @property
    def first_lr(self) -> float:
        """`lr`, or what it is by default."""
        return self.lr or (0.025 if self.model == "skipgram" else 0.05)

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> TrainConfig:
        """A configuration from keyword arguments. Raises InputError, with a close name, for an unknown one."""
        import difflib

        known = [item.name for item in fields(cls)]
        for name in options:
            if name not in known:
                close = difflib.get_close_matches(_PEERS_NAMES.get(name, name), known, 1)
                advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                raise InputError(f"there is no option {name}: {advice}")
        return cls(**options)


_PEERS_NAMES = {
    "vector_size": "dim", "size": "dim", "workers": "threads", "alpha": "lr", "iter": "epochs",
    "max_final_vocab": "max_vocab", "minCount": "min_count", "neg": "negative", "ws": "window", "epoch": "epochs",
}  # fmt: skip
"""What gensim, word2vec.c and fastText call our options, to suggest ours."""


def base_type(name: str) -> type:
    """The type of an option, `int` for `int | None`."""
    kind = typing.get_type_hints(TrainConfig)[name]
    if isinstance(kind, types.UnionType):
        (kind,) = set(typing.get_args(kind)) - {type(None)}
    return kind  # type: ignore[no-any-return]
