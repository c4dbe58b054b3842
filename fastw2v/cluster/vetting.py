"""The checks that a worker must pass to take part in a run."""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..config import TrainConfig
from ..corpus.shards import check_seen
from ..machine import format_bytes
from ..threads import in_thread
from ..training.warmup import compile_kernels
from .connection import POLL_SECONDS, Connection
from .failures import first_line
from .watch import SILENT_SECONDS

CONNECT_SECONDS = 10.0
"""A worker that does not answer another one for so long cannot be reached by it."""

GONE_SECONDS = 3.0
"""In this time it becomes known that a worker is gone or has fallen silent, which explains why it does not answer."""

MOST_PEERS = 64
"""A worker is tried by at most so many others."""

FIRST_WAIT_SECONDS = 1.0
"""How long a run waits for the checks of a worker that has just come; then it goes on without it for a round."""


class Problem(NamedTuple):
    """Why a worker cannot take part; an empty text if it can.

    suspect: the worker that is the reason instead, if it turns out to be gone or stalled.
    """

    text: str
    suspect: str = ""


@dataclass
class Check:
    """The check of a worker. began: on the connection's clock. peers: the workers that it must reach."""

    worker: str
    began: float
    peers: list[str]
    is_late: bool  # after the start of the run
    is_compiling: bool = False  # the last part, which takes as long as it takes
    problem: Future[Problem] = field(default_factory=Future)


