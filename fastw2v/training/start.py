"""What training starts from, if not from random vectors: given vectors, or the model of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError
from ..files import check_output
from ..vectors import containers
from ..vectors.names import format_of
from ..vectors.vectors import Vectors
from .model import Model


@dataclass(frozen=True)
class Start:
    """vectors: the input rows of words. output_vectors: theirs as outputs, (n, dim) float32, or None: zero.

    vocabulary: the words and counts of an earlier run, which stay, or None. is_frozen: `vectors` do not change.
    training: what the output vectors were made by.
    """

    vectors: Vectors
    output_vectors: NDArray[np.float32] | None = None
    vocabulary: Vocabulary | None = None
    is_frozen: bool = False
    training: dict[str, Any] | None = None

    def rows(self, vocabulary: Vocabulary) -> NDArray[np.int64]:
        """The row of each word of the vocabulary in `vectors`, or -1, (n_words,). Raises InputError if all are -1."""
        row_of = self.vectors.key_to_index
        rows = np.array([row_of.get(word, -1) for word in vocabulary.words], np.int64)
        if (rows < 0).all():
            raise InputError(
                f"none of the {len(vocabulary):,} words of the vocabulary is among the {len(self.vectors):,} with "
                f"vectors to start from, as {self.vectors.index_to_key[:3]}: are they of another language or case?"
            )
        if self.is_frozen and (rows >= 0).all():
            raise InputError("freeze leaves nothing to learn: all words of the vocabulary have vectors to start from")
        return rows

    def fill(self, model: Model, rows: NDArray[np.int64]) -> None:
        """Put the rows into a new model."""
        words = np.flatnonzero(rows >= 0)
        model.input_vectors[words, : model.dim] = self.vectors.vectors[rows[words]]
        if self.output_vectors is not None:
            model.output_vectors[words, : model.dim] = self.output_vectors[rows[words]]
        if not model.is_finite():
            raise InputError("the vectors to start from hold NaN or infinite numbers")


def start_of(
    config: TrainConfig,
    init_vectors: Vectors | str | os.PathLike[str] | None,
    continue_from: str | os.PathLike[str] | None,
    freeze: bool,
    has_vocabulary: bool,
) -> Start | None:
    """What the options say to start from; None: random vectors. Raises InputError."""
    if init_vectors is not None and continue_from is not None:
        raise InputError("init_vectors and continue_from are two places to start from: give one")
    if init_vectors is not None:
        _check(config)
        if isinstance(init_vectors, (str, os.PathLike)):
            init_vectors = Vectors.load(init_vectors)
        if not isinstance(init_vectors, Vectors):
            raise InputError(f"init_vectors is a {type(init_vectors).__name__}: it must be Vectors or a file's name; "
                             "gensim's become Vectors(kv.index_to_key, kv.vectors)")  # fmt: skip
        start = Start(init_vectors, is_frozen=freeze)
    elif continue_from is not None:
        _check(config)
        if config.loss == "hs":
            raise InputError("continue_from needs loss ns or softmax: with hs a new vocabulary has a new tree, whose "
                             "nodes are not the old ones; start from the vectors with init_vectors")  # fmt: skip
        if has_vocabulary or config.max_vocab:
            raise InputError("continue_from keeps all words of the earlier run: leave out the vocabulary and max_vocab")
        start = load_model(continue_from, freeze)
        now = made_by(config)
        known = start.training if isinstance(start.training, dict) else {}
        before = {name: known.get(name) for name in now}
        if before != now:
            raise InputError(f"{os.fspath(continue_from)} was trained with {before}, this run has {now}: "
                             "its output vectors mean something else; give the same, or init_vectors")  # fmt: skip
    elif freeze:
        raise InputError("freeze needs vectors to keep as they are: give init_vectors or continue_from")
    else:
        return None
    dim = start.vectors.vector_size
    if dim != config.dim:
        raise InputError(f"the vectors to start from have {dim} numbers, dim is {config.dim}: give dim {dim}")
    return start


def _check(config: TrainConfig) -> None:
    if config.lr is None:
        raise InputError(
            f"starting from trained vectors needs an explicit lr: {config.first_lr:g}, that of a new run, moves them "
            "as far as random ones; a tenth of it refines them"
        )
    if config.vectors != "input":
        raise InputError(f"vectors is {config.vectors!r}: what is started from are input vectors, which must be kept")


def made_by(config: TrainConfig) -> dict[str, Any]:
    """What gives output vectors their meaning."""
    return {"model": config.model, "loss": config.loss}


def check_model(path: str | os.PathLike[str], config: TrainConfig, inputs: Sequence[str | os.PathLike[str]]) -> None:
    """Raises InputError where `write_model` could not make a file, or none that can be continued from."""
    check_output(path, inputs)
    if config.loss == "hs":
        raise InputError("save_model needs loss ns or softmax: the nodes of a tree mean nothing to another vocabulary")
    if format_of(path) != "native":
        raise InputError(f"model {os.fspath(path)}: its name must end in .fw2v, the only format that holds a model")


def write_model(path: str | os.PathLike[str], model: Model, vocabulary: Vocabulary, config: TrainConfig) -> None:
    """Write both matrices, the words and counts: a file of vectors in the native format, and `continue_from`'s."""
    shape = slice(0, len(vocabulary)), slice(0, model.dim)
    containers.save_native(
        path,
        containers.Content(
            vocabulary.words, model.input_vectors[shape], vocabulary.counts,
            output_vectors=model.output_vectors[shape], training=made_by(config),
        ),
    )  # fmt: skip


def load_model(path: str | os.PathLike[str], freeze: bool = False) -> Start:
    """Read what `write_model` wrote. Raises InputError."""
    content = containers.load_native(path, verify=True)
    if content.output_vectors is None or content.counts is None:
        raise InputError(f"{os.fspath(path)} holds vectors only: continue_from needs what save_model wrote; or start "
                         "from the vectors with init_vectors")  # fmt: skip
    vectors = Vectors(content.words, content.vectors, content.counts)
    vocabulary = Vocabulary(vectors.index_to_key, content.counts)
    return Start(vectors, content.output_vectors, vocabulary, freeze, content.training)
