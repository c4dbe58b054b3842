"""The backend of a cluster: what it refuses, and what becomes of a cluster that fails."""

import threading
from types import SimpleNamespace

import pytest
from fake_dask import FakeClient
from listeners import Recorder

from fastw2v.cluster import backend as module
from fastw2v.cluster import connection
from fastw2v.cluster.backend import ClusterBackend
from fastw2v.cluster.corpus import ClusterCorpus
from fastw2v.cluster.failures import ClusterFailed, DataLost
from fastw2v.cluster.loop import MOST_LOSSES
from fastw2v.cluster.workers import Workers
from fastw2v.config import TrainConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.errors import InputError, RunError
from fastw2v.events import BytesRead, PhaseEnded, PhaseStarted, Waiting
from fastw2v.kernels.jit import MAX_THREADS
from fastw2v.training.request import Source


def backend_of(client, corpus="/no/such", callback=lambda event: None, **options):
    return ClusterBackend(client, TrainConfig(**options), Source(corpus), callback)


def test_what_is_refused_at_once():
    with pytest.raises(InputError, match="client is of type str: it must be a distributed.Client"):
        backend_of("tcp://127.0.0.1:1")
    cluster = type("LocalCluster", (), {"scheduler": None})()
    with pytest.raises(InputError, match="client is of type LocalCluster: it must be a distributed.Client"):
        backend_of(cluster)
    advice = r"give files, and loss ns or hs, or no client \(--dask\)"
    with pytest.raises(InputError, match=f"a cluster cannot train with loss softmax: {advice}"):
        backend_of(FakeClient(), loss="softmax")
    with pytest.raises(InputError, match="a cluster cannot be deterministic"):
        backend_of(FakeClient(), deterministic=True)
    with pytest.raises(InputError, match=f"a cluster cannot train on sentences, lines or walks: {advice}"):
        ClusterBackend(FakeClient(), TrainConfig(), Source(lines=["a b"]), lambda event: None)
    with pytest.raises(InputError, match="stdin"):
        backend_of(FakeClient(), "-")
    with pytest.raises(InputError, match="a corpus is one or more paths"):
        backend_of(FakeClient(), 5)


def test_files_and_threads():
    backend = backend_of(FakeClient(), ["/a.txt", "s3://b/c.txt"], threads=64)
    assert backend.files == ["/a.txt", "s3://b/c.txt"], "whether they exist is for the workers to say"
    assert backend.threads == min(64, MAX_THREADS), "the workers may start more"
    assert 1 <= backend_of(FakeClient()).threads <= MAX_THREADS


@pytest.mark.parametrize("has_checkpoints", [True, False])
def test_a_cluster_that_fails(monkeypatch, has_checkpoints):
    checkpointer = SimpleNamespace(last_good=lambda advice: f"The last good checkpoint is c; {advice}")
    corpus = ClusterCorpus([], None, 0, 0, [], [], [], None, b"")
    run = SimpleNamespace(corpus=corpus, checkpointer=checkpointer if has_checkpoints else None, tell=print)

    def fail(loop):
        raise ClusterFailed("no workers")

    run.train = fail
    monkeypatch.setattr(module, "ClusterLoop", lambda *arguments: arguments)
    expected = (
        r"^no workers\. The last good checkpoint is c; resume from it with --resume$"
        if has_checkpoints
        else "^no workers$"
    )
    backend = backend_of(FakeClient())
    backend._workers.need_memory, backend._workers._threads_of_workers = lambda least, most: None, {"tcp://a:1": 1}
    with pytest.raises(RunError, match=expected):
        backend.train(run)
    assert backend._connection.tell is print, "from now on the callback may end the training"


def test_the_callback_may_end_the_run_while_the_corpus_is_read(tmp_path, monkeypatch):
    (tmp_path / "t.txt").write_text("a b")
    monkeypatch.setattr(connection, "POLL_SECONDS", 0.001)
    client, waited = FakeClient("tcp://a:1"), threading.Event()
    identity = client.scheduler.identity
    client.scheduler.identity = lambda n_workers: waited.wait(10) and identity(n_workers)

    def end(event):
        if is_waiting := isinstance(event, Waiting):
            waited.set()
        return is_waiting

    backend = backend_of(client, tmp_path, end)
    with pytest.raises(RunError, match="the callback ended the run before the training began: there are no vectors"):
        backend._workers.start(backend.files)


def test_workers_that_die_while_they_read(monkeypatch):
    """Others read the corpus instead; but not again and again."""
    n_calls = 0
    monkeypatch.setattr(Workers, "wait_for_loss", lambda workers, seconds: None)

    def lose_data(*arguments):
        nonlocal n_calls
        n_calls += 1
        if n_calls <= n_losses:
            raise DataLost("all workers are gone")
        return "the corpus"

    monkeypatch.setattr(module, "read_corpus", lose_data)
    backend, n_losses = backend_of(FakeClient("tcp://a:1")), MOST_LOSSES - 1
    assert backend.read(Pruning()) == "the corpus"
    n_calls, n_losses = 0, MOST_LOSSES
    with pytest.raises(
        ClusterFailed, match="workers were lost 3 times before training began; the last time: all workers are gone"
    ):
        backend.read(Pruning())


def test_workers_that_die_one_by_one_before_the_training(monkeypatch):
    """They do not count against a run that others can go on with."""
    monkeypatch.setattr(Workers, "wait_for_loss", lambda workers, seconds: None)
    client = FakeClient(*(f"tcp://{number}:1" for number in range(8)))

    def lose_data(*arguments):
        if len(client.threads) == 1:
            return "the corpus"
        client.threads.popitem()
        raise DataLost("a worker is gone")

    monkeypatch.setattr(module, "read_corpus", lose_data)
    assert backend_of(client).read(Pruning()) == "the corpus"


@pytest.mark.cluster
def test_phases_and_the_corpus(text, local):
    callback = Recorder()
    backend = backend_of(local, text, callback, min_count=1)
    backend.prepare(has_vocabulary=False)
    phases = callback.of(PhaseStarted, PhaseEnded)
    assert [type(event).__name__ + " " + event.name for event in phases] == [
        "PhaseStarted compile",
        "PhaseEnded compile",
        "PhaseStarted connect",
        "PhaseEnded connect",
    ]
    assert callback.of(Waiting)
    corpus, expected = backend.read(Pruning(min_count=1)), Corpus.from_text(text, Pruning(min_count=1))
    assert corpus.vocabulary.words == expected.vocabulary.words
    assert corpus.n_ids == expected.n_ids
    assert callback.of(BytesRead)[-1].n_bytes == text.stat().st_size
