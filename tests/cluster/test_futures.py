"""Tasks on two workers that are processes of this machine."""

import os
import time

import pytest

from fastw2v.cluster import futures as module
from fastw2v.cluster.connection import Connection
from fastw2v.cluster.failures import DataLost, WorkerFailed
from fastw2v.cluster.futures import Tasks, pack
from fastw2v.cluster.workers import Workers
from fastw2v.config import TrainConfig
from fastw2v.errors import InputError
from fastw2v.events import ClusterChanged, Waiting

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

pytestmark = pytest.mark.cluster


@pytest.fixture
def events():
    return []


def tasks_of(client, tell, directory):
    (directory / "t.txt").write_text("a b\n")
    connection = Connection(client, tell)
    workers = Workers(connection, TrainConfig())
    workers.start([str(directory)])
    return Tasks(connection, workers)


@pytest.fixture
def tasks(local, events, tmp_path):
    return tasks_of(local, events.append, tmp_path)


def where():
    """A function for a task, which returns the address of its worker."""

    def address():
        from distributed import get_worker

        return get_worker().address

    return address


def broken(error):
    def fail():
        raise error

    return fail


def test_a_task_runs_where_it_is_wanted(tasks):
    for worker in tasks.workers.addresses * 2:
        assert tasks.result(tasks.submit(where(), at=worker)) == worker


def test_workers_that_take_no_part_get_no_task(tasks):
    first, other = tasks.workers.addresses
    futures = [tasks.submit(where(), at=first) for _ in range(5)] + [tasks.submit(where()) for _ in range(5)]
    tasks.wait_for(futures)
    assert set(tasks.gather(futures)) <= {first, other}
    del tasks.workers._threads_of_workers[other]
    futures = [tasks.submit(where()) for _ in range(10)]
    tasks.wait_for(futures)
    assert set(tasks.gather(futures)) == {first}


def test_data_goes_where_it_is_sent(tasks):
    first, other = tasks.workers.addresses
    sent = tasks.scatter([1, 2], at=other)
    assert tasks.holders([sent]) == [1]
    copied = tasks.copy(sent, at=first)
    tasks.wait_for([copied])
    assert tasks.gather([sent, copied]) == [[1, 2], [1, 2]]
    assert tasks.holders([sent, copied]) == [0, 0], "the copy left a copy of its argument too"
    assert tasks.holders(tasks.detach([copied])) == [0]
    assert tasks.holders([tasks.scatter(5, at=other)]) == [1]
    assert tasks.result(tasks.submit(sum, sent)) == 3
    with pytest.raises(DataLost, match="or data that it held, is gone"):
        tasks.scatter(5, at="tcp://127.0.0.1:1")


def test_data_that_the_scheduler_keeps(tasks):
    assert tasks.result(tasks.submit_data(pack({"a": list(range(100_000))})))["a"][-1] == 99_999


def test_detached_data_stays_without_its_tasks(tasks, local):
    def n_tasks(dask_scheduler):
        return len(dask_scheduler.tasks)

    before = local.run_on_scheduler(n_tasks)
    futures = [tasks.submit(sum, [tasks.submit(abs, -i) for i in range(20)], at=w) for w in tasks.workers.addresses]
    tasks.wait_for(futures)
    detached = tasks.detach(futures)
    assert {future.key for future in detached}.isdisjoint({future.key for future in futures})
    assert tasks.holders(detached) == [0, 1]
    del futures
    assert tasks.gather(detached) == [190, 190]
    assert tasks.have_data(detached) == [True, True]
    end = time.monotonic() + 5
    while local.run_on_scheduler(n_tasks) > before + 2 and time.monotonic() < end:
        time.sleep(0.01)  # the scheduler hears a little later of futures that are gone
    assert local.run_on_scheduler(n_tasks) <= before + 2, "only the data is left"
    local.cancel(detached[:1])
    assert tasks.have_data(detached) == [False, True]
    with pytest.raises(DataLost):
        tasks.detach(detached)


def test_waiting_is_told_and_may_be_ended(tasks, events):
    def slow():
        import time

        time.sleep(0.6)
        return 7

    done = []
    futures = [tasks.submit(slow), tasks.submit(abs, -1)]
    tasks.wait_for(futures, done.append)
    assert done == [0, 1]
    assert events.count(Waiting()) >= 3, "twice a second or more"
    assert tasks.gather(futures) == [7, 1]

    def stop(event):
        raise StopIteration

    tasks._connection.tell = stop
    with pytest.raises(StopIteration):
        tasks.wait_for(futures)


