"""Attacks on clusters of processes: workers that die between rounds, that hang, or that Dask pauses."""

import random
import re
import signal
import threading
import time

import pytest
from cluster_runs import N_TOKENS, OPTIONS, first_and_deep
from figures import amount, report

import fastw2v
from fastw2v.cluster import futures, watch, workers
from fastw2v.errors import InputError, RunError
from fastw2v.events import ClusterChanged, EpochEnded, PhaseStarted, Progress, RoundEnded

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    # Dask's own: sockets of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.faults
def test_workers_that_die_after_a_pause(text, cluster, client_alone):
    """While nothing is trained, Dask's memory manager drops copies: no run may lose more than a round."""
    rng = random.Random(0)
    losses, told = [], []
    for _ in range(amount(30, 2)):
        while len(cluster.workers) < 2:
            cluster.add_worker("--no-nanny")
        client_alone.wait_for_workers(2)
        run = LossesOfRun(lambda: len(cluster.workers) == 2, lambda: kill_one(cluster, rng))
        fastw2v.train(text, client=client_alone, callback=run, **OPTIONS)
        assert run.n_words == 6 * N_TOKENS
        losses.append(run.most_lost)
        told.append(run.messages)
    beyond = sum(n_words > N_TOKENS for n_words in losses)
    report("workers that die after a pause", runs=len(losses), most_words_lost=max(losses), beyond_a_round=beyond)
    assert beyond == 0, told


def kill_one(cluster, rng):
    time.sleep(rng.uniform(4.5, 7))
    dead = cluster.workers.pop(rng.randrange(2))
    dead.kill()
    dead.wait()


class LossesOfRun:
    """A callback that notes how many words a run goes back. After epoch 4 it calls `act` once, if `may_act`."""

    def __init__(self, may_act, act):
        self.may_act, self.act = may_act, act
        self.n_words = self.most_lost = 0
        self.messages = []

    def __call__(self, event):
        match event:
            case EpochEnded(epoch=epoch, n_words=n_words):
                self.n_words = n_words
                if epoch == 4 and self.may_act():
                    self.act()
            case ClusterChanged(message=message):
                self.messages.append(message)
                if "going back to token" in message:
                    left = int(re.sub(r"\D", "", message.partition("token")[2]))
                    self.most_lost = max(self.most_lost, self.n_words - left)
                    self.n_words = left


@pytest.mark.cluster
@pytest.mark.parametrize("moment", first_and_deep(Progress, RoundEnded))
def test_two_of_three_workers_die_at_once(text, cluster, client, moment):
    cluster.add_worker("--no-nanny")
    client.wait_for_workers(3)

    def kill_two():
        for dead in cluster.workers[:2]:
            dead.kill()
        for dead in cluster.workers[:2]:
            dead.wait()

    run = LossesOfRun(lambda: False, None)
    n_rounds = 0

    def act(event):
        nonlocal n_rounds
        run(event)
        n_rounds += isinstance(event, RoundEnded)
        if isinstance(event, moment) and n_rounds == 3 and len(run.messages) == 0:
            kill_two()

    fastw2v.train(text, client=client, callback=act, **OPTIONS)
    assert run.most_lost <= N_TOKENS, run.messages
    assert run.n_words == 6 * N_TOKENS


@pytest.mark.cluster
@pytest.mark.deep
def test_four_of_five_workers_die_one_by_one_in_a_round(text, cluster, client):
    """More often than a round may lose its data, but for workers that die: the last one goes on."""
    for _ in range(3):
        cluster.add_worker("--no-nanny")
    client.wait_for_workers(5)
    run, n_rounds = LossesOfRun(lambda: False, None), 0

    def act(event):
        nonlocal n_rounds
        run(event)
        n_rounds += isinstance(event, RoundEnded)
        if isinstance(event, Progress) and n_rounds == 2 and len(cluster.workers) > 1:
            dead = cluster.workers.pop()
            dead.kill()
            dead.wait()

    fastw2v.train(text, client=client, callback=act, **OPTIONS)
    assert run.most_lost <= N_TOKENS, run.messages
    assert sum("going back to token" in message for message in run.messages) >= 4
    assert run.n_words == 6 * N_TOKENS


@pytest.mark.cluster
@pytest.mark.parametrize(
    "moment", first_and_deep("in a round", "between rounds", "while reading", "before", "at the end")
)
def test_a_worker_that_hangs(text, cluster, client, moment):
    """It is told, and after `worker_timeout` the run goes on as if the worker were dead."""
    stop = cluster.workers[0].send_signal
    messages, reached, n_rounds = [], [], 0

    def act(event):
        nonlocal n_rounds
        n_rounds += isinstance(event, RoundEnded)
        if isinstance(event, EpochEnded):
            reached.append(event.n_words)
        match event:
            case PhaseStarted("connect") if moment == "before":
                stop(signal.SIGSTOP)
            case PhaseStarted("train") if moment == "in a round":
                stop(signal.SIGSTOP)
            case RoundEnded() if moment == "between rounds" and n_rounds == 2:
                stop(signal.SIGSTOP)
            case PhaseStarted("read") if moment == "while reading":
                stop(signal.SIGSTOP)
            case EpochEnded(epoch=6) if moment == "at the end":
                stop(signal.SIGSTOP)
            case ClusterChanged(message=message):
                messages.append((time.monotonic(), message))

    fastw2v.train(text, client=client, callback=act, worker_timeout=6, **OPTIONS)
    times, texts = zip(*messages, strict=True)
    assert re.search(r"has not been heard from for \d s; it will be dropped after 6 s \(--worker-timeout\)", texts[0])
    assert re.search(r"has not been heard from for \d s; it has been dropped$", texts[1])
    assert times[1] - times[0] < 6
    assert reached[-1] == 6 * N_TOKENS
    stop(signal.SIGCONT)
    cluster.workers[0].wait(20)  # it learns that it was given up


