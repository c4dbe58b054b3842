"""What training starts from if not from random vectors: given vectors, or an earlier model."""

import os
import zlib
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..files.names import PathLike
from ..vectors.vectors import Vectors
from .matrices import ROWS_AT_A_TIME, Matrices
from .model import TrainedModel, training_kind
from .request import Request


class Origin(NamedTuple):
    """What a run started from, as its checkpoints remember it.

    kind: random, init_vectors or continue_from. n_words: the words that started from given vectors. checksum: the
    CRC-32 of those words' ids and vectors.
    """

    kind: str = "random"
    n_words: int = 0
    checksum: int = 0

    @property
    def name(self) -> str:
        return "random vectors" if self.kind == "random" else self.kind


@dataclass(frozen=True)
class Start:
    """Vectors that some words of the vocabulary start from.

    vectors: the input vectors, with their words. output_vectors: the output vectors of the same words, (n, dim)
    float32, or None for zeros. vocabulary: the words and counts of an earlier run, all of which stay, or None.
    is_frozen: whether training must leave `vectors` as they are; the output vectors of their words learn all the same.
    """

    vectors: Vectors
    output_vectors: NDArray[np.float32] | None = None
    vocabulary: Vocabulary | None = None
    is_frozen: bool = False

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """What a request says to start from, None for random vectors. Raises InputError."""
        init_vectors, continue_from, config = request.init_vectors, request.continue_from, request.config
        if init_vectors is not None and continue_from is not None:
            raise InputError("init_vectors and continue_from are both vectors to start from: give one of them")
        if init_vectors is None and continue_from is None:
            if request.freeze:
                raise InputError("freeze needs vectors to keep as they are: give init_vectors or continue_from")
            return None
        are_fixed = request.freeze and init_vectors is not None  # all that learns begins anew, as in a new run
        if config.lr is None and not are_fixed:
            advice = (
                "the default of a new run, moves them as much as it moves random ones; a tenth of that refines them"
            )
            raise InputError(f"starting from trained vectors needs an explicit lr: {config.first_lr:g}, {advice}")
        if config.vectors != "input":
            advice = "a run that starts from given vectors must return the input vectors; use input"
            raise InputError(f"vectors is {config.vectors!r}: {advice}")
        start = cls._of_model(request) if init_vectors is None else cls(_loaded(init_vectors), is_frozen=request.freeze)
        dim = start.vectors.vector_size
        if dim != config.dim:
            raise InputError(
                f"the vectors to start from have {dim} dimensions, and dim is {config.dim}: give dim {dim}"
            )
        return start

    @classmethod
    def _of_model(cls, request: Request) -> Self:
        model, config = request.continue_from, request.config
        if config.loss == "hs":
            reason = "with hs a new vocabulary gets a new tree, whose nodes are not the old ones"
            advice = "start from the vectors with init_vectors"
            raise InputError(f"continue_from needs loss ns or softmax: {reason}; {advice}")
        if request.vocabulary is not None or config.max_vocab:
            raise InputError("continue_from keeps all words of the earlier run: leave out the vocabulary and max_vocab")
        name = "the model"
        if not isinstance(model, TrainedModel):
            if not isinstance(model, str | os.PathLike):
                raise InputError(
                    f"continue_from is of type {type(model).__name__}: it must be a TrainedModel or a file's name"
                )
            name = os.fspath(model)
            model = TrainedModel.load(name)
        before, now = training_kind(model.config), training_kind(config)
        if before != now:
            had, has = (f"{kind['model']} and loss {kind['loss']}" for kind in (before, now))
            advice = "its output vectors do not fit; give the same model and loss, or use init_vectors"
            raise InputError(f"{name} was trained with {had}, this run has {has}: {advice}")
        return cls(model.vectors("input"), model.output_vectors, model.vocabulary, request.freeze)

    def rows(self, vocabulary: Vocabulary) -> NDArray[np.int64]:
        """The row of each word of the vocabulary in `vectors`, or -1, (n_words,). Raises InputError if all are -1."""
        row_of = self.vectors.key_to_index
        rows = np.array([row_of.get(word, -1) for word in vocabulary.words], np.int64)
        if (rows < 0).all():
            given = f"{len(self.vectors):,} with vectors to start from, as {self.vectors.index_to_key[:3]}"
            words = f"{len(vocabulary):,} words of the vocabulary"
            raise InputError(f"none of the {words} is among the {given}: are they in another language or case?")
        if self.is_frozen and (rows >= 0).all():
            all_given = f"the result would be the given vectors, as all {len(vocabulary):,} words have one"
            advice = "give text with new words, which occur min_count times, or leave out freeze"
            raise InputError(f"freeze would leave only output vectors to learn: {all_given}; {advice}")
        return rows

    def fill(self, matrices: Matrices, rows: NDArray[np.int64]) -> None:
        """Copy the vectors into new matrices, to the words whose `rows` are not -1. Raises InputError for NaN."""
        matrices.take(rows, self.vectors.vectors, self.output_vectors)
        if not matrices.is_finite():
            raise InputError("the vectors to start from hold NaN or infinite numbers")

    def origin(self, matrices: Matrices, rows: NDArray[np.int64]) -> Origin:
        """What a run starts from whose matrices `fill` has just filled."""
        words = np.flatnonzero(rows >= 0)
        checksum = zlib.crc32(words.data)
        filled = (
            [matrices.word_inputs] if self.output_vectors is None else [matrices.word_inputs, matrices.word_outputs]
        )
        for matrix in filled:
            for first in range(0, len(words), ROWS_AT_A_TIME):
                block = np.ascontiguousarray(matrix[words[first : first + ROWS_AT_A_TIME]])
                checksum = zlib.crc32(block.data, checksum)
        return Origin("init_vectors" if self.output_vectors is None else "continue_from", len(words), checksum)


def _loaded(vectors: Vectors | PathLike) -> Vectors:
    if isinstance(vectors, str | os.PathLike):
        return Vectors.load(vectors, verify=True)  # all of it is read anyway
    if not isinstance(vectors, Vectors):
        advice = "it must be Vectors or a file's name; gensim's become Vectors(kv.index_to_key, kv.vectors)"
        raise InputError(f"init_vectors is of type {type(vectors).__name__}: {advice}")
    return vectors
