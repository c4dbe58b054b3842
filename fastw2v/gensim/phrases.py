"""Phrases under gensim's names: counts that can be added to, scores by any function, sentences and whole corpora."""

import inspect
import itertools
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

from ..corpus.corpus import Corpus
from ..corpus.phrases import ENGLISH_CONNECTOR_WORDS, PhraseFinder, PhraseOptions
from ..corpus.sequences import iterated
from ..errors import InputError
from ..files.names import PathLike
from ..files.replace import replacing, write_text
from ..machine import available_threads
from ..threads import Pool
from . import pickles, storage
from .corpora import corpus_of, files_of
from .vocabulary import Chosen

__all__ = ["ENGLISH_CONNECTOR_WORDS", "FrozenPhrases", "Phraser", "Phrases", "npmi_scorer", "original_scorer"]

Scorer = Callable[..., float]
"""scorer(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count) returns a score."""


def original_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """(n(ab) - min_count) / n(a) / n(b) * number of words and pairs; Mikolov et al. 2013, equation 6, scaled."""
    if worda_count == 0 or wordb_count == 0:
        return -math.inf
    return (bigram_count - min_count) / (worda_count * wordb_count) * len_vocab


def npmi_scorer(
    worda_count: int, wordb_count: int, bigram_count: int, len_vocab: int, min_count: float, corpus_word_count: int
) -> float:
    """log(p(ab) / p(a) / p(b)) / -log(p(ab)), p being shares of all words (Bouma 2009); -inf for rare pairs."""
    if bigram_count < min_count or worda_count == 0 or wordb_count == 0 or bigram_count in (0, corpus_word_count):
        return -math.inf
    share = bigram_count / corpus_word_count
    return math.log(share / (worda_count * wordb_count / corpus_word_count**2)) / -math.log(share)


_SCORERS: dict[str, Scorer] = {"default": original_scorer, "npmi": npmi_scorer}
_ARGUMENTS = list(inspect.signature(original_scorer).parameters)


def _scorer_of(scoring: str | Scorer) -> Scorer:
    """Return a scorer by its name, or itself. Raises InputError for others."""
    if isinstance(scoring, str):
        if scoring not in _SCORERS:
            raise InputError(f"scoring is {scoring!r}: it must be {' or '.join(_SCORERS)}, or a function")
        return _SCORERS[scoring]
    if missing := [name for name in _ARGUMENTS if name not in inspect.signature(scoring).parameters]:
        raise InputError(f"the scoring function must take {', '.join(_ARGUMENTS)}; it lacks {', '.join(missing)}")
    return scoring


def _name_of(scorer: Scorer) -> str:
    """Return what a file keeps of a scorer: its name, or its module and name."""
    named = next((name for name, known in _SCORERS.items() if known is scorer), None)
    return named or f"{scorer.__module__}:{scorer.__qualname__}"


def _scorer_named(name: str) -> Scorer:
    """Return the scorer that a file names. Nothing is imported for it. Raises InputError."""
    if name in _SCORERS:
        return _SCORERS[name]
    module, _, qualified = name.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError(f"the file names the scoring function {qualified} of {module}: import that module first")
    return _scorer_of(found)


class PhrasesTransformation:
    """Joins the words of phrases in sentences. Subclasses say in `score_candidate` what is a phrase."""

    connector_words: frozenset[str]

    def __init__(self, connector_words: Iterable[str]) -> None:
        self.connector_words = frozenset(connector_words)

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[str, float] | tuple[None, None]:
        """Return two words and what stands between them, joined, and their score; (None, None) for no phrase."""
        raise NotImplementedError

    def analyze_sentence(self, sentence: Iterable[str]) -> Iterator[tuple[str, float | None]]:
        """Yield each phrase of a sentence with its score, and the other words with None."""
        open_words: list[str] = []  # a word that may begin a phrase, and the connector words after it
        for word in sentence:
            if word in self.connector_words:
                if open_words:
                    open_words.append(word)
                else:
                    yield word, None
                continue
            phrase, score = self.score_candidate(open_words[0], word, open_words[1:]) if open_words else (None, None)
            if phrase is not None:
                yield phrase, score
                open_words = []
            else:
                yield from ((other, None) for other in open_words)
                open_words = [word]
        yield from ((other, None) for other in open_words)

    def __getitem__(self, sentence: Iterable[Any]) -> Any:
        """The words of a sentence with its phrases joined; of several sentences, an iterable of theirs."""
        items = iter(sentence)
        first = list(itertools.islice(items, 1))
        whole: Iterable[Any] = itertools.chain(first, items) if items is sentence else sentence
        if first and not isinstance(first[0], str):
            return PhrasedCorpus(self, whole)
        return [token for token, _ in self.analyze_sentence(whole)]

    def find_phrases(self, sentences: Iterable[Iterable[str]]) -> dict[str, float]:
        """The phrases that occur in sentences, and their scores."""
        tokens = itertools.chain.from_iterable(map(self.analyze_sentence, sentences))
        return {token: score for token, score in tokens if score is not None}


