"""The workers of a cluster that take part in a run. They may come and go while it works."""

import time
from collections.abc import Sequence

from ..corpus.shards import Shard, check_seen, find_shards, fingerprints
from ..errors import InputError
from ..events import ClusterChanged
from .connection import POLL_SECONDS, Connection
from .failures import ClusterFailed
from .watch import PATIENCE

FIRST_PATIENCE = 15.0
"""The seconds that a run waits for its first worker."""


class Workers:
    """The workers that take part. threads: the number that each of them computes with, None for all that it has."""

    def __init__(self, connection: Connection, threads: int | None) -> None:
        self._connection, self._threads = connection, threads
        self._threads_of_workers: dict[str, int] = {}  # of those that take part, in the order in which they joined
        self._sizes: dict[str, int] = {}  # of the corpus: its files and their sizes
        self._checksums: dict[str, int] = {}  # of pieces of the corpus
        self._has_started = False
        self._without_any: float | None = None  # the time since when there is no worker that may take part

    @property
    def addresses(self) -> list[str]:
        return list(self._threads_of_workers)

    def threads_of(self, worker: str) -> int:
        return self._threads or self._threads_of_workers[worker]

    def start(self, names: Sequence[str]) -> list[Shard]:
        """Check and add the workers that there are; return the shards of the corpus as the first of them finds it.

        names: paths, globs, directories and URLs of the corpus. Raises InputError if there are no workers, or if one of
        them has another version of this package or does not see the corpus.
        """
        threads_of_workers = self.wait_for_any()
        workers = list(threads_of_workers)
        for problem in self._problems_of_versions(workers) or self._problems_of_environments(workers):
            raise InputError(problem)
        shards: list[Shard] = self._shards_of(names, workers[0])
        self._sizes = {part.file: part.size for shard in shards for part in shard}
        self._checksums = self._connection.run(fingerprints, self._sizes, workers=workers[:1])[workers[0]]
        for problem in self._problems_of_sight(workers):
            advice = "give a path on a shared disk, copies in the same place, or a URL such as s3://"
            raise InputError(f"{problem}: all workers must see the corpus under the same path; {advice}")
        self._has_started = True
        self._use(threads_of_workers)
        return shards

    def _use(self, threads_of_workers: dict[str, int]) -> None:
        self._threads_of_workers, self._without_any = threads_of_workers, None
        self._connection.watch.in_use = threads_of_workers.keys()

    def _shards_of(self, names: Sequence[str], worker: str) -> list[Shard]:
        """The shards of the corpus as a worker finds it."""
        try:
            shards: list[Shard] = self._connection.run(find_shards, list(names), workers=[worker])[worker]
        except InputError as error:
            raise InputError(f"worker {worker} says: {error}") from error
        return shards

    def _problems_of_versions(self, workers: list[str]) -> list[str]:
        """One message for each worker that has another version of this package than this process, or none."""

        def version_there() -> str:  # is sent by value: a worker may not have this module
            import importlib

            try:
                return str(importlib.import_module("fastw2v").__version__)
            except ImportError:
                return ""

        here, versions = version_there(), self._connection.run(version_there, workers=workers)
        others = {
            worker: f"fastw2v {there}" if there else "no fastw2v" for worker, there in versions.items() if there != here
        }
        advice = f"this process has {here}: install the same there, with the extra dask"
        return [f"worker {worker} has {there}, {advice}" for worker, there in others.items()]

    def _problems_of_environments(self, workers: list[str]) -> list[str]:
        """One message for each worker that cannot run the kernels, for example because of an environment variable."""

        def problem_there() -> str:  # is sent by value: to import it from here would load the kernels
            import importlib

            try:
                with importlib.import_module("fastw2v.kernels.jit").in_parallel(1):
                    return ""
            except Exception as error:
                return str(error) or type(error).__name__

        problems = self._connection.run(problem_there, workers=workers)
        return [f"worker {worker} cannot run the kernels: {problem}" for worker, problem in problems.items() if problem]

    def _problems_of_sight(self, workers: list[str]) -> list[str]:
        """One message for each worker that does not see the corpus as the first one did."""
        problems = self._connection.run(check_seen, self._sizes, self._checksums, workers=workers)
        return [f"worker {worker} {problem}" for worker, problem in problems.items() if problem]

    def wait_for_any(self) -> dict[str, int]:
        """The threads of all workers that may take part. Waits until there is one, and none that takes part is stalled.

        Raises InputError if none has come in time, and ClusterFailed if all have been gone or stalled for too long.
        """
        while True:
            there = self._connection.threads_of_workers()
            stalled = {worker for worker in there if self._connection.watch.is_stalled(worker)}
            if there.keys() > stalled and stalled.isdisjoint(self.addresses):
                return {worker: n for worker, n in there.items() if worker not in stalled}
            if there.keys() == stalled:
                self._check_patience(stalled)
            self._connection.poll()
            time.sleep(POLL_SECONDS)

    def _check_patience(self, stalled: set[str]) -> None:
        """Raise an error if no worker has been able to take part for too long. stalled: the workers that there are."""
        address = self._connection.address
        if self._without_any is None:
            self._without_any = time.monotonic()
            if self._has_started and not stalled:
                message = f"no workers are left: waiting {PATIENCE:.0f} s for others"
                self._connection.tell(ClusterChanged(0, message))
        waited = time.monotonic() - self._without_any
        if waited > FIRST_PATIENCE and not self._has_started:
            if stalled:
                why = f"each of {', '.join(sorted(stalled))} {self._connection.watch.why_stalled(*stalled)}"
                raise InputError(f"{address} has no worker that starts tasks: {why}")
            advice = f"start some with dask worker {address}; a cluster that adapts needs a minimum of one"
            raise InputError(f"{address} has no workers: {advice}")
        if waited > PATIENCE and not stalled:  # the watch waits for those
            raise ClusterFailed(f"{address} has had no workers for {PATIENCE:.0f} s")

    def update(self) -> None:
        """Add workers that have come, or refuse them, and remove those that are gone. Tells each change."""
        before = self.addresses
        self._use(self._vetted())
        for worker in before:
            if worker not in self._threads_of_workers:
                self.tell_change(f"worker {worker} is gone; the others take over its share")
        for worker in self.addresses:
            if worker not in before:
                self.tell_change(f"worker {worker} has joined the run")

    def wait_for_loss(self, seconds: float) -> None:
        """Wait at most `seconds` for the scheduler to notice that a worker is gone; calls may fail before it does."""
        end = time.monotonic() + seconds
        while set(self.addresses) <= self._connection.threads_of_workers().keys() and time.monotonic() < end:
            self._connection.poll()
            time.sleep(POLL_SECONDS)

    def _vetted(self) -> dict[str, int]:
        """The threads of the workers that may take part, known ones and new ones. Waits until there is one."""
        vetted: dict[str, int] = {}
        while not vetted:
            there = self.wait_for_any()
            came = [worker for worker in there if worker not in self._threads_of_workers]
            for worker in came:
                for problem in (
                    self._problems_of_versions([worker])
                    or self._problems_of_environments([worker])
                    or self._problems_of_sight([worker])
                ):
                    self._connection.watch.refused.add(worker)
                    self.tell_change(f"{problem}; the run does not use this worker")
            known = {w: there[w] for w in self._threads_of_workers if w in there}
            vetted = known | {w: there[w] for w in came if w not in self._connection.watch.refused}
        return vetted

    def tell_change(self, message: str) -> None:
        self._connection.tell(ClusterChanged(len(self._threads_of_workers), message))