@pytest.mark.cluster
@pytest.mark.deep
def test_a_worker_that_is_stuck_in_a_task(text, cluster, client, monkeypatch):
    """It sends heartbeats, but the others wait for it."""
    monkeypatch.setattr(futures, "SILENT_SECONDS", 2)
    first, *_ = client.nthreads()

    def get_stuck():  # goes by value: a worker has no tests
        import time

        from fastw2v.cluster import replica

        replica.train_beat = lambda *arguments: time.sleep(60)

    messages, n_rounds = [], 0

    def act(event):
        nonlocal n_rounds
        n_rounds += isinstance(event, RoundEnded)
        if isinstance(event, RoundEnded) and n_rounds == 2:
            client.run(get_stuck, workers=[first])
        if isinstance(event, ClusterChanged) and n_rounds >= 2:  # on a busy machine the beginning is late, too
            messages.append(event.message)

    fastw2v.train(text, client=client, callback=act, worker_timeout=4, **OPTIONS)
    assert re.fullmatch(
        rf"part of a round is late \(\d s so far, usually \d s\): waiting for worker {first}", messages[0]
    )
    assert re.fullmatch(rf"worker {first} has kept the others waiting for \d s; it has been dropped", messages[1])
    assert n_rounds == 7, "the second one, whose model was not copied yet, was trained again"


@pytest.mark.cluster
@pytest.mark.deep
def test_all_workers_are_busy_with_tasks_of_others(text, client):
    """The first one that is free does not have the others dropped, for which it has hardly waited."""
    run, n_rounds = LossesOfRun(lambda: False, None), 0

    def act(event):
        nonlocal n_rounds
        run(event)
        n_rounds += isinstance(event, RoundEnded)
        if isinstance(event, RoundEnded) and n_rounds == 2:
            for i, worker in enumerate(client.nthreads()):
                tasks.append(client.submit(time.sleep, 12 + i, workers=[worker], priority=1000, pure=False))

    tasks = []
    fastw2v.train(text, client=client, callback=act, worker_timeout=4, **OPTIONS)
    assert not [message for message in run.messages if "dropped" in message], run.messages
    assert run.n_words == 6 * N_TOKENS


@pytest.mark.cluster
@pytest.mark.deep
def test_all_workers_hang_and_come_back(text, cluster, client):
    """None of them is dropped, and nothing is lost."""
    run, n_beats = LossesOfRun(lambda: False, None), 0

    def send(number):
        for worker in cluster.workers:
            worker.send_signal(number)

    def act(event):
        nonlocal n_beats
        run(event)
        n_beats += isinstance(event, Progress)
        if isinstance(event, Progress) and n_beats == 6:
            send(signal.SIGSTOP)
            threading.Timer(8, send, [signal.SIGCONT]).start()

    fastw2v.train(text, client=client, callback=act, worker_timeout=4, **OPTIONS)
    [told] = [message for message in run.messages if message.startswith("no worker starts tasks")]
    each = f"each of {', '.join(sorted(client.nthreads()))} has not been heard from for"
    assert re.fullmatch(rf"no worker starts tasks: {each} \d s; waiting 300 s for one that runs", told)
    later = run.messages[run.messages.index(told) + 1 :]  # one may have been reported before, as the first that hangs
    assert set(later) == {f"worker {worker} answers again" for worker in client.nthreads()}
    assert not any("has been dropped" in message for message in run.messages)
    assert run.n_words == 6 * N_TOKENS


@pytest.mark.cluster
@pytest.mark.parametrize("moment", first_and_deep("in a round", "while reading"))
def test_a_task_that_gets_lost(text, client, moment):
    """Dask would wait for it for ever: its work is done again."""
    task = {"while reading": "words-of", "in a round": "train-beat"}[moment]

    def lose_one(name, dask_worker):  # goes by value: a worker has no tests
        compute = dask_worker.stream_handlers["compute-task"]

        def lose(key, **about):
            if name in key:
                dask_worker.stream_handlers["compute-task"] = compute
            else:
                compute(key=key, **about)

        dask_worker.stream_handlers["compute-task"] = lose

    client.run(lose_one, task)
    run, start = LossesOfRun(lambda: False, None), time.monotonic()
    fastw2v.train(text, client=client, callback=run, worker_timeout=4, **OPTIONS)
    assert run.n_words == 6 * N_TOKENS
    assert time.monotonic() - start > 4, "nothing was lost"
    lost = r"no worker has worked for \d s, though tasks are left: Dask has lost a task.*"
    assert any(re.fullmatch(lost, message) for message in run.messages), run.messages


