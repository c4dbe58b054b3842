"""A training on a Dask cluster: its workers read the corpus and train replicas of the model.

This process plans, watches and keeps the account. The rows of the model go from worker to worker; they come to this
process only for checkpoints, for held-out text and at the end.
"""

import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..config import TrainConfig
from ..corpus.paths import names_for_workers
from ..corpus.preparation import Preparation
from ..corpus.pruning import Pruning
from ..corpus.shards import Shard
from ..errors import InputError, RunError
from ..events import Callback, Event, Waiting
from ..kernels.jit import MAX_THREADS
from ..machine import available_threads
from ..training.backend import compile_here, phase
from ..training.request import Source
from ..training.run import TrainingRun
from .connection import Connection
from .corpus import ClusterCorpus, read_corpus
from .failures import ClusterFailed, DataLost, Stalled, WorkerFailed
from .futures import Tasks
from .loop import MOST_LOSSES, ClusterLoop
from .plan import memory_of_worker
from .workers import Workers

Result = TypeVar("Result")


class ClusterBackend:
    """The `training.backend.Backend` of a cluster. client: a distributed.Client. Raises InputError."""

    gathers_rows = True

    def __init__(self, client: Any, config: TrainConfig, source: Source, callback: Callback) -> None:
        if not hasattr(client, "run"):
            raise InputError(f"client is of type {type(client).__name__}: it must be a distributed.Client")
        if config.held_out_share:
            raise InputError("a cluster cannot keep a share of the text out of training: give a file as held_out")
        if source.corpus is None or config.loss == "softmax":
            found = "on sentences, lines or walks" if source.corpus is None else "with loss softmax"
            raise InputError(f"a cluster cannot train {found}: give files, and loss ns or hs, or no client (--dask)")
        if config.deterministic:
            reason = "which worker trains what depends on how fast each of them is"
            raise InputError(f"a cluster cannot be deterministic, because {reason}: leave out one of them")
        self._config, self._callback = config, callback
        self.files = names_for_workers(source.corpus)
        self.threads = min(config.threads or available_threads(), MAX_THREADS)  # of this process, not of the workers
        self._connection = Connection(client, self._tell_before_training, config.worker_timeout)
        self._workers = Workers(self._connection, config)
        self._tasks = Tasks(self._connection, self._workers)
        self._shards: list[Shard] = []

    def _tell_before_training(self, event: Event) -> None:
        if self._callback(event) and isinstance(event, Waiting):
            raise RunError("the callback ended the run before the training began: there are no vectors")

    def prepare(self, has_vocabulary: bool) -> None:
        """Compile the kernels here and on all workers, and see that all workers can read the corpus."""
        compile_here(self._config, self.threads, self._callback)
        with phase("connect", self._callback):
            self._shards = self._trying_again(lambda: self._workers.start(self.files))
            with suppress(DataLost):  # of a worker that is gone: the reading will notice
                self._tasks.wait_for_round([self._tasks.submit(_answer, at=w) for w in self._workers.addresses])

    def read(self, pruning: Pruning) -> ClusterCorpus:
        """Have the workers read the corpus. If all of them die, those that come read it again."""
        config = self._config
        preparation = Preparation(config.lower, config.strip_punctuation, config.digits)

        def read() -> ClusterCorpus:
            self._workers.update()
            return read_corpus(self._tasks, self._shards, pruning, config.invalid_utf8, self._callback, preparation)

        return self._trying_again(read)

    def _trying_again(self, work: Callable[[], Result]) -> Result:
        """Do work that begins anew when workers are lost that it needs."""
        began_with = self._connection.threads_of_workers().keys()
        for n_losses in itertools.count(1):
            try:
                return work()
            except DataLost as error:
                reason = error
            except WorkerFailed as error:
                self._workers.refuse(error)
                continue
            self._workers.wait_for_loss(seconds=n_losses)
            if isinstance(reason, Stalled):
                self._workers.suspect(reason)
            n_dead = len(began_with - self._connection.threads_of_workers().keys())
            if n_losses >= MOST_LOSSES + n_dead:
                break
        raise ClusterFailed(f"workers were lost {n_losses} times before training began; the last time: {reason}")

    def train(self, run: TrainingRun) -> None:
        """Train in rounds. From now on the callback may end the training while this process waits."""
        assert isinstance(run.corpus, ClusterCorpus), "it came from `read`"
        self._connection.tell = run.tell
        n_tokens = run.corpus.n_ids // len(self._workers.addresses)
        self._workers.need_memory(*memory_of_worker(len(run.corpus.vocabulary), self._config.dim, n_tokens))
        try:
            run.train(ClusterLoop(run, run.corpus, self._tasks))
        except ClusterFailed as error:
            if run.checkpointer:
                raise RunError(f"{error}. {run.checkpointer.last_good('resume from it with --resume')}") from error
            raise
        finally:
            self._tasks.release()


def _answer() -> None:
    """A task that is done as soon as a worker has time for the run."""
