"""Training on real clusters: schedulers and workers as separate processes, killed while they work."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from planted import planted_text

import fastw2v
from fastw2v import InputError, RunError, Vectors
from fastw2v.corpus.corpus import Corpus

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")
from fastw2v.training.cluster import ClusterChanged  # noqa: E402
from fastw2v.training.connection import connected  # noqa: E402
from fastw2v.training.distributed import RoundEnded  # noqa: E402
from fastw2v.training.run import PhaseStarted, compile_kernels  # noqa: E402

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    # Dask's own: sockets of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

OPTIONS = {"dim": 20, "min_count": 1, "epochs": 6, "sample": 0, "window": 3}


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    compile_kernels(1)  # here, where the workers find it
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_text(planted_text(n_sentences=60_000))
    return path


class Processes:
    """A scheduler and workers, as their commands start them."""

    def __init__(self, directory):
        self.directory = directory
        self.workers = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.scheduler = self._start("scheduler", "--host", self.address, "--dashboard-address", "127.0.0.1:0")

    def _start(self, *command):
        log = open(self.directory / f"log{len(self.workers)}", "w")  # noqa: SIM115  closed with the process
        return subprocess.Popen([sys.executable, "-m", "dask", *command], stdout=log, stderr=log,
                                start_new_session=True)  # fmt: skip

    def add_worker(self, *options):
        self.workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-dashboard",
                                        "--local-directory", str(self.directory), *options))  # fmt: skip

    def end(self):
        for process in [*self.workers, self.scheduler]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a nanny and its worker too
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    processes = Processes(tmp_path_factory.mktemp("dask"))
    try:
        yield processes
    finally:
        processes.end()


@pytest.fixture
def client(cluster):
    """A client of two workers without nannies, whose death is for good."""
    for _ in range(2):
        cluster.add_worker("--no-nanny")
    with distributed.Client(cluster.address, set_as_default=False, timeout="8s") as client:
        client.wait_for_workers(2)
        yield client


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


@pytest.fixture(scope="module")
def local(text):
    with connected("local:2", threads=1) as client:
        yield client


@pytest.mark.parametrize(
    "options", [{}, {"model": "cbow"}, {"loss": "hs", "lr": 0.02}, {"update": "pair", "vectors": "average"}]
)
def test_same_as_one_machine(text, local, options):
    vectors, events = train_with(text, local, **options)
    alone = fastw2v.train(text, threads=1, **{**OPTIONS, **options})
    assert vectors.index_to_key == alone.index_to_key
    np.testing.assert_array_equal(vectors.counts, alone.counts)
    assert separation(vectors) > 0.8 * separation(alone)
    ended, expected = of_kind(events, fastw2v.EpochEnded), Corpus.from_text(text, min_count=1).n_tokens
    assert [epoch.n_words for epoch in ended] == [expected * (i + 1) for i in range(6)], "every word once an epoch"
    assert ended[-1].loss < ended[0].loss
    progress = of_kind(events, fastw2v.Progress)
    assert {event.n_workers for event in progress} == {2}
    assert all(0 < event.waited < 1 for event in progress)
    assert all(round_.n_bytes > 0 for round_ in of_kind(events, RoundEnded))


def test_dask_forgets_rounds_that_are_over(text, local):
    """Else a long run would fill the scheduler, and a lost block have all of it done again."""

    def n_tasks(dask_scheduler):
        return len(dask_scheduler.tasks)

    found = []

    def act(event, seen):
        if isinstance(event, RoundEnded):
            found.append(local.run_on_scheduler(n_tasks))

    train_with(text, local, act, epochs=12, dim=2)
    assert len(found) == 12
    assert abs(found[-1] - found[3]) < 0.2 * found[3]


def test_held_out_text_and_frozen_words(text, local, tmp_path):
    held_out = tmp_path / "h"
    held_out.write_text(planted_text(n_sentences=500, seed=9))
    first, events = train_with(text, local, held_out=held_out)
    losses = [epoch.held_out_loss for epoch in of_kind(events, fastw2v.EpochEnded)]
    assert len(losses) == 7
    assert losses[-1] < losses[1] < losses[0]
    some = first.subset(first.index_to_key[:10])
    again, _ = train_with(text, local, init_vectors=some, freeze=True, lr=0.01, epochs=1)
    np.testing.assert_array_equal(again[some.index_to_key], some.vectors)


def test_command_line(text, tmp_path):
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", "local:2",
               "--log-json", tmp_path / "log", "--min-count", "1", "--dim", "10"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
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
            case fastw2v.Progress() if moment == "in a round" and seen == 6:
                kill()
            case RoundEnded() if moment == "between rounds" and seen == 2:
                kill()
            case PhaseStarted("read") if moment == "while reading":
                threading.Timer(0.2, kill).start()

    vectors, events = train_with(text, client, act)
    assert cluster.workers[0].wait(10) == -signal.SIGKILL
    assert separation(vectors) > 0.2
    assert any("is gone" in event.message for event in of_kind(events, ClusterChanged))
    assert of_kind(events, RoundEnded)[-1].n_workers == 1
    words = [epoch.n_words for epoch in of_kind(events, fastw2v.EpochEnded)]
    assert words[-1] == 6 * Corpus.from_text(text, min_count=1).n_tokens, "nothing lost, nothing twice"


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
    messages = [event.message for event in of_kind(events, ClusterChanged)]
    assert sum("takes part" in message for message in messages) == 2
    assert any("going on after 0 words" in message for message in messages)
    assert of_kind(events, RoundEnded)[-1].n_workers == 2


def test_a_worker_is_killed_when_the_last_epoch_is_over(text, cluster, client):
    """Its rows were not copied yet: the round is trained again."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.workers[0].kill()
            cluster.workers[0].wait()

    vectors, events = train_with(text, client, act, epochs=2)
    n_tokens = Corpus.from_text(text, min_count=1).n_tokens
    assert of_kind(events, fastw2v.EpochEnded)[-1].n_words == 2 * n_tokens
    assert len(of_kind(events, RoundEnded)) == 3
    assert separation(vectors) > 0.1


