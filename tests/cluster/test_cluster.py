"""Whole runs on clusters of processes: the same as on one machine, from a command line to a signal."""

import gc
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cluster_runs import N_TOKENS, OPTIONS, messages_of, of_kind, separation, train_with
from planted import planted_text

import fastw2v
from fastw2v.cluster.connection import state_there
from fastw2v.corpus.corpus import Corpus
from fastw2v.errors import InputError
from fastw2v.events import EpochEnded, Progress, RoundEnded
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


@pytest.mark.deep
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


def test_workers_answer_what_they_do(local):
    """As their heartbeats tell it; where those fail, workers are asked."""
    answers = local.run(state_there)
    assert len(answers) == 2
    for status, task_counts in answers.values():
        assert status == "running"
        assert all(isinstance(state, str) and n >= 0 for state, n in task_counts.items())


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


def test_the_learning_rate_reaches_its_end_with_the_run(text, local):
    _, events = train_with(text, local, epochs=2)
    rates = [event.learning_rate for event in of_kind(events, Progress)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.025 * 2**0.5 * 1e-4, rel=0.1)
    half = len(rates) // 2
    assert rates[half - 1] == pytest.approx(0.025 * 2**0.5 / 2, rel=0.1)


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


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("local:2", signal.SIGINT),
        pytest.param("local:2", signal.SIGTERM, marks=pytest.mark.deep),
        pytest.param("cluster", signal.SIGINT, marks=pytest.mark.deep),
    ],
)
def test_a_signal_saves_the_run(text, request, where, number, tmp_path):
    """From a terminal, or from `timeout`, it comes to the workers of this machine too; from `timeout` twice."""
    if where == "cluster":
        request.getfixturevalue("client")
        where = request.getfixturevalue("cluster").address
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", where]
    command += ["--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1000", "--log-json", tmp_path / "log"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while not (tmp_path / "c" / CHECKPOINT).exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        time.sleep(0.5)
        os.kill(process.pid, number)  # as `timeout` does, first to the command and then to its group
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 128 + number, err
    assert "--resume continues from token" in err
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    reached = max(record["words"] for record in records if "epoch_ended" in record)
    assert checkpoint.load(tmp_path / "c").position.n_words >= reached, "nothing of the last whole round is lost"
    assert "Traceback" not in err
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize("hangs", ["scheduler", "workers"])
def test_a_signal_ends_a_run_whose_cluster_hangs(text, cluster, client, hangs, tmp_path):
    """It keeps the last checkpoint, and does not wait for `worker_timeout`."""
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", cluster.address]
    command += ["--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1000", "--log-json", tmp_path / "log"]
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
    assert "--resume continues from token" in err
    assert "Traceback" not in err
    assert checkpoint.load(tmp_path / "c").position.n_words > 0


@pytest.mark.deep
def test_workers_that_compile_join_when_they_can_work(text, cluster, client, tmp_path):
    """Nobody waits for them meanwhile, however little patience the run has."""
    n_workers = 0

    def act(event, seen):
        nonlocal n_workers
        if isinstance(event, RoundEnded):
            n_workers = event.n_workers
            if seen == 1:
                for i in range(3):
                    cluster.add_worker("--no-nanny", NUMBA_CACHE_DIR=str(tmp_path / str(i)))
            time.sleep(0.5)
        return isinstance(event, Progress) and n_workers == 5

    _, events = train_with(text, client, act, epochs=1000, worker_timeout=10)
    assert n_workers == 5
    messages = [message for message in messages_of(events) if "has been compiling kernels" not in message]
    assert len(messages) == 3
    assert all("has joined the run" in message for message in messages)
