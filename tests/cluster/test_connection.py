"""The connection to a cluster: what it is asked, and what Dask's failures become."""

import re
import threading

import pytest
from fake_dask import FakeClient

from fastw2v.cluster import connection as module
from fastw2v.cluster.connection import Connection
from fastw2v.cluster.failures import ClusterFailed, DataLost, Stalled
from fastw2v.errors import InputError, RunError
from fastw2v.events import ClusterChanged, Waiting

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")


@pytest.fixture
def client():
    return FakeClient("tcp://a:1", "tcp://b:1")


@pytest.fixture
def connection(client):
    return Connection(client, lambda event: None)


def test_clients_that_are_refused(client):
    client.asynchronous = True
    with pytest.raises(InputError, match="the Dask client is asynchronous.*give one that is not"):
        Connection(client, lambda event: None)
    client.scheduler = None  # as `close` leaves it
    with pytest.raises(InputError, match="the Dask client is closed: connect a new one"):
        Connection(client, lambda event: None)


def test_polling_tells_that_we_wait(connection, client):
    events = []
    connection.tell = events.append
    connection.poll()
    assert events == [Waiting()]
    client.status = "closed"
    with pytest.raises(ClusterFailed, match="the Dask scheduler at tcp://s:8786 is gone"):
        connection.poll()
    assert len(events) == 1


class Clock:
    """Time that goes by when a connection is polled."""

    def __init__(self, connection, monkeypatch):
        self.now, self._connection = 1000.0, connection
        connection._polled = self.now
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def wait(self, seconds):
        """Poll twice a second; every second one question is asked, and its answer heard."""
        for _ in range(2 * seconds):
            self.now += 0.5
            self._connection.poll()
            if self._connection._question:
                module.wait([self._connection._question])
            module.wait(self._connection._pings.values())


@pytest.fixture
def clock(connection, monkeypatch):
    connection.watch.worker_timeout = 30
    return Clock(connection, monkeypatch)


@pytest.fixture
def messages(connection):
    messages = []
    connection.tell = lambda event: isinstance(event, ClusterChanged) and messages.append(event.message)
    return messages


def test_no_deadline_runs_while_this_process_does_something_else(connection, client, clock, messages):
    """It may write a checkpoint for minutes, or be suspended: then it hears of nobody."""
    _, b = connection.watch.in_use = list(client.threads)
    clock.wait(3)
    client.silent = {b}
    clock.wait(5)
    clock.now += 600
    clock.wait(2)
    client.silent = set()
    clock.wait(3)
    assert messages == []
    assert not connection.watch.is_gone(b)


def test_tasks_that_dask_has_lost(connection, client, clock):
    """They are made again if nobody has worked for `worker_timeout`; many short ones are work, too."""

    def at_work():
        return ["tcp://b:1"]

    connection.watch.in_use = list(client.threads)
    clock.wait(100)
    connection.check_work(0, at_work)
    client.task_counts = {"waiting": 3, "executing": 0}
    clock.wait(25)
    connection.check_work(0, at_work)
    client.task_counts = {"waiting": 2, "executing": 0}
    clock.wait(25)
    connection.check_work(0, at_work)
    clock.wait(10)
    message = (
        r"no worker has worked for 3\d s, though tasks are left: Dask has lost a task.*; tcp://b:1 should have worked"
    )
    with pytest.raises(Stalled, match=message) as stalled:
        connection.check_work(0, at_work)
    assert stalled.value.workers == ["tcp://b:1"]
    connection.check_work(connection.seconds - 1, at_work)
    client.paused = {"tcp://a:1"}
    clock.wait(3)
    connection.check_work(0, at_work)