class PhrasedCorpus:
    """Sentences with their phrases joined; they can be iterated over as often as the sentences can."""

    def __init__(self, phrases: PhrasesTransformation, sentences: Iterable[Iterable[str]]) -> None:
        self._phrases, self._sentences = phrases, sentences

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self._sentences:
            yield self._phrases[sentence]

    def __len__(self) -> int:
        return len(self._sentences)  # type: ignore[arg-type]

    def __getitem__(self, place: Any) -> Any:
        """The sentence at a place, or several by a slice, if the sentences have places."""
        found = self._sentences[place]  # type: ignore[index]
        return PhrasedCorpus(self._phrases, found) if isinstance(place, slice) else self._phrases[found]


class Phrases(PhrasesTransformation):
    """The counts of words and pairs, which `add_vocab` adds to, and the phrases that follow from them.

    vocab: the count of each word, and of each pair, joined by the delimiter. corpus_word_count: the number of words.
    """

    def __init__(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        min_count: float = 5,
        threshold: float = 10.0,
        max_vocab_size: int = 40_000_000,
        delimiter: str = "_",
        progress_per: int = 10_000,
        scoring: str | Scorer = "default",
        connector_words: Iterable[str] = frozenset(),
    ) -> None:
        """Count the words and pairs of sentences, read once. progress_per has no effect. Raises InputError."""
        super().__init__(connector_words)
        if min_count <= 0:
            raise InputError(f"min_count is {min_count}: it must be above 0")
        if scoring == "default" and threshold <= 0:
            raise InputError(f"threshold is {threshold}: with scoring default it must be above 0")
        if scoring == "npmi" and not -1 <= threshold <= 1:
            raise InputError(f"threshold is {threshold}: with scoring npmi it must be from -1 to 1")
        self.scoring = _scorer_of(scoring)
        self.min_count, self.threshold, self.max_vocab_size = min_count, threshold, max_vocab_size
        self.delimiter, self.progress_per = delimiter, progress_per
        self.vocab: dict[str, int] = {}
        self.corpus_word_count, self.min_reduce = 0, 1
        if sentences is not None:
            self.add_vocab(sentences)

    def __str__(self) -> str:
        about = f"min_count={self.min_count}, threshold={self.threshold}, max_vocab_size={self.max_vocab_size}"
        return f"{type(self).__name__}<{len(self.vocab)} vocab, {about}>"

    def add_vocab(self, sentences: Iterable[Iterable[str]]) -> None:
        """Add the counts of sentences; where there are more than max_vocab_size, drop the rarest words and pairs."""
        pruning, threads = Chosen(choose_words=list), available_threads()
        files = [os.fspath(path) for path in files_of(sentences)]
        if files:
            corpus = Corpus.from_text(files, pruning, threads=threads)
        else:
            corpus = corpus_of(iterated(sentences, "sentences"), pruning)
        options = PhraseOptions(min_count=1, connector_words=self.connector_words)
        with Pool(threads) as pool:
            counts = PhraseFinder(corpus, options, pool, threads).count_all(self.delimiter)
        for word, count in counts.items() if self.vocab else ():
            self.vocab[word] = self.vocab.get(word, 0) + count
        self.vocab = self.vocab or counts
        self.corpus_word_count += corpus.n_tokens
        while len(self.vocab) > self.max_vocab_size:
            self.min_reduce += 1
            self.vocab = {word: count for word, count in self.vocab.items() if count >= self.min_reduce}

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[str, float] | tuple[None, None]:
        """Return the pair, joined, and its score; (None, None) for one whose score is not over the threshold."""
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        n_both, n_a, n_b = (self.vocab.get(name, 0) for name in (phrase, word_a, word_b))
        if not (n_both and n_a and n_b):
            return None, None
        score = self.scoring(
            worda_count=n_a,
            wordb_count=n_b,
            bigram_count=n_both,
            len_vocab=len(self.vocab),
            min_count=self.min_count,
            corpus_word_count=self.corpus_word_count,
        )
        return (phrase, score) if score > self.threshold else (None, None)

    def export_phrases(self) -> dict[str, float]:
        """All phrases and their scores."""
        found = {}
        for name in self.vocab:
            first, *between = name.split(self.delimiter)
            if between:
                phrase, score = self.score_candidate(first, between[-1], between[:-1])
                if phrase is not None and score is not None:
                    found[phrase] = score
        return found

    def freeze(self) -> "FrozenPhrases":
        """The phrases alone, without the counts."""
        return FrozenPhrases(self)

    def save(self, fname: PathLike, **options: Any) -> None:
        """Write a file in JSON. A scoring function is kept by its name. gensim's options for pickles have no effect."""
        storage.check_options(options)
        _write(fname, self, ["vocab", "max_vocab_size", "corpus_word_count", "min_reduce"])

    @classmethod
    def load(cls, fname: PathLike, mmap: str | None = None) -> Self:
        """Read what `save`, or gensim, wrote; nothing in it is executed. mmap has no effect. Raises InputError."""
        fields = _read(fname, "vocab")
        phrases = cls()
        vars(phrases).update(fields)
        return phrases


