"""Lets packages that import gensim themselves find the classes here instead."""

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

VERSION = "4.4.0"
"""The version of gensim whose names these are, for packages that ask for `gensim.__version__`."""

_RULES = "RULE_DEFAULT RULE_DISCARD RULE_KEEP"
_MODULES = {
    "models": "Word2Vec KeyedVectors Phrases",
    "models.word2vec": f"Word2Vec KeyedVectors LineSentence PathLineSentences Text8Corpus {_RULES}",
    "models.keyedvectors": "KeyedVectors",
    "models.phrases": "ENGLISH_CONNECTOR_WORDS FrozenPhrases Phraser Phrases npmi_scorer original_scorer",
    "models.callbacks": "CallbackAny2Vec",
    "utils": f"simple_preprocess {_RULES}",
}
"""Where gensim has the names that are replaced."""

_PICKLED = "gensim.models.keyedvectors"
"""The module in which pickle looks for the vectors of gensim's other models. It stays as it is."""


def replace_gensim() -> None:
    """Let packages that are imported from now on find fastw2v's classes where they import gensim's.

    `import gensim` and `from gensim.models import Word2Vec` then lead here, in this process. If gensim is installed,
    its other names stay, and its own modules are not changed: copies of all but `gensim.models.keyedvectors` take their
    places. A model that gensim itself has pickled must be loaded by `Word2Vec.load`, which reads it as plain data.
    """
    own = sys.modules[__package__]
    root = _real("gensim") or _put("gensim", ModuleType("gensim"))
    vars(root).setdefault("__version__", VERSION)
    for path, names in _MODULES.items():
        name = f"gensim.{path}"
        module, real = ModuleType(name), _real(name)
        if real is not None and name == _PICKLED:
            continue
        if real is not None:
            vars(module).update(vars(real), __wrapped__=real)
        else:
            module.__path__ = []  # a package, in which modules are looked for
        for kept in names.split():
            setattr(module, kept, getattr(own, kept))
        _put(name, module)


def _real(name: str) -> ModuleType | None:
    """Return a module of gensim itself, or None if gensim is not installed."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "gensim":
            raise  # gensim is installed, and something that it needs is not
        return None
    real: ModuleType = getattr(module, "__wrapped__", module)
    return real


def _put(name: str, module: ModuleType) -> ModuleType:
    """Let `import name` find a module, and `importlib.util.find_spec` that it is there."""
    if module.__spec__ is None:
        module.__spec__ = ModuleSpec(name, None, is_package=True)
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
    else:
        module.__path__ = []
    return module
