"""The connection to a cluster: workers that fall silent, and what Dask's failures become."""

import re
import threading

import pytest
from fake_dask import FakeClient

from fastw2v.cluster import connection as module
from fastw2v.cluster.connection import ClusterFailed, Connection, DataLost, first_line
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
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def wait(self, seconds):
        """Poll twice a second; every second one question is asked, and its answer heard."""
        for _ in range(2 * seconds):
            self.now += 0.5
            self._connection.poll()
            if self._connection._question:
                module.wait([self._connection._question])


@pytest.fixture
def clock(connection, monkeypatch):
    connection.worker_timeout = 30
    return Clock(connection, monkeypatch)


@pytest.fixture
def messages(connection):
    messages = []
    connection.tell = lambda event: isinstance(event, ClusterChanged) and messages.append(event.message)
    return messages


def test_a_worker_that_falls_silent(connection, client, clock, messages):
    clock.wait(20)
    assert messages == []
    client.silent = {"tcp://b:1"}
    clock.wait(25)
    [told] = messages
    assert re.fullmatch(r"worker tcp://b:1 has not been heard from for 1\d s; it will be dropped after 30 s .*", told)
    assert not connection.is_gone("tcp://b:1")
    client.silent = set()
    clock.wait(3)
    assert messages[1:] == ["worker tcp://b:1 answers again"]
    client.silent = {"tcp://b:1"}
    clock.wait(35)
    assert re.fullmatch(r"worker tcp://b:1 has not been heard from for 3\d s; it has been dropped", messages[-1])
    assert len(messages) == 4
    assert connection.is_gone("tcp://b:1")
    assert connection.threads_of_workers() == {"tcp://a:1": 2}
    client.threads["tcp://b:1"], client.silent = 2, set()
    clock.wait(3)
    assert not connection.is_gone("tcp://b:1"), "it has come back"


PAUSED = (
    "is paused by Dask, which pauses a worker at 80 % of its memory limit: give it more with dask worker --memory-limit"
)


def test_a_worker_that_is_paused(connection, client, clock, messages):
    """It is told with the reason, and given up while another one runs."""
    a, b = connection.in_use = list(client.threads)
    clock.wait(3)
    client.paused = {b}
    clock.wait(5)
    assert messages == []
    assert (connection.is_paused(a), connection.is_paused(b)) == (False, True)
    clock.wait(10)
    dropped = "it will be dropped after 30 s (--worker-timeout)"
    assert messages == [f"worker {b} {PAUSED}; {dropped}"]
    client.paused = set()
    clock.wait(3)
    assert messages[1:] == [f"worker {b} is running again"]
    client.paused = {b}
    clock.wait(35)
    assert re.fullmatch(rf"worker {b} has started no tasks for 3\d s: it {PAUSED}; it has been dropped", messages[-1])
    assert len(messages) == 4
    assert connection.is_gone(b)
    assert not connection.is_paused(b)
    assert connection.threads_of_workers() == {a: 2}


def test_a_paused_worker_that_takes_no_part(connection, client, clock, messages):
    """It is told at once, and never given up: it may hold what others work on."""
    a, b = client.threads
    connection.in_use, client.paused = [a], {b}
    clock.wait(60)
    assert messages == [f"worker {b} {PAUSED}; it gets no tasks until it runs again"]
    assert connection.threads_of_workers().keys() == {a, b}


def test_a_paused_worker_that_is_refused(connection, client, clock, messages):
    """It does not count, neither as one that waits nor as one that runs."""
    a, b = client.threads
    connection.in_use, connection.refused, client.paused = [a], {b}, {b}
    clock.wait(60)
    assert messages == []
    client.paused = {a}
    clock.wait(20)
    assert re.match(f"no worker starts tasks: each of {a} is paused", messages[0])


def test_all_workers_are_paused(connection, client, clock, messages):
    """None of them is given up: when they run again, the run goes on with what they hold."""
    a, b = connection.in_use = list(client.threads)
    clock.wait(3)
    client.paused = {a, b}
    clock.wait(200)
    waiting = "waiting 300 s for one that runs"
    assert messages == [f"no worker starts tasks: each of {a}, {b} {PAUSED}; {waiting}"]
    client.paused = {b}
    clock.wait(20)
    assert messages[1:] == [f"worker {a} is running again"], "the other one has only begun to keep it waiting"
    client.paused = set()
    clock.wait(20)
    assert messages[2:] == [f"worker {b} is running again"]
    client.paused = {a, b}
    with pytest.raises(ClusterFailed, match=f"no worker has started tasks for 300 s: each of {a}, {b} {PAUSED}$"):
        clock.wait(400)
    assert len(messages) == 4


def test_paused_workers_when_the_run_was_asked_to_stop(connection, client, clock, messages):
    """They still send what they have."""
    _, b = connection.in_use = list(client.threads)
    clock.wait(3)
    client.paused = {b}
    connection.hurry()
    clock.wait(60)
    assert messages == []
    assert not connection.is_gone(b)


def test_a_worker_that_retires(connection, client, clock, messages):
    """It starts no tasks either, but not because of its memory."""
    _, b = connection.in_use = list(client.threads)
    about = client.about
    client.about = lambda worker, threads: (
        about(worker, threads) | ({"status": "closing_gracefully"} if worker == b else {})
    )
    clock.wait(15)
    assert messages == [
        f"worker {b} is closing_gracefully (Dask's word); it will be dropped after 30 s (--worker-timeout)"
    ]


def test_a_worker_that_the_scheduler_loses(connection, client, clock, messages):
    clock.wait(3)
    del client.threads["tcp://b:1"]
    client.threads["tcp://c:1"] = 1
    assert not connection.is_gone("tcp://b:1")
    clock.wait(3)
    assert [worker for worker in "abc" if connection.is_gone(f"tcp://{worker}:1")] == ["b"]
    assert messages == []


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
    connection.hurry()
    clock.wait(4)
    assert connection.is_gone("tcp://b:1")
    assert not connection.is_gone("tcp://a:1")
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
    assert connection._seen.keys() == client.threads.keys()
    assert not connection.is_gone("tcp://a:1")


def test_data_that_is_lost(connection):
    message = "a worker of the cluster at tcp://s:8786, or data that it held, is gone: .*by hand"
    for kind in (OSError, ValueError, KeyError, distributed.CancelledError):
        with pytest.raises(DataLost, match=message), connection.translated_errors():
            raise kind("by hand")


@pytest.mark.parametrize("error", [InputError("by hand"), RunError("by hand"), TypeError("by hand")])
def test_other_errors_stay_what_they_are(connection, error):
    with pytest.raises(type(error), match="^by hand$"), connection.translated_errors():
        raise error


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


def test_first_line():
    assert first_line(ValueError("one\ntwo")) == "one"
