"""The workers of a cluster that take part in a run. They may come and go while it works."""

import time
from collections.abc import Sequence

from ..config import TrainConfig
from ..corpus.shards import Shard, find_shards, fingerprints
from ..errors import InputError
from ..events import ClusterChanged
from ..machine import format_bytes
from .connection import POLL_SECONDS, Connection
from .failures import ClusterFailed, Stalled, WorkerFailed
from .vetting import Vetting
from .watch import PATIENCE

FIRST_PATIENCE = 15.0
"""The seconds that a run waits for its first worker."""

MOST_FAILURES = 2
"""A worker with which so many rounds have failed, or for which all others have waited so often, is left out, unless a
round succeeds with it in between."""

DIED = (
    "it died in the last one, and its log may say why (too little memory?); workers that its nanny starts in its place "
    "are left out too"
)


class Workers:
    """The workers that take part. Each computes with `config.threads` threads, where that is None, with all it has."""

    def __init__(self, connection: Connection, config: TrainConfig) -> None:
        self._connection, self._threads = connection, config.threads
        self._threads_of_workers: dict[str, int] = {}  # of those that take part, in the order in which they joined
        self._vetting = Vetting(connection, config)
        self._proven: set[str] = set()  # those that completed the last round
        self._suspects: dict[str, int] = {}  # those that have completed none, and the rounds that failed with them
        self._died: list[str] = []  # of those that have completed none: since the last round
        self._nannies: dict[str, str] = {}  # of the workers that have one
        self._waited_for: dict[str, int] = {}  # how often all others waited for a worker since the last round
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
        them has another version of this package, cannot reach the others or does not see the corpus.
        """
        first, *_ = self._sound_ones()
        shards: list[Shard] = self._shards_of(names, first)
        self._vetting.sizes = {part.file: part.size for shard in shards for part in shard}
        self._vetting.checksums = self._connection.run(fingerprints, self._vetting.sizes, workers=[first])[first]
        self._vetting.forget()
        threads_of_workers = self._sound_ones()
        self._has_started = True
        self._use(threads_of_workers)
        return shards

    def _sound_ones(self) -> dict[str, int]:
        """The threads of all workers that there are. Raises InputError for one that may not take part."""
        while True:
            there = self.wait_for_any()
            problems = self._vetting.problems(there, members=[])
            for worker in filter(problems.get, problems):
                if worker in self._connection.threads_of_workers():
                    raise InputError(problems[worker])
            if problems.keys() >= there.keys():
                return there
            self._wait()

    def _wait(self) -> None:
        self._connection.poll()
        time.sleep(POLL_SECONDS)

    def _use(self, threads_of_workers: dict[str, int]) -> None:
        self._threads_of_workers, self._without_any = threads_of_workers, None
        watch = self._connection.watch
        watch.in_use = threads_of_workers.keys()
        seen = {worker: watch.seen[worker].nanny for worker in threads_of_workers if worker in watch.seen}
        self._nannies |= {worker: nanny for worker, nanny in seen.items() if nanny}

    def need_memory(self, least: int, most: int) -> None:
        """From now on use only workers whose memory limit is not below the least bytes; name those below the most.

        Raises InputError if all are below the least.
        """
        self._vetting.least_memory = least
        problems = {worker: self._vetting.problem_of_memory(worker) for worker in self.addresses}
        if all(problems.values()):
            raise InputError(f"{next(iter(problems.values()))}, or lower --dim or --max-vocab, or raise --min-count")
        self._use({worker: n for worker, n in self._threads_of_workers.items() if not problems[worker]})
        for worker in filter(problems.get, problems):
            self._refuse(worker, problems[worker])
        limits = [self._connection.watch.memory_limit(worker) for worker in self.addresses]
        if low := [limit for limit in limits if 0 < limit < most]:
            found = (
                f"{len(low)} of {len(limits)} workers have memory limits below the {format_bytes(most)} that each may"
            )
            advice = "if Dask ends them, give them more with dask worker --memory-limit"
            self.tell_change(f"{found} need (the lowest: {format_bytes(min(low))}): {advice}")

    def _shards_of(self, names: Sequence[str], worker: str) -> list[Shard]:
        """The shards of the corpus as a worker finds it."""
        try:
            shards: list[Shard] = self._connection.run(find_shards, list(names), workers=[worker])[worker]
        except InputError as error:
            raise InputError(f"worker {worker} says: {error}") from error
        return shards

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
            self._wait()

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
            advice = f"start some with dask worker {address}; an adaptive cluster needs a minimum of one"
            raise InputError(f"{address} has no workers: {advice}")
        if waited > PATIENCE and not stalled:  # the watch waits for those
            raise ClusterFailed(f"{address} has had no workers for {PATIENCE:.0f} s")

    def update(self, may_join: bool = True) -> None:
        """Add workers that have come, or refuse them, and remove those that are gone. Tells each change.

        may_join: whether others than those that take part may do so; they may if none of those is left.
        """
        before = self.addresses
        self._use(self._vetted(may_join))
        consequence = "" if set(before).isdisjoint(self.addresses) else "; the others take over its share"
        for worker in before:
            if worker not in self._threads_of_workers:
                self.tell_change(f"worker {worker} is gone{consequence}")
                self._died += [worker] if worker not in self._proven else []
        for worker in self.addresses:
            if worker not in before:
                self.tell_change(f"worker {worker} has joined the run")

    def prove(self) -> None:
        """Note that the workers that take part have completed a round."""
        self._proven = set(self.addresses)
        proven = set(map(self._lasting_name, self._proven))
        self._suspects = {name: n for name, n in self._suspects.items() if name not in proven}
        self._died, self._waited_for = [], {}

    def set_newcomers_aside(self, reason: object) -> None:
        """After a round that failed: let the others repeat it without those that have not yet completed one.

        They may join the round after it, and so may one that a nanny has started in place of one that died. A worker is
        refused when `MOST_FAILURES` rounds have failed with it; those in which another worker was lost do not count.
        """
        newcomers = [worker for worker in self.addresses if worker not in self._proven]
        if len(newcomers) == len(self.addresses):
            return
        others_live = self._proven <= set(self.addresses)
        for worker in [*newcomers, *self._died]:
            name = self._lasting_name(worker)
            self._suspects[name] = self._suspects.get(name, 0) + others_live
            self._threads_of_workers.pop(worker, None)
            if self._suspects[name] == MOST_FAILURES:
                problem = f"worker {worker} has joined {MOST_FAILURES} rounds, and each failed ({reason})"
                self._leave_out(worker, problem if worker in newcomers else f"{problem}; {DIED}")
            elif worker in newcomers:
                self.tell_change(f"the round that worker {worker} has joined is repeated without it")
        self._died = []
        self._use(self._threads_of_workers)

    def _lasting_name(self, worker: str) -> str:
        """The nanny that starts a worker again under other addresses, or its own address if it has none."""
        return self._nannies.get(worker, worker)

    def suspect(self, stalled: Stalled) -> None:
        """Note for which workers the others waited in vain; refuse one for which they did so `MOST_FAILURES` times."""
        for worker in stalled.workers:
            self._waited_for[worker] = self._waited_for.get(worker, 0) + 1
            if self._waited_for[worker] == MOST_FAILURES and worker in self.addresses:
                reason = "it has not worked on its tasks; its log may say why (too little memory to receive data?)"
                self.refuse(WorkerFailed(worker, reason))

    def refuse(self, failure: WorkerFailed) -> None:
        """Go on without a worker that failed. Raises ClusterFailed if it is the last one."""
        if self.addresses == [failure.worker]:
            raise ClusterFailed(f"{failure}; no other worker is left") from failure
        self._threads_of_workers.pop(failure.worker, None)
        self._use(self._threads_of_workers)
        self._leave_out(failure.worker, str(failure))

    def _leave_out(self, worker: str, problem: str) -> None:
        """Refuse a worker, and what its nanny starts in its place."""
        self._vetting.left_out |= {self._nannies[worker]} if worker in self._nannies else set()
        self._refuse(worker, problem)

    def _refuse(self, worker: str, problem: str) -> None:
        self._connection.watch.refused.add(worker)
        self.tell_change(f"{problem}; the run does not use this worker")

    def wait_for_loss(self, seconds: float) -> None:
        """Wait at most `seconds` for the scheduler to notice that a worker is gone; calls may fail before it does."""
        end = time.monotonic() + seconds
        while set(self.addresses) <= self._connection.threads_of_workers().keys() and time.monotonic() < end:
            self._wait()

    def _vetted(self, may_join: bool) -> dict[str, int]:
        """The threads of the workers that may take part, known ones and new ones. Waits until there is one."""
        while True:
            there = self.wait_for_any()
            known = {w: there[w] for w in self._threads_of_workers if w in there}
            if known and not may_join:
                return known
            came = [worker for worker in there if worker not in known]
            problems = self._vetting.problems(came, members=list(known))
            for worker in filter(problems.get, problems):
                self._refuse(worker, problems[worker])
            if vetted := known | {w: there[w] for w, problem in problems.items() if not problem}:
                return vetted
            self._wait()

    def tell_change(self, message: str) -> None:
        self._connection.tell(ClusterChanged(len(self._threads_of_workers), message))
