"""What a run refuses before it begins, and the workers that it leaves out."""

import os
import re
import signal

import pytest
from cluster_runs import N_TOKENS, first_and_deep, messages_of, of_kind, separation, train_with
from planted import planted_text

import fastw2v
from fastw2v.cluster import backend, workers
from fastw2v.errors import InputError, RunError
from fastw2v.events import ClusterChanged, EpochEnded, RoundEnded

pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    # Dask's own: sockets of workers that were killed.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def without(path):
    """A function for a worker, which finds no file at a path from then on, as if it did not see that disk."""

    def hide():  # goes by value: a worker has no tests

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

        os.environ["NUMBA_DISABLE_JIT"] = "1"

    return turn_off


def without_memory():
    def fill():
        from fastw2v.cluster import replica
        from fastw2v.errors import InputError

        def no_memory(*arguments):
            raise InputError("too little memory")

        replica.Matrices.empty = no_memory

    return fill


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


@pytest.mark.parametrize("problem", first_and_deep("sight", "environment", "version"))
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


UNREACHABLE = "--listen-address", "tcp://127.0.0.1:0", "--contact-address", "tcp://127.0.0.1:9"


def test_a_worker_that_nobody_reaches(text, cluster, client):
    cluster.add_worker("--no-nanny", *UNREACHABLE)
    client.wait_for_workers(3)
    with pytest.raises(
        InputError, match=r"^worker .* cannot reach worker tcp://127\.0\.0\.1:9 .*; all workers must reach"
    ):
        train_with(text, client, worker_timeout=4)


@pytest.mark.deep
def test_a_worker_that_joins_later_and_that_nobody_reaches(text, cluster, client):
    """The others go on meanwhile."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 1:
            cluster.add_worker("--no-nanny", *UNREACHABLE)
            client.wait_for_workers(3)

    _, events = train_with(text, client, act, worker_timeout=4, epochs=60)
    *_, last = messages_of(events)
    assert re.fullmatch(r"worker tcp://127\.0\.0\.1:9 (does not answer|has not answered).* not use this worker", last)
    assert {round_.n_workers for round_ in of_kind(events, RoundEnded)} == {2}
    assert not any("lost" in message for message in messages_of(events))


def test_a_worker_without_memory_for_the_model(text, cluster, client):
    """It is named and left out."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            client.run(without_memory(), workers=[next(iter(client.nthreads()))])

    _, events = train_with(text, client, act)
    failed, again = messages_of(events)
    assert re.fullmatch(r"worker tcp://.* failed: too little memory; the run does not use this worker", failed)
    assert again.startswith("data or tasks were lost: going back to token")
    assert of_kind(events, RoundEnded)[-1].n_workers == 1
    assert of_kind(events, EpochEnded)[-1].n_words == 6 * N_TOKENS


@pytest.mark.parametrize("n_killed", first_and_deep(2, 1))
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
    with pytest.raises(InputError, match="the corpus is of type int: it must be the name of a file"):
        fastw2v.train(5, client=local)
    train_with(text, local, threads=64, epochs=1)  # of the workers, as many as they can start


def test_no_workers(text, client_alone, monkeypatch):
    monkeypatch.setattr(workers, "FIRST_PATIENCE", 1.0)
    with pytest.raises(InputError, match="has no workers: start some with dask worker tcp://"):
        train_with(text, client_alone)


def test_workers_whose_memory_limit_is_too_low(text, cluster, client_alone, monkeypatch):
    """It is left out before it is given data; if there is no other, the run does not begin."""
    monkeypatch.setattr(backend, "memory_of_worker", lambda n_words, dim, n_ids: (3 * 10**9, 5 * 10**9))
    cluster.add_worker("--memory-limit", "2GB")
    client_alone.wait_for_workers(1)
    with pytest.raises(InputError, match=r"needs at least 3.0 GB of memory, and its limit is 2.0 GB: give it more"):
        train_with(text, client_alone)
    cluster.add_worker()
    client_alone.wait_for_workers(2)
    vectors, events = train_with(text, client_alone)
    [message] = messages_of(events)
    assert message.endswith("give it more with dask worker --memory-limit; the run does not use this worker")
    assert separation(vectors) > 0.2
