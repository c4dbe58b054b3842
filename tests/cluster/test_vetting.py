"""The checks of workers, without a cluster."""

import asyncio
import re
import threading
import time

import fake_dask
import pytest
from fake_dask import FakeClient

from fastw2v.cluster import vetting
from fastw2v.cluster.connection import Connection
from fastw2v.cluster.vetting import MOST_PEERS, Vetting, _peers_of, problem_of_compiling_there, unreachable_there
from fastw2v.config import TrainConfig

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

A, B, C = (f"tcp://{name}:1" for name in "abc")


@pytest.fixture
def client():
    return FakeClient(A, B, C)


@pytest.fixture
def checks(client, monkeypatch):
    monkeypatch.setattr(vetting, "GONE_SECONDS", 0.0)
    connection = Connection(client, lambda event: None, worker_timeout=60)
    connection.threads_of_workers()
    return Vetting(connection, TrainConfig(threads=1))


def settled(checks, workers, members=()):
    """The problems, when all checks are over."""
    while len(problems := checks.problems(workers, list(members))) < len(workers):
        time.sleep(0.01)
        checks._connection.threads_of_workers()
    return problems


def test_workers_without_a_problem(checks):
    assert settled(checks, [A, B, C]) == {A: "", B: "", C: ""}


def test_each_is_checked_once(checks, client):
    settled(checks, [A, B])
    client.answers = {("version_there", A): "0.1"}
    assert settled(checks, [A, B]) == {A: "", B: ""}
    checks.forget()
    assert settled(checks, [A, B])[A].startswith(f"worker {A} has fastw2v 0.1, ")


def test_a_peer_that_has_a_problem_itself(checks, client):
    """The worker that cannot reach it is checked again, when it is gone or answers."""
    client.answers = {("unreachable_there", C): {A: "no answer for 10 s"}}
    client.paused = {A}
    checks._connection.threads_of_workers()
    for _ in range(3):
        assert checks.problems([C], [A, B]) == {}
    client.answers, client.paused = {}, set()
    assert settled(checks, [C], [A, B]) == {C: ""}
    checks.forget()
    client.answers = {("unreachable_there", C): {A: "no answer for 10 s"}}
    assert settled(checks, [C], [A, B])[C].startswith(f"worker {C} cannot reach worker {A} (no answer for 10 s); ")


def test_a_worker_that_still_compiles(checks, client, monkeypatch):
    """It is not waited for, however long it takes, and joins when it can work as fast as the others."""
    is_over, events = threading.Event(), []
    checks.sizes, checks._connection.tell = {}, events.append
    monkeypatch.setitem(fake_dask.SUCCESSES, problem_of_compiling_there, lambda: is_over.wait(60) and "")
    for seconds in (0.0, 1000.0):
        checks._connection.seconds += seconds
        assert checks.problems([C], [A, B]) == {}
    assert re.search(rf"worker {C} has been compiling kernels for 100\d s: it does not take part yet", str(events))
    is_over.set()
    assert settled(checks, [C], [A, B]) == {C: ""}


def test_a_worker_that_cannot_compile(checks, client):
    client.answers = {("problem_of_compiling_there", C): "no room"}
    assert settled(checks, [C]) == {C: ""}  # the corpus is not known yet, so nothing is compiled
    checks.sizes = {}
    checks.forget()
    assert settled(checks, [C]) == {C: f"worker {C} cannot compile the kernels: no room"}


def test_peers():
    assert _peers_of(B, [A, B, C]) == [C, A]
    assert _peers_of(C, [A, B]) == [A, B]
    assert _peers_of(A, [A]) == []
    many = [str(number) for number in range(3 * MOST_PEERS)]
    assert _peers_of("1", many) == many[2 : MOST_PEERS + 2]


class FakeWorker:
    """In the place of Dask's worker: it reaches A, is refused by B, and C does not answer."""

    def rpc(self, address):
        self.address = address
        return self

    async def identity(self, address=None):
        if self.address == B:
            raise OSError("refused")
        if self.address == C:
            await asyncio.sleep(60)


def test_who_is_reached():
    found = {}
    for worker in (A, B, C):
        found |= asyncio.run(unreachable_there([worker], 0.05, FakeWorker()))
    assert found == {B: "OSError: refused", C: "no answer for 0 s"}


def test_why_compiling_fails(monkeypatch):
    assert asyncio.run(problem_of_compiling_there(1, TrainConfig())) == ""

    def fail(threads, config):
        raise OSError("no room\nin the cache")

    monkeypatch.setattr(vetting, "compile_kernels", fail)
    assert asyncio.run(problem_of_compiling_there(1, TrainConfig())) == "no room"
