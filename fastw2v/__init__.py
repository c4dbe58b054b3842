"""fastw2v: word2vec, fast on ordinary CPUs.

    import fastw2v
    vectors = fastw2v.train("corpus.txt", dim=100)
    vectors.most_similar("king")

Importing this is cheap: Numba is loaded by the first call that computes.
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
    from .events import EpochEnded, Progress
    from .training.model import TrainedModel
    from .vectors.vectors import Vectors

__version__ = "0.1.0"

__all__ = ["EpochEnded", "Phrases", "Progress", "TrainConfig", "TrainedModel", "Vectors", "Vocabulary", "__version__"]
__all__ += ["DivergedError", "Fastw2vError", "InputError", "MissingExtra", "RunError", "UnknownWord"]
__all__ += ["train", "train_model"]

_HOMES = {
    "api": ["train", "train_model"],
    "config": ["TrainConfig"],
    "corpus.phrases": ["Phrases"],
    "corpus.vocabulary": ["Vocabulary"],
    "errors": ["DivergedError", "Fastw2vError", "InputError", "MissingExtra", "RunError", "UnknownWord"],
    "events": ["EpochEnded", "Progress"],
    "training.model": ["TrainedModel"],
    "vectors.vectors": ["Vectors"],
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'fastw2v' has no attribute {name!r}")
    with LOADING:
        value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
