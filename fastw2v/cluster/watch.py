"""What the workers of a cluster do, as far as the scheduler tells, and which of them are given up.

A worker is stalled while it starts no tasks: it has fallen silent, or Dask has paused it.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from .failures import ClusterFailed

SILENT_SECONDS = 10.0
"""After so many seconds without a heartbeat a worker is reported; healthy ones send one every second or two."""

PATIENCE = 300.0
"""The seconds that a run waits when its last worker is gone, or all of them are stalled."""

STOP_SECONDS = 5.0
"""A run that was asked to stop waits at most this long for a worker or a scheduler that is silent."""

AT_WORK = ("executing", "long-running", "flight", "cancelled", "resumed")
"""Dask's words for tasks that a worker computes, or whose inputs it fetches."""

SILENT = "silent"


class WorkerState(NamedTuple):
    """What the scheduler knows of a worker. last_seen: the time of its last heartbeat.

    status: Dask's word for it. A worker starts tasks only while it is "running"; one that is "paused" lives on.
    task_counts: the number of its tasks in each of Dask's states, as its last heartbeat told.
    memory_limit: in bytes, at which Dask ends or pauses it; 0 if it has none. nanny: the address of the process that
    starts it again when it has died, empty if there is none.
    """

    threads: int
    last_seen: float
    status: str
    task_counts: dict[str, int]
    memory_limit: int = 0
    nanny: str = ""


