"""gensim's own tests and scripts with other imports: fastw2v's names in the place of gensim's."""

import importlib.util
import re
import sys
import types
from pathlib import Path

import gensim
import gensim.test.utils

import fastw2v.gensim as ours

ROOT = Path(gensim.__file__).parent


def _module(name, **names):
    """A module with these names, to be imported as `name`."""
    module = types.ModuleType(name)
    vars(module).update(names)
    sys.modules[name] = module
    return module


def _load_in_chunks(cls, binary_chunk_size=None, **options):
    """gensim's private reader, which its tests call: ours reads a file whole, whatever the size of chunks."""
    return cls.load_word2vec_format(**options)


def stand_in():
    """A package `gensim_stand_in` with gensim's layout: its models are ours, its helpers for tests are its own."""
    own = {name: getattr(ours, name) for name in ours.__all__}
    keyedvectors = _module(
        "gensim_stand_in.models.keyedvectors",
        **own,
        REAL=gensim.models.keyedvectors.REAL,
        pseudorandom_weak_vector=gensim.models.keyedvectors.pseudorandom_weak_vector,
        _load_word2vec_format=_load_in_chunks,
    )
    word2vec = _module("gensim_stand_in.models.word2vec", **own)
    of_phrases = {"_PhrasesTransformation": ours.phrases.PhrasesTransformation}
    phrases = _module("gensim_stand_in.models.phrases", **own, **of_phrases)
    callbacks = _module("gensim_stand_in.models.callbacks", **own)
    modules = {"word2vec": word2vec, "keyedvectors": keyedvectors, "phrases": phrases, "callbacks": callbacks}
    models = _module("gensim_stand_in.models", **own, **modules)
    return _module("gensim_stand_in", models=models, test=gensim.test, utils=gensim.utils)


def with_our_imports(source):
    """The source of a script in which `gensim.models` is the stand-in; nothing but lines of imports changes."""
    source = re.sub(r"^from gensim\.models", "from gensim_stand_in.models", source, flags=re.MULTILINE)
    return re.sub(r"^import gensim(\.models.*)?$", "import gensim_stand_in as gensim", source, flags=re.MULTILINE)


def load_tests(name):
    """A test module of the installed gensim, as `test_word2vec`, which tests ours."""
    stand_in()
    source = with_our_imports((ROOT / "test" / f"{name}.py").read_text("utf-8"))
    module = types.ModuleType(f"gensims_{name}")
    module.__spec__ = importlib.util.spec_from_loader(module.__name__, loader=None)
    sys.modules[module.__name__] = module
    exec(compile(source, f"{name}.py with our imports", "exec"), vars(module))
    return module
