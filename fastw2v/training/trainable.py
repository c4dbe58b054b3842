"""TrainableModel: a model in memory that is trained in place, on one corpus after another."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.vocabulary import Vocabulary
from ..events import Callback, ignore
from ..kernels.layout import ROW_FLOATS, RowLayout
from .backend import compile_here, phase
from .loop import LocalLoop
from .matrices import Matrices, none_frozen, row_layout, zeros
from .resources import check_memory, estimate_memory
from .run import TrainingRun


class TrainableModel:
    """Words and their vectors, which are trained further, in place, on texts in their vocabulary.

    vocabulary: the words in any order, and their counts. inputs: (n_words, dim) float32. outputs: for each loss, ns or
    hs, its output vectors, (n_words, dim) float32; a model with both is trained by both. Arrays may be replaced between
    two trainings. Training copies them only if they were, or if another number of threads or frozen words need it.
    """

    _inputs: NDArray[np.float32] | None
    """The rows that threads train, None as long as there are none."""

    def __init__(self, vocabulary: Vocabulary, config: TrainConfig, losses: Sequence[str], threads: int) -> None:
        """Make random input vectors, and output vectors of zeros. Raises InputError if memory is short."""
        self.vocabulary, self.losses = vocabulary, tuple(losses)
        self._allocate(config, threads, has_frozen=False)

    @classmethod
    def of(
        cls, vocabulary: Vocabulary, inputs: NDArray[np.float32], outputs: dict[str, NDArray[np.float32]]
    ) -> "TrainableModel":
        """Return a model with these vectors, which the first training copies."""
        model = cls.__new__(cls)
        model.vocabulary, model.losses = vocabulary, tuple(outputs)
        model.inputs, model.outputs = inputs, outputs
        model._inputs, model._outputs, model._matrices = None, {}, []
        return model

    def extend(self, vocabulary: Vocabulary, rows: NDArray[np.int64], config: TrainConfig, threads: int) -> None:
        """Take another vocabulary. rows: the row that each of its words had, or -1 for a new word, (n_words,)."""
        self.vocabulary = vocabulary
        self._move(rows, config, threads, has_frozen=False)

    def train(
        self,
        corpus: Corpus,
        config: TrainConfig,
        threads: int,
        is_frozen: NDArray[np.bool_] | None = None,
        callback: Callback = ignore,
    ) -> None:
        """Train on a corpus whose ids are those of `vocabulary`, with the options of `config`, whose loss is not used.

        is_frozen: (n_words,), the words whose input vectors must not change. Raises what `TrainingRun.train` does.
        """
        self.prepare(config, threads, is_frozen is not None)
        configs = [replace(config, loss=loss) for loss in self.losses]
        for some in configs:
            compile_here(some, threads, callback)
        frozen = none_frozen() if is_frozen is None else is_frozen
        first, *also = [replace(matrices, is_frozen=frozen) for matrices in self._matrices]
        others = list(zip(configs[1:], also, strict=True))
        with phase("train", callback), TrainingRun(configs[0], corpus, first, threads, callback, also=others) as run:
            run.train(LocalLoop(run, corpus))

    def prepare(self, config: TrainConfig, threads: int, has_frozen: bool = False) -> None:
        """Move the vectors to rows that the threads can train, if they are elsewhere; `train` does so itself."""
        are_here = self.inputs is self._inputs and all(
            self.outputs[loss] is self._outputs.get(loss) for loss in self.losses
        )
        wanted = _sizes(self._layouts(config, threads, has_frozen))
        if not (are_here and wanted == _sizes([matrices.layout for matrices in self._matrices])):
            self._move(np.arange(len(self.vocabulary)), config, threads, has_frozen)

    def _layouts(self, config: TrainConfig, threads: int, has_frozen: bool) -> list[RowLayout]:
        n_words = len(self.vocabulary)
        return [row_layout(n_words, replace(config, loss=loss), threads, has_frozen) for loss in self.losses]

    def _allocate(self, config: TrainConfig, threads: int, has_frozen: bool) -> None:
        first, *others = self._layouts(config, threads, has_frozen)
        check_memory(estimate_memory(first, replace(config, loss=self.losses[0]), self.vocabulary))
        one = Matrices.new(first, config.dim, config.seed)
        also = [Matrices(one.input_vectors, _rows_of_outputs(one, layout), config.dim, layout) for layout in others]
        self._matrices = [one, *also]
        self.inputs = self._inputs = one.word_inputs
        self._outputs = {loss: m.word_outputs for loss, m in zip(self.losses, self._matrices, strict=True)}
        self.outputs = dict(self._outputs)

    def _move(self, rows: NDArray[np.int64], config: TrainConfig, threads: int, has_frozen: bool) -> None:
        """Copy the vectors to new rows. rows: the present row of each word of the vocabulary, or -1, (n_words,)."""
        inputs, outputs = self.inputs, self.outputs
        self._allocate(config, threads, has_frozen)
        for loss, matrices in zip(self.losses, self._matrices, strict=True):
            matrices.take(rows, inputs, outputs[loss])


def _rows_of_outputs(matrices: Matrices, layout: RowLayout) -> NDArray[np.float32]:
    return zeros((layout.n_output_rows, matrices.input_vectors.shape[1]), 4 * ROW_FLOATS)


def _sizes(layouts: Sequence[RowLayout]) -> list[tuple[int, ...]]:
    """What two lists of layouts must have in common for the same arrays to fit both."""
    return [(x.n_words, x.n_threads, x.n_hot_outputs, x.n_input_rows, x.n_output_rows) for x in layouts]