def test_errors_of_tasks(tasks, local):
    with pytest.raises(InputError, match="^by hand$"):
        tasks.result(tasks.submit(broken(InputError("by hand"))))
    message = r"^worker tls://.* failed: a task failed 3 times, in fail: ZeroDivisionError: by hand$"
    with pytest.raises(WorkerFailed, match=message):
        tasks.result(tasks.submit(broken(ZeroDivisionError("by hand\nand more"))))
    first, other = tasks.workers.addresses
    failing = tasks.submit(broken(InputError("too little memory")), at=other)
    with pytest.raises(WorkerFailed, match=f"^worker {other} failed: too little memory$") as failed:
        tasks.result(tasks.submit(abs, failing, at=first))
    assert failed.value.worker == other, "not the one whose task needs the result"
    cancelled = tasks.submit(abs, -1)
    local.cancel([cancelled])
    with pytest.raises(DataLost, match=f"the workers lost the data of {cancelled.key}"):
        tasks.wait_for([cancelled])


def test_a_task_that_fails_once_is_run_again(tasks, tmp_path):
    def fail_once(path):
        import os

        if not os.path.exists(path):
            open(path, "x").close()
            raise ZeroDivisionError
        return "done"

    assert tasks.result(tasks.submit(fail_once, str(tmp_path / "was here"))) == "done"


def test_workers_that_this_process_does_not_reach(tasks, local, monkeypatch):
    """Then the scheduler is asked for their results, at once from the second time on."""
    calls, gather = [], local.gather

    def of_scheduler(futures, direct=False):
        calls.append(direct)
        if direct:
            raise OSError("no route")
        return gather(futures)

    future = tasks.submit(abs, -3)
    tasks.wait_for([future])
    monkeypatch.setattr(local, "gather", of_scheduler)
    assert [tasks.gather([future]), tasks.gather([future])] == [[3], [3]]
    assert calls == [True, False, False]


def test_what_a_round_waits_for(tasks, monkeypatch):
    """A worker has a name, a task may have no worker, and the clock stands while Dask has paused a worker."""
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.4)

    def slow():
        import time

        time.sleep(1.5)

    class Told(Exception):
        pass

    def tell(event):
        if isinstance(event, ClusterChanged):
            raise Told(event.message)

    tasks._connection.tell, [first, _] = tell, tasks.workers.addresses
    slow_task = tasks.submit(slow, at=first)
    with pytest.raises(
        Told, match=rf"^part of a round is late \(\d s so far, usually 0 s\): waiting for worker {first}$"
    ):
        tasks.wait_for_round([slow_task], usual_seconds=0)
    tasks.wait_for([slow_task])
    with pytest.raises(Told, match="usually 0 s.: Dask has not given the tasks to any worker yet$"):
        tasks.wait_for_round([tasks.submit(abs, -1, at="tcp://127.0.0.1:1")], usual_seconds=0)
    slow_task = tasks.submit(slow, at=first)
    with pytest.raises(Told, match=rf"^waiting for worker {first}: it is working on tasks of other clients, or "):
        tasks.wait_for_round([slow_task])
    tasks.wait_for([slow_task])
    monkeypatch.setattr(tasks._connection.watch, "is_stalled", lambda worker: worker == first)
    tasks.wait_for_round([tasks.submit(slow, at=first)], usual_seconds=0)


def test_a_worker_that_dies_before_its_results_are_fetched(cluster, client, events, tmp_path):
    """Dask would wait without end for one that only this worker may make again. Others make what they may."""
    tasks = tasks_of(client, events.append, tmp_path)
    pids = client.run(os.getpid)
    dead = tasks.workers.addresses[0]
    [process] = [process for process in cluster.workers if process.pid == pids[dead]]
    tied, free = tasks.submit(pow, 2, 3, at=dead), [tasks.submit(pow, 2, n) for n in range(9)]
    tasks.wait_for([tied, *free])
    [detached] = tasks.detach([tied])
    process.kill()
    process.wait()
    for lost in (detached, tied):
        with pytest.raises(DataLost):
            tasks.gather([lost])
    assert [tasks.result(future) for future in free] == [2**n for n in range(9)]