def test_no_worker_is_left_and_the_run_is_stopped(text, cluster, client, tmp_path):
    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            for worker in cluster.workers:
                worker.kill()
        return isinstance(event, ClusterChanged) and "no workers are left" in event.message and stop.append(1)

    stop = []

    def stopping(event, seen):
        act(event, seen)
        return bool(stop)

    train_with(text, client, stopping, checkpoint=tmp_path / "c")
    assert fastw2v.training.checkpoint.load(tmp_path / "c").position.n_words < 6 * 600_000


def test_the_learning_rate_reaches_its_end_with_the_run(text, local):
    _, events = train_with(text, local, epochs=2)
    rates = [event.learning_rate for event in of_kind(events, fastw2v.Progress)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.025 * 2**0.5 * 1e-4, rel=0.1)
    half = len(rates) // 2
    assert rates[half - 1] == pytest.approx(0.025 * 2**0.5 / 2, rel=0.1)


def test_a_nanny_brings_a_worker_back(text, cluster):
    cluster.add_worker()
    with distributed.Client(cluster.address, set_as_default=False, timeout="8s") as client:
        client.wait_for_workers(1)

        def act(event, seen):
            if isinstance(event, RoundEnded) and seen == 1:
                [number] = client.run(os.getpid).values()
                os.kill(number, signal.SIGKILL)

        vectors, _ = train_with(text, client, act)
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
    n_tokens = Corpus.from_text(text, min_count=1).n_tokens
    resumed = of_kind(events, fastw2v.training.checkpoint.Resumed)
    assert resumed[0].n_words > 0
    assert of_kind(events, fastw2v.EpochEnded)[-1].n_words == 6 * n_tokens
    assert separation(vectors) > 0.2
    with pytest.raises(InputError, match="cluster"):
        fastw2v.train(text, checkpoint=directory, resume=True, **OPTIONS)


