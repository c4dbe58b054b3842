"""Runs whose workers or scheduler are killed while they work."""

import os
import signal
import threading

import numpy as np
import pytest
from cluster_runs import N_TOKENS, OPTIONS, first_and_deep, messages_of, of_kind, separation, train_with

import fastw2v
from fastw2v.cluster import protocol
from fastw2v.cluster.clients import connected
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


@pytest.mark.parametrize("moment", first_and_deep("in a round", "between rounds", "while reading"))
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
    assert any("going back to token 0" in message for message in messages_of(events))
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


def test_a_task_that_fails(text, local, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(protocol, "train_beat", broken)
    with pytest.raises(RunError, match="failed 3 times, in broken: ZeroDivisionError: by hand; no other worker is"):
        train_with(text, local)
