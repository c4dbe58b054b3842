"""fastw2v: word2vec, fast on ordinary CPUs.

    import fastw2v
    vectors = fastw2v.train("corpus.txt", dim=100)
    vectors.most_similar("king")

Importing this is quick: NumPy and Numba are loaded by the first call that computes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .kernels.forks import LOADING

if TYPE_CHECKING:
    from .api import train, train_model
    from .config import TrainConfig
    from .corpus.phrases import Phrases
    from .corpus.vocabulary import Vocabulary
    from .errors import DivergedError, Fastw2vError, InputError, MissingExtra, RunError, UnknownWord
    from .events import (
        BestKept,
        BytesRead,
        Callback,
        CheckpointFailed,
        CheckpointSaved,
        ClusterChanged,
        CorpusRead,
        EpochEnded,
        Estimated,
        Evaluating,
        Event,
        KernelCompiling,
        PhaseEnded,
        PhaseStarted,
        Progress,
        Resumed,
        RoundEnded,
        Waiting,
    )
    from .training.model import TrainedModel
    from .vectors.vectors import Vectors

__version__ = "0.1.0"

__all__ = ["Phrases", "TrainConfig", "TrainedModel", "Vectors", "Vocabulary", "__version__", "train", "train_model"]
__all__ += ["DivergedError", "Fastw2vError", "InputError", "MissingExtra", "RunError", "UnknownWord"]
__all__ += [
    "BestKept",
    "BytesRead",
    "Callback",
    "CheckpointFailed",
    "CheckpointSaved",
    "ClusterChanged",
    "CorpusRead",
    "EpochEnded",
    "Estimated",
    "Evaluating",
    "Event",
    "KernelCompiling",
    "PhaseEnded",
    "PhaseStarted",
    "Progress",
    "Resumed",
    "RoundEnded",
    "Waiting",
]

_HOMES = {
    "api": ["train", "train_model"],
    "config": ["TrainConfig"],
    "corpus.phrases": ["Phrases"],
    "corpus.vocabulary": ["Vocabulary"],
    "errors": ["DivergedError", "Fastw2vError", "InputError", "MissingExtra", "RunError", "UnknownWord"],
    "training.model": ["TrainedModel"],
    "vectors.vectors": ["Vectors"],
}
"""The modules of the public names; all others are in `events`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'fastw2v' has no attribute {name!r}")
    home = next((module for module, names in _HOMES.items() if name in names), "events")
    with LOADING:
        value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
