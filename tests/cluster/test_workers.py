"""Workers that come, go and are refused, without a cluster."""

import re
import threading
from pathlib import Path

import pytest
from fake_dask import FakeClient

import fastw2v
from fastw2v.cluster import vetting, watch
from fastw2v.cluster import workers as module
from fastw2v.cluster.connection import Connection
from fastw2v.cluster.failures import ClusterFailed, Stalled, WorkerFailed
from fastw2v.cluster.workers import Workers
from fastw2v.config import TrainConfig
from fastw2v.errors import InputError
from fastw2v.events import ClusterChanged, Waiting

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

A, B, C, D, E = (f"tcp://{name}:1" for name in "abcde")


class Setting:
    """Workers of a client, and what they tell. `act` is called with each event."""

    def __init__(self, *addresses, threads=None):
        self.client = FakeClient(*addresses)
        self.events, self.act = [], lambda event: None
        self.workers = Workers(Connection(self.client, self._note), TrainConfig(threads=threads))

    def _note(self, event):
        self.events.append(event)
        self.act(event)

    @property
    def messages(self):
        return [event.message for event in self.events if isinstance(event, ClusterChanged)]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(vetting, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(vetting, "GONE_SECONDS", 0.0)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "t.txt").write_text("a b\n" * 10)
    return str(tmp_path / "t.txt")


@pytest.fixture
def started(text):
    setting = Setting(A, B)
    setting.workers.start([text])
    return setting


def test_start(text):
    setting = Setting(A, B)
    [shard] = setting.workers.start([text])
    assert [(part.file, part.size) for part in shard] == [(text, 40)]
    assert setting.workers.addresses == [A, B]
    assert setting.messages == []
    assert setting.workers.threads_of(A) == 2
    threads = Setting(A, threads=5)
    threads.workers.start([text])
    assert threads.workers.threads_of(A) == 5


@pytest.mark.parametrize(("answer", "has"), [("0.1", "fastw2v 0.1"), ("", "no fastw2v")])
def test_another_version_is_refused(text, answer, has):
    setting = Setting(A, B)
    setting.client.answers = {("version_there", B): answer}
    message = f"^worker {B} has {has}, this process has {fastw2v.__version__}: install the same there"
    with pytest.raises(InputError, match=message):
        setting.workers.start([text])


def test_a_corpus_that_one_does_not_see(text):
    setting = Setting(A, B)
    setting.client.answers = {("check_seen", B): f"cannot read {text}: No such file"}
    with pytest.raises(InputError, match=f"^worker {B} cannot read {text}: .*: all workers must see the corpus"):
        setting.workers.start([text])


@pytest.mark.parametrize("joins_later", [False, True])
def test_a_corpus_of_which_one_has_another_copy(text, joins_later):
    """Of the same size under the same path."""
    setting = Setting(*([A] if joins_later else [A, B]))
    real_run, lock = setting.client.run, threading.Lock()

    def run(function, *arguments, workers, on_error):
        with lock:  # the workers are checked at the same time
            if function.__name__ == "check_seen" and B in workers:
                Path(text).write_text("a c\n" * 10)
            answers = real_run(function, *arguments, workers=workers, on_error=on_error)
            Path(text).write_text("a b\n" * 10)
            return answers

    setting.client.run = run
    problem = f"worker {B} sees different text in {text} than the other workers, of the same size"
    if joins_later:
        setting.workers.start([text])
        setting.client.threads[B] = 2
        setting.workers.update()
        [message] = setting.messages
        assert message.startswith(f"{problem}: all workers must see the corpus under the same path; ")
        assert message.endswith("; the run does not use this worker")
    else:
        with pytest.raises(InputError, match=f"^{problem}: all workers must see the corpus under the same path"):
            setting.workers.start([text])


def test_no_worker_comes(text, monkeypatch):
    monkeypatch.setattr(module, "FIRST_PATIENCE", 0.02)
    setting = Setting()
    with pytest.raises(InputError, match="tcp://s:8786 has no workers: start some with dask worker tcp://s:8786"):
        setting.workers.start([text])
    assert set(setting.events) == {Waiting()}


def test_the_first_worker_is_waited_for(text):
    setting = Setting()
    setting.act = lambda event: setting.client.threads.update({A: 3})
    setting.workers.start([text])
    assert setting.workers.addresses == [A]


