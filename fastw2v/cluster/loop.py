"""The training loop of a cluster: rounds of replicas, and the recovery from workers that are lost with their data."""

import contextlib
import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..events import RoundEnded
from ..kernels.statistics import mean_loss
from ..training.run import Loss, Slice, TrainingRun
from ..training.schedule import Position
from .combine import learning_rate_factor
from .corpus import ClusterCorpus
from .failures import ClusterFailed, DataLost, Stalled, WorkerFailed
from .futures import Tasks, pack
from .protocol import Share, bytes_of_round, n_blocks_for, submit_round
from .replica import BeatStatistics, Job, Work
from .rounds import BeatTimes, Deal, RoundCosts, ShardedSpans, share_waited, spans_from_text, spans_to_text

MOST_LOSSES = 3
"""A round may lose its data this often, and then the run ends: or `LOSSES_OF_WORKER` times more for each worker that it
began with and that is gone or left out."""

LOSSES_OF_WORKER = 2


class _Model(NamedTuple):
    """The model on the workers, and the run's position with it.

    copies: for each block, the futures of its copies, each on another worker. Tasks take the same data under other
    keys, so Dask leaves the copies where they are.
    """

    copies: list[list[Any]]
    position: Position

    @property
    def blocks(self) -> list[Any]:
        """A future of each block."""
        return [copies[0] for copies in self.copies]


