"""gensim's names on top of fastw2v.

`from fastw2v.gensim import Word2Vec` takes the place of `from gensim.models import Word2Vec`. gensim is not needed.
"""

from .callbacks import CallbackAny2Vec
from .corpora import LineSentence, PathLineSentences, Text8Corpus, simple_preprocess
from .keyedvectors import KeyedVectors
from .model import Word2Vec
from .phrases import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phraser, Phrases, npmi_scorer, original_scorer
from .replace import replace_gensim
from .vocabulary import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP

__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "CallbackAny2Vec",
    "FrozenPhrases",
    "KeyedVectors",
    "LineSentence",
    "PathLineSentences",
    "Phraser",
    "Phrases",
    "Text8Corpus",
    "Word2Vec",
    "npmi_scorer",
    "original_scorer",
    "replace_gensim",
    "simple_preprocess",
]