def test_workers_that_are_paused_at_the_start(text, monkeypatch):
    monkeypatch.setattr(module, "FIRST_PATIENCE", 0.02)
    setting = Setting(A, B)
    setting.client.paused = {B}
    setting.workers.start([text])
    assert setting.workers.addresses == [A]
    assert [f"worker {B} is paused by Dask" in message for message in setting.messages] == [True]
    setting.workers.update()
    assert setting.workers.addresses == [A]
    setting.client.paused = set()
    setting.workers.update()
    assert setting.workers.addresses == [A, B]
    assert setting.messages[1:] == [f"worker {B} is running again", f"worker {B} has joined the run"]
    setting = Setting(A, B)
    setting.client.paused = {A, B}
    message = f"^tcp://s:8786 has no worker that starts tasks: each of {A}, {B} is paused by Dask, .* --memory-limit$"
    with pytest.raises(InputError, match=message):
        setting.workers.start([text])


def test_a_worker_that_is_paused_is_waited_for(started, monkeypatch):
    """For it holds a part of the corpus. It is not waited for when it is given up."""

    def run_again(event):
        started.client.paused = set()

    started.client.paused, started.act = {B}, run_again
    started.workers.update()
    assert started.workers.addresses == [A, B]
    assert started.messages == []
    started.client.paused, started.act = {B}, lambda event: None
    started.workers._connection.watch.worker_timeout = 0.01
    started.workers.update()
    assert started.workers.addresses == [A]
    assert [message.rpartition("; ")[2] for message in started.messages] == [
        "it will be dropped after 0 s (--worker-timeout)",
        "it has been dropped",
        "the others take over its share",
    ]


def test_only_paused_workers_are_left(started, monkeypatch):
    """Those that begin to run are used, those that stay paused end the run."""
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    started.client.threads, started.client.paused = {C: 2}, {C}
    with pytest.raises(ClusterFailed, match=f"^no worker has started tasks for 0 s: each of {C} is paused by Dask"):
        started.workers.update()
    assert not any("no workers are left" in message for message in started.messages)


def test_one_goes_and_one_comes(started):
    started.workers.update()
    assert started.messages == []
    started.client.threads = {C: 4, B: 2}
    started.workers.update()
    assert started.workers.addresses == [B, C], "in the order of their coming"
    assert started.workers.threads_of(C) == 4
    assert started.messages == [
        f"worker {A} is gone; the others take over its share",
        f"worker {C} has joined the run",
    ]
    assert [event.n_workers for event in started.events if isinstance(event, ClusterChanged)] == [2, 2]


@pytest.mark.parametrize(
    ("function", "answer", "problem"),
    [
        ("version_there", "0.1", "has fastw2v 0.1, this process has .*: install the same there, with the extra dask"),
        ("check_seen", "cannot read t.txt: No such file", "cannot read t.txt: No such file: all workers must see .*"),
    ],
)
def test_one_that_comes_later_is_refused(started, function, answer, problem):
    started.client.answers = {(function, C): answer}
    started.client.threads[C] = 2
    started.workers.update()
    started.workers.update()
    assert started.workers.addresses == [A, B]
    assert started.workers._connection.watch.refused == {C}
    [message] = started.messages
    assert re.fullmatch(f"worker {C} {problem}; the run does not use this worker", message)


def test_only_a_refused_worker_is_left(started):
    """It does not count as one: others are waited for."""
    started.client.answers = {("version_there", C): "0.1"}
    started.client.threads = {C: 2}

    def act(event):
        if isinstance(event, Waiting):
            started.client.threads[B] = 2

    started.act = act
    started.workers.update()
    assert started.workers.addresses == [B]


def test_no_worker_is_left(started, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.02)
    started.client.threads = {}
    with pytest.raises(ClusterFailed, match="tcp://s:8786 has had no workers for 0 s"):
        started.workers.update()
    assert started.messages == ["no workers are left: waiting 0 s for others"], "told once"
    assert started.events.count(Waiting()) > 1


def test_waiting_ends_by_what_the_listener_raises(started):
    def stop(event):
        if isinstance(event, Waiting):
            raise StopIteration

    started.client.threads, started.act = {}, stop
    with pytest.raises(StopIteration):
        started.workers.update()


