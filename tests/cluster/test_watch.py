"""Workers that fall silent, are paused or are lost, as the scheduler's answers tell of them."""

import re

import pytest

from fastw2v.cluster.failures import ClusterFailed
from fastw2v.cluster.watch import Watch, WorkerState

A, B, C = "tcp://a:1", "tcp://b:1", "tcp://c:1"


class World:
    """Two workers, and a scheduler that answers once a second.

    threads: of each worker that there is. silent: the workers that send no heartbeat. paused: those that start no
    tasks. task_counts: of each worker, by state.
    """

    def __init__(self):
        self.now, self.messages = 1000.0, []
        self.threads, self.task_counts = {A: 2, B: 2}, {"executing": 1}
        self.silent, self.paused, self.status_of_paused = set(), set(), "paused"
        self.watch = Watch(self.messages.append, self.threads.pop, worker_timeout=30)

    def wait(self, seconds):
        for _ in range(seconds):
            self.now += 1
            self.watch.listen({worker: self.state(worker) for worker in self.threads}, self.now)

    def state(self, worker):
        last_seen = 0.0 if worker in self.silent else self.now
        status = self.status_of_paused if worker in self.paused else "running"
        return WorkerState(self.threads[worker], last_seen, status, dict(self.task_counts))


@pytest.fixture
def world():
    return World()


def test_a_worker_that_falls_silent(world):
    watch = world.watch
    world.wait(20)
    assert world.messages == []
    world.silent = {B}
    world.wait(25)
    [told] = world.messages
    assert re.fullmatch(rf"worker {B} has not been heard from for 1\d s; it will be dropped after 30 s .*", told)
    assert not watch.is_gone(B)
    world.silent = set()
    world.wait(3)
    assert world.messages[1:] == [f"worker {B} answers again"]
    world.silent = {B}
    world.wait(35)
    assert re.fullmatch(rf"worker {B} has not been heard from for 3\d s; it has been dropped", world.messages[-1])
    assert len(world.messages) == 4
    assert watch.is_gone(B)
    assert watch.seen.keys() == {A}
    world.threads[B], world.silent = 2, set()
    world.wait(3)
    assert not watch.is_gone(B), "it has come back"


def test_all_workers_fall_silent(world):
    """None of them is given up, so nothing is lost if they come back; if they stay silent, the run ends."""
    watch = world.watch
    watch.in_use = [A, B]
    world.wait(3)
    world.silent = {A, B}
    world.wait(200)
    [told] = world.messages
    assert re.fullmatch(
        rf"no worker starts tasks: each of {A}, {B} has not been heard from for \d+ s; waiting 300 s for one that runs",
        told,
    )
    world.silent = {B}
    world.wait(20)
    assert world.messages[1:] == [f"worker {A} answers again"], "the other one has only begun to keep it waiting"
    world.silent = set()
    world.wait(3)
    assert world.messages[2:] == [f"worker {B} answers again"]
    world.silent, world.paused = {A}, {B}
    with pytest.raises(
        ClusterFailed, match=f"no worker has started tasks for 300 s: each of {A}, {B} is paused or silent$"
    ):
        world.wait(400)


PAUSED = (
    "is paused by Dask, which pauses a worker at 80 % of its memory limit: give it more with dask worker --memory-limit"
)


def test_a_worker_that_is_paused(world):
    """It is told with the reason, and given up while another one runs."""
    watch = world.watch
    watch.in_use = [A, B]
    world.wait(3)
    world.paused = {B}
    world.wait(5)
    assert world.messages == []
    assert (watch.is_stalled(A), watch.is_stalled(B)) == (False, True)
    world.wait(10)
    dropped = "it will be dropped after 30 s (--worker-timeout)"
    assert world.messages == [f"worker {B} {PAUSED}; {dropped}"]
    world.paused = set()
    world.wait(3)
    assert world.messages[1:] == [f"worker {B} is running again"]
    world.paused = {B}
    world.wait(35)
    assert re.fullmatch(
        rf"worker {B} has started no tasks for 3\d s: it {PAUSED}; it has been dropped", world.messages[-1]
    )
    assert len(world.messages) == 4
    assert watch.is_gone(B)
    assert not watch.is_stalled(B)
    assert watch.seen.keys() == {A}


def test_a_paused_worker_that_takes_no_part(world):
    """It is told at once, and never given up: it may hold what others work on."""
    watch = world.watch
    watch.in_use, world.paused = [A], {B}
    world.wait(60)
    assert world.messages == [f"worker {B} {PAUSED}; it gets no tasks until it runs again"]
    assert watch.seen.keys() == {A, B}


def test_a_paused_worker_that_is_refused(world):
    """It does not count, neither as one that waits nor as one that runs."""
    watch = world.watch
    watch.in_use, watch.refused, world.paused = [A], {B}, {B}
    world.wait(60)
    assert world.messages == []
    world.paused = {A}
    world.wait(20)
    assert re.match(f"no worker starts tasks: each of {A} is paused", world.messages[0])


def test_all_workers_are_paused(world):
    """None of them is given up: when they run again, the run goes on with what they hold."""
    watch = world.watch
    watch.in_use = [A, B]
    world.wait(3)
    world.paused = {A, B}
    world.wait(200)
    waiting = "waiting 300 s for one that runs"
    assert world.messages == [f"no worker starts tasks: each of {A}, {B} {PAUSED}; {waiting}"]
    world.paused = {B}
    world.wait(20)
    assert world.messages[1:] == [f"worker {A} is running again"], "the other one has only begun to keep it waiting"
    world.paused = set()
    world.wait(20)
    assert world.messages[2:] == [f"worker {B} is running again"]
    world.paused = {A, B}
    with pytest.raises(ClusterFailed, match=f"no worker has started tasks for 300 s: each of {A}, {B} {PAUSED}$"):
        world.wait(400)
    assert len(world.messages) == 4


def test_paused_workers_when_the_run_was_asked_to_stop(world):
    """They still send what they have."""
    watch = world.watch
    watch.in_use = [A, B]
    world.wait(3)
    world.paused = {B}
    watch.hurry()
    world.wait(60)
    assert world.messages == []
    assert not watch.is_gone(B)


def test_a_worker_that_retires(world):
    """It starts no tasks either, but not because of its memory."""
    watch = world.watch
    watch.in_use = [A, B]
    world.status_of_paused, world.paused = "closing_gracefully", {B}
    world.wait(15)
    assert world.messages == [
        f"worker {B} is closing_gracefully (as Dask calls it); it will be dropped after 30 s (--worker-timeout)"
    ]


def test_a_worker_that_the_scheduler_loses(world):
    watch = world.watch
    world.wait(3)
    del world.threads[B]
    world.threads[C] = 1
    assert not watch.is_gone(B)
    world.wait(3)
    assert list(map(watch.is_gone, (A, B, C))) == [False, True, False]
    assert world.messages == []


def test_a_worker_whose_heartbeats_fail_is_asked_itself(world):
    """The wall clock was set back: Dask then sends no heartbeats, but the worker works."""
    world.silent = {B}
    for _ in range(40):
        world.wait(1)
        for worker in world.watch.unheard():
            world.watch.hear(worker, "running", {"memory": 3})
        world.watch.hear("tcp://nobody:1", "running", {})
    assert world.messages == []
    assert world.watch.seen[B].task_counts == {"memory": 3}
    assert world.watch.seen[A].task_counts == {"executing": 1}
    world.silent = set()
    world.wait(1)
    assert world.watch.seen[B].task_counts == {"executing": 1}, "a heartbeat is newer"
    assert world.watch.unheard() == []
