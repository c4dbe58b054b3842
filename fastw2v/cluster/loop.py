"""Many machines: the corpus read, and the model trained, by the workers of a Dask cluster.

This process plans, watches and keeps the account. All tasks are pure functions, so Dask may run any of them again; the
rows of the model go from worker to worker, and come here for checkpoints and at the end only.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..errors import RunError
from ..kernels.train import LOGIT_SUM, N_PREDICTIONS, N_TOKENS, STATISTICS
from . import replica
from .checkpoint import Checkpointer, Position
from .cluster import Callback, Cluster, ClusterFailed, Lost, StopAsked
from .clustercorpus import ClusterCorpus
from .combine import rate_of_replicas
from .model import Model
from .objective import span_trainer
from .replica import Job, Rows, Work
from .rounds import Deal, Pace, ShardedSpans, exchange_bytes, length_of_round, spans_from_text, spans_to_text
from .schedule import Schedule
from .trainer import EpochEnded, Progress, diverged, held_out_loss, mean_loss, nothing_learnt

MOST_BLOCKS = 16
"""The model is cut into as many blocks as there are workers, but each exchange is workers x blocks tasks."""

MOST_LOSSES = 3
"""Rounds in a row that lose their data, until the run ends."""


@dataclass(frozen=True)
class RoundEnded:
    """A round of replicas. n_bytes: what each worker sends for its exchanges. waited: the share of the time in them."""

    n_workers: int
    n_beats: int
    n_bytes: int
    seconds: float
    waited: float


@dataclass(frozen=True)
class _State:
    """The model on the workers after a round, and where the run stands with it."""

    blocks: list[Any]
    spares: list[Any]  # the same, each on another worker than its block; empty where there is one worker
    here: Position
    is_done: NDArray[np.bool_]  # spans of the epoch


def train_on_cluster(
    cluster: Cluster,
    model: Model,
    corpus: ClusterCorpus,
    config: TrainConfig,
    threads: int,
    on_event: Callback,
    held_out: Corpus | None = None,
    position: Position | None = None,
    checkpointer: Checkpointer | None = None,
) -> None:
    """`train_model` by replicas on the workers. threads: of this process, for held-out text.

    `model` is where they start, has what they reached at checkpoints, for held-out text and at the end, and is what
    they start from again if no worker has the rows any more.
    """
    try:
        _train(cluster, model, corpus, config, threads, on_event, held_out, position, checkpointer)
    except ClusterFailed as error:
        if checkpointer:
            raise RunError(f"{error}. {checkpointer.last_good('--resume goes on from it')}") from error
        raise


def _train(
    cluster: Cluster, model: Model, corpus: ClusterCorpus, config: TrainConfig, threads: int, on_event: Callback,
    held_out: Corpus | None, position: Position | None, checkpointer: Checkpointer | None,
) -> None:  # fmt: skip
    run = _Run(cluster, model, corpus, config, on_event, position or Position(), checkpointer)
    evaluate = span_trainer(model, corpus.vocabulary, config, threads) if held_out else None

    def end_epoch(epoch: int, total: list[float]) -> bool:
        found = (math.nan, math.nan)
        if held_out is not None and evaluate is not None:
            run.fetch()
            if run.here.epoch < epoch:  # a loss put the run back: the epoch is not over
                return False
            taken = held_out_loss(held_out, config, threads, evaluate, on_event)
            if taken is None:
                return True
            found = taken
        on_event(EpochEnded(epoch, run.here.n_words, *mean_loss(np.array(total)), *found, run.here.seconds))
        return False

    def train_all() -> bool:
        """Returns whether to stop."""
        if position is None and held_out is not None and end_epoch(0, [0.0] * STATISTICS):
            return True
        while run.here.epoch < config.epochs:
            if run.train_epoch():
                return True
            total = run.here.epoch_total
            epoch = run.begin_next_epoch()
            if epoch < config.epochs:
                run.offer_checkpoint(is_epochs_end=True)
            if run.here.epoch == epoch and end_epoch(epoch, total):
                return True
            if run.here.epoch == config.epochs:
                run.fetch()  # which may put the run back
        return False

    try:
        is_stopped = train_all()
    except StopAsked:
        is_stopped = True
    if is_stopped:
        run.fetch_what_is_left()
    if run.here.n_predictions == 0 and not is_stopped:
        raise nothing_learnt(config)
    if not model.is_finite():
        raise diverged(config, run.here, checkpointer)
    if checkpointer:
        checkpointer.save(run.here)


class _Run:
    def __init__(
        self, cluster: Cluster, model: Model, corpus: ClusterCorpus, config: TrainConfig, on_event: Callback,
        position: Position, checkpointer: Checkpointer | None,
    ) -> None:  # fmt: skip
        self._cluster, self._model, self._corpus, self._config = cluster, model, corpus, config
        self._on_event, self._checkpointer = on_event, checkpointer
        self._schedule = Schedule.of(corpus.n_ids, config)
        self._spans = ShardedSpans.of(corpus.ids_of_shards, self._schedule)
        self._job = Job(config, corpus.vocabulary.counts, model.is_frozen, self._schedule.span_length,
                        min(MOST_BLOCKS, len(cluster.workers)))  # fmt: skip
        is_done = spans_from_text(position.spans_done, self._spans.n)
        self._kept = _State([], [], position, is_done)  # what `model` is
        self._job_there = cluster.keep(self._job)
        self._pace = Pace()
        self._n_losses = 0
        self._deal: Deal | None = None  # of what is left of the epoch, among `_dealt_to`
        self._dealt_to: list[str] = []
        self._place()

    @property
    def here(self) -> Position:
        return self._state.here

    def _place(self) -> None:
        """Put the rows of `model` on the workers."""
        rows = self._job.by_frequency(self._model)
        blocks: list[Any] = []
        while len(blocks) < self._job.n_blocks:
            block = Rows(*(np.ascontiguousarray(matrix) for matrix in self._job.block(rows, len(blocks))))
            try:
                blocks.append(self._cluster.scatter(block, at=self._worker(len(blocks))))
            except Lost:
                self._cluster.look()
        self._state = replace(self._kept, blocks=blocks, spares=[])
        self._kept = self._state
        self._before: _State | None = None  # as long as `_state` has no spares

    def _worker(self, number: int) -> str:
        return self._cluster.workers[number % len(self._cluster.workers)]

    def train_epoch(self) -> bool:
        """Train what is left of the epoch. Returns whether to stop."""
        while not self._state.is_done.all():
            try:
                self._cluster.look()
                if self._deal is None or self._dealt_to != self._cluster.workers:
                    self._dealt_to = self._cluster.workers
                    homes = self._cluster.homes(self._corpus.shards)
                    self._deal = Deal.of(self._spans, self._state.is_done, homes, len(self._dealt_to),
                                         self._config.seed, self.here.epoch)  # fmt: skip
                if self._train_round(self._deal):
                    return True
                self._n_losses = 0
                self.offer_checkpoint()
            except Lost:
                self._recover()
        return False

    def _recover(self) -> None:
        """Go on from the newest model that is still there."""
        self._deal = None
        while True:
            self._n_losses += 1
            if self._n_losses > MOST_LOSSES:
                raise ClusterFailed(f"the workers lost their data {self._n_losses} times in one round")
            try:
                self._cluster.look()
                self._go_back()
                break
            except Lost:
                continue
        self._cluster.tell(f"data was lost with a worker: going on after {self.here.n_words:,} words")

    def _go_back(self) -> None:
        for state in (self._state, self._before):
            if state and state.here.n_words >= self._kept.here.n_words and (blocks := self._left_of(state)):
                self._state, self._before = replace(state, blocks=blocks, spares=[]), None
                return
        self._place()

    def _left_of(self, state: _State) -> list[Any]:
        """A future of each block that a worker still has, itself or its spare; none if one is lost."""
        pairs = zip(*filter(None, (state.blocks, state.spares)), strict=True)
        blocks = [next((one for one in pair if self._cluster.has([one])), None) for pair in pairs]
        return blocks if all(blocks) else []

    def begin_next_epoch(self) -> int:
        """Returns its number, from 0."""
        here = replace(self.here, epoch=self.here.epoch + 1, n_spans=0, epoch_total=[0.0] * STATISTICS, spans_done="")
        self._state = replace(self._state, here=here, is_done=np.zeros(self._spans.n, np.bool_))
        self._deal = None
        return here.epoch

    def fetch(self) -> None:
        """Bring the rows here, into `model`."""
        if self._kept.blocks is self._state.blocks:
            self._kept = self._state
            return
        while True:
            try:
                blocks = self._cluster.gather(self._state.blocks)
                break
            except Lost:
                self._recover()
        rows = self._job.by_frequency(self._model)
        for number, block in enumerate(blocks):
            replica.put(self._job.block(rows, number), block)
        self._kept = self._state

    def fetch_what_is_left(self) -> None:
        """`fetch` of a run that is stopped: it waits for nothing, and keeps to what `model` is if the rows are gone."""
        try:
            self.fetch()
        except (Lost, StopAsked):
            self._state = self._kept

    def offer_checkpoint(self, is_epochs_end: bool = False) -> None:
        if self._checkpointer and self._checkpointer.is_due(is_epochs_end):
            self.fetch()
            self._checkpointer.offer(self.here, is_epochs_end)

    def _train_round(self, deal: Deal) -> bool:
        """Returns whether to stop, then without the round."""
        workers = self._cluster.workers
        start = time.perf_counter()
        n_beats, n_spans = length_of_round(self._pace.costs(), self._spans.n / len(workers))
        if len(workers) == 1:  # which has nobody to exchange rows with
            n_beats, n_spans = 1, n_beats * n_spans
        n_rounds = max(1, round(deal.n_left / (n_beats * n_spans)))  # of about equal length, without a rest
        n_spans = -(-deal.n_left // (n_rounds * n_beats))
        n_beats = min(n_beats, -(-deal.n_left // n_spans))
        taken = [deal.take(n_spans) for _ in range(n_beats)]
        beats, blocks = self._submit_round(workers, taken)
        spares, old = [], self._state.blocks
        if not self._state.spares and len(workers) > 1:
            spares = [self._cluster.copy(block, at=workers[(home + 1) % len(workers)])
                      for block, home in zip(old, self._cluster.homes(old), strict=True)]  # fmt: skip
        total, n_trained = np.zeros(STATISTICS), 0
        ends, in_kernel = [start], []
        for beat, spans in zip(beats, taken, strict=True):
            if self._cluster.watch(beat):
                return True
            if spares:
                if self._cluster.watch(spares):
                    return True
                self._state, spares = replace(self._state, spares=self._cluster.adopt(spares)), []
                if self._cluster.homes(old) != self._cluster.homes(self._state.spares):
                    self._before = None
            found = self._cluster.gather(beat)
            of_beat = np.sum([statistics_of_one for statistics_of_one, _ in found], axis=0)
            if not np.isfinite(of_beat[LOGIT_SUM]):
                raise diverged(self._config, self.here, self._checkpointer)
            total += of_beat
            ends.append(time.perf_counter())
            in_kernel.append(max(seconds for _, seconds in found))
            n_trained += sum(map(len, spans))
            waited = 1 - sum(in_kernel) / (ends[-1] - start)
            if self._tell_progress(total, of_beat, n_trained, len(workers), ends, waited):
                return True
        if self._cluster.watch(blocks):
            return True
        blocks = self._cluster.adopt(blocks)
        seconds = time.perf_counter() - start
        self._pace.measure(ends, in_kernel, seconds, [max(map(len, spans)) for spans in taken])
        is_done = self._state.is_done.copy()
        for spans in taken:
            is_done[np.concatenate(spans)] = True
        here = self.here
        here = Position(
            here.epoch, int(is_done.sum()), here.n_words + int(total[N_TOKENS]),
            here.n_predictions + int(total[N_PREDICTIONS]), here.seconds + seconds,
            (np.array(here.epoch_total) + total).tolist(), spans_to_text(is_done),
        )  # fmt: skip
        self._before, self._state = self._state, _State(blocks, [], here, is_done)
        n_rows = self._job.n_words + (n_beats - 1) * self._job.n_frequent
        n_bytes = exchange_bytes(len(workers), n_rows, self._config.dim)
        self._on_event(RoundEnded(len(workers), n_beats, n_bytes, seconds, 1 - sum(in_kernel) / seconds))
        return False

    def _submit_round(
        self, workers: list[str], taken: list[list[NDArray[np.int64]]]
    ) -> tuple[list[list[Any]], list[Any]]:
        """Submit all tasks of a round: futures of each beat's statistics and seconds, and of the blocks after it."""
        submit, n_blocks, job = self._cluster.submit, self._job.n_blocks, self._job_there
        old = self._state.blocks
        n_done = self.here.n_spans
        earlier: list[Any] = [None] * len(workers)
        frequent: list[Any] = []
        told = []
        for beat, spans in enumerate(taken):
            is_last = beat == len(taken) - 1
            blocks = old if is_last or beat == 0 else []
            for i, worker in enumerate(workers):
                rates = self._learning_rates(n_done + len(workers) * np.arange(len(spans[i])), len(workers))
                pieces = self._spans.pieces(spans[i], rates)
                shards = [self._corpus.shards[piece.shard] for piece in pieces]
                work = Work(self.here.epoch, [piece._replace(shard=place) for place, piece in enumerate(pieces)])
                earlier[i] = submit(replica.train_beat, job, self._cluster.threads_of(worker), work, is_last, shards,
                                    blocks, earlier[i], frequent, at=worker)  # fmt: skip
            told.append([submit(replica.take_statistics, one, at=at) for one, at in zip(earlier, workers, strict=True)])
            if not frequent and not is_last:
                frequent = [submit(replica.take_frequent, job, block, number, at=self._worker(number))
                            for number, block in enumerate(old)]  # fmt: skip
            made = []
            for number in range(n_blocks):
                changes = [submit(replica.take_changes, one, number, at=at)
                           for one, at in zip(earlier, workers, strict=True)]  # fmt: skip
                made.append(submit(replica.combine_block, old[number : number + 1] if is_last else [],
                                   frequent[number : number + 1], changes, at=self._worker(number)))  # fmt: skip
            frequent = made
            n_done += sum(map(len, spans))
        return told, frequent

    def _learning_rates(self, n_done: NDArray[np.int64], n_replicas: int) -> NDArray[np.float32]:
        """After so many spans of the epoch. Shards end with short spans, so they are more than on one machine."""
        on_one_machine = (self.here.epoch * self._spans.n + n_done) * (self._schedule.n_spans / self._spans.n)
        return np.float32(rate_of_replicas(n_replicas)) * self._schedule.learning_rates(on_one_machine)

    def _tell_progress(
        self, total: NDArray[np.float64], of_beat: NDArray[np.float64], n_trained: int, n_replicas: int,
        ends: list[float], waited: float,
    ) -> bool:  # fmt: skip
        loss, loss_error = mean_loss(of_beat)
        [rate] = self._learning_rates(np.array([self.here.n_spans + n_trained]), n_replicas)
        return bool(
            self._on_event(
                Progress(
                    epoch=self.here.epoch + 1,
                    epochs=self._config.epochs,
                    n_words=self.here.n_words + int(total[N_TOKENS]),
                    n_words_total=self._config.epochs * self._corpus.n_tokens,
                    n_predictions=int(of_beat[N_PREDICTIONS]),
                    loss=loss,
                    loss_error=loss_error,
                    learning_rate=float(rate),
                    seconds=self.here.seconds + ends[-1] - ends[0],
                    words_per_second=of_beat[N_TOKENS] / (ends[-1] - ends[-2]),
                    n_workers=n_replicas,
                    waited=waited,
                )
            )
        )
