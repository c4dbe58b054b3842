"""Tasks on a Dask cluster: pure functions, which Dask may run again, and their results, which stay on the workers."""

import itertools
import math
import pickle
import threading
import traceback
import uuid
import warnings
import weakref
import zlib
from collections.abc import Callable
from typing import Any

from ..errors import Fastw2vError
from .connection import POLL_SECONDS, Connection
from .failures import ClusterFailed, DataLost, WorkerFailed, first_line
from .watch import SILENT_SECONDS
from .workers import Workers

ATTEMPTS = 3
"""The run ends when a task has raised an exception this often."""

OVERDUE = 4
"""A beat that takes this many times as long as earlier ones is overdue."""


class Tasks:
    """The tasks of one run. workers: those that take part in it."""

    def __init__(self, connection: Connection, workers: Workers) -> None:
        self.workers = workers
        self._connection, self._client = connection, connection.client
        self._run_name = uuid.uuid4().hex[:12]
        self._key_suffixes = (f"{self._run_name}-{number}" for number in itertools.count())
        self._reaches_workers = True  # not only through the scheduler
        self._futures: weakref.WeakKeyDictionary[Any, str | None] = weakref.WeakKeyDictionary()  # and `at` of each

    def submit(self, function: Callable[..., Any], *arguments: Any, at: str | None = None) -> Any:
        """Submit a task, and return its future. at: the worker that runs it; otherwise one of those that take part.

        A task never runs on a worker that takes no part. If all that may run it are gone, waiting raises DataLost.
        """
        self._connection.check_scheduler()
        workers = [at] if at else self.workers.addresses
        key = f"{function.__name__.replace('_', '-')}-{next(self._key_suffixes)}"
        future = self._client.submit(_do, function, *arguments, key=key, retries=ATTEMPTS - 1, workers=workers)
        self._futures[future] = at
        return future

    def release(self) -> None:
        """Let the workers free all data of the run at once, even while objects here still refer to it."""
        for future in list(self._futures):
            future.release()

    def hurry(self) -> None:
        """From now on give up soon what is silent: the run was asked to stop."""
        self._connection.watch.hurry()

    def submit_data(self, packed: bytes) -> Any:
        """A future of what was packed. The scheduler keeps it, too, so it is lost only if all present workers die."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.submit(_unpack, packed)

    def scatter(self, data: Any, at: str) -> Any:
        """A future of data that is sent to one worker, and lost with it. Raises DataLost."""
        [future] = self._connection.call(self._client.scatter, [data], workers=[at], hash=False)
        self._futures[future] = at
        return future

    def copy(self, future: Any, at: str) -> Any:
        """A future of the same data on a worker. Dask itself drops copies that no task waits for."""
        return self.submit(_same, future, at=at)

    def wait_for(self, futures: list[Any], on_done: Callable[[int], object] = lambda number: None) -> None:
        """Wait until all tasks are done; call `on_done` with the number of each, in their order.

        Raises DataLost if all workers are gone or none works, what a task raised if that is one of our errors, else
        ClusterFailed; and what `Connection.tell` raises.
        """

        def check() -> None:
            if all(map(self._connection.watch.is_gone, self.workers.addresses)):
                raise DataLost("all workers are gone")

        self._wait_for(futures, on_done, check)

    def wait_for_round(self, futures: list[Any], usual_seconds: float = math.inf) -> None:
        """`wait_for` tasks that need all workers: raises DataLost as soon as one of them is gone.

        usual_seconds: how long such tasks took before. If these take `OVERDUE` times as long, a `ClusterChanged` says
        so; workers for which others have waited for `worker_timeout` seconds since then are given up. If this is not
        known, it is told after `SILENT_SECONDS`, and none is given up.
        """
        watch, start, is_told = self._connection.watch, self._connection.seconds, False
        all_late = start  # the last time when all workers were: then they are slow, and none waits for another
        overdue = max(SILENT_SECONDS, OVERDUE * usual_seconds)
        is_first = math.isinf(usual_seconds)

        def check() -> None:
            nonlocal start, is_told, all_late
            for worker in self.workers.addresses:
                if watch.is_gone(worker):
                    raise DataLost(f"worker {worker} is gone")
                if watch.is_stalled(worker):  # the watch reports it, and gives it up in time
                    start = self._connection.seconds
            seconds = self._connection.seconds - start
            if seconds > (SILENT_SECONDS if is_first else overdue) and not is_told:
                is_told = True
                names = ", ".join(self._at_work())
                waiting = f"waiting for worker {names}" if names else "Dask has not given the tasks to any worker yet"
                if is_first:
                    reason = ": it is working on tasks of other clients, or cannot receive data"
                    self.workers.tell_change(f"{waiting}{reason if names else ''} ({seconds:.0f} s so far)")
                else:
                    usual = f"{seconds:.0f} s so far, usually {usual_seconds:.0f} s"
                    self.workers.tell_change(f"part of a round is late ({usual}): {waiting}")
            if seconds > overdue:
                late, now = self._at_work(), self._connection.seconds
                if len(late) == len(self.workers.addresses):
                    all_late = now
                waited = now - max(start + overdue, all_late)
                if waited > watch.worker_timeout:
                    for worker in late:
                        watch.give_up(worker, f"has kept the others waiting for {waited:.0f} s")

        self._wait_for(futures, lambda number: None, check)

    def _some_at_work(self) -> list[str]:
        """`_at_work`, or none if that is all workers: then none is more suspect than another."""
        at_work = self._at_work()
        return at_work if len(at_work) < len(self.workers.addresses) else []

    def _at_work(self) -> list[str]:
        """The workers that have tasks of this run to do: those that the others wait for."""
        keys_of_workers = self._connection.call(self._client.processing)
        return [w for w in self.workers.addresses if self._run_name in str(keys_of_workers.get(w, ""))]

    def _wait_for(self, futures: list[Any], on_done: Callable[[int], object], check: Callable[[], None]) -> None:
        for number, future in enumerate(futures):
            is_done = threading.Event()
            future.add_done_callback(lambda _, is_done=is_done: is_done.set())
            start = self._connection.seconds
            while not future.done():  # one that is lost is being made again
                is_done.wait(POLL_SECONDS)
                is_done.clear()
                self._connection.poll()
                self._connection.check_work(start, self._some_at_work)
                check()
            if future.status == "cancelled":
                raise DataLost(f"the workers lost the data of {future.key}")
            if future.status == "error":
                raise _failure(future, is_free=self._futures.get(future) is None)
            on_done(number)
        self._connection.poll()

    def result(self, future: Any) -> Any:
        """The result of a task; of one that must be made again when that is done."""
        while True:
            self.wait_for([future])
            try:
                return self.gather([future])[0]
            except DataLost:
                if future.done():
                    raise

    def gather(self, futures: list[Any]) -> list[Any]:
        """The results of tasks that are done, from the workers themselves if we can reach them. Raises DataLost."""
        if self._reaches_workers:
            try:
                return list(self._connection.call(self._client.gather, futures, direct=True, needs=futures))
            except DataLost as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                self._reaches_workers = False
        return list(self._connection.call(self._client.gather, futures, needs=futures))

    def holders(self, futures: list[Any]) -> list[int]:
        """For each future, the place among the workers of one that has its data, or their number if none has it."""
        workers_of_key = self._who_has(futures)
        place_of = {worker: place for place, worker in enumerate(self.workers.addresses)}
        none = len(place_of)
        return [min((place_of.get(w, none) for w in workers_of_key[f.key]), default=none) for f in futures]

    def have_data(self, futures: list[Any]) -> list[bool]:
        """For each future, whether a worker that takes part has its data."""
        return [place < len(self.workers.addresses) for place in self.holders(futures)]

    def _who_has(self, futures: list[Any]) -> dict[str, list[str]]:
        """The workers that have the data of each future, by its key: none if the data is lost."""
        workers: dict[str, list[str]] = {future.key: [] for future in futures}
        known = [future for future in futures if not future.cancelled()]
        return workers | dict(self._connection.call(self._client.who_has, known)) if known else workers

    def detach(self, futures: list[Any]) -> list[Any]:
        """Futures of the same data, where it is, without the tasks that made it, and under new keys. Raises DataLost.

        Dask keeps the whole graph behind a future: if one block were lost, it would train every round again from the
        first one on. So the workers register their data under new keys, as Dask's own `scatter` does. Dask also moves
        data: it copies a task's inputs to the task's worker, and its active memory manager may then drop any of the
        copies. So data that must stay on its worker has a key that no task takes as an input.
        """
        from distributed import Future

        new_keys = {future.key: f"data-{next(self._key_suffixes)}" for future in futures}
        renamed: dict[str, dict[str, str]] = {}  # by the worker that has the data
        for key, holders in self._who_has(futures).items():
            if not holders:
                raise DataLost(f"the workers lost the data of {key}")
            renamed.setdefault(holders[0], {})[key] = new_keys[key]
        sizes = self._connection.run(_rename, renamed, workers=list(renamed))
        n_bytes = {key: size for of_worker in sizes.values() for key, size in of_worker.items()}
        if n_bytes.keys() != set(new_keys.values()):
            raise DataLost("a worker has dropped its data")
        who_has = {key: [worker] for worker, of_worker in sizes.items() for key in of_worker}
        update_data, client = self._client.scheduler.update_data, self._client.id
        self._connection.call(self._client.sync, update_data, who_has=who_has, nbytes=n_bytes, client=client)
        detached = [Future(new_keys[future.key], self._client) for future in futures]
        for future in detached:
            self._client.futures[future.key].finish()
        self._futures.update(dict.fromkeys(detached))
        return detached


def pack(data: Any) -> bytes:
    """Some MB of data as `Tasks.submit_data` takes them."""
    return zlib.compress(pickle.dumps(data), 1)


class TaskFailed(Exception):
    """What a task raised, and in which function, and the worker: tasks that depend on it fail with the same."""

    def __init__(self, worker: str, where: str, error: Exception) -> None:
        super().__init__(worker, where, error)
        self.worker, self.where, self.error = worker, where, error


def _do(function: Callable[..., Any], *arguments: Any) -> Any:
    """Do a task on a worker."""
    try:
        return function(*arguments)
    except Exception as error:
        from distributed import get_worker

        where = traceback.extract_tb(error.__traceback__)[-1].name
        raise TaskFailed(get_worker().address, where, error) from error


def _failure(future: Any, is_free: bool) -> Exception:
    """The exception to raise for a task that Dask does not try again. is_free: any worker could do it."""
    failed = future.exception()
    if isinstance(failed, TaskFailed):
        error, reason = failed.error, first_line(failed.error)
        if isinstance(error, Fastw2vError):
            return error if is_free else WorkerFailed(failed.worker, reason)
        what = f"a task failed {ATTEMPTS} times, in {failed.where}"
        return WorkerFailed(failed.worker, f"{what}: {type(error).__name__}: {reason}")
    reason = first_line(failed)
    if type(failed).__name__ == "KilledWorker":
        advice = "if they ran out of memory, give each worker more"
        allowed = "more often than Dask's setting distributed.scheduler.allowed-failures allows"
        return ClusterFailed(f"workers died while they ran the same task, {allowed}: {reason}; {advice}")
    return ClusterFailed(f"a task failed {ATTEMPTS} times on the cluster: {type(failed).__name__}: {reason}")


def _unpack(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))


def _same(data: Any) -> Any:
    return data


def _rename(new_keys: dict[str, dict[str, str]], dask_worker: Any) -> dict[str, int]:
    data = {new: dask_worker.data[old] for old, new in new_keys[dask_worker.address].items() if old in dask_worker.data}
    return dict(dask_worker.update_data(data=data)["nbytes"])
