"""Whole runs on clusters of processes, which are killed while they work."""

import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from planted import planted_text

import fastw2v
from fastw2v.cluster import protocol, workers
from fastw2v.cluster.clients import connected
from fastw2v.corpus.corpus import Corpus
from fastw2v.errors import InputError, RunError
from fastw2v.events import ClusterChanged, EpochEnded, PhaseStarted, Progress, Resumed, RoundEnded
from fastw2v.modelfile import CHECKPOINT
from fastw2v.training import checkpoint
from fastw2v.vectors.vectors import Vectors

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    # Dask's own: sockets of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

N_TOKENS = 600_000
OPTIONS = {"dim": 20, "min_count": 1, "epochs": 6, "sample": 0, "window": 3}


def separation(vectors):
    """How much more alike the words of a planted topic are than those of two, in cosines."""
    words = vectors.index_to_key
    matrix = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    topics = np.array([re.sub(r"\d+$", "", word) for word in words])
    cosines = matrix @ matrix.T
    same = topics[:, None] == topics
    np.fill_diagonal(cosines, np.nan)
    return np.nanmean(cosines[same]) - np.nanmean(cosines[~same])


def train_with(text, client, act=lambda event, seen: None, **options):
    """Train; call `act` with each event and how often its kind was seen. Returns (vectors, events)."""
    events = []

    def note(event):
        events.append(event)
        return act(event, sum(type(one) is type(event) for one in events))

    vectors = fastw2v.train(text, client=client, callback=note, **{**OPTIONS, **options})
    return vectors, events


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def messages_of(events):
    return [event.message for event in of_kind(events, ClusterChanged)]


@pytest.mark.parametrize(
    "options", [{}, {"model": "cbow"}, {"loss": "hs", "lr": 0.02}, {"update": "pair", "vectors": "average"}]
)
def test_same_as_one_machine(text, local, options):
    vectors, events = train_with(text, local, **options)
    alone = fastw2v.train(text, threads=1, **{**OPTIONS, **options})
    assert vectors.index_to_key == alone.index_to_key
    np.testing.assert_array_equal(vectors.counts, alone.counts)
    assert separation(vectors) > 0.8 * separation(alone)
    ended, expected = of_kind(events, EpochEnded), Corpus.from_text(text).n_tokens
    assert expected == N_TOKENS
    assert [epoch.n_words for epoch in ended] == [expected * (i + 1) for i in range(6)], "every word once an epoch"
    assert ended[-1].loss < ended[0].loss
    progress = of_kind(events, Progress)
    assert {event.n_workers for event in progress} == {2}
    assert all(0 < event.waited < 1 for event in progress)
    assert all(round_.n_bytes > 0 for round_ in of_kind(events, RoundEnded))


def test_dask_forgets_rounds_that_are_over(text, local):
    """Else a long run would fill the scheduler, and a lost block have all of it done again."""

    def n_tasks(dask_scheduler):
        return len(dask_scheduler.tasks)

    numbers = []

    def act(event, seen):
        if isinstance(event, RoundEnded):
            numbers.append(local.run_on_scheduler(n_tasks))

    train_with(text, local, act, epochs=12, dim=2)
    assert len(numbers) == 12
    assert max(numbers) < 4 * numbers[0], numbers
    gc.collect()
    gc.disable()  # the workers forget a run when it ends, not when Python finds the cycles that it was in
    try:
        before = local.run_on_scheduler(n_tasks)
        train_with(text, local, epochs=2, dim=2)
        end = time.monotonic() + 5
        while local.run_on_scheduler(n_tasks) > before and time.monotonic() < end:
            time.sleep(0.1)
        assert local.run_on_scheduler(n_tasks) <= before
    finally:
        gc.enable()


def test_workers_free_the_memory_of_a_run(text, local):
    """They may outlive many runs. While one works, its memory is used again."""

    def n_floats():
        from fastw2v.cluster import buffers

        return sum(len(memory) for pieces in buffers._free.values() for memory in pieces)

    most = 0

    def act(event, seen):
        nonlocal most
        if isinstance(event, RoundEnded):
            most = max(most, *local.run(n_floats).values())

    train_with(text, local, act, epochs=2, dim=1000)
    assert most > 0
    end = time.monotonic() + 10
    while any(local.run(n_floats).values()) and time.monotonic() < end:
        time.sleep(0.1)
    assert set(local.run(n_floats).values()) == {0}


