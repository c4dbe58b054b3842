"""Word2Vec: gensim's model on top of fastw2v's training."""

import inspect
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..errors import InputError
from ..files.names import PathLike
from ..reporting.reporter import reporting
from ..training.objective import paths_of
from ..training.run import NothingLearnt
from ..vectors.search import best_places
from . import storage
from .callbacks import CallbackAny2Vec
from .corpora import Source, Text, plain_key
from .keyedvectors import KeyedVectors
from .log import logger
from .options import OPTIONS, STATE, losses_of, options_of, warn_of, with_names_of_gensim_4
from .progress import TrainingEvents
from .scoring import log_likelihood, probabilities
from .storage import is_plain
from .stored import Stored
from .untrained import OUTPUTS, UntrainedModel
from .vocabulary import Known, TrimRule, check_words_of_files

SENTENCES_OF_A_JOB = 1000
"""How many sentences a subclass that overrides `_do_train_job` gets at a time."""


class NotAModel(InputError, AttributeError):
    """A file holds vectors only, or something else that is not a `Word2Vec`."""


class _OnlyOfTheClass:
    """A class method that instances do not have, because loading returns a new model and changes no existing one."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is not None:
            raise AttributeError(f"load returns a new model: call {owner.__name__}.load(path), not model.load(path)")
        return self._function.__get__(owner)


class Word2Vec(UntrainedModel):
    """A model and its options, with gensim's names and defaults. The attributes are those of `UntrainedModel`."""

    def __init__(
        self,
        sentences: Iterable[Sequence[Any]] | None = None,
        corpus_file: PathLike | None = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Callable[..., int] = hash,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: TrimRule | None = None,
        sorted_vocab: int = 1,
        batch_words: int = 10_000,
        compute_loss: bool = False,
        callbacks: Iterable[CallbackAny2Vec] = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        **of_gensim_3: Any,
    ) -> None:
        """Take the options; where there are sentences or a file, build the vocabulary and train.

        Both are read once; with `max_vocab_size`, and by subclasses with a `_do_train_job` of their own, twice.
        `size` and `iter` are taken for `vector_size` and `epochs`, with a warning. hashfxn and batch_words have no
        effect. Raises what `build_vocab` and `train` do.
        """
        given = dict(locals())
        options = {**{name: given[name] for name in OPTIONS}, **with_names_of_gensim_4(of_gensim_3)}
        warn_of(options)
        self._begin(options)
        if sentences is None and corpus_file is None:
            if trim_rule is not None or callbacks:
                logger.warning(
                    "without sentences, trim_rule and callbacks have no effect: pass them to build_vocab and train"
                )
            return
        source = Source(sentences, corpus_file)
        if self.max_vocab_size:
            source.check_can_be_read_twice("with max_vocab_size the vocabulary is chosen before training")
        if self._has_own_jobs:
            source.check_can_be_read_twice("_do_train_job reads it again")
        text = self._build_vocab(source, trim_rule=trim_rule)
        self._train(source, text, list(callbacks))

    def train(
        self,
        corpus_iterable: Iterable[Sequence[Any]] | None = None,
        corpus_file: PathLike | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Iterable[CallbackAny2Vec] = (),
    ) -> tuple[int, int]:
        """Train further on a corpus, which is read once, whatever the number of epochs.

        As in gensim, `total_examples` or `total_words`, and `epochs`, must be given; the learning rate falls with
        the actual progress. word_count, queue_factor and report_delay have no effect. Returns the number of words
        trained, estimated from the subsampling, and that of all words, both over all epochs. Raises ValueError,
        RuntimeError if there is no vocabulary, TypeError for anything but a corpus, DivergedError.
        """
        self.alpha, self.min_alpha = start_alpha or self.alpha, end_alpha or self.min_alpha
        if total_examples is None and total_words is None:
            losses_of(self)
            self._check_vocabulary()
            raise ValueError("train needs total_examples, such as model.corpus_count, or total_words")
        if epochs is None or epochs <= 0:
            raise ValueError(f"epochs is {epochs}: train needs a number above 0, such as model.epochs")
        self.epochs, self.compute_loss = epochs, compute_loss
        return self._train(Source(corpus_iterable, corpus_file), None, list(callbacks))

    def _train(self, source: Source, text: Text | None, callbacks: list[CallbackAny2Vec]) -> tuple[int, int]:
        """Train on a corpus. text: the corpus as ids of the vocabulary, if it is encoded already."""
        if len(losses_of(self)) > 1:  # gensim's own test looks for the first sentence
            also = "Both hierarchical softmax and negative sampling are activated."
            logger.warning("%s Both are trained in turn; hs=0 or negative=0 leaves one", also)
        if self.alpha > self.min_alpha_yet_reached:  # and for this one
            logger.warning("Effective 'alpha' higher than previous training cycles")
        self._check_vocabulary()
        trainable, is_frozen = self._ready(len(self.wv)), self._frozen()
        vocabulary, config, start = self._vocabulary(), self._config(), time.perf_counter()
        trainable.vocabulary = vocabulary
        if self._has_own_jobs:
            source, text = Source(self._sentences_of_jobs(source.read_sentences())), None
        if text is None:
            if source.files:
                check_words_of_files(vocabulary.words)
            text = source.read(Known(vocabulary=vocabulary), self._threads)
        self.running_training_loss = 0.0
        trainable.prepare(config, self._threads, is_frozen is not None)
        self._show()
        events = TrainingEvents(self, callbacks)
        events.begin()
        if text.corpus.n_tokens and len(vocabulary) > 1:
            try:
                with reporting(events, progress=False) as callback:
                    trainable.train(text.corpus, config, self._threads, is_frozen, callback)
            except NothingLearnt as error:
                logger.warning("%s", error)
            finally:
                self.wv.forget()
        else:
            logger.warning("nothing was learnt: the corpus holds no two words of the vocabulary")
            for epoch in range(1, self.epochs + 1):
                events.end_epoch(epoch)
        self.train_count += 1
        self.total_train_time += time.perf_counter() - start
        events.end()
        kept_share = vocabulary.weights @ vocabulary.keep_probability(config.sample) / vocabulary.weights.sum()
        return round(self.epochs * text.corpus.n_tokens * kept_share), self.epochs * text.n_words

    @property
    def _has_own_jobs(self) -> bool:
        return type(self)._do_train_job is not Word2Vec._do_train_job

    def _do_train_job(self, sentences: Iterable[Sequence[Any]], alpha: float, inits: Any) -> tuple[int, int]:
        """Take sentences to train on. gensim's subclasses override this to change them, as fastnode2vec does."""
        self._job = list(sentences)
        n_words = sum(map(len, self._job))
        return n_words, n_words

    def _sentences_of_jobs(self, sentences: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Yield the sentences that `_do_train_job` of a subclass makes of these."""
        some = iter(sentences)
        while job := list(islice(some, SENTENCES_OF_A_JOB)):
            self._do_train_job(job, self.alpha, None)
            if "_job" not in vars(self):
                raise RuntimeError("_do_train_job must pass its sentences on to super()._do_train_job")
            yield from vars(self).pop("_job")

    def _frozen(self) -> NDArray[np.bool_] | None:
        """Which words `vectors_lockf` keeps from changing, (n_words,), or None for none. Raises InputError."""
        lock = np.asarray(getattr(self.wv, "vectors_lockf", np.ones(1)))
        if lock.shape not in ((1,), (len(self.wv),)):
            raise InputError(f"vectors_lockf has the shape {lock.shape}: it must be one number, or one for each word")
        if not np.isin(lock, (0, 1)).all():
            reason = "a vector is either trained or kept as it is"
            raise InputError(
                f"vectors_lockf holds {lock[~np.isin(lock, (0, 1))][0]}: only 0 and 1 are supported, {reason}"
            )
        return np.broadcast_to(lock == 0, len(self.wv)).copy() if (lock == 0).any() else None

    def get_latest_training_loss(self) -> float:
        """The sum of the losses of all predictions since `train` began, if compute_loss is set; otherwise 0.

        It is the mean loss of a sample after each epoch, times the number of predictions in the epoch. Where a text is
        so small that the sample holds no prediction, it is that of a model that has learnt nothing.
        """
        return self.running_training_loss

    def untrained_loss(self) -> float:
        """The mean loss of a prediction before anything is learnt: log 2 for each output."""
        vocabulary, n_outputs = self._vocabulary(), 0.0
        if self.negative:
            n_outputs += 1 + self.negative
        if self.hs:
            n_outputs += np.average(np.diff(paths_of(vocabulary).starts), weights=vocabulary.weights)
        return n_outputs * math.log(2)

    def predict_output_word(self, context_words_list: Sequence[Any], topn: int = 10) -> list[tuple[Any, float]] | None:
        """The most probable words between these context words, by a softmax; None where all of those are unknown."""
        if not self.negative:
            raise RuntimeError("predict_output_word needs a model of negative sampling: negative is 0")
        if "syn1neg" not in vars(self) or len(self.syn1neg) != len(self.wv):
            raise RuntimeError("predict_output_word needs syn1neg, output vectors of the words, which are missing")
        rows = [self.wv.get_index(word) for word in context_words_list if word in self.wv]
        if not rows:
            logger.warning("predict_output_word: all context words are unknown")
            return None
        chances = probabilities(self.wv.vectors, self.syn1neg, rows, bool(self.cbow_mean))
        return [(self.wv.index_to_key[row], float(chances[row])) for row in best_places(chances, topn)]

    def score(
        self,
        sentences: Iterable[Sequence[Any]],
        total_sentences: int = 1_000_000,
        chunksize: int = 100,
        queue_factor: int = 2,
        report_delay: float = 1,
    ) -> NDArray[np.float32]:
        """The log probability of up to `total_sentences` sentences, (n,) float32, by hierarchical softmax.

        Computed in plain NumPy, sentence by sentence; the other options have no effect. Raises RuntimeError for a
        model without hs.
        """
        self._check_vocabulary()
        if not self.hs:
            raise RuntimeError("score needs a model of hierarchical softmax: hs is 0")
        paths = paths_of(self._vocabulary())
        kind = "skipgram" if self.sg else "mean" if self.cbow_mean else "sum"
        scores = []
        for sentence, _ in zip(sentences, range(total_sentences), strict=False):
            words = [self.wv.key_to_index[word] for word in sentence if word in self.wv.key_to_index]
            scores.append(log_likelihood(words, self.wv.vectors, self.syn1, paths, self.window, kind))
        return np.array(scores, np.float32)

    def init_sims(self, replace: bool = False) -> None:
        """`wv.init_sims`: its name before gensim 4."""
        self.wv.init_sims(replace)

    def stored(self) -> Stored:
        """What a file keeps of the model."""
        kept_vectors = self.wv.stored()
        matrices = [vars(self).get(OUTPUTS[loss]) for loss in ("ns", "hs")]
        expected = self.wv.vectors.shape
        fitting = [matrix if getattr(matrix, "shape", None) == expected else None for matrix in matrices]
        kept_vectors.output_vectors, kept_vectors.node_vectors = fitting
        kept_vectors.attributes = self._attributes()
        config = self._config()
        kept_vectors.training = {"model": config.model, "loss": config.loss, "config": asdict(config)}
        return kept_vectors

    def _attributes(self) -> dict[str, Any]:
        """Return the options, the state, and under `own` what else was set on the model, if a file can hold it."""
        values = {name: plain_key(vars(self)[name]) for name in [*OPTIONS, *STATE] if name != "hashfxn"}
        own = {name: plain_key(value) for name, value in vars(self).items() if name not in {*OPTIONS, *STATE, *_KEPT}}
        values["own"] = {name: value for name, value in own.items() if is_plain(value)}
        if lost := own.keys() - values["own"].keys():
            logger.warning(
                "a file keeps numbers, strings, lists and dicts of them, and not %s", ", ".join(sorted(lost))
            )
        return values

    @classmethod
    def restored(cls, stored: Stored) -> Self:
        """The model that a file has kept."""
        attributes = stored.attributes
        if attributes is None and stored.output_vectors is not None and "config" in stored.training:
            config = TrainConfig.from_options(stored.training["config"])
            attributes = {**options_of(config), "update": config.update}
        if attributes is None:
            raise NotAModel("the file holds vectors only: KeyedVectors.load reads it")
        attributes = {**attributes, "vector_size": stored.vectors.shape[1]}
        model = cls.__new__(cls)
        model._begin({**_defaults(), **{name: attributes[name] for name in OPTIONS if name in attributes}})
        vars(model).update({name: attributes.get(name) for name in STATE if name in attributes or name in _UNKNOWN})
        vars(model).update(attributes.get("own", {}))
        model.wv = KeyedVectors.restored(stored)
        if not hasattr(model.wv, "vectors_lockf"):
            model.wv.vectors_lockf = np.ones(1, np.float32)
        for loss, matrix in ("ns", stored.output_vectors), ("hs", stored.node_vectors):
            if matrix is not None:
                setattr(model, OUTPUTS[loss], matrix)
        model._derive_attributes()
        return model

    def save(self, fname: PathLike, **options: Any) -> None:
        """Write all of the model to a native file, whatever its name; gensim's options for pickles have no effect.

        Raises InputError for a model without a vocabulary, RunError for NaN and a full disk.
        """
        storage.check_options(options)
        storage.save(fname, self.stored())

    @_OnlyOfTheClass
    def load(cls, fname: PathLike, mmap: str | None = None, rethrow: bool = False) -> Self:  # noqa: N805
        """Read what `save` has written, or `fastw2v train --save-model`. mmap: "r" maps the vectors until `train`.

        A model that gensim has saved is read too, as far as it is plain data; nothing in it is executed. rethrow has no
        effect. Raises InputError; for a file of vectors it is an AttributeError too.
        """
        return cls.restored(storage.load(fname, mmap))  # type: ignore[attr-defined,no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_trainable": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "_trainable" not in state:
            raise InputError("this is a pickle of gensim's own Word2Vec: read it by Word2Vec.load(path)")
        vars(self).update(state)


_KEPT = {"wv", "syn1neg", "syn1", "raw_vocab", "_trainable"}
"""The attributes that files keep in other ways, or do not need."""

_UNKNOWN = {"corpus_count", "corpus_total_words"}
"""Attributes that models of early versions of gensim lack."""


def _defaults() -> dict[str, Any]:
    """The options of a model by default."""
    parameters = inspect.signature(Word2Vec).parameters
    return {name: parameters[name].default for name in OPTIONS}