def test_one_that_comes_and_goes_at_once(started):
    started.client.threads[C] = 2
    real_run = started.client.run

    def run(function, *arguments, workers, on_error):
        if workers != [C]:
            return real_run(function, *arguments, workers=workers, on_error=on_error)
        started.client.threads.pop(C, None)
        raise OSError("closed")

    started.client.run = run
    for _ in range(2):
        started.workers.update()
        assert started.workers.addresses == [A, B]
    assert started.messages[1:] == [], "none, or that it does not answer"


def test_one_that_cannot_be_reached(started, monkeypatch):
    """The others do not wait for it, and a worker that comes later under its address is checked anew."""
    monkeypatch.setattr(vetting, "FIRST_WAIT_SECONDS", 0.01)
    real_run, may_fail = started.client.run, threading.Event()

    def run(function, *arguments, workers, on_error):
        if workers == [C] and C not in started.client.answers:
            may_fail.wait()
            raise OSError("Timed out")
        return real_run(function, *arguments, workers=workers, on_error=on_error)

    started.client.run = run
    started.client.threads[C] = 2
    started.workers.update()
    assert (started.workers.addresses, started.messages) == ([A, B], [])
    may_fail.set()
    while not started.messages:
        started.workers.update()
    expected = f"worker {C} does not answer: OSError: Timed out; the run does not use this worker"
    assert (started.workers.addresses, started.messages) == ([A, B], [expected])
    del started.client.threads[C]
    started.workers.update()
    started.client.threads[C], started.client.run = 2, real_run
    started.workers.update()
    assert started.workers.addresses == [A, B, C]


def test_one_whose_checks_take_long(started, monkeypatch):
    """It is reported, and after `worker_timeout` refused."""
    monkeypatch.setattr(vetting, "FIRST_WAIT_SECONDS", 0.01)
    real_run, end = started.client.run, threading.Event()

    def run(function, *arguments, workers, on_error):
        if workers == [C]:
            end.wait()
        return real_run(function, *arguments, workers=workers, on_error=on_error)

    started.client.run = run
    started.client.threads[C] = 2
    started.workers._connection.watch.worker_timeout = 0.2
    while len(started.messages) < 2:
        started.workers.update()
        started.workers._wait()
    end.set()
    assert started.messages == [
        f"worker {C} has not answered for 0 s: it does not take part yet",
        f"worker {C} has not answered for 0 s; the run does not use this worker",
    ]
    assert started.workers.addresses == [A, B]


@pytest.mark.parametrize(
    ("asked", "answer", "problem"),
    [
        (C, {A: "OSError: closed"}, rf"cannot reach worker {A} \(OSError: closed\)"),
        (B, {C: "no answer for 10 s"}, rf"cannot be reached by worker {B} \(no answer for 10 s\)"),
    ],
)
def test_one_that_others_do_not_reach(started, asked, answer, problem):
    started.client.answers = {("unreachable_there", asked): answer}
    started.client.threads[C] = 2
    started.workers.update()
    [message] = started.messages
    assert re.fullmatch(
        f"worker {C} {problem}; all workers must reach each other: .*; the run does not use .*", message
    )
    assert started.workers.addresses == [A, B]


def test_workers_that_do_not_reach_each_other_at_the_start(text):
    setting = Setting(A, B)
    setting.client.answers = {("unreachable_there", A): {B: "OSError: closed"}}
    with pytest.raises(InputError, match=f"^worker {A} cannot reach worker {B} "):
        setting.workers.start([text])


def test_newcomers_sit_out_when_their_round_failed(started):
    started.workers.set_newcomers_aside("gone")
    assert started.workers.addresses == [A, B], "none has succeeded so far"
    started.workers.prove()
    started.client.threads[C] = 2
    started.workers.update(may_join=False)
    assert started.workers.addresses == [A, B]
    for number in (1, 2):
        started.workers.update()
        assert started.workers.addresses == [A, B, C]
        started.workers.set_newcomers_aside("gone")
        assert started.workers.addresses == [A, B], number
        started.workers.prove()
    started.workers.update()
    assert started.workers.addresses == [A, B]
    joined = f"worker {C} has joined the run"
    assert started.messages == [
        joined,
        f"the round that worker {C} has joined is repeated without it",
        joined,
        f"worker {C} has joined 2 rounds, and each failed (gone); the run does not use this worker",
    ]