def test_held_out_text_and_frozen_words(text, local, tmp_path):
    held_out = tmp_path / "h"
    held_out.write_text(planted_text(n_sentences=500, seed=9))
    first, events = train_with(text, local, held_out=held_out)
    losses = [epoch.held_out_loss for epoch in of_kind(events, EpochEnded)]
    assert len(losses) == 7
    assert losses[-1] < losses[1] < losses[0]
    some = first.subset(first.index_to_key[:10])
    again, _ = train_with(text, local, init_vectors=some, freeze=True, lr=0.01, epochs=1)
    np.testing.assert_array_equal(again[some.index_to_key], some.vectors)


def test_command_line(text, tmp_path):
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", "local:2"]
    options = ["--log-json", tmp_path / "log", "--min-count", "1", "--dim", "10"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "2 workers, waiting" in done.stderr
    assert len(Vectors.load(tmp_path / "v.txt")) > 10
    rounds = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if "bytes_sent" in line]
    assert rounds


@pytest.mark.parametrize("moment", ["in a round", "between rounds", "while reading"])
def test_a_worker_is_killed(text, cluster, client, moment):
    kill = cluster.workers[0].kill

    def act(event, seen):
        match event:
            case Progress() if moment == "in a round" and seen == 6:
                kill()
            case RoundEnded() if moment == "between rounds" and seen == 2:
                kill()
            case PhaseStarted("read") if moment == "while reading":
                threading.Timer(0.2, kill).start()

    vectors, events = train_with(text, client, act)
    assert cluster.workers[0].wait(10) == -signal.SIGKILL
    assert separation(vectors) > 0.2
    assert any("is gone" in message for message in messages_of(events))
    assert of_kind(events, RoundEnded)[-1].n_workers == 1
    words = [epoch.n_words for epoch in of_kind(events, EpochEnded)]
    assert words[-1] == 6 * N_TOKENS, "nothing lost, nothing twice"


def test_all_workers_are_killed_and_others_join(text, cluster, client):
    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            for worker in list(cluster.workers):
                worker.kill()
            cluster.add_worker("--no-nanny")
        if isinstance(event, RoundEnded) and seen == 3:
            cluster.add_worker("--no-nanny")
            client.wait_for_workers(2)

    vectors, events = train_with(text, client, act)
    assert separation(vectors) > 0.2
    assert sum("has joined the run" in message for message in messages_of(events)) == 2
    assert any("training again from token 0 on" in message for message in messages_of(events))
    assert of_kind(events, RoundEnded)[-1].n_workers == 2
    assert of_kind(events, EpochEnded)[-1].n_words == 6 * N_TOKENS


