"""Tasks on a Dask cluster: pure functions, which Dask may run again, and their results, which stay on the workers."""

import itertools
import pickle
import threading
import time
import traceback
import uuid
import warnings
import zlib
from collections.abc import Callable
from typing import Any

from ..errors import Fastw2vError
from .connection import ClusterFailed, Connection, DataLost, first_line
from .workers import POLL_SECONDS, Workers

ATTEMPTS = 3
"""The run ends when a task has raised an exception this often."""

CHECK_SECONDS = 5.0
"""While tasks are waited for, the scheduler is asked this often whether there are any workers."""


class Tasks:
    """The tasks of one run. workers: those that take part in it."""

    def __init__(self, connection: Connection, workers: Workers) -> None:
        self.workers = workers
        self._connection, self._client = connection, connection.client
        run_name = uuid.uuid4().hex[:12]
        self._key_suffixes = (f"{run_name}-{number}" for number in itertools.count())
        self._reaches_workers = True  # not only through the scheduler

    def submit(self, function: Callable[..., Any], *arguments: Any, at: str | None = None) -> Any:
        """Submit a task, and return its future. at: the worker that runs it, if it is alive.

        Name a worker only for the tasks of one round: if all workers die, Dask waits for the named one to come back.
        """
        self._connection.check_scheduler()
        where: dict[str, Any] = {"workers": [at], "allow_other_workers": True} if at else {}
        if self.workers.refused:  # they must not run it
            where = {"workers": self.workers.addresses}
        key = f"{function.__name__.replace('_', '-')}-{next(self._key_suffixes)}"
        return self._client.submit(function, *arguments, key=key, retries=ATTEMPTS - 1, **where)

    def submit_data(self, data: Any) -> Any:
        """A future of some MB of data that cannot be lost: the scheduler has them, packed, to make them again."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.submit(_unpack, zlib.compress(pickle.dumps(data), 1))

    def scatter(self, data: Any, at: str) -> Any:
        """A future of data that is sent to one worker, and lost with it. Raises DataLost."""
        with self._connection.translated_errors():
            return self._client.scatter([data], workers=[at], hash=False)[0]

    def copy(self, future: Any, at: str) -> Any:
        """A future of the same data on another worker. Dask itself drops copies that no task waits for."""
        return self.submit(_same, future, at=at)

    def wait_for(self, futures: list[Any], on_done: Callable[[int], object] = lambda number: None) -> None:
        """Wait until all tasks are done; call `on_done` with the number of each, in their order.

        Raises what a task raised if that is one of our errors, else ClusterFailed; and what `Connection.tell` raises.
        """
        last_check = time.monotonic()
        for number, future in enumerate(futures):
            is_done = threading.Event()
            future.add_done_callback(lambda _, is_done=is_done: is_done.set())
            while not future.done():  # one that is lost is being made again
                is_done.wait(POLL_SECONDS)
                is_done.clear()
                self._connection.poll()
                if time.monotonic() - last_check > CHECK_SECONDS:
                    self.workers.wait_for_any()
                    last_check = time.monotonic()
            if future.status == "cancelled":
                raise DataLost(f"the workers lost the data of {future.key}")
            if future.status == "error":
                raise _failure(future)
            on_done(number)
        self._connection.poll()

    def result(self, future: Any) -> Any:
        self.wait_for([future])
        return self.gather([future])[0]

    def gather(self, futures: list[Any]) -> list[Any]:
        """The results of tasks that are done, from the workers themselves if we can reach them. Raises DataLost."""
        with self._connection.translated_errors():
            if self._reaches_workers:
                try:
                    return list(self._client.gather(futures, direct=True))
                except OSError:
                    self._reaches_workers = False
            return list(self._client.gather(futures))

    def holders(self, futures: list[Any]) -> list[int]:
        """For each future, the place among the workers of one that has its data, or their number if none has it."""
        workers_of_key = self._who_has(futures)
        place_of = {worker: place for place, worker in enumerate(self.workers.addresses)}
        none = len(place_of)
        return [min((place_of.get(w, none) for w in workers_of_key[f.key]), default=none) for f in futures]

    def has_data(self, future: Any) -> bool:
        return not future.cancelled() and all(self._who_has([future]).values())

    def _who_has(self, futures: list[Any]) -> dict[str, list[str]]:
        with self._connection.translated_errors():
            return dict(self._client.who_has(futures))

    def detach(self, futures: list[Any]) -> list[Any]:
        """Futures of the same data, where it is, without the tasks that made it. Raises DataLost.

        Dask remembers how to make again all that the data of a future came from: every round from the first one on, all
        of which it would train again if one block were lost. So the workers enter their data under new keys, as Dask's
        own `scatter` does.
        """
        from distributed import Future

        new_keys = {future.key: f"block-{next(self._key_suffixes)}" for future in futures}
        renamed: dict[str, dict[str, str]] = {}  # by the worker that has the data
        for key, holders in self._who_has(futures).items():
            if not holders:
                raise DataLost(f"the workers lost the data of {key}")
            renamed.setdefault(holders[0], {})[key] = new_keys[key]
        n_bytes: dict[str, int] = {}
        for worker, names in renamed.items():
            n_bytes |= self._connection.run(_rename, names, workers=[worker])[worker]
        who_has = {key: [worker] for worker, names in renamed.items() for key in names.values()}
        with self._connection.translated_errors():
            update_data = self._client.scheduler.update_data
            self._client.sync(update_data, who_has=who_has, nbytes=n_bytes, client=self._client.id)
        detached = [Future(new_keys[future.key], self._client) for future in futures]
        for future in detached:
            self._client.futures[future.key].finish()
        return detached


def _failure(future: Any) -> Exception:
    """The exception to raise for a task that Dask does not try again."""
    error = future.exception()
    if isinstance(error, Fastw2vError):
        return error
    reason = first_line(error)
    if type(error).__name__ == "KilledWorker":
        return ClusterFailed(f"workers died again and again at the same task, out of memory perhaps: {reason}")
    frames = traceback.extract_tb(future.traceback())
    where = f", in {frames[-1].name}" if frames else ""
    return ClusterFailed(f"a task failed {ATTEMPTS} times on the cluster{where}: {type(error).__name__}: {reason}")


def _unpack(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))


def _same(data: Any) -> Any:
    return data


def _rename(new_keys: dict[str, str], dask_worker: Any) -> dict[str, int]:
    data = {new: dask_worker.data[old] for old, new in new_keys.items()}
    return dict(dask_worker.update_data(data=data)["nbytes"])
