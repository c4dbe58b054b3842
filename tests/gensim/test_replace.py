"""Packages that import gensim find the classes of fastw2v, whether gensim is installed or not."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
if {is_missing}:
    class Nothing:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "gensim":
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
    sys.meta_path.insert(0, Nothing())
import fastw2v
import fastw2v.gensim
fastw2v.gensim.replace_gensim()

# What packages write:
import gensim
import gensim.models.word2vec
from gensim import __version__
from gensim.models import KeyedVectors, Phrases, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from gensim.models.phrases import Phraser
from gensim.models.word2vec import LineSentence
from gensim.utils import simple_preprocess

found = [Word2Vec, gensim.models.Word2Vec, gensim.models.word2vec.Word2Vec, KeyedVectors, Phrases, CallbackAny2Vec]
found += [Phraser, LineSentence, simple_preprocess]
assert all(name.__module__.startswith("fastw2v.gensim") for name in found), found
assert __version__ >= "4"
import importlib.util
assert all(importlib.util.find_spec(name) for name in ("gensim", "gensim.models", "gensim.models.word2vec"))
print("Doc2Vec" in vars(gensim.models))
if not {is_missing}:  # gensim's other classes work as before, and so does the way to gensim's own vectors
    from gensim.models import Doc2Vec, FastText
    from gensim.models.doc2vec import TaggedDocument

    texts = [["a", "b", "c", "d"], ["b", "c"], ["d", "a"]] * 5
    documents = [TaggedDocument(text, [i]) for i, text in enumerate(texts)]
    for model in Doc2Vec(documents, vector_size=4, min_count=1), FastText(texts, vector_size=4, min_count=1):
        model.save("model")
        type(model).load("model")
    assert fastw2v.Vectors(["a"], [[1.0, 2.0]]).to_gensim().__class__.__module__ == "gensim.models.keyedvectors"
"""


@pytest.mark.parametrize("is_missing", [False, True])
def test_gensim_is_replaced(is_missing, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT.format(is_missing=is_missing)]
    got = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (got.stdout, got.stderr) == (f"{not is_missing}\n", "")
