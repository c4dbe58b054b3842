"""What trains spans: by threads that share the matrices, on tracks whose result no thread changes, or by softmax."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..kernels.jit import in_parallel
from ..kernels.statistics import LOGIT_SUM, LOSS, LOSS_LOSS, LOSS_SIZE
from ..kernels.tracks import Tracks, compile_tracks, new_tracks, run_on_tracks
from ..kernels.train import Job, Objective, Pass
from ..kernels.walk import Spans, Windows
from .matrices import Matrices
from .objective import objective_of, windows_of
from .pieces import ROUNDS_TO_MERGE, size_of_piece
from .softmax import SoftmaxTrainer

SUMS_OF_LOSSES = [LOSS, LOSS_SIZE, LOGIT_SUM]
"""The columns of statistics that are linear in the losses of predictions."""


class SpanTrainer(Protocol):
    """Trains matrices on spans of ids, or takes their loss. statistics: (n_spans, STATISTICS) float64 zeros, filled."""

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans; with `learn` False, take the loss of every prediction and change nothing."""


def span_trainer(matrices: Matrices, vocabulary: Vocabulary, config: TrainConfig, threads: int) -> SpanTrainer:
    """Return what trains the matrices as the options say. Raises ValueError if their layout lacks rows for that."""
    windows = windows_of(vocabulary, config)._replace(is_frozen=matrices.is_frozen)
    if config.loss == "softmax":
        matrices.layout.check_use([len(vocabulary)], threads, has_tree=False, n_frozen=0)
        return SoftmaxTrainer(matrices, windows, config, threads)
    kind = TrackTrainer if config.deterministic else HogwildTrainer
    return kind(matrices, windows, objective_of(vocabulary, config), config, threads)


class HogwildTrainer:
    """A `SpanTrainer` for negative sampling and hierarchical softmax: the threads share the matrices without locks.

    Raises ValueError if the layout of the matrices lacks rows for these words, threads, frozen words or this objective.
    """

    def __init__(
        self, matrices: Matrices, windows: Windows, objective: Objective, config: TrainConfig, threads: int
    ) -> None:
        has_tree, has_frozen = objective.paths.longest > 0, len(windows.is_frozen) > 0
        lengths = [len(windows.keep), len(objective.paths.starts) - 1 if has_tree else len(objective.negatives.noise)]
        lengths += [len(windows.is_frozen)] if has_frozen else []
        matrices.layout.check_use(lengths, threads, has_tree, n_frozen=2 * windows.window if has_frozen else 0)
        self._matrices, self._windows, self._objective = matrices, windows, objective
        self._seed, self._threads = np.uint64(config.seed), threads

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        with in_parallel(self._threads):
            self.job(ids, spans, epoch, statistics, learn).run()

    def job(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> Job:
        """Return what a call with these arguments runs."""
        # The pairs of a window are alike: when the loss is that of all pairs, the standard error counts windows.
        windows = self._windows if learn else self._windows._replace(by_window=True)
        visit = Pass(learn, self._seed, np.uint64(epoch))
        matrices, layout = (self._matrices.input_vectors, self._matrices.output_vectors), self._matrices.layout
        return Job(ids, spans, *matrices, windows, *self._objective, layout, visit, statistics)


class TrackTrainer(HogwildTrainer):
    """A `SpanTrainer` whose result does not depend on the number of threads. Only whole groups of spans may be trained:
    as many as there are tracks, but for the last ones of an epoch.
    """

    def __init__(
        self, matrices: Matrices, windows: Windows, objective: Objective, config: TrainConfig, threads: int
    ) -> None:
        super().__init__(matrices, windows, objective, config, threads)
        self._config, self._n_tracks = config, config.tracks
        self._tracks: Tracks | None = None
        self._round = 0

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        if not learn:  # which changes nothing, in any order
            super().__call__(ids, spans, epoch, statistics, learn)
            return
        job = self.job(ids, spans, epoch, statistics)
        if self._tracks is None:
            self._tracks = new_tracks(job, self._n_tracks, *size_of_piece(self._config, job.paths.longest))
        kernels = compile_tracks(job)
        with in_parallel(self._threads):
            for first in range(0, len(spans.numbers), self._n_tracks):
                group = slice(first, first + self._n_tracks)
                some = Spans(spans.numbers[group], spans.learning_rates[group], spans.length)
                job = self.job(ids, some, epoch, statistics[group])
                self._round = run_on_tracks(kernels, job, self._tracks, self._round, ROUNDS_TO_MERGE, self._threads)


class JointTrainer:
    """A `SpanTrainer` of several objectives: it trains each on the same spans in turn, on input vectors they share.

    Its loss is the sum of theirs, whose standard error is at most the sum of theirs.
    """

    def __init__(self, trainers: Sequence[SpanTrainer]) -> None:
        self._trainers = trainers

    def __call__(
        self, ids: NDArray[np.int32], spans: Spans, epoch: int, statistics: NDArray[np.float64], learn: bool = True
    ) -> None:
        """Train on the spans, or with `learn` False take their loss."""
        each = np.zeros((len(self._trainers), *statistics.shape))
        for trainer, its_own in zip(self._trainers, each, strict=True):
            trainer(ids, spans, epoch, its_own, learn)
        statistics += each.mean(axis=0)
        statistics[:, SUMS_OF_LOSSES] = each[:, :, SUMS_OF_LOSSES].sum(axis=0)
        statistics[:, LOSS_LOSS] = np.sqrt(each[:, :, LOSS_LOSS]).sum(axis=0) ** 2  # at most: Minkowski's inequality
