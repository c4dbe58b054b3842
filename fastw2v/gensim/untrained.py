"""What a Word2Vec is before it is trained: options, a vocabulary and new vectors."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..files.names import PathLike
from ..kernels.jit import MAX_THREADS
from ..machine import available_threads
from ..matrix import as_float32
from ..training.objective import paths_of
from ..training.trainable import TrainableModel
from .corpora import Source, Text
from .keyedvectors import DERIVED, KeyedVectors
from .log import logger
from .options import config_of, losses_of
from .vocabulary import Chosen, Counts, TrimRule, kept, least_count_for, scanned_in_bounds

OUTPUTS = {"ns": "syn1neg", "hs": "syn1"}
"""gensim's names of the output vectors of each loss."""


class UntrainedModel:
    """The options of a model, its vocabulary, and vectors for it, with gensim's names.

    wv: the words and their vectors. syn1neg, syn1: the output vectors of negative sampling and of hierarchical softmax,
    (n_words, vector_size) float32, where `negative` and `hs` ask for them.
    """

    update: str = "window"
    """`train`'s option, which gensim does not have: "pair" trains one pair at a time, as gensim does. Set it here, for
    all models, or on one of them."""

    vector_size: int
    alpha: float
    min_alpha: float
    epochs: int
    workers: int
    sg: int
    hs: int
    negative: int
    window: int
    cbow_mean: int
    sample: float
    seed: int
    min_count: int
    max_vocab_size: int | None
    max_final_vocab: int | None
    ns_exponent: float
    compute_loss: bool
    syn1neg: NDArray[np.float32]
    syn1: NDArray[np.float32]

    def _begin(self, options: dict[str, Any]) -> None:
        """Set the options, and everything else to its state before a vocabulary is built."""
        vars(self).update(options, update=type(self).update)
        self.corpus_count: int | None = 0
        self.corpus_total_words: int | None = 0
        self.train_count, self.total_train_time = 0, 0.0
        self.running_training_loss = 0.0
        self.min_alpha_yet_reached = float(self.alpha)
        self.effective_min_count = self.min_count
        self.raw_vocab: Counts = {}
        self.wv = KeyedVectors(self.vector_size)
        self.wv.vectors_lockf = np.ones(1, np.float32)
        self._trainable: TrainableModel | None = None

    def __str__(self) -> str:
        about = f"vocab={len(self.wv)}, vector_size={self.wv.vector_size}, alpha={self.alpha}"
        return f"{type(self).__name__}<{about}>"

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def layer1_size(self) -> int:
        """The length of the output vectors."""
        return self.vector_size

    @property
    def cum_table(self) -> NDArray[np.uint32]:
        """The distribution of negatives as running sums of count ** ns_exponent, (n_words,), up to 2^31 - 1."""
        sums = np.cumsum(self._vocabulary().noise_weights(self.ns_exponent))
        table: NDArray[np.uint32] = np.round(sums / sums[-1] * (2**31 - 1)).astype(np.uint32)
        return table

    @property
    def _threads(self) -> int:
        most = min(available_threads(), MAX_THREADS)
        return min(self.workers, most) if self.workers > 0 else most

    def _vocabulary(self) -> Vocabulary:
        counts = self.wv.expandos.get("count", np.ones(len(self.wv), np.int64))
        return Vocabulary(self.wv.index_to_key, counts)

    def _config(self) -> TrainConfig:
        return config_of(self, int(self._vocabulary().counts.sum()))

    def build_vocab(
        self,
        corpus_iterable: Iterable[Sequence[Any]] | None = None,
        corpus_file: PathLike | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        **options: Any,
    ) -> None:
        """Count the words of a corpus, choose the vocabulary, and make vectors for it.

        update: keep the words, their rows and vectors; add the counts, and as new rows those words that occur
        `min_count` times in this corpus. options: `min_count` and `sample`, as in `prepare_vocab`. progress_per has no
        effect. Raises TypeError for anything but a corpus, RuntimeError for an update without a vocabulary.
        """
        source = Source(corpus_iterable, corpus_file)
        self._build_vocab(source, update=update, keep_raw_vocab=keep_raw_vocab, trim_rule=trim_rule, **options)

    def _build_vocab(self, source: Source, **how: Any) -> Text | None:
        """Do what `build_vocab` does; return the text if it was encoded along the way, else None."""
        update, text = how.get("update", False), None

        def choose(counts: Counts) -> list[Any]:
            self.raw_vocab = counts
            self.prepare_vocab(**how)
            return self.wv.index_to_key

        if self.max_vocab_size:
            counts, n_words, n_sentences = scanned_in_bounds(source, self.max_vocab_size, how.get("trim_rule"))
            choose(counts)
        else:
            text = source.read(Chosen(choose_words=choose), self._threads)
            n_words, n_sentences = text.n_words, text.n_sentences
        self.corpus_total_words, self.corpus_count = n_words, n_sentences
        self.prepare_weights(update)
        logger.info("vocabulary of %d words, from %d words in %d sentences", len(self.wv), n_words, n_sentences)
        return text

    def build_vocab_from_freq(
        self,
        word_freq: Counts,
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: TrimRule | None = None,
        update: bool = False,
    ) -> None:
        """Do what `build_vocab` does for words that are counted already. corpus_count: the number of sentences."""
        self.corpus_count, self.raw_vocab = corpus_count or 0, word_freq
        self.prepare_vocab(update, keep_raw_vocab, trim_rule)
        self.prepare_weights(update)

    def scan_vocab(
        self,
        corpus_iterable: Iterable[Sequence[Any]] | None = None,
        corpus_file: PathLike | None = None,
        progress_per: int = 10_000,
        workers: int | None = None,
        trim_rule: TrimRule | None = None,
    ) -> tuple[int, int]:
        """Count the words of a corpus in `raw_vocab`; return the number of words and of sentences.

        progress_per and workers have no effect.
        """
        source = Source(corpus_iterable, corpus_file)
        if self.max_vocab_size:
            self.raw_vocab, n_words, n_sentences = scanned_in_bounds(source, self.max_vocab_size, trim_rule)
            return n_words, n_sentences

        def keep_all(counts: Counts) -> list[Any]:
            self.raw_vocab = counts
            return list(counts)

        text = source.read(Chosen(choose_words=keep_all), self._threads)
        return text.n_words, text.n_sentences

    def prepare_vocab(
        self,
        update: bool = False,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        min_count: int | None = None,
        sample: float | None = None,
        dry_run: bool = False,
    ) -> dict[str, int]:
        """Choose the vocabulary from `raw_vocab`; with `dry_run` change nothing. Returns how many words stay or go."""
        raw, min_count, sample = self.raw_vocab, min_count or self.min_count, sample or self.sample
        self.effective_min_count = least_count_for(raw, self.max_final_vocab, min_count)
        words = kept(raw, self.effective_min_count, trim_rule)
        if not dry_run:
            if update:
                self._add_words(raw, words)
            else:
                self.min_count, self.sample = min_count, sample
                self._set_words(list(words), np.fromiter(words.values(), np.int64, len(words)))
            self.raw_vocab = raw if keep_raw_vocab else {}
        counts = np.fromiter(words.values(), np.int64, len(words))
        keep = Vocabulary([], counts).keep_probability(config_of(self, int(counts.sum()), sample).sample)
        return {
            "drop_unique": len(raw) - len(words),
            "retain_total": int(counts.sum()),
            "downsample_unique": int(np.count_nonzero(keep < 1)),
            "downsample_total": int(counts @ keep),
            "num_retained_words": len(words),
        }

    def _add_words(self, raw: Counts, words: Counts) -> None:
        new = [word for word in words if word not in self.wv.key_to_index]
        keys = [*self.wv.index_to_key, *new]
        counts = np.fromiter((raw.get(key, 0) for key in keys), np.int64, len(keys))
        self.wv.allocate_vecattrs(["count"], [int])
        counts[: len(self.wv)] += self.wv.expandos["count"]
        self._set_words(keys, counts)

    def _set_words(self, keys: list[Any], counts: NDArray[np.int64]) -> None:
        """Take a vocabulary; if it begins with the present words, their attributes stay."""
        n_before = len(self.wv) if keys[: len(self.wv)] == self.wv.index_to_key else 0
        if n_before == 0:
            self.wv.expandos = {}
        self.wv.set_keys(keys)
        self.wv.expandos["count"] = counts
        self._derive_attributes()

    def _derive_attributes(self) -> None:
        """Set the attributes of words that follow from the counts."""
        wv, vocabulary = self.wv, self._vocabulary()
        for name in DERIVED & wv.expandos.keys():
            del wv.expandos[name]
        wv.allocate_vecattrs()
        if len(vocabulary):
            keep = vocabulary.keep_probability(self._config().sample)
            wv.expandos["sample_int"] = (keep * (2**32 - 1)).astype(np.uint32)
        if self.hs and len(vocabulary) > 1:
            paths = paths_of(vocabulary)
            for name, values in ("code", (1 - paths.labels).astype(np.uint8)), ("point", paths.nodes.astype(np.uint32)):
                lists = [part[::-1] for part in np.split(values, paths.starts[1:-1])]
                wv.expandos[name] = np.fromiter(lists, object, len(lists))

    def prepare_weights(self, update: bool = False) -> None:
        """Make vectors for the vocabulary; with `update`, for its new words only."""
        if not update:
            self.init_weights()
        else:
            self.update_weights()

    def init_weights(self) -> None:
        """Make new vectors: random input vectors, output vectors of zeros."""
        if len(self.wv) == 0:
            self.wv.vectors = np.zeros((0, self.vector_size), np.float32)
            return
        self._trainable = TrainableModel(self._vocabulary(), self._config(), losses_of(self), self._threads)
        self._show()

    def update_weights(self) -> None:
        """Make vectors for new words. Raises RuntimeError if there were no words before."""
        n_before, n_words = len(self.wv.vectors), len(self.wv)
        if n_before == 0:
            raise RuntimeError("update=True adds words to a vocabulary, which does not exist yet: build it first")
        rows = np.where(np.arange(n_words) < n_before, np.arange(n_words), -1)
        self._ready(n_before).extend(self._vocabulary(), rows, self._config(), self._threads)
        self._show()
        lock = self.wv.vectors_lockf
        if len(lock) == n_before > 1:
            self.wv.vectors_lockf = np.concatenate([lock, np.ones(n_words - n_before, np.float32)])

    def reset_from(self, other_model: "UntrainedModel") -> None:
        """Take the vocabulary of another model, with new vectors."""
        self.corpus_count = other_model.corpus_count
        self._set_words(list(other_model.wv.index_to_key), other_model.wv.expandos["count"].copy())
        self.init_weights()

    def _ready(self, n_words: int) -> TrainableModel:
        """Return the model, with the vectors of its first `n_words` words. Raises RuntimeError if there are none."""
        losses = losses_of(self)
        outputs = {loss: vars(self).get(OUTPUTS[loss]) for loss in losses}
        expected = n_words, self.vector_size
        named = [("wv.vectors", self.wv.vectors), *((OUTPUTS[loss], matrix) for loss, matrix in outputs.items())]
        for name, matrix in named:
            shape = getattr(matrix, "shape", None)
            if shape != expected:
                raise RuntimeError(f"{name} has the shape {shape}, not {expected}: call build_vocab first")
        vocabulary = Vocabulary([], self._vocabulary().counts[:n_words])
        inputs = as_float32(self.wv.vectors)
        given = {loss: as_float32(matrix) for loss, matrix in outputs.items() if matrix is not None}
        if self._trainable is None or self._trainable.losses != tuple(losses):
            self._trainable = TrainableModel.of(vocabulary, inputs, given)
        trainable = self._trainable
        trainable.vocabulary, trainable.inputs, trainable.outputs = vocabulary, inputs, given
        return trainable

    def _show(self) -> None:
        """Let the attributes refer to the arrays that the next training changes."""
        assert self._trainable is not None
        self.wv.vectors = self._trainable.inputs
        for loss, matrix in self._trainable.outputs.items():
            setattr(self, OUTPUTS[loss], matrix)

    def _check_vocabulary(self) -> None:
        if not self.wv.key_to_index:
            raise RuntimeError("there is no vocabulary to train on: call build_vocab first, or give a lower min_count")

    def estimate_memory(self, vocab_size: int | None = None, report: dict[str, int] | None = None) -> dict[str, int]:
        """The bytes that a model of `vocab_size` words takes, by attribute, added to `report`."""
        n_words = vocab_size or len(self.wv)
        matrix = 4 * n_words * self.vector_size
        sizes = {**(report or {}), "vocab": n_words * 200, "vectors": matrix}
        sizes |= {name: matrix for loss, name in OUTPUTS.items() if loss in losses_of(self)}
        return {**sizes, "total": sum(sizes.values())}