class ClusterLoop:
    """The `Loop` of a run whose replicas the workers of `tasks` train. Raises InputError for a bad position.

    The replicas start from `run.matrices`, which receive the trained rows for checkpoints, for held-out text and at the
    end. If no worker has the rows any more, the replicas start from the matrices again.
    """

    def __init__(self, run: TrainingRun, corpus: ClusterCorpus, tasks: Tasks) -> None:
        self._run, self._corpus, self._tasks, self._workers = run, corpus, tasks, tasks.workers
        self._spans = ShardedSpans.of(corpus.ids_of_shards, run.schedule)
        self._spans_done()  # raises InputError
        counts, n_blocks = corpus.vocabulary.counts, n_blocks_for(len(self._workers.addresses))
        self._job = Job(run.config, counts, run.matrices.is_frozen, run.schedule.span_length, n_blocks)
        self._job_there: Any = None  # a future of it, which the workers of `_dealt_to` can make
        self._costs = RoundCosts()
        self._loss: Loss | None = None  # of the last beat
        self._n_losses = 0  # in this round
        self._began_with = self._workers.addresses  # this round, before its losses
        self._deal: Deal | None = None  # of what is left of the epoch, among `_dealt_to`
        self._dealt_to: list[str] = []
        self._fetched = _Model([], run.position)  # the one in `run.matrices`
        self._newest = self._fetched  # its position is the run's, which also moves on to the next epoch
        self._before: _Model | None = None  # the one before, until each worker has a copy of the newest

    def _spans_done(self) -> NDArray[np.bool_]:
        return spans_from_text(self._run.position.spans_done, self._spans.n)

    def train_epoch(self) -> None:
        """Train what is left of the run's epoch. If rows are lost, the run goes back, perhaps to an earlier epoch."""
        self._deal = None
        while not (is_done := self._spans_done()).all():
            try:
                if not self._newest.copies:  # nothing was trained yet, so `run.matrices` is where the run stands
                    self._fetched = self._newest_here()
                    self._place()
                self._workers.update(may_join=self._n_losses == 0)
                if self._n_losses == 0:
                    self._began_with = self._workers.addresses
                self._train_round(self._deal_out(is_done))
                self._n_losses = 0
                self._workers.prove()
                self._run.offer_checkpoint(self)
            except (DataLost, WorkerFailed) as failure:
                self._recover(failure)

    def _place(self) -> None:
        """Put the rows of `run.matrices` on the workers, and go back to the position that they were trained to."""
        rows = self._job.by_frequency(self._run.matrices)
        blocks: list[Any] = []
        while (number := len(blocks)) < self._job.n_blocks:
            worker = self._workers.addresses[number % len(self._workers.addresses)]
            try:
                blocks.append(self._tasks.scatter(self._job.copy_of_block(rows, number), at=worker))
            except DataLost as failure:
                self._workers.wait_for_loss(seconds=1.0)
                self._workers.update()
                if worker in self._workers.addresses:
                    self._workers.refuse(WorkerFailed(worker, f"it does not receive data ({failure})"))
        self._go_to(self._fetched._replace(copies=[[block] for block in blocks]))
        self._fetched = self._newest

    def _go_to(self, model: _Model) -> None:
        self._newest, self._before = model, None
        self._run.position = model.position

    def _recover(self, failure: DataLost | WorkerFailed) -> None:
        """Continue from the newest model that workers still have."""
        self._deal = None
        while True:
            self._n_losses += 1
            try:
                if isinstance(failure, WorkerFailed):
                    self._workers.refuse(failure)
                else:
                    self._workers.wait_for_loss(seconds=self._n_losses)
                if isinstance(failure, Stalled):
                    self._workers.suspect(failure)
                self._workers.update(may_join=False)
                n_gone = len(set(self._began_with) - set(self._workers.addresses))
                if self._n_losses > MOST_LOSSES + LOSSES_OF_WORKER * n_gone:  # what joins may die again and again
                    lost = f"the workers lost their data {self._n_losses} times in one round"
                    advice = "if their logs say that they ran out of memory, give each worker more"
                    raise ClusterFailed(f"{lost}; the last time: {failure}; {advice}")
                self._workers.set_newcomers_aside(failure)
                self._go_back()
                break
            except (DataLost, WorkerFailed) as another:
                failure = another
        n_words = self._run.position.n_words
        self._workers.tell_change(f"data or tasks were lost: going back to token {n_words:,}")

    def _go_back(self) -> None:
        for model in (self._newest_here(), self._before):
            if model and model.position.n_words >= self._fetched.position.n_words and (left := self._left_of(model)):
                self._go_to(left)
                return
        self._place()

    def _newest_here(self) -> _Model:
        return self._newest._replace(position=self._run.position)

    def _left_of(self, model: _Model) -> _Model | None:
        """The model with the copies that are not lost; None if a block has none."""
        is_there = iter(self._tasks.have_data([future for copies in model.copies for future in copies]))
        left = model._replace(copies=[[future for future in copies if next(is_there)] for copies in model.copies])
        return left if all(left.copies) else None

    def take_loss(self) -> Loss:
        """Return the loss that the replicas took in the last beat, each of a sample of its text."""
        return self._loss or mean_loss(np.array(self._run.position.epoch_total))

    def fetch(self) -> None:
        """Bring the newest rows into `run.matrices`. If they are lost, the run goes back to what is left."""
        while self._newest.copies is not self._fetched.copies:
            try:
                self._fill(self._newest.blocks)
                break
            except DataLost as failure:
                self._recover(failure)
        self._fetched = self._newest_here()

    def _fill(self, blocks: list[Any]) -> None:
        rows = self._job.by_frequency(self._run.matrices)
        for number, block in enumerate(self._tasks.gather(blocks)):  # all or none: this may raise DataLost
            self._job.block(rows, number).fill(block)

    def fetch_what_is_left(self) -> None:
        """`fetch` for a run that was stopped: it waits for no other workers, and not long for those that hang."""
        self._tasks.hurry()
        newest = self._newest_here()
        # Each twice: the first time, a worker that hangs may be given up, and others have the same rows.
        for model in filter(None, (newest, newest, self._before, self._before)):
            if model.copies is self._fetched.copies:
                break
            with contextlib.suppress(ClusterFailed):  # the scheduler may be gone, too
                if left := self._left_of(model):
                    self._fill(left.blocks)
                    self._run.position = model.position
                    return
        self._run.position = self._fetched.position

    def _deal_out(self, is_done: NDArray[np.bool_]) -> Deal:
        """The deal of the spans that are not done: a new one if the workers have changed."""
        workers, seed = self._workers.addresses, (self._run.config.seed, self._run.position.epoch)
        if self._deal is None or self._dealt_to != workers:
            self._corpus.restore(self._tasks)
            # Only workers that take part now may make it: if all of them die, a task that needs it waits for ever.
            self._job_there = self._tasks.submit_data(pack(self._job))
            holders = self._tasks.holders(self._corpus.shards)
            self._deal, self._dealt_to = Deal.of(self._spans, is_done, holders, len(workers), seed), workers
        return self._deal

    def _train_round(self, deal: Deal) -> None:
        """Train a round, and make its model the newest. A round that an exception ends does not count."""
        run, tasks, workers = self._run, self._tasks, self._workers.addresses
        n_beats, n_spans = self._costs.costs().length_of_round(self._spans.n / len(workers))
        if len(workers) == 1:  # which has nobody to exchange rows with
            n_beats, n_spans = 1, n_beats * n_spans
        start = end = time.perf_counter()
        beats, n_done = deal.take_round(n_beats, n_spans), run.position.n_spans
        shares = []
        for beat in beats:
            shares.append([self._share(worker, spans, n_done) for worker, spans in zip(workers, beat, strict=True)])
            n_done += sum(map(len, beat))
        blocks = tasks.detach(self._newest.blocks)
        futures = submit_round(tasks.submit, self._job_there, blocks, workers, shares)
        copies = [tasks.copy(block, at=worker) for block in blocks for worker in workers] if len(workers) > 1 else []
        usual_seconds = self._costs.seconds_of_beat(n_spans)
        reached, times = run.position, []
        for spans, statistics in zip(beats, futures.statistics, strict=True):
            tasks.wait_for_round(statistics, usual_seconds)
            if copies:
                self._keep_copies(copies)
                copies = []
            replicas: list[BeatStatistics] = tasks.gather(statistics)
            total = np.sum([replica.total for replica in replicas], axis=0)
            run.check_finite(total)
            start_of_beat, end = end, time.perf_counter()
            in_kernel = max(replica.seconds for replica in replicas)
            times.append(BeatTimes(end - start_of_beat, in_kernel, max(map(len, spans))))
            reached = reached.after(total, sum(map(len, spans)), times[-1].seconds)
            rate, self._loss = float(self._learning_rates(np.array(reached.n_spans))), mean_loss(total)
            last = Slice(total, times[-1].seconds, rate, self._loss)
            run.tell_progress(reached, last, len(workers), share_waited(times, end - start))
        tasks.wait_for_round(futures.blocks, usual_seconds)
        blocks = tasks.detach(futures.blocks)
        seconds = time.perf_counter() - start
        self._costs.measure(times, seconds)
        is_done = self._spans_done()
        is_done[np.concatenate([part for spans in beats for part in spans])] = True
        position = replace(reached, seconds=run.position.seconds + seconds, spans_done=spans_to_text(is_done))
        self._before, self._newest = self._newest_here(), _Model([[block] for block in blocks], position)
        run.position = position
        n_bytes = bytes_of_round(len(workers), self._job.n_words, run.config.dim, len(beats))
        run.tell(RoundEnded(len(workers), len(beats), n_bytes, seconds, share_waited(times, seconds)))

    def _share(self, worker: str, spans: NDArray[np.int64], n_done: int) -> Share:
        """The share of a worker in a beat that begins after `n_done` spans of the epoch."""
        pieces = self._spans.pieces(spans, self._learning_rates(n_done + len(self._dealt_to) * np.arange(len(spans))))
        work = Work(self._run.position.epoch, self._workers.threads_of(worker), pieces)
        return Share(work, [self._corpus.shards[piece.shard] for piece in pieces])

    def _learning_rates(self, n_done: NDArray[np.int64]) -> NDArray[np.float32]:
        """The rates of all replicas after `n_done` spans of the epoch."""
        n_spans, schedule = self._spans.n, self._run.schedule
        # Shards end with short spans, so there are more spans than on one machine.
        on_one_machine = (self._run.position.epoch * n_spans + n_done) * (schedule.n_spans / n_spans)
        return np.float32(learning_rate_factor(len(self._dealt_to))) * schedule.learning_rates(on_one_machine)

    def _keep_copies(self, copies: list[Any]) -> None:
        """Keep a copy of each of the newest blocks on every worker: all workers received all blocks for the first beat.

        From then on the newest model survives as long as one worker does, and the model before it is not needed.
        """
        self._tasks.wait_for_round(copies)
        kept, n = self._tasks.detach(copies), len(copies) // self._job.n_blocks
        self._newest = self._newest._replace(copies=[kept[i : i + n] for i in range(0, len(kept), n)])
        self._before = None
