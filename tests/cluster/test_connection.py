"""The connection to a cluster: what Dask's failures become."""

import pytest
from fake_dask import FakeClient

from fastw2v.cluster.connection import ClusterFailed, Connection, DataLost, first_line
from fastw2v.errors import InputError, RunError
from fastw2v.events import Waiting

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")


@pytest.fixture
def client():
    return FakeClient("tcp://a:1", "tcp://b:1")


@pytest.fixture
def connection(client):
    return Connection(client, lambda event: None)


def test_polling_tells_that_we_wait(connection, client):
    events = []
    connection.tell = events.append
    connection.poll()
    assert events == [Waiting()]
    client.status = "closed"
    with pytest.raises(ClusterFailed, match="the Dask scheduler at tcp://s:8786 is gone"):
        connection.poll()
    assert len(events) == 1


def test_data_that_is_lost(connection):
    message = "a worker of tcp://s:8786 is gone, or its data: .*by hand"
    for kind in (OSError, ValueError, KeyError, distributed.CancelledError):
        with pytest.raises(DataLost, match=message), connection.translated_errors():
            raise kind("by hand")


@pytest.mark.parametrize("error", [InputError("by hand"), RunError("by hand"), TypeError("by hand")])
def test_other_errors_stay_what_they_are(connection, error):
    with pytest.raises(type(error), match="^by hand$"), connection.translated_errors():
        raise error


def test_a_scheduler_that_does_not_answer(connection, client, monkeypatch):
    def nthreads():
        raise OSError("Timed out")

    assert connection.threads_of_workers() == {"tcp://a:1": 2, "tcp://b:1": 2}
    monkeypatch.setattr(client, "nthreads", nthreads)
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