def test_a_worker_is_killed_when_the_last_epoch_is_over(text, cluster, client):
    """Its rows were not copied yet: the round is trained again."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.workers[0].kill()
            cluster.workers[0].wait()

    vectors, events = train_with(text, client, act, epochs=2)
    assert of_kind(events, EpochEnded)[-1].n_words == 2 * N_TOKENS
    assert len(of_kind(events, RoundEnded)) == 3
    assert separation(vectors) > 0.1


def test_no_worker_is_left_and_the_run_is_stopped(text, cluster, client, tmp_path):
    """What this process has fetched for a checkpoint is kept: the first epoch, or the first two."""
    is_stopping = False

    def act(event, seen):
        nonlocal is_stopping
        if isinstance(event, RoundEnded) and seen == 2:
            for worker in cluster.workers:
                worker.kill()
        is_stopping |= isinstance(event, ClusterChanged) and "no workers are left" in event.message
        return is_stopping

    vectors, _ = train_with(text, client, act, checkpoint=tmp_path / "c", lr=0.1)
    assert checkpoint.load(tmp_path / "c").position.n_words in (N_TOKENS, 2 * N_TOKENS)
    assert separation(vectors) > 0.1
    saved = Vectors.load(tmp_path / "c" / CHECKPOINT)
    np.testing.assert_array_equal(saved.vectors, vectors.vectors)


def test_the_learning_rate_reaches_its_end_with_the_run(text, local):
    _, events = train_with(text, local, epochs=2)
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.025 * 2**0.5 * 1e-4, rel=0.1)
    half = len(rates) // 2
    assert rates[half - 1] == pytest.approx(0.025 * 2**0.5 / 2, rel=0.1)


def test_a_nanny_brings_a_worker_back(text, cluster, client_alone):
    cluster.add_worker()
    client_alone.wait_for_workers(1)

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 1:
            [number] = client_alone.run(os.getpid).values()
            os.kill(number, signal.SIGKILL)

    vectors, _ = train_with(text, client_alone, act)
    assert separation(vectors) > 0.2


def test_the_scheduler_is_lost_and_the_run_resumed(text, cluster, client, tmp_path):
    directory = tmp_path / "c"

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 3:
            cluster.scheduler.kill()

    with pytest.raises(RunError, match=r"scheduler at tcp://.* is gone.*--resume"):
        train_with(text, client, act, checkpoint=directory, checkpoint_every=1e-6)
    cluster.end()
    with connected("local:1", threads=1) as other:
        vectors, events = train_with(text, other, checkpoint=directory, resume=True)
    assert of_kind(events, Resumed)[0].n_words > 0
    assert of_kind(events, EpochEnded)[-1].n_words == 6 * N_TOKENS
    assert separation(vectors) > 0.2
    message = r"c.checkpoint.fw2v is from a run on a cluster; this run is on one machine: give --dask .*local:1 will do"
    with pytest.raises(InputError, match=message):
        fastw2v.train(text, checkpoint=directory, resume=True, **OPTIONS)


def test_stopped_in_the_middle_and_resumed(text, local, tmp_path):
    directory = tmp_path / "c"

    def stop(event, seen):
        return isinstance(event, Progress) and seen == 7

    train_with(text, local, stop, checkpoint=directory)
    assert 0 < checkpoint.load(directory).position.n_words < 2 * N_TOKENS
    _, later = train_with(text, local, checkpoint=directory, resume=True)
    assert of_kind(later, EpochEnded)[-1].n_words == 6 * N_TOKENS


def test_another_start_or_held_out_text_is_refused(text, local, tmp_path):
    (tmp_path / "h").write_text(planted_text(n_sentences=50, seed=9))
    given = Vectors(Corpus.from_text(text).vocabulary.words[:3], np.eye(3, 20))
    options = {"lr": 0.01, "epochs": 1, "checkpoint": tmp_path / "c", "resume": True}
    train_with(text, local, init_vectors=given, held_out=tmp_path / "h", **options)
    others = Vectors(given.index_to_key, -given.vectors)
    with pytest.raises(InputError, match="started from other init_vectors"):
        train_with(text, local, init_vectors=others, held_out=tmp_path / "h", **options)
    with pytest.raises(InputError, match="another held-out text"):
        train_with(text, local, init_vectors=given, **options)


@pytest.mark.parametrize("where", ["cluster", "local:2"])
def test_a_signal_saves_the_run(text, request, where, tmp_path):
    """From a terminal it comes to the workers of this machine too."""
    if where == "cluster":
        request.getfixturevalue("client")
        where = request.getfixturevalue("cluster").address
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", where]
    command += ["--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while not (tmp_path / "c" / CHECKPOINT).exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "--resume trains from token" in err
    assert "Traceback" not in err
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize("hangs", ["scheduler", "workers"])
def test_a_signal_ends_a_run_whose_cluster_hangs(text, cluster, client, hangs, tmp_path):
    """It keeps the last checkpoint, and does not wait for `worker_timeout`."""
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", cluster.address]
    command += ["--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        while not (tmp_path / "c" / CHECKPOINT).exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        for one in [cluster.scheduler] if hangs == "scheduler" else cluster.workers:
            one.send_signal(signal.SIGSTOP)
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=50)
    finally:
        process.kill()
    assert process.returncode == 143, err
    assert "--resume trains from token" in err
    assert "Traceback" not in err
    assert checkpoint.load(tmp_path / "c").position.n_words > 0


def test_a_task_that_fails(text, local, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(protocol, "train_beat", broken)
    with pytest.raises(RunError, match="a task failed 3 times on the cluster, in broken: ZeroDivisionError: by hand"):
        train_with(text, local)


def without(path):
    """A function for a worker, which finds no file at a path from then on, as if it did not see that disk."""

    def hide():  # goes by value: a worker has no tests
        import os

        real = os.path.getsize

        def getsize(name):
            if name == path:
                raise FileNotFoundError(2, "No such file or directory")
            return real(name)

        os.path.getsize = getsize

    return hide


def of_version(version):
    """A function for a worker, which has another version from then on."""

    def set_version():
        import fastw2v

        fastw2v.__version__ = version

    return set_version


def without_compiler():
    def turn_off():
        import os

        os.environ["NUMBA_DISABLE_JIT"] = "1"

    return turn_off


def test_a_worker_that_does_not_see_the_corpus(text, client):
    _, other = client.nthreads()
    client.run(without(str(text)), workers=[other])
    with pytest.raises(InputError, match=f"worker {other} cannot read {text}.*all workers must see"):
        train_with(text, client)


def test_a_worker_of_another_version(text, client):
    _, other = client.nthreads()
    client.run(of_version("0.0.1"), workers=[other])
    message = f"worker {other} has fastw2v 0.0.1, this process has {re.escape(fastw2v.__version__)}: install the same"
    with pytest.raises(InputError, match=message):
        train_with(text, client)


@pytest.mark.parametrize("problem", ["version", "environment", "sight"])
def test_a_worker_that_joins_later_is_refused(text, cluster, client, problem):
    """The run continues without it, and it gets no task."""
    before = set(client.nthreads())

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.add_worker("--no-nanny")
            client.wait_for_workers(3)
            [joined] = set(client.nthreads()) - before
            changes = {"version": of_version("0.0.1"), "environment": without_compiler(), "sight": without(str(text))}
            client.run(changes[problem], workers=[joined])

    vectors, events = train_with(text, client, act)
    [joined] = set(client.nthreads()) - before
    expected = {
        "version": "has fastw2v 0.0.1, this process has",
        "environment": "cannot run the kernels: fastw2v needs Numba's compiler, which NUMBA_DISABLE_JIT turns off",
        "sight": f"cannot read {text}",
    }[problem]
    [message] = messages_of(events)
    assert message.startswith(f"worker {joined} {expected}")
    assert message.endswith("; the run does not use this worker")
    assert {round_.n_workers for round_ in of_kind(events, RoundEnded)} == {2}
    assert of_kind(events, EpochEnded)[-1].n_words == 6 * N_TOKENS
    assert separation(vectors) > 0.2
    n_tasks = client.run(lambda dask_worker: dask_worker.state.executed_count)
    assert n_tasks[joined] == 0
    assert all(n_tasks[worker] > 100 for worker in before)


@pytest.mark.parametrize("n_killed", [1, 2])
def test_workers_die_beside_one_that_is_refused(text, cluster, client, tmp_path, monkeypatch, n_killed):
    """It does not get their share of the corpus; if it is the only one left, others are waited for as long as ever."""
    monkeypatch.setattr(workers, "FIRST_PATIENCE", 0.1)
    monkeypatch.setattr(workers, "PATIENCE", 5.0)
    before = set(client.nthreads())

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.add_worker("--no-nanny")
            client.wait_for_workers(3)
            [joined] = set(client.nthreads()) - before
            client.run(without(str(text)), workers=[joined])
        if isinstance(event, ClusterChanged) and event.message.endswith("the run does not use this worker"):
            for worker in cluster.workers[:n_killed]:
                worker.kill()
                worker.wait()

    if n_killed == 1:
        _, events = train_with(text, client, act)
        assert of_kind(events, EpochEnded)[-1].n_words == 6 * N_TOKENS
        assert of_kind(events, RoundEnded)[-1].n_workers == 1
    else:
        with pytest.raises(
            RunError, match=r"has had no workers for 5 s\. The last good checkpoint.*resume from it with --resume"
        ):
            train_with(text, client, act, checkpoint=tmp_path / "c", checkpoint_every=1e-6)
    [left] = [
        n
        for worker, n in client.run(lambda dask_worker: dask_worker.state.executed_count).items()
        if worker not in before
    ]
    assert left == 0


def test_text_that_is_rewritten_is_not_trained_on(cluster, client, tmp_path):
    """A worker dies, and its text, which is read again, has the same size but other words."""
    text = tmp_path / "t.txt"
    text.write_text(planted_text(n_sentences=60_000))

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            text.write_text(planted_text(n_sentences=60_000, seed=3)[: text.stat().st_size].ljust(text.stat().st_size))
            cluster.workers[0].kill()

    message = (
        r"t.txt was read again for a worker that is gone, and has changed .*until the run ends. .*from it with --resume"
    )
    with pytest.raises(RunError, match=message):
        train_with(text, client, act, checkpoint=tmp_path / "c", checkpoint_every=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "softmax"}, "loss ns or hs"),
        ({"corpus": "-"}, "stdin"),
        ({"corpus": "/no/such"}, "does not exist"),
        ({"min_count": 10**9}, "no word of the corpus occurs"),
    ],
)
def test_refused(text, local, options, message):
    options = dict(options)
    with pytest.raises(InputError, match=message):
        train_with(options.pop("corpus", text), local, **options)


def test_arguments_of_a_wrong_kind(text, local):
    with pytest.raises(InputError, match="must be a distributed.Client"):
        fastw2v.train(text, client="tcp://127.0.0.1:1")
    with pytest.raises(InputError, match="a corpus is a path"):
        fastw2v.train(5, client=local)
    train_with(text, local, threads=64, epochs=1)  # of the workers, as many as they can start


def test_no_workers(text, client_alone, monkeypatch):
    monkeypatch.setattr(workers, "FIRST_PATIENCE", 1.0)
    with pytest.raises(InputError, match="has no workers: start some with dask worker tcp://"):
        train_with(text, client_alone)