class FrozenPhrases(PhrasesTransformation):
    """Phrases whose scores are known. phrasegrams: the score of each phrase, its words joined."""

    def __init__(self, phrases_model: Phrases) -> None:
        super().__init__(phrases_model.connector_words)
        self.threshold, self.min_count = phrases_model.threshold, phrases_model.min_count
        self.delimiter, self.scoring = phrases_model.delimiter, phrases_model.scoring
        self.phrasegrams = phrases_model.export_phrases()

    def __str__(self) -> str:
        about = f"min_count={self.min_count}, threshold={self.threshold}"
        return f"{type(self).__name__}<{len(self.phrasegrams)} phrases, {about}>"

    def score_candidate(self, word_a: str, word_b: str, in_between: list[str]) -> tuple[str, float] | tuple[None, None]:
        """Return the pair, joined, and its score; (None, None) for one whose score is not over the threshold."""
        phrase = self.delimiter.join([word_a, *in_between, word_b])
        score = self.phrasegrams.get(phrase, -math.inf)
        return (phrase, score) if score > self.threshold else (None, None)

    def save(self, fname: PathLike, **options: Any) -> None:
        """Write a file in JSON. A scoring function is kept by its name. gensim's options for pickles have no effect."""
        storage.check_options(options)
        _write(fname, self, ["phrasegrams"])

    @classmethod
    def load(cls, fname: PathLike, mmap: str | None = None) -> Self:
        """Read what `save`, or gensim, wrote; nothing in it is executed. mmap has no effect. Raises InputError."""
        phrases = cls.__new__(cls)
        vars(phrases).update(_read(fname, "phrasegrams"))
        return phrases


Phraser = FrozenPhrases

_COMMON = "threshold", "min_count", "delimiter"


def _write(path: PathLike, phrases: Phrases | FrozenPhrases, names: list[str]) -> None:
    fields = {name: getattr(phrases, name) for name in [*_COMMON, *names]}
    fields |= {"scoring": _name_of(phrases.scoring), "connector_words": sorted(phrases.connector_words)}
    with replacing(path) as file:
        write_text(file, [json.dumps(fields).encode()])


def _read(path: PathLike, needed: str) -> dict[str, Any]:
    """Return the attributes that a file keeps. needed: the name of the dict among them."""
    with open(path, "rb") as file:
        is_pickle = file.read(1) == storage.PICKLE
    try:
        if is_pickle:
            fields = _upgraded(pickles.read(path), needed)
        else:
            with open(path, encoding="utf-8") as text:
                fields = json.load(text)
        fields["scoring"] = _scorer_named(fields["scoring"])
        fields["connector_words"] = frozenset(fields["connector_words"])
        if not all(isinstance(count, int | float) for count in fields[needed].values()):
            raise ValueError(f"its {needed} holds other values than numbers")
    except InputError:
        raise
    except Exception as error:  # a damaged file leads to any
        raise InputError(f"{os.fspath(path)} is damaged, or not a file of phrases: {error!r}") from error
    return fields


def _upgraded(item: pickles.Item, needed: str) -> dict[str, Any]:
    """Return the attributes of phrases that gensim, version 2 or later, has pickled."""
    fields = vars(item)
    delimiter = _text(fields["delimiter"])
    scoring = fields.get("scoring", "default")
    source = scoring if isinstance(scoring, str) else scoring.source
    known = {"gensim.models.phrases original_scorer": "default", "gensim.models.phrases npmi_scorer": "npmi"}
    counts = {}
    for key, value in fields[needed].items():
        name = delimiter.join(map(_text, key)) if isinstance(key, tuple) else _text(key)
        counts[name] = value[-1] if isinstance(value, tuple) else value
    words = fields.get("connector_words", fields.get("common_terms", ()))
    return {
        **{name: fields[name] for name in ("threshold", "min_count", "max_vocab_size", "min_reduce") if name in fields},
        "delimiter": delimiter,
        "scoring": known.get(source, source.replace(" ", ":")),
        "connector_words": [_text(word) for word in words],
        "corpus_word_count": fields.get("corpus_word_count", 0),
        needed: counts,
    }


def _text(word: Any) -> str:
    return word if isinstance(word, str) else word.decode()
