"""A Dask cluster as a run sees it: tasks, watched until they are done, and workers that come and go."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
import traceback
import uuid
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..corpus import shards as corpus_shards
from ..corpus.shards import Shard
from ..errors import Fastw2vError, InputError, RunError
from . import replica

ATTEMPTS = 3
"""Of a task that raises, and of a worker that dies with it, before the run ends."""

POLL_SECONDS = 0.25
"""Between looks at signals and at the cluster."""

LOOK_SECONDS = 5.0
"""Between looks whether there are workers at all."""

FIRST_PATIENCE, PATIENCE = 15.0, 300.0
"""Seconds without a worker until the run gives up, before and after the first one came."""

Callback = Callable[[Any], bool | None]


@dataclass(frozen=True)
class Waiting:
    """Told twice a second or more while the cluster works; returning True stops the run after the last whole round."""


@dataclass(frozen=True)
class ClusterChanged:
    """n_workers: of now. message: what happened, and what follows."""

    n_workers: int
    message: str


class ClusterFailed(RunError):
    """The cluster cannot go on."""


class StopAsked(ClusterFailed):
    """`on_event` returned True while there was no worker to wait for."""


class Lost(ClusterFailed):
    """Data that no worker has any more."""


class Cluster:
    """What a Dask client gives: tasks, watched until they are done, and what happens to the workers."""

    def __init__(self, client: Any, threads: int | None, on_event: Callback) -> None:
        self._client, self._threads, self._on_event = client, threads, on_event
        self._where = client.scheduler.address
        self._keys, self._run_name = 0, uuid.uuid4().hex[:12]
        self._sees_workers = True  # itself, not only through the scheduler
        self._refused: set[str] = set()  # workers that cannot take part
        self._workers: dict[str, int] = {}
        self._seen: dict[str, int] = {}  # files and sizes

    def prepare(self, names: Sequence[str], loss: str) -> list[Shard]:
        """Find the corpus, see that all workers do, and compile there. Raises InputError."""
        workers = self._now()
        for problem in self._of_other_versions(list(workers)).values():
            raise InputError(problem)
        some = next(iter(workers))
        shards: list[Shard] = self._run(corpus_shards.find_shards, list(names), workers=[some])[some]
        self._seen = {part.file: part.size for shard in shards for part in shard}
        for problem in self._blind(list(workers)).values():
            raise InputError(
                f"{problem}: all workers must see the corpus under the same path; give a path on a shared disk, copies "
                "in the same place, or a URL such as s3://"
            )
        self._workers = workers
        self.watch(
            [self.submit(replica.compile_all, self.threads_of(worker), loss, at=worker) for worker in self.workers]
        )
        return shards

    def _of_other_versions(self, workers: list[str]) -> dict[str, str]:
        def version_there() -> str:  # goes by value: a worker may have nothing of ours
            import importlib

            try:
                return str(importlib.import_module("fastw2v").__version__)
            except ImportError:
                return ""

        here = version_there()
        return {
            worker: f"worker {worker} has {f'fastw2v {there}' if there else 'no fastw2v'}, this process has {here}: "
            "install the same there, with the extra dask"
            for worker, there in self._run(version_there, workers=workers).items()
            if there != here
        }

    def _blind(self, workers: list[str]) -> dict[str, str]:
        """What workers do not see of the corpus."""
        found = self._run(corpus_shards.check_seen, self._seen, workers=workers)
        return {worker: f"worker {worker} {problem}" for worker, problem in found.items() if problem}

    def _run(self, function: Callable[..., Any], *arguments: Any, workers: list[str]) -> dict[str, Any]:
        """Call a function on workers, beside their tasks: what each returned. Raises Lost if one of them is gone."""
        with self._talking():
            found = dict(self._client.run(function, *arguments, workers=workers, on_error="return"))
            for worker, value in found.items():
                if isinstance(value, (Fastw2vError, OSError)):
                    raise value
                if isinstance(value, BaseException):
                    raise ClusterFailed(f"worker {worker} failed: {type(value).__name__}: {first_line(value)}")
        return found

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """Raises Lost for what Dask says of a worker or of data that is gone."""
        from distributed import CancelledError

        self._check_scheduler()
        try:
            yield
        except Fastw2vError:
            raise
        except (OSError, ValueError, KeyError, CancelledError) as error:
            raise Lost(f"a worker of {self._where} is gone, or its data: {error}") from error

    @property
    def workers(self) -> list[str]:
        """The addresses of those that take part, in the order of their coming."""
        return list(self._workers)

    def threads_of(self, worker: str) -> int:
        return self._threads or self._workers[worker]

    def _now(self) -> dict[str, int]:
        """The workers there are, and their threads; waits for the first one. Raises ClusterFailed, InputError."""
        start, is_told = time.monotonic(), False
        while not (found := {worker: n for worker, n in self._ask_workers().items() if worker not in self._refused}):
            if self._workers and not is_told:
                is_told = True
                self._on_event(ClusterChanged(0, f"no workers are left: waiting {PATIENCE:.0f} s for others"))
            waited = time.monotonic() - start
            if waited > FIRST_PATIENCE and not self._workers:
                raise InputError(f"{self._where} has no workers: start some with dask worker {self._where}")
            if waited > PATIENCE:
                raise ClusterFailed(f"{self._where} has had no workers for {PATIENCE:.0f} s")
            if self._poll():
                raise StopAsked(f"stopped while {self._where} had no workers")
            time.sleep(POLL_SECONDS)
        return found

    def _ask_workers(self) -> dict[str, int]:
        try:
            with self._talking():
                return dict(self._client.nthreads())
        except Lost as error:
            raise self._scheduler_lost() from error

    def look(self) -> None:
        """Take note of workers that came and went."""
        now = self._now()
        gone = [worker for worker in self._workers if worker not in now]
        came = [worker for worker in now if worker not in self._workers]
        for worker in came:
            for problem in (self._of_other_versions([worker]) or self._blind([worker])).values():
                self._refused.add(worker)
                self.tell(f"{problem}; it takes no part")
        came = [worker for worker in came if worker not in self._refused]
        self._workers = {worker: now[worker] for worker in [*self._workers, *came] if worker in now}
        if not self._workers:
            self.look()
        for worker in gone:
            self.tell(f"worker {worker} is gone; its share goes to the others")
        for worker in came:
            self.tell(f"worker {worker} takes part from now on")

    def tell(self, message: str) -> None:
        self._on_event(ClusterChanged(len(self._workers), message))

    def submit(self, function: Callable[..., Any], *arguments: Any, at: str | None = None) -> Any:
        """A future of a task, on a worker if that lives.

        Naming a worker is for tasks of one round: if all workers die, Dask waits for that one to come back.
        """
        self._check_scheduler()
        self._keys += 1
        name = function.__name__.replace("_", "-")
        where: dict[str, Any] = {"workers": [at], "allow_other_workers": True} if at else {}
        if self._refused:  # else others might run it
            where = {"workers": self.workers}
        return self._client.submit(
            function, *arguments, key=f"{name}-{self._run_name}-{self._keys}", retries=ATTEMPTS - 1, **where
        )  # fmt: skip

    def keep(self, data: Any) -> Any:
        """A future of data that is never lost: the scheduler has it, packed, to make it again. For some MB."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self.submit(_unpack, zlib.compress(pickle.dumps(data), 1))

    def scatter(self, data: Any, at: str) -> Any:
        """A future of data of this process, on a worker; lost with that. Raises Lost."""
        with self._talking():
            return self._client.scatter([data], workers=[at], hash=False)[0]

    def copy(self, future: Any, at: str) -> Any:
        """A future of the same data on another worker. Dask drops copies of its own that no task waits for."""
        return self.submit(_same, future, at=at)

    def watch(self, futures: list[Any], on_done: Callable[[int], object] = lambda number: None) -> bool:
        """Wait for all of them; call `on_done` with the place of each, in their order. Returns whether to stop.

        Raises what a task raised if that is ours, else ClusterFailed.
        """
        looked = time.monotonic()
        for number, future in enumerate(futures):
            is_done = threading.Event()
            future.add_done_callback(lambda _, is_done=is_done: is_done.set())
            while not future.done():  # one that is lost is being made again
                is_done.wait(POLL_SECONDS)
                is_done.clear()
                if self._poll():
                    return True
                if time.monotonic() - looked > LOOK_SECONDS:
                    self._now()
                    looked = time.monotonic()
            self._check(future)
            on_done(number)
        return self._poll()

    def _poll(self) -> bool:
        self._check_scheduler()
        return bool(self._on_event(Waiting()))

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            raise self._scheduler_lost()

    def _scheduler_lost(self) -> ClusterFailed:
        return ClusterFailed(f"the Dask scheduler at {self._where} is gone")

    def _check(self, future: Any) -> None:
        if future.status == "cancelled":
            raise Lost(f"the workers lost the data of {future.key}")
        if future.status == "error":
            raise self._failure(future)

    def _failure(self, future: Any) -> Exception:
        """What to raise for a task that failed for good."""
        error = future.exception()
        if isinstance(error, Fastw2vError):
            return error
        if type(error).__name__ == "KilledWorker":
            told = first_line(error)
            return ClusterFailed(f"workers died again and again at the same task, out of memory perhaps: {told}")
        frames = traceback.extract_tb(future.traceback())
        where = f", in {frames[-1].name}" if frames else ""
        return ClusterFailed(
            f"a task failed {ATTEMPTS} times on the cluster{where}: {type(error).__name__}: {first_line(error)}"
        )

    def result(self, future: Any) -> Any:
        """The result of one task."""
        self.watch([future])
        return self.gather([future])[0]

    def gather(self, futures: list[Any]) -> list[Any]:
        """Results of tasks that are done, from the workers themselves where they can be reached."""
        with self._talking():
            if self._sees_workers:
                try:
                    return list(self._client.gather(futures, direct=True))
                except OSError:
                    self._sees_workers = False
            return list(self._client.gather(futures))

    def homes(self, futures: list[Any]) -> list[int]:
        """The place among `workers` of one that has the data of each, or the number of workers if none has."""
        found = self._who_has(futures)
        place_of = {worker: place for place, worker in enumerate(self.workers)}
        none = len(place_of)
        return [min((place_of.get(worker, none) for worker in found[future.key]), default=none) for future in futures]

    def has(self, futures: list[Any]) -> bool:
        """Whether workers have the data of all of them."""
        return not any(future.cancelled() for future in futures) and all(self._who_has(futures).values())

    def _who_has(self, futures: list[Any]) -> dict[str, list[str]]:
        with self._talking():
            return dict(self._client.who_has(futures))

    def adopt(self, futures: list[Any]) -> list[Any]:
        """Futures of the same data, where it is, without the tasks that made it. Raises Lost.

        Dask remembers how to make again whatever a task came from: without this it would remember every round from the
        first one on, and do all of them again for one block that is lost. So the workers enter their data under new
        names, as Dask's own `scatter` does with what it sends them.
        """
        from distributed import Future

        who_has: dict[str, list[str]] = {}
        n_bytes: dict[str, int] = {}
        names: dict[str, dict[str, str]] = {}
        for key, holders in self._who_has(futures).items():
            if not holders:
                raise Lost(f"the workers lost the data of {key}")
            self._keys += 1
            names.setdefault(holders[0], {})[key] = f"block-{self._run_name}-{self._keys}"
        for worker, renamed in names.items():
            n_bytes |= self._run(_rename, renamed, workers=[worker])[worker]
            who_has |= {new: [worker] for new in renamed.values()}
        with self._talking():
            told = {"who_has": who_has, "nbytes": n_bytes, "client": self._client.id}
            self._client.sync(self._client.scheduler.update_data, **told)
        made = []
        for future in futures:
            name = next(renamed[future.key] for renamed in names.values() if future.key in renamed)
            made.append(Future(name, self._client))
            self._client.futures[name].finish()
        return made


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _unpack(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))


def _same(data: Any) -> Any:
    return data


def _rename(names: dict[str, str], dask_worker: Any) -> dict[str, int]:
    found = dask_worker.update_data(data={new: dask_worker.data[old] for old, new in names.items()})
    return dict(found["nbytes"])
