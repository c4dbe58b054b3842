"""TrainConfig: the default, the range and the help of every option of training, for Python and the command line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, TypedDict, get_args

from .errors import InputError

MOST_WORK = 10_000_000
"""The largest dim * outputs * window. With more, a slow core would take seconds for the shortest span (a stretch of the
text that one thread trains), and no signal could end it sooner."""

LARGEST = 2**63 - 1
"""The largest integer of any option. Larger ones do not fit into arrays, nor, from 2**1024 on, into a float."""

LOWEST_LR = 1e-30
"""The smallest learning rate. The loss divides by 1/10,000 of it at the end of a run: that must be a normal float32."""

_LR = "Learning rate at the start; it falls linearly to --min-lr (default: 0.025, with cbow 0.05)."

_SHARED = (
    "With --update window: draw this many negatives for a window, which together weigh as much as --negative "
    "(default: 3, or 7 if --negative is above 5)."
)

FEW_SHARED, MANY_SHARED = 3, 7
"""The negatives drawn for a window by default, for up to 5 and for more. With the centre word they fill one or two
tiles of registers. docs/options.md has the quality that they give."""


def check_flags(**flags: Any) -> None:
    """Raise InputError for a flag that is neither True nor False: other values, as "no", would count as True."""
    for name, value in flags.items():
        if type(value) is not bool:
            raise InputError(f"{name} is {value!r}: it must be of type bool")


@dataclass(frozen=True)
class Allowed:
    """The values an option takes: a range of numbers, or one of a few words."""

    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, str):
            return value in self.choices or not self.choices
        return bool(self.low <= value <= self.high)

    def __str__(self) -> str:
        if self.choices:
            return " or ".join(self.choices) if len(self.choices) < 3 else "one of " + ", ".join(self.choices)
        low, high = ("2**63 - 1" if limit == LARGEST else f"{limit:,}" for limit in (self.low, self.high))
        return f"at least {low}" if self.high == math.inf else f"from {low} to {high}"


def _field(default: Any, meaning: str, *limits: Any, **allowed: Any) -> Any:
    """A dataclass field with its help text and allowed values. limits: the lowest and the highest number."""
    return field(default=default, metadata={"help": meaning, "allowed": Allowed(*limits, **allowed)})


def _choice(words: str, meaning: str) -> Any:
    """A dataclass field that takes one of some words. The first one is the default."""
    choices = tuple(words.split())
    return _field(choices[0], meaning, choices=choices)


@dataclass(frozen=True)
class TrainConfig:
    """The options of a training run. Raises InputError for a wrong type or a value out of range."""

    model: str = _choice(
        "skipgram cbow", "Predict a word from each word near it, or from their mean (cbow, which is faster)."
    )
    loss: str = _choice(
        "ns hs softmax",
        "Negative sampling (ns, the fastest), hierarchical softmax over a Huffman tree (hs), or the full softmax "
        "(exact and very slow).",
    )
    dim: int = _field(100, "How many numbers a vector has.", 1, 10_000)
    window: int = _field(
        5, "Context words on each side; the number used for each centre word is drawn from 1..window.", 1, 1_000
    )
    fixed_window: bool = _field(False, "Always use the whole window instead of drawing its size.")
    negative: int = _field(5, "With ns: negative samples for each pair (5 to 20; fewer for a large corpus).", 1, 1_000)
    ns_exponent: float = _field(0.75, "With ns: draw negatives in proportion to count ** exponent.", -10, 10)
    sample: float = _field(
        1e-3, "Randomly drop some occurrences of words above about this share of the text; 0 keeps all.", 0, 1
    )
    sample_formula: str = _choice(
        "word2vec paper",
        "Probability of keeping a word of share f: sqrt(t/f)+t/f (word2vec) or sqrt(t/f) (paper); t is --sample.",
    )
    min_count: int = _field(5, "Ignore words that occur fewer times than this; has no effect with --read-vocab.", 1)
    max_vocab: int | None = _field(None, "Keep only this many of the most frequent words.", 2)
    epochs: int = _field(5, "Passes over the corpus.", 1, 1_000_000)
    held_out_share: float = _field(
        0.0, "Keep this share of the sentences out of training and report their loss.", 0, 0.5
    )
    patience: int | None = _field(
        None,
        "Stop after this many epochs without a new lowest held-out loss; keep the best vectors. Needs held-out text.",
        1,
        1_000_000,
    )
    lr: float | None = _field(None, _LR, LOWEST_LR, 100)
    min_lr: float | None = _field(None, "Learning rate at the end (default: lr / 10,000).", LOWEST_LR, 100)
    update: str = _choice(
        "window pair", "Skip-gram: update once per window, with shared negatives, or once per pair (slower)."
    )
    shared_negatives: int | None = _field(None, _SHARED, 1, 1_000)
    cbow_gradient: str = _choice(
        "word2vec exact",
        "CBOW: give each context word the step of word2vec.c (the whole gradient of the mean), or the exact gradient.",
    )
    cbow_sum: bool = _field(False, "CBOW: predict from the sum of the context vectors instead of their mean.")
    vectors: str = _choice(
        "input output average",
        "Which vectors to write: those of contexts (input), of centre words (output), or their mean (average).",
    )
    threads: int | None = _field(
        None, "Number of threads (default: one for each core that this process may use).", 1, 4096
    )
    seed: int = _field(1, "Seed of all random numbers.", 0, LARGEST)
    deterministic: bool = _field(False, "Write the same bytes again for the same seed, whatever --threads is (slower).")
    tracks: int = _field(
        8,
        "With --deterministic: train this many parts of the text side by side, each on one thread. More threads than "
        "that would have no work.",
        1,
        16,
    )
    lower: bool = _field(False, "Make all letters lower case.")
    strip_punctuation: bool = _field(
        False, "Remove punctuation and symbols such as + and $; apostrophes and hyphens inside words stay."
    )
    digits: str = _choice(
        "keep zero drop", "Keep digits, write each of them as 0, or drop words that have digits and no letters."
    )
    invalid_utf8: str = _choice(
        "replace keep refuse",
        "Bytes that are not UTF-8: replace by U+FFFD (refuse if most words have any), keep as \\xNN, or refuse.",
    )
    force_softmax: bool = _field(False, "Train with the full softmax even if that takes days.")
    worker_timeout: float = _field(
        60.0, "On a cluster: treat a worker as dead after this many seconds without a heartbeat.", 1
    )
    temp_dir: str | None = _field(None, "Directory for the encoded corpus, 4 bytes per token (default: the system's).")

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is None and item.default is None:
                continue
            if getattr(value, "ndim", None) == 0:  # a scalar of NumPy
                value = value.item()
                object.__setattr__(self, item.name, value)
            expected = base_type(item.name)
            if type(value) is int and abs(value) > LARGEST:
                raise InputError(f"{item.name} is a number of {value.bit_length()} bits: at most 63 are allowed")
            if expected is float and type(value) is int:
                value = float(value)
                object.__setattr__(self, item.name, value)
            if type(value) is not expected:
                raise InputError(f"{item.name} is {value!r}: it must be of type {expected.__name__}")
            if value not in item.metadata["allowed"]:
                raise InputError(f"{item.name} is {value!r}: it must be {item.metadata['allowed']}")

        n_outputs = 1 + self.n_drawn if self.loss == "ns" else 1
        if self.dim * n_outputs * (self.window + 1) > MOST_WORK:
            drawn = "negative" if self.update == "pair" else "shared_negatives"
            raise InputError(
                f"dim {self.dim} x {drawn} {self.n_drawn} x window {self.window} is more than {MOST_WORK:,} "
                "multiplications per word: Ctrl-C would take seconds to have an effect; lower one of them"
            )
        if self.min_lr is not None and self.min_lr > self.first_lr:
            raise InputError(
                f"min_lr is {self.min_lr:g}: it must be at most lr, {self.first_lr:g}, from which lr falls"
            )
        if self.loss == "hs" and self.vectors != "input":
            raise InputError(
                f"vectors is {self.vectors!r}: with hierarchical softmax the output vectors belong to the nodes "
                "of the tree, not to words; use input, or loss ns"
            )
        if self.loss == "softmax" and self.update == "pair":
            raise InputError("update is 'pair': softmax trains predictions in batches; use window")
        if self.loss == "softmax" and self.cbow_sum:
            raise InputError("cbow_sum is True: softmax predicts from the mean of the context words; use loss ns or hs")
        if self.model == "cbow" and self.update == "pair":
            raise InputError("update is 'pair': with cbow a window is one prediction and has no pairs; use window")

    def __repr__(self) -> str:
        changed = [item.name for item in fields(self) if getattr(self, item.name) != item.default]
        return f"TrainConfig({', '.join(f'{name}={getattr(self, name)!r}' for name in changed)})"

    def without_effect(self) -> list[str]:
        """Return a sentence for each option that was changed but has no effect with the others."""
        changed = {item.name for item in fields(self) if getattr(self, item.name) != item.default}
        reasons = [
            f"{name} has no effect with {option} {getattr(self, option)}: it needs {option} {value}"
            for name, option, value in _NEEDS
            if name in changed and getattr(self, option) != value
        ]
        if "sample_formula" in changed and self.sample == 0:
            reasons.append("sample_formula has no effect with sample 0, which keeps all words")
        return reasons

    @property
    def n_drawn(self) -> int:
        """The negatives that are drawn for a step, each of which stands for `negative / n_drawn`."""
        if self.update == "pair":
            return self.negative
        return self.shared_negatives or min(self.negative, FEW_SHARED if self.negative <= 5 else MANY_SHARED)

    @property
    def first_lr(self) -> float:
        """The learning rate at the start: `lr`, or its default."""
        return self.lr or (0.025 if self.model == "skipgram" else 0.05)

    @classmethod
    def from_options(cls, options: dict[str, Any], others: Sequence[str] = ()) -> Self:
        """Make a configuration from keyword arguments.

        For an unknown name, InputError suggests a similar one of these or of the `others`.
        """
        known = [item.name for item in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"there is no option {name}: {_advice_on_name(name, [*known, *others])}")
        return cls(**options)


class TrainOptions(TypedDict, total=False):
    """The fields of `TrainConfig` as the keyword arguments of `train`, for type checkers and completion."""

    model: Literal["skipgram", "cbow"]
    loss: Literal["ns", "hs", "softmax"]
    dim: int
    window: int
    fixed_window: bool
    negative: int
    ns_exponent: float
    sample: float
    sample_formula: Literal["word2vec", "paper"]
    min_count: int
    max_vocab: int | None
    epochs: int
    held_out_share: float
    patience: int | None
    lr: float | None
    min_lr: float | None
    update: Literal["window", "pair"]
    shared_negatives: int | None
    cbow_gradient: Literal["word2vec", "exact"]
    cbow_sum: bool
    vectors: Literal["input", "output", "average"]
    threads: int | None
    seed: int
    deterministic: bool
    tracks: int
    lower: bool
    strip_punctuation: bool
    digits: Literal["keep", "zero", "drop"]
    invalid_utf8: Literal["replace", "keep", "refuse"]
    force_softmax: bool
    worker_timeout: float
    temp_dir: str | None


FREE_OPTIONS = {"threads", "temp_dir", "worker_timeout", "force_softmax", "vectors"}
"""Options that may differ when a run is resumed: but for the races of threads, they do not change the model."""

_NEEDS = (
    ("negative", "loss", "ns"),
    ("ns_exponent", "loss", "ns"),
    ("shared_negatives", "loss", "ns"),
    ("shared_negatives", "update", "window"),
    ("cbow_gradient", "model", "cbow"),
    ("cbow_sum", "model", "cbow"),
    ("force_softmax", "loss", "softmax"),
    ("tracks", "deterministic", True),
)
"""Options that have an effect only if another one has this value."""

_GENSIM = {
    "vector_size": "dim",
    "workers": "threads",
    "alpha": "lr",
    "min_alpha": "min_lr",
    "max_final_vocab": "max_vocab",
}
_WORD2VEC_C = {"size": "dim", "iter": "epochs", "sg": "model (1: skipgram, 0: cbow)"}
_WORD2VEC_C |= {"cbow": "model (1: cbow, 0: skipgram)", "hs": "loss (1: hs, 0: ns)"}
_FASTTEXT = {"minCount": "min_count", "neg": "negative", "ws": "window", "epoch": "epochs", "thread": "threads"}
PEERS_NAMES = _GENSIM | _WORD2VEC_C | _FASTTEXT
"""Our option for an option of another trainer, for error messages; with a value where theirs is a switch."""


def _advice_on_name(name: str, known: list[str]) -> str:
    """Say which option an unknown name probably means."""
    import difflib

    option, _, value = PEERS_NAMES.get(name, name).partition(" ")
    if value:
        return f"did you mean {option} {value}?"
    close = difflib.get_close_matches(option, known, 1)
    return f"did you mean {close[0]}?" if close else f"the options are {', '.join(known)}"


def base_type(name: str) -> type:
    """Return the type of an option, `int` for `int | None`."""
    annotation: type = TrainConfig.__annotations__[name]
    return next(iter(get_args(annotation)), annotation)