def test_what_a_silent_worker_does_not_answer(connection, client, clock, monkeypatch):
    """A call that it would never answer ends when it is given up."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    hangs = threading.Event()

    def tick(event):
        clock.now += 0.5
        if connection._question:
            module.wait([connection._question])

    connection.tell, client.silent = tick, {"tcp://b:1"}
    with pytest.raises(DataLost, match="a worker of the cluster at tcp://s:8786 does not answer"):
        connection.call(hangs.wait)
    hangs.set()


def test_a_scheduler_that_hangs(connection, client, clock, messages, monkeypatch):
    hangs = threading.Event()
    monkeypatch.setattr(client.scheduler, "identity", lambda n_workers: hangs.wait())
    monkeypatch.setattr(module, "wait", lambda calls: None)
    with pytest.raises(ClusterFailed, match="the Dask scheduler at tcp://s:8786 has not answered for 3. s"):
        clock.wait(40)
    message = r"the Dask scheduler at .* has not answered for 1. s: the run ends after 30 s \(--worker-timeout\)"
    assert [bool(re.fullmatch(message, told)) for told in messages] == [True], messages
    hangs.set()


def test_what_hangs_when_the_run_was_asked_to_stop(connection, client, clock, messages, monkeypatch):
    """It is not waited for, however long `worker_timeout` is, and the end is not delayed by what might come."""
    clock.wait(3)
    client.silent = {"tcp://b:1"}
    clock.wait(3)
    connection.watch.hurry()
    clock.wait(4)
    assert connection.watch.is_gone("tcp://b:1")
    assert not connection.watch.is_gone("tcp://a:1")
    [told] = messages
    assert re.fullmatch("worker tcp://b:1 has not been heard from for [56] s; it has been dropped", told)
    hangs = threading.Event()
    monkeypatch.setattr(client.scheduler, "identity", lambda n_workers: hangs.wait())
    monkeypatch.setattr(module, "wait", lambda calls: None)
    with pytest.raises(ClusterFailed, match="the Dask scheduler at tcp://s:8786 has not answered for [56] s"):
        clock.wait(8)
    assert messages == [told]
    hangs.set()


def test_the_scheduler_is_asked_for_all_workers(connection, client, clock):
    """Also while Dask's own timer asks it for none: that answer once made all workers look lost."""
    clock.wait(3)
    assert connection.watch.seen.keys() == client.threads.keys()
    assert not connection.watch.is_gone("tcp://a:1")


def test_data_that_is_lost(connection):
    message = "a worker of the cluster at tcp://s:8786, or data that it held, is gone: .*by hand"
    for kind in (OSError, ValueError, KeyError, RuntimeError, MemoryError, distributed.CancelledError):
        with pytest.raises(DataLost, match=message), connection.translated_errors():
            raise kind("by hand")


@pytest.mark.parametrize("error", [InputError("by hand"), RunError("by hand")])
def test_our_errors_stay_what_they_are(connection, error):
    with pytest.raises(type(error), match="^by hand$"), connection.translated_errors():
        raise error


def test_other_errors_are_of_dask(connection):
    message = "^Dask has failed: TypeError: by hand$"
    with pytest.raises(ClusterFailed, match=message), connection.translated_errors():
        raise TypeError("by hand")


def test_a_scheduler_that_does_not_answer(connection, client, monkeypatch):
    def identity(n_workers):
        raise OSError("Timed out")

    assert connection.threads_of_workers() == {"tcp://a:1": 2, "tcp://b:1": 2}
    monkeypatch.setattr(client.scheduler, "identity", identity)
    with pytest.raises(ClusterFailed, match="the Dask scheduler at tcp://s:8786 is gone") as caught:
        connection.threads_of_workers()
    assert not isinstance(caught.value, DataLost), "no reason to continue"


def test_functions_run_on_workers(connection, client):
    workers = ["tcp://a:1", "tcp://b:1"]
    assert connection.run(max, 3, 5, workers=workers) == dict.fromkeys(workers, 5)
    for error, kind, message in (
        (InputError("not this"), InputError, "^not this$"),
        (OSError("closed"), DataLost, "closed"),
        (ZeroDivisionError("by\nhand"), ClusterFailed, "^worker tcp://b:1 failed: ZeroDivisionError: by$"),
    ):
        client.answers = {("max", "tcp://b:1"): error}
        with pytest.raises(kind, match=message):
            connection.run(max, 3, 5, workers=workers)
        assert connection.run(max, 3, 5, workers=workers[:1]) == {"tcp://a:1": 5}


def test_workers_whose_heartbeats_are_late_are_asked(connection, client, clock, messages):
    """One that answers is not given up, whatever became of its heartbeats."""
    answers = {"tcp://a:1": True, "tcp://b:1": True}
    real_run = client.run

    def run(function, *arguments, workers, on_error):
        if function is module.state_there and answers[workers[0]]:
            return {workers[0]: ("running", {"executing": 1})}
        return real_run(function, *arguments, workers=workers, on_error=on_error)

    client.run, client.silent = run, {"tcp://b:1"}
    connection.threads_of_workers()
    clock.wait(40)
    assert messages == []
    answers["tcp://b:1"] = False
    clock.wait(40)
    assert [message.rpartition("; ")[2][:17] for message in messages] == ["it will be droppe", "it has been dropp"]