def test_newcomers_are_not_blamed_for_the_death_of_others(started):
    started.workers.prove()
    started.client.threads |= {C: 2, D: 2}
    for _ in range(2):
        started.workers.update()
        assert C in started.workers.addresses
        started.workers.prove()
        started.workers._proven -= {C, D}
        started.client.threads.pop(started.workers.addresses[0])
        started.workers.update(may_join=False)
        started.workers.set_newcomers_aside("gone")
    assert not any("does not use" in message for message in started.messages)
    assert started.workers.addresses == [C, D], "the others are dead"


def test_one_that_its_nanny_starts_again_and_again_is_left_out(started):
    """Dask ends it whenever it trains, for want of memory; it comes back under other addresses."""
    started.client.nannies = {C: "tcp://n:1", D: "tcp://n:1", E: "tcp://n:1"}
    started.workers.prove()
    for worker in (C, D):
        started.client.threads[worker] = 2
        started.workers.update()
        assert started.workers.addresses == [A, B, worker]
        del started.client.threads[worker]
        started.workers.update(may_join=False)
        started.workers.set_newcomers_aside("gone")
        started.workers.prove()
    started.client.threads[E] = 2
    started.workers.update()
    assert started.workers.addresses == [A, B]
    assert [message for message in started.messages if "use" in message] == [
        f"worker {D} has joined 2 rounds, and each failed (gone); {module.DIED}; the run does not use this worker",
        f"worker {E} takes the place of one that was left out; the run does not use this worker",
    ]


def test_one_with_too_little_memory(started):
    """It is left out by name, and so is one that comes later; if all are so small, the run does not begin."""
    started.client.memory_limits = {B: 300_000_000, D: 300_000_000}
    started.workers.update()
    started.workers.need_memory(300_000_000, 300_000_000)
    assert (started.workers.addresses, started.messages) == ([A, B], [])
    started.workers.need_memory(300_000_000, 440_000_000)
    assert started.workers.addresses == [A, B]
    [warning] = started.messages
    need = "below the 440 MB that each may need (the lowest: 300 MB): if Dask ends them, give them more with"
    assert warning.startswith(f"1 of 2 workers have memory limits {need}")
    started.events.clear()
    started.workers.need_memory(440_000_000, 440_000_000)
    started.client.threads[D] = 2
    started.workers.update()
    assert started.workers.addresses == [A]
    problem = "needs at least 440 MB of memory, and its limit is 300 MB: give it more with dask worker --memory-limit"
    assert started.messages == [f"worker {w} {problem}; the run does not use this worker" for w in (B, D)]
    started.client.memory_limits[A] = 300_000_000
    started.workers.update()
    with pytest.raises(InputError, match=f"^worker {A} {problem}, or lower --dim or --max-vocab, or raise --min-count"):
        started.workers.need_memory(440_000_000, 440_000_000)


def test_newcomers_that_are_left_alone_go_on(started):
    started.workers.prove()
    started.client.threads = {C: 2}
    started.workers.update(may_join=False)
    started.workers.set_newcomers_aside("gone")
    assert started.workers.addresses == [C]


def test_one_for_which_the_others_wait_twice_in_vain_is_left_out(started):
    """Its tasks wait for data that it cannot receive, of which Dask tells nobody."""
    stalled = Stalled("no worker has worked", [B])
    started.workers.suspect(stalled)
    started.workers.prove()  # a round in between: Dask had lost a task
    started.workers.suspect(stalled)
    assert started.workers.addresses == [A, B]
    started.workers.suspect(stalled)
    assert started.workers.addresses == [A]
    assert re.fullmatch(rf"worker {B} failed: it has not worked on its tasks; .*", started.messages[-1])
    started.workers.suspect(stalled)
    started.workers.suspect(Stalled("no worker has worked", [A]))
    with pytest.raises(ClusterFailed, match="no other worker is left"):
        started.workers.suspect(Stalled("no worker has worked", [A]))


def test_one_that_fails_is_left_out(started):
    started.workers.refuse(WorkerFailed(A, "too little memory"))
    started.workers.update()
    assert started.workers.addresses == [B]
    assert started.messages == [f"worker {A} failed: too little memory; the run does not use this worker"]
    with pytest.raises(ClusterFailed, match=f"^worker {B} failed: too little memory; no other worker is left$"):
        started.workers.refuse(WorkerFailed(B, "too little memory"))