class Watch:
    """The account of all workers. Times are seconds of the caller's clock.

    report: is called with messages about workers. drop: has Dask treat a worker as dead.
    """

    def __init__(self, report: Callable[[str], object], drop: Callable[[str], object], worker_timeout: float) -> None:
        self._report, self._drop = report, drop
        self.worker_timeout = worker_timeout
        self.in_use: Collection[str] = ()  # the workers that take part in the run
        self.refused: set[str] = set()  # the workers that must not take part
        self.seen: dict[str, WorkerState] = {}  # the last answer
        self.n_given_up = 0  # ever
        self.worked = 0.0  # the last time when a worker of `in_use` did something, as far as is known
        self._now = 0.0  # of the last answer
        self._is_hurried = False
        self._lost: set[str] = set()  # the workers of earlier answers that are not in the last one
        self._given_up: set[str] = set()  # as long as the scheduler still knows them
        self._heard: dict[str, tuple[float, float]] = {}  # the last heartbeat of each worker, and when it was new here
        self._answers: dict[str, WorkerState] = {}  # of workers that were asked themselves, since their last heartbeat
        self._stalled: dict[str, float] = {}  # the workers that are, and since when others may wait for them
        self._all_stalled: float | None = None  # the time since when all are
        self._told: dict[str, str] = {}  # of the workers that were reported: their state
        self._is_told_of_all = False

    def hurry(self) -> None:
        """From now on give up what has been silent for `STOP_SECONDS`: the run was asked to stop."""
        self.worker_timeout, self._is_hurried = min(self.worker_timeout, STOP_SECONDS), True

    def is_late(self, seconds: float) -> bool:
        """Whether so long a wait is to be reported. A run that is about to end has no time for that."""
        return seconds > self._silent_seconds and not self._is_hurried

    @property
    def _silent_seconds(self) -> float:
        """After so many seconds without a heartbeat a worker is silent: before it is given up."""
        return min(SILENT_SECONDS, self.worker_timeout / 2)

    def is_gone(self, worker: str) -> bool:
        """Whether a worker was given up, or the scheduler has lost it since it was first asked about it."""
        return worker in self._lost

    def is_stalled(self, worker: str) -> bool:
        """Whether a worker that may take part starts no tasks at present."""
        return worker in self._stalled

    def memory_limit(self, worker: str) -> int:
        """The limit of a worker in bytes; 0 if it has none, or the worker is gone."""
        return self.seen[worker].memory_limit if worker in self.seen else 0

    def listen(self, answer: dict[str, WorkerState], now: float) -> None:
        """Take the scheduler's answer. Report which workers have stalled or recovered, and give up those that stay so.

        Raises ClusterFailed if all of them stay so.
        """
        before, self._now = self.seen, now
        self._given_up &= answer.keys()
        self.refused &= answer.keys()  # under the address of one that is gone, another may come
        self.seen = {w: self._newest(w, state) for w, state in answer.items() if w not in self._given_up}
        self._lost = (self._lost | before.keys()) - self.seen.keys()
        self._note_heartbeats()
        self._note_stalled()
        self._note_work(before)
        if self._all_stalled is not None and self.in_use and not self._is_hurried:
            self._check_all_stalled(now - self._all_stalled)
        else:
            for worker, since in list(self._stalled.items()):
                self._check_stalled(worker, now - since)

    def unheard(self) -> list[str]:
        """The workers whose heartbeats are late. Dask sends none for as long as the wall clock has been set back."""
        return [worker for worker in self.seen if self._silence(worker) > self._silent_seconds / 2]

    def hear(self, worker: str, status: str, task_counts: dict[str, int]) -> None:
        """Take the answer of a worker that was asked itself: it lives, whatever became of its heartbeats."""
        if worker in self.seen:
            self._answers[worker] = self.seen[worker]._replace(status=status, task_counts=task_counts)
            self._heard[worker] = self.seen[worker].last_seen, self._now

    def _newest(self, worker: str, state: WorkerState) -> WorkerState:
        """What is known of a worker: by its heartbeat, or by its own answer since then."""
        answer = self._answers.get(worker, state)
        return answer if answer.last_seen == state.last_seen else state

    def _note_heartbeats(self) -> None:
        self._heard = {worker: heard for worker, heard in self._heard.items() if worker in self.seen}
        self._answers = {worker: answer for worker, answer in self._answers.items() if worker in self.seen}
        for worker, state in self.seen.items():
            # The clocks of two machines may differ, so only changes are compared.
            if self._heard.get(worker, (None,))[0] != state.last_seen:
                self._heard[worker] = state.last_seen, self._now

    def _silence(self, worker: str) -> float:
        return self._now - self._heard[worker][1]

    def _state(self, worker: str) -> str:
        return SILENT if self._silence(worker) > self._silent_seconds else self.seen[worker].status

    def _note_stalled(self) -> None:
        """Note which workers start no tasks, and report which of those that were reported do so again."""
        usable = self.seen.keys() - self.refused
        stalled = {worker for worker in usable if self._state(worker) != "running"}
        for worker in self._told.keys() & usable - stalled:
            self._report(f"worker {worker} {'answers' if self._told[worker] == SILENT else 'is running'} again")
        self._told = {worker: state for worker, state in self._told.items() if worker in stalled}
        if stalled and stalled == usable:  # then none keeps others waiting
            self._all_stalled = self._now if self._all_stalled is None else self._all_stalled
            self._stalled = dict.fromkeys(stalled, self._now)
        else:
            self._all_stalled, self._is_told_of_all = None, False
            self._stalled = {worker: self._stalled.get(worker, self._since(worker)) for worker in stalled}

    def _since(self, worker: str) -> float:
        """The time since when others may wait for a worker that has just stalled."""
        return self._heard[worker][1] if self._state(worker) == SILENT else self._now

    def _note_work(self, before: dict[str, WorkerState]) -> None:
        """Note whether a worker does something. Those that are stalled are waited for on other terms."""
        for worker in self.in_use:
            counts = self.seen[worker].task_counts if worker in self.seen else {}
            is_new = worker not in before or counts != before[worker].task_counts
            if is_new or self.is_stalled(worker) or not counts or any(counts.get(word) for word in AT_WORK):
                self.worked = self._now

    def _check_stalled(self, worker: str, seconds: float) -> None:
        """Report a worker that has been stalled for some seconds while others run, or give it up."""
        state = self._state(worker)
        if self._is_hurried:
            if state != SILENT:
                return  # the run needs no more tasks, and the worker still sends its data
            seconds = self._silence(worker)
        is_awaited = state == SILENT or worker in self.in_use
        why = self.why_stalled(worker)
        if is_awaited and seconds > self.worker_timeout:
            self.give_up(worker, why if state == SILENT else f"has started no tasks for {seconds:.0f} s: it {why}")
        elif worker not in self._told and (self.is_late(seconds) or (state == "paused" and not is_awaited)):
            self._told[worker] = state
            dropped = f"it will be dropped after {self.worker_timeout:.0f} s (--worker-timeout)"
            consequence = dropped if is_awaited else "it gets no tasks until it runs again"
            self._report(f"worker {worker} {why}; {consequence}")

    def _check_all_stalled(self, seconds: float) -> None:
        why = f"each of {', '.join(sorted(self._stalled))} {self.why_stalled(*self._stalled)}"
        if seconds > PATIENCE:
            raise ClusterFailed(f"no worker has started tasks for {PATIENCE:.0f} s: {why}")
        if self.is_late(seconds) and not self._is_told_of_all:
            self._is_told_of_all, self._told = True, {worker: self._state(worker) for worker in self._stalled}
            self._report(f"no worker starts tasks: {why}; waiting {PATIENCE:.0f} s for one that runs")

    def why_stalled(self, *workers: str) -> str:
        """Why workers start no tasks, and what to do about it: the end of a sentence about each of them."""
        match sorted({self._state(worker) for worker in workers}):
            case ["silent"]:
                return f"has not been heard from for {min(map(self._silence, workers)):.0f} s"
            case ["paused"]:
                advice = "give it more with dask worker --memory-limit"
                return f"is paused by Dask, which pauses a worker at 80 % of its memory limit: {advice}"
            case [status]:
                return f"is {status} (as Dask calls it)"
            case states:
                return f"is {' or '.join(states)}"

    def give_up(self, worker: str, reason: str) -> None:
        """Have Dask treat a worker as dead. It may join again, as a new one, when it has recovered."""
        self._given_up.add(worker)
        self.n_given_up += 1
        self._lost.add(worker)
        self.seen.pop(worker, None)
        self._stalled.pop(worker, None)
        self._drop(worker)
        self._report(f"worker {worker} {reason}; it has been dropped")