class Vetting:
    """Checks workers, each in a thread of its own: Dask may try for half a minute to reach one that it cannot."""

    def __init__(self, connection: Connection, config: TrainConfig) -> None:
        self._connection, self._config = connection, config
        self._checks: dict[str, Check] = {}  # of the workers that there are
        self._told: set[str] = set()  # the workers whose checks were said to take long
        self.sizes: dict[str, int] | None = None  # of the corpus: its files and their sizes, once they are known
        self.checksums: dict[str, int] = {}  # of pieces of the corpus
        self.least_memory = 0  # that a worker needs, in bytes, once it is known
        self.left_out: set[str] = set()  # the nannies of workers with which rounds failed again and again

    def problems(self, workers: Iterable[str], members: list[str]) -> dict[str, str]:
        """Check workers; the problem of each whose checks are over, empty if it has none. Waits only for new ones.

        members: the workers that take part, none at the start: then the workers try each other.
        """
        workers = list(workers)
        self._checks = {worker: check for worker, check in self._checks.items() if worker in workers}
        if new := [worker for worker in workers if worker not in self._checks]:
            for worker in new:
                peers = _peers_of(worker, members or workers)
                self._checks[worker] = check = Check(worker, self._connection.seconds, peers, is_late=bool(members))
                check.problem = in_thread(self._problem_found_by, check)
            end, begun = time.monotonic() + FIRST_WAIT_SECONDS, [self._checks[worker].problem for worker in new]
            while wait(begun, POLL_SECONDS).not_done and time.monotonic() < end:
                self._connection.poll()
        found = {worker: self._problem_so_far(worker) for worker in workers}
        return {worker: problem for worker, problem in found.items() if problem is not None}

    def forget(self) -> None:
        """Check all workers again the next time: there is more to check."""
        self._checks.clear()

    def _problem_so_far(self, worker: str) -> str | None:
        """The problem of a worker; None while it is being checked."""
        watch, check = self._connection.watch, self._checks[worker]
        seconds = self._connection.seconds - check.began
        if check.problem.done():
            problem = check.problem.result()
            if not problem.suspect or (problem.suspect in watch.seen and not watch.is_stalled(problem.suspect)):
                return problem.text
            del self._checks[worker]  # and check it again
            return None
        if watch.is_stalled(worker):  # the watch reports it, and gives it up in time
            return None
        if seconds > watch.worker_timeout + GONE_SECONDS and not check.is_compiling:
            return f"worker {worker} has not answered for {seconds:.0f} s"
        if seconds > min(SILENT_SECONDS, watch.worker_timeout / 2) + GONE_SECONDS and worker not in self._told:
            self._told.add(worker)
            state = "has been compiling kernels" if check.is_compiling else "has not answered"
            self._connection.report(f"worker {worker} {state} for {seconds:.0f} s: it does not take part yet")
        return None

    def _problem_found_by(self, check: Check) -> Problem:
        """Check a worker. Does not poll: it runs in a thread of its own."""
        worker = check.worker
        try:
            problem = (
                self.problem_of_memory(worker)
                or self._problem_of_nanny(worker)
                or self._problem_of_version(worker)
                or self._problem_of_environment(worker)
                or self._problem_of_connections(check)
                or self._problem_of_sight(worker)
                or self._problem_of_kernels(check)
            )
        except Exception as error:
            problem = Problem(f"worker {worker} does not answer: {type(error).__name__}: {first_line(error)}", worker)
        if isinstance(problem, str):
            return Problem(problem)
        time.sleep(GONE_SECONDS)
        return problem

    def problem_of_memory(self, worker: str) -> str:
        """Whether Dask would end or pause a worker when it trains, because of its memory limit."""
        limit = self._connection.watch.memory_limit(worker)
        if not 0 < limit < self.least_memory:
            return ""
        sizes = f"needs at least {format_bytes(self.least_memory)} of memory, and its limit is {format_bytes(limit)}"
        return f"worker {worker} {sizes}: give it more with dask worker --memory-limit"

    def _problem_of_nanny(self, worker: str) -> str:
        """Whether a worker takes the place of one that was left out."""
        state = self._connection.watch.seen.get(worker)
        is_left_out = state is not None and state.nanny in self.left_out
        return f"worker {worker} takes the place of one that was left out" if is_left_out else ""

    def _ask(self, worker: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns on a worker. Raises what it raises, and what Dask raises if the worker is gone."""
        answer = self._connection.client.run(function, *arguments, workers=[worker], on_error="return")[worker]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _problem_of_version(self, worker: str) -> str:
        """Whether a worker has another version of this package than this process."""

        def version_there() -> str:  # is sent by value: a worker may not have this module
            import importlib

            try:
                return str(importlib.import_module("fastw2v").__version__)
            except ImportError:
                return ""

        here, there = version_there(), self._ask(worker, version_there)
        found = f"fastw2v {there}" if there else "no fastw2v"
        advice = f"this process has {here}: install the same there, with the extra dask"
        return "" if there == here else f"worker {worker} has {found}, {advice}"

    def _problem_of_environment(self, worker: str) -> str:
        """Whether a worker cannot run the kernels, for example because of an environment variable."""

        def problem_there() -> str:  # is sent by value: to import it from here would load the kernels
            import importlib

            try:
                with importlib.import_module("fastw2v.kernels.jit").in_parallel(1):
                    return ""
            except Exception as error:
                return str(error) or type(error).__name__

        problem = self._ask(worker, problem_there)
        return f"worker {worker} cannot run the kernels: {problem}" if problem else ""

    def _problem_of_connections(self, check: Check) -> Problem | None:
        """Whether a worker cannot reach others, or where it comes late, they cannot reach it."""
        worker, peers = check.worker, check.peers
        advice = "all workers must reach each other: look at firewalls, and at dask worker --contact-address"
        seconds = min(CONNECT_SECONDS, self._connection.watch.worker_timeout / 2)
        for other, problem in self._ask(worker, unreachable_there, peers, seconds).items():
            return Problem(f"worker {worker} cannot reach worker {other} ({problem}); {advice}", other)
        if check.is_late:
            run = self._connection.client.run
            answers = run(unreachable_there, [worker], seconds, workers=peers, on_error="return")
            for other, answer in answers.items():
                if isinstance(answer, dict) and worker in answer:
                    why = f"cannot be reached by worker {other} ({answer[worker]})"
                    return Problem(f"worker {worker} {why}; {advice}", other)
        return None

    def _problem_of_sight(self, worker: str) -> str:
        """Whether a worker does not see the corpus as the first one did."""
        problem = "" if self.sizes is None else self._ask(worker, check_seen, self.sizes, self.checksums)
        advice = "give a path on a shared disk, copies in the same place, or a URL such as s3://"
        same = f"all workers must see the corpus under the same path; {advice}"
        return f"worker {worker} {problem}: {same}" if problem else ""

    def _problem_of_kernels(self, check: Check) -> str:
        """Have a worker compile its kernels, if it is otherwise accepted: nobody waits for it in a round then."""
        if self.sizes is None:
            return ""
        check.is_compiling = True
        threads = self._config.threads or self._connection.watch.seen[check.worker].threads
        problem = self._ask(check.worker, problem_of_compiling_there, threads, self._config)
        return f"worker {check.worker} cannot compile the kernels: {problem}" if problem else ""


def _peers_of(worker: str, workers: list[str]) -> list[str]:
    """The next ones after a worker among all workers, at most `MOST_PEERS` of them."""
    place = workers.index(worker) + 1 if worker in workers else 0
    return [other for other in [*workers[place:], *workers[:place]] if other != worker][:MOST_PEERS]


async def unreachable_there(workers: list[str], seconds: float, dask_worker: Any) -> dict[str, str]:
    """Return for each of the workers that cannot be reached from this one, why."""

    async def problem(worker: str) -> str:
        try:
            await asyncio.wait_for(dask_worker.rpc(worker).identity(), seconds)
        except TimeoutError:
            return f"no answer for {seconds:.0f} s"
        except Exception as error:
            return f"{type(error).__name__}: {first_line(error)}"
        return ""

    problems = await asyncio.gather(*map(problem, workers))
    return {worker: problem for worker, problem in zip(workers, problems, strict=True) if problem}


async def problem_of_compiling_there(threads: int, config: TrainConfig) -> str:
    """Compile the kernels on this worker, whose heartbeats go on meanwhile; return why that fails, or nothing."""
    try:
        await asyncio.wrap_future(in_thread(compile_kernels, threads, config))
    except Exception as error:
        return first_line(error) or type(error).__name__
    return ""
