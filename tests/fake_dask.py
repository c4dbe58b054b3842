"""A Dask client, and tasks on workers, that live in this process: what a cluster does, without one."""

from types import SimpleNamespace

from fastw2v.cluster.connection import state_there
from fastw2v.cluster.failures import DataLost
from fastw2v.cluster.futures import _unpack
from fastw2v.cluster.vetting import problem_of_compiling_there, unreachable_there
from fastw2v.events import ClusterChanged, Waiting

SUCCESSES = {unreachable_there: dict, problem_of_compiling_there: str}
"""What makes the answer of workers that reach each other and compile."""


class FakeClient:
    """As much of a `distributed.Client` as `Connection` and `Workers` use.

    threads: of each worker that there is. answers: what `run` returns for (name of a function, worker), instead of
    calling it; an OSError for a worker that is gone. silent: the workers that send no heartbeat. paused: those that
    start no tasks. task_counts: of each worker, by state. memory_limits: of those that have one. nannies: of those that
    have one, its address.
    """

    def __init__(self, *workers):
        self.status, self.asynchronous = "running", False
        self.scheduler = SimpleNamespace(address="tcp://s:8786", unregister=self._unregister, identity=self._identity)
        self.silent, self.paused, self.n_questions = set(), set(), 0
        self.threads = dict.fromkeys(workers, 2)
        self.task_counts = {"executing": 1}
        self.answers, self.memory_limits, self.nannies = {}, {}, {}

    def scheduler_info(self, n_workers=5):
        """What this process asked for last: its timer asks for no workers."""
        return {"workers": {}}

    def _identity(self, n_workers):
        """Workers that are not silent send a heartbeat between any two questions."""
        self.n_questions += 1
        workers = self.threads.items() if n_workers == -1 else []
        return {"workers": {worker: self.about(worker, threads) for worker, threads in workers}}

    def about(self, worker, threads):
        last_seen = 0.0 if worker in self.silent else float(self.n_questions)
        status = "paused" if worker in self.paused else "running"
        metrics = {"task_counts": dict(self.task_counts)}
        limit, nanny = self.memory_limits.get(worker, 0), self.nannies.get(worker)
        state = {"nthreads": threads, "last_seen": last_seen, "status": status, "metrics": metrics}
        return state | {"memory_limit": limit, "nanny": nanny}

    def sync(self, function, **arguments):
        return function(**arguments)

    def _unregister(self, address, stimulus_id):
        self.threads.pop(address, None)

    def run(self, function, *arguments, workers, on_error):
        assert on_error == "return"
        results = {}
        for worker in workers:
            try:
                if function is state_there:
                    if worker in self.silent:
                        raise TimeoutError
                    results[worker] = ("running", dict(self.task_counts))
                    continue
                answer = (function.__name__, worker)
                if answer in self.answers:
                    results[worker] = self.answers[answer]
                elif function in SUCCESSES:
                    results[worker] = SUCCESSES[function]()
                else:
                    results[worker] = function(*arguments)
            except Exception as error:
                results[worker] = error
        return results


class FakeFuture:
    """A result on some workers. It is lost when all of them are gone."""

    def __init__(self, value, holders):
        self.value, self.holders = value, set(holders)


class FakeWorkers:
    """The `Workers` of `FakeTasks`: all that live."""

    def __init__(self, tasks, n):
        self._tasks = tasks
        self.alive = [f"w{i}" for i in range(n)]
        self.addresses, self.proven = list(self.alive), []

    def threads_of(self, worker):
        return 1

    def wait_for_loss(self, seconds):
        pass

    def update(self, may_join=True):
        while not self.alive:
            self._tasks.tell(Waiting())
        known = [worker for worker in self.addresses if worker in self.alive]
        self.addresses = known if known and not may_join else list(self.alive)

    def prove(self):
        self.proven = list(self.addresses)

    def set_newcomers_aside(self, reason):
        self.addresses = [worker for worker in self.addresses if worker in self.proven] or self.addresses

    def refuse(self, failure):
        self._tasks.kill(failure.worker)
        self.tell_change(str(failure))

    def tell_change(self, message):
        self._tasks.tell(ClusterChanged(len(self.addresses), message))


class FakeTasks:
    """`Tasks` that are done at once. Nothing that a worker loses is made again."""

    def __init__(self, n_workers):
        self.tell = lambda event: None
        self.workers = FakeWorkers(self, n_workers)
        self.n_gathered = 0
        self.is_hurried = False
        self._futures = []

    def hurry(self):
        self.is_hurried = True

    def kill(self, *workers):
        """Remove workers, with all that they hold."""
        for worker in workers:
            self.workers.alive.remove(worker)
        for future in self._futures:
            future.holders -= set(workers)

    def _future(self, value, *holders):
        self._futures.append(FakeFuture(value, holders))
        return self._futures[-1]

    def _result(self, value):
        if isinstance(value, list):
            return [self._result(part) for part in value]
        if not isinstance(value, FakeFuture):
            return value
        if not value.holders:
            raise DataLost("a worker is gone, or its data")
        return value.value

    def submit(self, function, *arguments, at=None):
        at = at or self.workers.alive[0]
        if at not in self.workers.alive:
            return self._future(None)
        try:
            result = function(*(self._result(argument) for argument in arguments))
        except DataLost:
            return self._future(None)
        for argument in self._futures_in(list(arguments)):
            argument.holders.add(at)
        return self._future(result, at)

    def _futures_in(self, value):
        if isinstance(value, list):
            return [future for part in value for future in self._futures_in(part)]
        return [value] if isinstance(value, FakeFuture) else []

    def drop_copies(self, keep):
        """What Dask's memory manager does: of several copies only one stays, here one on the worker `keep`."""
        for future in self._futures:
            if len(future.holders) > 1:
                future.holders = {keep} if keep in future.holders else set(list(future.holders)[:1])

    def submit_data(self, packed):
        return self._future(_unpack(packed), *set(self.workers.addresses) & set(self.workers.alive))

    def scatter(self, data, at):
        if at not in self.workers.alive:
            raise DataLost(f"{at} is gone")
        return self._future(data, at)

    def copy(self, future, at):
        return self.submit(lambda data: data, future, at=at)

    def wait_for(self, futures, on_done=lambda number: None):
        for number, future in enumerate(futures):
            self._result(future)
            on_done(number)
        self.tell(Waiting())

    def wait_for_round(self, futures, usual_seconds=0):
        self.wait_for(futures)

    def result(self, future):
        return self._result(future)

    def gather(self, futures):
        self.n_gathered += 1
        return self._result(futures)

    def holders(self, futures):
        addresses = self.workers.addresses
        return [min((addresses.index(w) for w in f.holders if w in addresses), default=len(addresses)) for f in futures]

    def have_data(self, futures):
        return [place < len(self.workers.addresses) for place in self.holders(futures)]

    def detach(self, futures):
        return [self._future(self._result(future), min(future.holders)) for future in futures]
