"""The connection to a Dask cluster: what a client is asked for, and what its failures become."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, wait
from inspect import signature
from typing import Any, NamedTuple

from ..errors import Fastw2vError, InputError, RunError
from ..events import ClusterChanged, Event, Waiting

POLL_SECONDS = 0.25
"""The time between two `Waiting` events, when signals are handled."""

WATCH_SECONDS = 1.0
"""The scheduler is asked this often which workers there are, and when it heard of each of them."""

SILENT_SECONDS = 10.0
"""After so many seconds without a heartbeat a worker is reported; healthy ones send one every second or two."""

PATIENCE = 300.0
"""The seconds that a run waits when its last worker is gone, or all of them are paused."""

STOP_SECONDS = 5.0
"""A run that was asked to stop waits at most this long for a worker or a scheduler that is silent."""


class ClusterFailed(RunError):
    """The cluster cannot continue."""


class DataLost(ClusterFailed):
    """A worker is gone, or no worker has some of the data any more."""


class _Worker(NamedTuple):
    """What the scheduler knows of a worker. last_seen: the time of its last heartbeat.

    status: Dask's word for it. A worker starts tasks only while it is "running"; one that is "paused" lives on.
    """

    threads: int
    last_seen: float
    status: str


class Connection:
    """A Dask client whose failures are raised as our errors, and which never waits in silence.

    tell: receives the events of the cluster. It may be replaced by a function that ends the training by an exception.
    worker_timeout: a worker that has not been heard from for this many seconds is given up as if it were dead, and so
    is one of `in_use` that has been paused for this long while others run.
    """

    def __init__(self, client: Any, tell: Callable[[Event], object], worker_timeout: float = math.inf) -> None:
        self.client, self.tell, self.worker_timeout = client, tell, worker_timeout
        if client.scheduler is None:
            raise InputError("the Dask client is closed: connect a new one")
        if client.asynchronous:
            raise InputError("the Dask client is asynchronous, and fastw2v would block its loop: give one that is not")
        self.address: str = client.scheduler.address
        self._scheduler_lost = f"the Dask scheduler at {self.address} is gone"
        self.in_use: Collection[str] = ()  # the workers that take part in the run
        self.refused: set[str] = set()  # the workers that must not take part
        self._question: Future[dict[str, _Worker]] | None = None  # to the scheduler: what it knows of each worker
        self._asked = -math.inf  # when
        self._told = -math.inf  # when the question was asked whose answer was told to be late
        self._is_hurried = False
        self._seen: dict[str, _Worker] = {}  # the last answer
        self._lost: set[str] = set()  # the workers of earlier answers that are not in the last one
        self._heard: dict[str, tuple[float, float]] = {}  # the last heartbeat of each worker, and when it was new here
        self._silent: set[str] = set()  # the workers whose silence was told
        self._paused: dict[str, float] = {}  # the workers that start no tasks, and since when others may wait for them
        self._all_paused: float | None = None  # the time since when no worker starts tasks
        self._told_paused: set[str] = set()
        self._is_told_of_all = False
        self._given_up: set[str] = set()  # as long as the scheduler still knows them
        self._n_given_up = 0  # ever

    def poll(self) -> None:
        """Tell `Waiting`; to be called twice a second or more. Raises ClusterFailed if the scheduler is gone."""
        self.check_scheduler()
        self._watch()
        self.tell(Waiting())

    def check_scheduler(self) -> None:
        """Raise ClusterFailed if the scheduler is gone."""
        if self.client.status != "running":
            raise ClusterFailed(self._scheduler_lost)

    def _watch(self) -> None:
        """Ask the scheduler about the workers every second, without waiting for the answer."""
        now = time.monotonic()
        if self._question is None:
            if now - self._asked > WATCH_SECONDS:
                self._question, self._asked = in_thread(self._ask), now
        elif self._question.done():
            answer, self._question = self._question, None
            if not answer.exception():  # a scheduler that is gone is found by its status
                self._listen(answer.result())
        else:
            self._check_answer(silence=now - self._asked)

    def _check_answer(self, silence: float) -> None:
        """Tell that the scheduler has fallen silent. Raises ClusterFailed if it stays so."""
        message = f"the Dask scheduler at {self.address} has not answered for {silence:.0f} s"
        if silence > self.worker_timeout:
            raise ClusterFailed(message)
        if self._is_late(silence) and self._told != self._asked:
            self._told = self._asked
            consequence = f"the run ends after {self.worker_timeout:.0f} s (--worker-timeout)"
            self.tell(ClusterChanged(len(self._seen), f"{message}: {consequence}"))

    def _is_late(self, silence: float) -> bool:
        """Whether a silence is to be told. A run that is about to end has no time for that."""
        return silence > min(SILENT_SECONDS, self.worker_timeout / 2) and not self._is_hurried

    def hurry(self) -> None:
        """From now on give up what has been silent for `STOP_SECONDS`: the run was asked to stop."""
        self.worker_timeout, self._is_hurried = min(self.worker_timeout, STOP_SECONDS), True

    def _ask(self) -> dict[str, _Worker]:
        # Some versions of Dask tell of 5 workers unless they are asked for all; others know no such argument.
        of_all = {"n_workers": -1} if "n_workers" in signature(self.client.scheduler_info).parameters else {}
        # Its own `scheduler_info` returns what was asked for last, perhaps by its timer, which asks for no workers.
        workers = self.client.sync(self.client.scheduler.identity, **of_all)["workers"]
        return {w: _Worker(about["nthreads"], about["last_seen"], about["status"]) for w, about in workers.items()}

    def _listen(self, seen: dict[str, _Worker]) -> None:
        """Tell which workers have fallen silent or are paused, and give up those that stay so."""
        now = time.monotonic()
        self._given_up &= seen.keys()
        for worker in self._given_up:
            del seen[worker]
        self._lost = (self._lost | self._seen.keys()) - seen.keys()
        self._seen = dict(seen)
        self._heard = {worker: heard for worker, heard in self._heard.items() if worker in seen}
        self._silent &= seen.keys()
        for worker, (_, last_seen, _) in seen.items():
            # The clocks of two machines may differ, so only changes are compared.
            if self._heard.get(worker, (None,))[0] != last_seen:
                self._heard[worker] = last_seen, now
                if worker in self._silent:
                    self._silent.discard(worker)
                    self.tell(ClusterChanged(len(seen), f"worker {worker} answers again"))
            silence = now - self._heard[worker][1]
            if silence > self.worker_timeout:
                self.give_up(worker, f"has not been heard from for {silence:.0f} s")
            elif self._is_late(silence) and worker not in self._silent:
                self._silent.add(worker)
                consequence = f"it will be dropped after {self.worker_timeout:.0f} s (--worker-timeout)"
                message = f"worker {worker} has not been heard from for {silence:.0f} s; {consequence}"
                self.tell(ClusterChanged(len(seen), message))
        self._note_paused()
        if not self._is_hurried:  # a run that ends has no tasks for them, and they still send their data
            self._check_paused()

    def _note_paused(self) -> None:
        """Note which workers start no tasks, and tell which of those that were reported do so again."""
        now = time.monotonic()
        usable = self._seen.keys() - self.refused
        paused = {worker for worker in usable if self._seen[worker].status != "running"}
        for worker in self._told_paused & usable - paused:
            self.tell(ClusterChanged(len(self._seen), f"worker {worker} is running again"))
        self._told_paused &= paused
        if paused and paused == usable:  # then none keeps others waiting
            self._all_paused = self._all_paused or now
            self._paused = dict.fromkeys(paused, now)
        else:
            self._all_paused, self._is_told_of_all = None, False
            self._paused = {worker: self._paused.get(worker, now) for worker in paused}

    def _check_paused(self) -> None:
        """Tell which workers are paused; give up those that stay so. Raises ClusterFailed if all of them stay so."""
        if self._all_paused is not None and self.in_use:
            self._check_all_paused(time.monotonic() - self._all_paused)
            return
        for worker, since in list(self._paused.items()):
            seconds, is_used = time.monotonic() - since, worker in self.in_use
            is_new = not is_used and self._seen[worker].status == "paused"
            if is_used and seconds > self.worker_timeout:
                self.give_up(worker, f"has started no tasks for {seconds:.0f} s: it {self.why_paused(worker)}")
            elif worker not in self._told_paused and (is_new or self._is_late(seconds)):
                self._told_paused.add(worker)
                dropped = f"it will be dropped after {self.worker_timeout:.0f} s (--worker-timeout)"
                consequence = dropped if is_used else "it gets no tasks until it runs again"
                message = f"worker {worker} {self.why_paused(worker)}; {consequence}"
                self.tell(ClusterChanged(len(self._seen), message))

    def _check_all_paused(self, seconds: float) -> None:
        why = f"each of {', '.join(sorted(self._paused))} {self.why_paused(*self._paused)}"
        if seconds > PATIENCE:
            raise ClusterFailed(f"no worker has started tasks for {PATIENCE:.0f} s: {why}")
        if self._is_late(seconds) and not self._is_told_of_all:
            self._is_told_of_all, self._told_paused = True, set(self._paused)
            message = f"no worker starts tasks: {why}; waiting {PATIENCE:.0f} s for one that runs"
            self.tell(ClusterChanged(len(self._seen), message))

    def why_paused(self, *workers: str) -> str:
        """Why workers start no tasks, and what to do about it."""
        match sorted({self._seen[worker].status for worker in workers}):
            case ["paused"]:
                advice = "give it more with dask worker --memory-limit"
                return f"is paused by Dask, which pauses a worker at 80 % of its memory limit: {advice}"
            case statuses:
                return f"is {' or '.join(statuses)} (Dask's word)"

    def is_paused(self, worker: str) -> bool:
        """Whether a worker that may take part starts no tasks at present."""
        return worker in self._paused

    def give_up(self, worker: str, reason: str) -> None:
        """Have Dask treat a worker as dead. It may join again, as a new one, when it has recovered."""
        self._given_up.add(worker)
        self._n_given_up += 1
        self._lost.add(worker)
        self._seen.pop(worker, None)
        self._paused.pop(worker, None)
        unregister = self.client.scheduler.unregister
        stimulus = f"fastw2v-gave-up-{time.time()}"
        in_thread(self.client.sync, unregister, address=worker, stimulus_id=stimulus)
        self.tell(ClusterChanged(len(self._seen), f"worker {worker} {reason}; it has been dropped"))

    def is_gone(self, worker: str) -> bool:
        """Whether a worker was given up, or the scheduler has lost it since it was first asked about it."""
        return worker in self._lost

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise DataLost for what Dask raises in the block about a worker or data that is gone."""
        from distributed import CancelledError

        self.check_scheduler()
        try:
            yield
        except Fastw2vError:
            raise
        except (OSError, ValueError, KeyError, CancelledError) as error:
            self.check_scheduler()
            raise DataLost(
                f"a worker of the cluster at {self.address}, or data that it held, is gone: {error}"
            ) from error

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The result of a function of Dask that waits for workers. Raises DataLost if one is given up meanwhile."""
        n_given_up = self._n_given_up

        def check() -> None:
            if self._n_given_up > n_given_up:
                raise DataLost(f"a worker of the cluster at {self.address} does not answer")

        return self._result(in_thread(function, *arguments, **options), check)

    def _result(self, call: Future[Any], check: Callable[[], object] = lambda: None) -> Any:
        """The result of a call. Polls and checks meanwhile."""
        with self.translated_errors():
            while not wait([call], POLL_SECONDS).done:
                self.poll()
                check()
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
        self._listen(workers)
        return {worker: about.threads for worker, about in self._seen.items() if worker not in self.refused}

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


def in_thread(function: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
    """Call a function in a thread of its own, which does not keep the process alive."""
    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