def test_stopped_in_the_middle_and_resumed(text, local, tmp_path):
    directory = tmp_path / "c"
    train_with(text, local, lambda event, seen: isinstance(event, fastw2v.Progress) and seen == 7,
               checkpoint=directory)  # fmt: skip
    _, later = train_with(text, local, checkpoint=directory, resume=True)
    assert of_kind(later, fastw2v.EpochEnded)[-1].n_words == 6 * Corpus.from_text(text, min_count=1).n_tokens


@pytest.mark.parametrize("where", ["cluster", "local:2"])
def test_a_signal_saves_the_run(text, request, where, tmp_path):
    """From a terminal it comes to the workers of this machine too."""
    if where == "cluster":
        request.getfixturevalue("client")
        where = request.getfixturevalue("cluster").address
    command = [sys.executable, "-m", "fastw2v", "train", text, "-o", tmp_path / "v.txt", "--dask", where,
               "--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1000"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    log = tmp_path / "c"
    while not (log / fastw2v.training.checkpoint.CURRENT).exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - start < 6, "two seconds, and Dask's own end"
    assert process.returncode == 130, err
    assert "--resume goes on after" in err
    assert "Traceback" not in err
    assert not (tmp_path / "v.txt").exists()


def test_a_task_that_fails(text, local, monkeypatch):
    from fastw2v.training import replica

    def broken(*arguments):
        raise ZeroDivisionError("by hand")

    monkeypatch.setattr(replica, "train_beat", broken)
    with pytest.raises(RunError, match="a task failed 3 times on the cluster, in broken: ZeroDivisionError: by hand"):
        train_with(text, local)


def test_a_worker_that_does_not_see_the_corpus(text, cluster, tmp_path):
    """Simulated by a file that one process does not find."""

    def hide(path):
        import os

        real = os.path.getsize

        def getsize(name):
            if name == path:
                raise FileNotFoundError(2, "No such file or directory")
            return real(name)

        os.path.getsize = getsize

    cluster.add_worker("--no-nanny")
    cluster.add_worker("--no-nanny")
    with distributed.Client(cluster.address, set_as_default=False, timeout="8s") as client:
        client.wait_for_workers(2)
        _, other = client.nthreads()
        client.run(hide, str(text), workers=[other])
        with pytest.raises(InputError, match=f"worker {other} cannot read {text}.*all workers must see"):
            train_with(text, client)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"loss": "softmax"}, "loss ns or hs"), ({"corpus": "-"}, "stdin"), ({"corpus": "/no/such"}, "does not exist"),
     ({"min_count": 10**9}, "no word of the corpus occurs")],
)  # fmt: skip
def test_refused(text, local, options, message):
    options = dict(options)
    with pytest.raises(InputError, match=message):
        train_with(options.pop("corpus", text), local, **options)


def test_addresses(monkeypatch):
    monkeypatch.setattr("fastw2v.training.connection.CONNECT_SECONDS", 1.0)
    for wrong in ("", "host", "http://", "tcp://:8786"):
        with pytest.raises(InputError, match=r"must be a scheduler's address, as tcp://host:8786"), connected(wrong):
            pass
    for wrong in ("local:0", "local:x", "local"):
        with pytest.raises(InputError, match="local:4"), connected(wrong):
            pass
    with (
        pytest.raises(InputError, match=r"no Dask scheduler at tcp://127.0.0.1:1\b.*dask scheduler"),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


def test_arguments_of_a_wrong_kind(text, local):
    with pytest.raises(InputError, match="must be a distributed.Client"):
        fastw2v.train(text, client="tcp://127.0.0.1:1")
    with pytest.raises(InputError, match="a corpus is a path"):
        fastw2v.train(5, client=local)
    train_with(text, local, threads=64, epochs=1)  # of the workers, as many as they can start


def test_no_workers(cluster, text, monkeypatch):
    from fastw2v.training import cluster as module

    monkeypatch.setattr(module, "FIRST_PATIENCE", 1.0)
    with (
        distributed.Client(cluster.address, set_as_default=False, timeout="8s") as client,
        pytest.raises(InputError, match="has no workers: start some with dask worker tcp://"),
    ):
        train_with(text, client)


def test_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'fastw2v\[dask\]'"), connected("local:2"):
        pass