def set_status(client, status, addresses):
    """Have workers change their status as Dask's monitor of memory does."""

    def change(dask_worker):  # goes by value: a worker has no tests
        dask_worker.status = type(dask_worker.status)[status]

    def known(dask_scheduler):
        return {dask_scheduler.workers[worker].status.name for worker in addresses} == {status}

    client.run(change, workers=addresses)
    while not client.run_on_scheduler(known):
        time.sleep(0.05)


PAUSED = "is paused by Dask, which pauses a worker at 80 % of its memory limit: give it more with dask worker --memory-"


@pytest.mark.cluster
def test_a_worker_that_is_paused_before_the_run(text, client):
    """It gets no task; the other one works."""
    first, other = client.nthreads()
    set_status(client, "paused", [first])
    run = LossesOfRun(lambda: False, None)
    fastw2v.train(text, client=client, callback=run, **OPTIONS)
    assert run.n_words == 6 * N_TOKENS
    [message] = run.messages
    assert message.startswith(f"worker {first} {PAUSED}"), message
    assert message.endswith("it gets no tasks until it runs again")
    n_tasks = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert n_tasks[first] == 0
    assert n_tasks[other] > 50


@pytest.mark.cluster
def test_all_workers_are_paused_before_the_run(text, client, monkeypatch):
    monkeypatch.setattr(workers, "FIRST_PATIENCE", 1.0)
    set_status(client, "paused", list(client.nthreads()))
    with pytest.raises(InputError, match=f"has no worker that starts tasks: each of tcp://.*, tcp://.* {PAUSED}"):
        fastw2v.train(text, client=client, **OPTIONS)


@pytest.mark.cluster
@pytest.mark.parametrize("moment", first_and_deep("in a round", "while reading", "between rounds"))
def test_a_worker_that_is_paused(text, client, moment):
    """It is told why, and after `worker_timeout` the run goes on as if the worker were dead."""
    first, _ = client.nthreads()
    run, n_seen = LossesOfRun(lambda: False, None), 0

    def pause():
        set_status(client, "paused", [first])

    def act(event):
        nonlocal n_seen
        run(event)
        n_seen += isinstance(event, RoundEnded if moment == "between rounds" else Progress)
        match event:
            case PhaseStarted("read") if moment == "while reading":
                threading.Timer(0.2, pause).start()
            case Progress() if moment == "in a round" and n_seen == 6:
                pause()
            case RoundEnded() if moment == "between rounds" and n_seen == 2:
                pause()

    fastw2v.train(text, client=client, callback=act, worker_timeout=4, **OPTIONS)
    assert run.n_words == 6 * N_TOKENS
    assert run.most_lost <= N_TOKENS
    told, dropped, *_ = [message for message in run.messages if "heard from" not in message]
    assert told.startswith(f"worker {first} {PAUSED}"), run.messages
    assert told.endswith("it will be dropped after 4 s (--worker-timeout)")
    assert re.match(rf"worker {first} has started no tasks for \d s: it {PAUSED}.*; it has been dropped", dropped)
    assert "part of a round is late" not in " ".join(run.messages)


@pytest.mark.cluster
@pytest.mark.parametrize("then", first_and_deep("run again", "stay", "stop"))
def test_all_workers_are_paused(text, client, tmp_path, monkeypatch, then):
    """None of them is dropped. When they run again, nothing is lost; if they stay paused, the run ends."""
    if then == "stay":
        monkeypatch.setattr(watch, "PATIENCE", 5.0)
    addresses = list(client.nthreads())
    run, n_beats = LossesOfRun(lambda: False, None), 0

    def act(event):
        nonlocal n_beats
        run(event)
        n_beats += isinstance(event, Progress)
        if isinstance(event, Progress) and n_beats == 6:
            set_status(client, "paused", addresses)
            if then == "run again":
                threading.Timer(8, set_status, [client, "running", addresses]).start()
        return then == "stop" and bool(run.messages)

    def train():
        limits = {"worker_timeout": 6, "checkpoint": tmp_path / "c", "checkpoint_every": 1e-6}
        return fastw2v.train(text, client=client, callback=act, **limits, **OPTIONS)

    each = f"each of {', '.join(sorted(addresses))} {PAUSED}"
    if then == "stay":
        with pytest.raises(
            RunError, match=rf"no worker has started tasks for 5 s: {each}.*\. The last good checkpoint"
        ):
            train()
    else:
        train()
    assert run.messages[0].startswith(f"no worker starts tasks: {each}")
    if then == "run again":
        assert {f"worker {worker} is running again" for worker in addresses} == set(run.messages[1:])
        assert run.n_words == 6 * N_TOKENS
    else:
        assert len(run.messages) == 1
    assert list(client.nthreads()) == addresses
