"""The connection to a Dask cluster: what a client is asked for, and what its failures become."""

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, wait
from inspect import signature
from typing import Any

from ..errors import Fastw2vError, InputError
from ..events import ClusterChanged, Event, Waiting
from ..threads import in_thread
from .failures import ClusterFailed, DataLost, Stalled, first_line
from .watch import Watch, WorkerState

POLL_SECONDS = 0.25
"""The time between two `Waiting` events, when signals are handled."""

WATCH_SECONDS = 1.0
"""The scheduler is asked this often which workers there are, and when it heard of each of them."""


class Connection:
    """A Dask client whose failures are raised as our errors, and which never waits in silence.

    tell: receives the events of the cluster. It may be replaced by a function that ends the training by an exception.
    worker_timeout: a worker that has not been heard from for this many seconds is given up as if it were dead, and so
    is one that takes part in the run and has been paused for this long, in both cases while others run.
    """

    def __init__(self, client: Any, tell: Callable[[Event], object], worker_timeout: float = math.inf) -> None:
        self.client, self.tell = client, tell
        if client.scheduler is None:
            raise InputError("the Dask client is closed: connect a new one")
        if client.asynchronous:
            raise InputError("the Dask client is asynchronous, and fastw2v would block its loop: give one that is not")
        self.address: str = client.scheduler.address
        self.watch = Watch(self.report, self._drop, worker_timeout)
        self.seconds = 0.0  # for which this process has polled: while it does something else, no deadline runs
        self._scheduler_lost = f"the Dask scheduler at {self.address} is gone"
        self._polled = time.monotonic()
        self._question: Future[dict[str, WorkerState]] | None = None  # what the scheduler knows of each worker
        self._asked = -math.inf  # when
        self._pings: dict[str, Future[dict[str, Any]]] = {}  # what workers answer whose heartbeats are late
        self._told = -math.inf  # when the question was asked whose answer was told to be late

    def poll(self) -> None:
        """Tell `Waiting`; to be called twice a second or more. Raises ClusterFailed if the scheduler is gone."""
        self.check_scheduler()
        before, self._polled = self._polled, time.monotonic()
        self.seconds += min(self._polled - before, WATCH_SECONDS)
        self._ask_or_listen()
        self._ask_unheard()
        self.tell(Waiting())

    def check_scheduler(self) -> None:
        """Raise ClusterFailed if the scheduler is gone."""
        if self.client.status != "running":
            raise ClusterFailed(self._scheduler_lost)

    def _ask_or_listen(self) -> None:
        """Ask the scheduler about the workers every second, without waiting for the answer."""
        if self._question is None:
            if self.seconds - self._asked > WATCH_SECONDS:
                self._question, self._asked = in_thread(self._ask), self.seconds
        elif self._question.done():
            answer, self._question = self._question, None
            if not answer.exception():  # a scheduler that is gone is found by its status
                self.watch.listen(answer.result(), self.seconds)
        else:
            self._check_answer(silence=self.seconds - self._asked)

    def _ask_unheard(self) -> None:
        """Ask workers themselves whose heartbeats are late, and take the answers that have come."""
        for worker, ping in [*self._pings.items()]:
            if ping.done():
                del self._pings[worker]
                with contextlib.suppress(Exception):  # whatever it is, the worker has not answered
                    self.watch.hear(worker, *ping.result()[worker])
        for worker in self.watch.unheard():
            if worker not in self._pings:
                run = self.client.run
                self._pings[worker] = in_thread(run, state_there, workers=[worker], on_error="return")

    def _check_answer(self, silence: float) -> None:
        """Tell that the scheduler has fallen silent. Raises ClusterFailed if it stays so."""
        message = f"the Dask scheduler at {self.address} has not answered for {silence:.0f} s"
        if silence > self.watch.worker_timeout:
            raise ClusterFailed(message)
        if self.watch.is_late(silence) and self._told != self._asked:
            self._told = self._asked
            self.report(f"{message}: the run ends after {self.watch.worker_timeout:.0f} s (--worker-timeout)")

    def _ask(self) -> dict[str, WorkerState]:
        # Some versions of Dask tell of 5 workers unless they are asked for all; others know no such argument.
        of_all = {"n_workers": -1} if "n_workers" in signature(self.client.scheduler_info).parameters else {}
        # Its own `scheduler_info` returns what was asked for last, perhaps by its timer, which asks for no workers.
        workers = self.client.sync(self.client.scheduler.identity, **of_all)["workers"]
        return {worker: _state(about) for worker, about in workers.items()}

    def report(self, message: str) -> None:
        """Tell what has become known of the cluster."""
        self.tell(ClusterChanged(len(self.watch.seen.keys() - self.watch.refused), message))

    def _drop(self, worker: str) -> None:
        unregister = self.client.scheduler.unregister
        stimulus = f"fastw2v-gave-up-{time.time()}"
        in_thread(self.client.sync, unregister, address=worker, stimulus_id=stimulus)

    def check_work(self, since: float, at_work: Callable[[], list[str]]) -> None:
        """To be called while tasks are left: tell and raise Stalled if no worker works on any.

        That is: none has for `worker_timeout`, nor since the given time. Dask has lost a task, or a worker cannot
        receive what its task needs, of which Dask tells nobody: both would last for ever. at_work: returns the workers
        that have the tasks, unless all do.
        """
        seconds = self.seconds - max(since, self.watch.worked)
        if seconds > self.watch.worker_timeout:
            workers = at_work()
            why = "Dask has lost a task, or workers cannot reach each other, or have too little memory to receive data"
            message = f"no worker has worked for {seconds:.0f} s, though tasks are left: {why}"
            message += f"; {', '.join(workers)} should have worked" if workers else ""
            self.report(message)
            raise Stalled(message, workers)

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise DataLost for what Dask raises in the block about a worker or data that is gone."""
        from distributed import CancelledError

        self.check_scheduler()
        try:
            yield
        except Fastw2vError:
            raise
        except (OSError, ValueError, KeyError, RuntimeError, MemoryError, CancelledError) as error:
            self.check_scheduler()
            reason = first_line(error) or type(error).__name__
            raise DataLost(
                f"a worker of the cluster at {self.address}, or data that it held, is gone: {reason}"
            ) from error
        except Exception as error:
            raise ClusterFailed(f"Dask has failed: {type(error).__name__}: {first_line(error)}") from error

    def call(self, function: Callable[..., Any], *arguments: Any, needs: Collection[Any] = (), **options: Any) -> Any:
        """The result of a function of Dask that waits for workers. Raises DataLost if one is given up meanwhile.

        needs: futures of done tasks, whose results the function fetches. Raises DataLost if one is lost: Dask's
        function would wait until it is made again, and for ever if only a worker that is dead may make it.
        """
        n_given_up = self.watch.n_given_up

        def check() -> None:
            if self.watch.n_given_up > n_given_up:
                raise DataLost(f"a worker of the cluster at {self.address} does not answer")
            if not all(future.done() for future in needs):
                raise DataLost(f"a worker of the cluster at {self.address} died with its results")

        return self._result(in_thread(function, *arguments, **options), check)

    def _result(self, call: Future[Any], check: Callable[[], object] = lambda: None) -> Any:
        """The result of a call. Polls and checks meanwhile."""
        while not wait([call], POLL_SECONDS).done:
            self.poll()
            check()
        with self.translated_errors():
            return call.result()

    def threads_of_workers(self) -> dict[str, int]:
        """The number of threads of each worker that may take part, by its address; some of them may be paused.

        Raises ClusterFailed if the scheduler is gone.
        """
        try:
            workers = self._result(in_thread(self._ask))
        except DataLost as error:
            raise ClusterFailed(self._scheduler_lost) from error
        self._question = None  # its answer would be older than this one
        self.watch.listen(workers, self.seconds)
        return {worker: state.threads for worker, state in self.watch.seen.items() if worker not in self.watch.refused}

    def run(self, function: Callable[..., Any], *arguments: Any, workers: list[str]) -> dict[str, Any]:
        """Call a function on workers, beside their tasks: the result of each, by its address.

        Raises what the function raised if that is one of our errors, DataLost for an OSError (the worker is gone), and
        ClusterFailed for other exceptions.
        """
        results = dict(self.call(self.client.run, function, *arguments, workers=workers, on_error="return"))
        with self.translated_errors():
            for worker, result in results.items():
                if isinstance(result, (Fastw2vError, OSError)):
                    raise result
                if isinstance(result, BaseException):
                    raise ClusterFailed(f"worker {worker} failed: {type(result).__name__}: {first_line(result)}")
        return results


def state_there(dask_worker: Any) -> tuple[str, dict[str, int]]:
    """Return a worker's status, and the number of its tasks in each of Dask's states, none if it does not say.

    Not by `get_metrics`, as heartbeats do: that fails where the wall clock was set back.
    """
    task_counts = {}
    with contextlib.suppress(AttributeError):  # other versions of Dask
        task_counts = dask_worker.state.task_counter.current_count(by_prefix=False)
    return dask_worker.status.name, dict(task_counts)


def _state(about: dict[str, Any]) -> WorkerState:
    """What the scheduler's answer says of a worker."""
    task_counts = about["metrics"].get("task_counts", {})
    limit, nanny = about.get("memory_limit") or 0, about.get("nanny") or ""
    return WorkerState(about["nthreads"], about["last_seen"], about["status"], task_counts, limit, nanny)
