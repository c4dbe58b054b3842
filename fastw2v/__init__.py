"""fastw2v: word2vec, fast on ordinary CPUs.

    import fastw2v
    vectors = fastw2v.train("corpus.txt", dim=100)
    vectors.most_similar("king")

Importing this is cheap: Numba is loaded by the first call that computes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import train as train
    from .api import train_model as train_model
    from .config import TrainConfig as TrainConfig
    from .corpus.phrases import Phrases as Phrases
    from .corpus.vocabulary import Vocabulary as Vocabulary
    from .errors import DivergedError as DivergedError
    from .errors import Fastw2vError as Fastw2vError
    from .errors import InputError as InputError
    from .errors import MissingExtra as MissingExtra
    from .errors import RunError as RunError
    from .errors import UnknownWord as UnknownWord
    from .events import EpochEnded as EpochEnded
    from .events import Progress as Progress
    from .training.model import TrainedModel as TrainedModel
    from .vectors.vectors import Vectors as Vectors

__version__ = "0.1.0"

_HOMES = {
    "TrainConfig": "config",
    "Phrases": "corpus.phrases",
    "Vocabulary": "corpus.vocabulary",
    "DivergedError": "errors",
    "Fastw2vError": "errors",
    "InputError": "errors",
    "MissingExtra": "errors",
    "RunError": "errors",
    "UnknownWord": "errors",
    "train": "api",
    "train_model": "api",
    "EpochEnded": "events",
    "Progress": "events",
    "TrainedModel": "training.model",
    "Vectors": "vectors.vectors",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastw2v' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
