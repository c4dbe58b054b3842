"""Rounds on workers of this process, which lose their data at chosen moments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_dask import FakeTasks
from listeners import Recorder
from planted import planted_text

from fastw2v.cluster.corpus import read_corpus
from fastw2v.cluster.failures import ClusterFailed, DataLost, WorkerFailed
from fastw2v.cluster.loop import LOSSES_OF_WORKER, MOST_LOSSES, ClusterLoop
from fastw2v.cluster.protocol import bytes_of_round
from fastw2v.cluster.rounds import Costs, spans_from_text, spans_to_text
from fastw2v.config import TrainConfig
from fastw2v.corpus import shards as corpus_shards
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.shards import find_shards
from fastw2v.errors import DivergedError, InputError
from fastw2v.events import ClusterChanged, EpochEnded, Progress, RoundEnded, Waiting
from fastw2v.training.loop import LocalLoop
from fastw2v.training.matrices import new_matrices
from fastw2v.training.run import TrainingRun
from fastw2v.training.schedule import Position

N_TOKENS = 15_000


class Checkpoints:
    """In the place of a Checkpointer: one is due whenever `is_due` says so; `saved` has (position, input vectors)."""

    def __init__(self, run, is_due=lambda is_epochs_end: True):
        self.saved, self._run, self._is_due = [], run, is_due

    def is_due(self, is_epochs_end=False):
        return self._is_due(is_epochs_end)

    def offer(self, position, is_epochs_end=False):
        self.saved.append((position, self._run.matrices.word_inputs.copy()))

    save = offer

    def last_good(self, advice):
        return advice

    def close(self):
        pass


class Cluster:
    """A run on `n` workers. `act` is called with each event and how often its kind was seen."""

    def __init__(self, shards, n=2, act=lambda event, seen: None, **options):
        self.events, self._act = [], act
        self.tasks = FakeTasks(n)
        pruning = Pruning(min_count=1)
        self.corpus = read_corpus(self.tasks, shards, pruning, "keep", lambda event: None)
        config = TrainConfig(dim=8, min_count=1, sample=0, window=2, **{"epochs": 3, **options})
        matrices = new_matrices(len(self.corpus.vocabulary), config, 1)
        self.run = TrainingRun(config, self.corpus, matrices, 1, self._note)
        self.tasks.tell = self.run.tell

    def train(self):
        self.run.train(ClusterLoop(self.run, self.corpus, self.tasks))

    def _note(self, event):
        self.events.append(event)
        return self._act(event, len(self.of(type(event))))

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def messages(self):
        return [event.message for event in self.of(ClusterChanged)]


@pytest.fixture
def shards(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_shards, "LEAST_BYTES", 10_000)
    (tmp_path / "t.txt").write_text(planted_text(n_sentences=1500))
    return find_shards([str(tmp_path)])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_undisturbed_run(shards, n):
    cluster = Cluster(shards, n)
    before = cluster.run.matrices.word_inputs.copy()
    cluster.train()
    epochs = cluster.of(EpochEnded)
    assert [event.n_words for event in epochs] == [N_TOKENS, 2 * N_TOKENS, 3 * N_TOKENS]
    assert epochs[-1].loss < epochs[0].loss
    assert cluster.run.position == Position(3, 0, 3 * N_TOKENS, cluster.run.position.n_predictions, epochs[-1].seconds)
    assert (cluster.run.matrices.word_inputs != before).all()
    progress, rounds = cluster.of(Progress), cluster.of(RoundEnded)
    assert sum(event.n_predictions for event in progress) == cluster.run.position.n_predictions
    assert [event.n_words for event in progress] == sorted(event.n_words for event in progress)
    assert [event.seconds for event in progress] == sorted(event.seconds for event in progress)
    assert {event.n_workers for event in [*progress, *rounds]} == {n}
    assert sum(event.n_beats for event in rounds) == len(progress)
    n_words = len(cluster.corpus.vocabulary)
    assert [event.n_bytes for event in rounds] == [bytes_of_round(n, n_words, 8, event.n_beats) for event in rounds]
    assert all(0 < event.waited < 1 for event in [*progress, *rounds])
    assert cluster.messages == []
    assert cluster.tasks.n_gathered == 1 + len(progress) + 1, "rows come here once, at the end"


def test_one_worker_learns_what_one_machine_learns(shards):
    """A replica alone trains each span once, at the rates of the schedule."""
    cluster, alone = Cluster(shards, 1), Recorder()
    cluster.train()
    rates = [event.learning_rate for event in cluster.of(Progress)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.025 * 1e-4, rel=0.1)
    assert len(cluster.of(RoundEnded)) == len(rates), "one beat: it has nobody to exchange rows with"
    ids = np.concatenate([future.value.ids for future in cluster.corpus.shards])
    corpus = Corpus(cluster.corpus.vocabulary, ids, N_TOKENS, cluster.corpus.reading)
    matrices = new_matrices(len(corpus.vocabulary), cluster.run.config, 1)
    run = TrainingRun(cluster.run.config, corpus, matrices, 1, alone)
    run.train(LocalLoop(run, corpus))
    losses = [(event.loss, event.loss_error) for event in alone.of(EpochEnded)]
    assert [event.loss for event in cluster.of(EpochEnded)] == [pytest.approx(m, abs=3 * e) for m, e in losses]


def test_more_workers_take_a_higher_rate(shards):
    cluster = Cluster(shards, 3)
    cluster.train()
    first, *_, last = [event.learning_rate for event in cluster.of(Progress)]
    assert last == pytest.approx(0.025 * 3**0.5 * 1e-4, rel=0.1)
    assert 0.025 * 3**0.5 > first > 0.8 * 0.025 * 3**0.5


def test_rows_that_are_lost_after_a_round(shards):
    """They have no copies yet: the round is trained again, from the model before it, of which there are copies."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.tasks.kill("w1")

    cluster = Cluster(shards, act=act)
    cluster.train()
    assert cluster.messages == [f"data or tasks were lost: going back to token {N_TOKENS:,}"]
    assert [event.n_words // N_TOKENS for event in cluster.of(EpochEnded)] == [1, 2, 2, 3]
    assert [event.n_workers for event in cluster.of(RoundEnded)] == [2, 2, 1, 1], "a round an epoch"
    assert cluster.run.position.n_words == 3 * N_TOKENS


def test_a_worker_that_is_lost_in_a_round(shards):
    """The copies of the blocks are there since the first beat: only the round is trained again."""

    def act(event, seen):
        if isinstance(event, Progress) and seen == 6:  # the second beat of the second round
            cluster.tasks.kill("w0")

    cluster = Cluster(shards, act=act)
    cluster.train()
    assert [event.epoch for event in cluster.of(Progress)[:6]] == [1, 1, 1, 1, 2, 2]
    assert cluster.messages == [f"data or tasks were lost: going back to token {N_TOKENS:,}"]
    assert [event.n_words // N_TOKENS for event in cluster.of(EpochEnded)] == [1, 2, 3]
    assert [event.n_workers for event in cluster.of(RoundEnded)] == [2, 1, 1]


@pytest.mark.parametrize("dies", ["w0", "w1"])
def test_dask_moves_copies(shards, dies):
    """Wherever its memory manager leaves one copy of what tasks took, a dead worker costs a round at most."""

    def act(event, seen):
        if isinstance(event, RoundEnded):
            cluster.tasks.drop_copies("w1")
            if seen == 2:
                cluster.tasks.kill(dies)

    cluster = Cluster(shards, act=act)
    cluster.train()
    assert cluster.messages == [f"data or tasks were lost: going back to token {N_TOKENS:,}"]
    assert [event.n_words // N_TOKENS for event in cluster.of(EpochEnded)] == [1, 2, 2, 3]


@pytest.mark.parametrize("left", ["w0", "w1", "w2"])
@pytest.mark.parametrize("event_of_death", [RoundEnded, Progress])
def test_two_of_three_workers_die_at_once(shards, left, event_of_death):
    """Each worker has a copy of the whole model that a round started from: one that lives is enough."""

    def act(event, seen):
        if (
            isinstance(event, event_of_death)
            and cluster.run.position.epoch == 1
            and len(cluster.tasks.workers.alive) == 3
        ):
            cluster.tasks.drop_copies("w1")
            cluster.tasks.kill(*{"w0", "w1", "w2"} - {left})

    cluster = Cluster(shards, 3, act)
    cluster.train()
    assert cluster.messages == [f"data or tasks were lost: going back to token {N_TOKENS:,}"]
    assert cluster.run.position.n_words == 3 * N_TOKENS


def test_workers_die_one_after_the_other(shards):

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.tasks.kill("w0")
        if isinstance(event, Progress) and cluster.tasks.workers.alive == ["w1", "w2"]:
            cluster.tasks.kill("w2")

    cluster = Cluster(shards, 3, act)
    cluster.train()
    assert cluster.messages == [f"data or tasks were lost: going back to token {N_TOKENS:,}"] * 2
    assert cluster.run.position.n_words == 3 * N_TOKENS


@pytest.mark.parametrize("has_changed", [False, True])
def test_text_that_is_read_again(shards, has_changed):
    """Text of the same size with other words is not trained on."""
    [file] = {part.file for shard in shards for part in shard}

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 1:
            cluster.tasks.kill("w0")
            if has_changed:
                text = Path(file).read_text()
                Path(file).write_text(text[:-4].replace("1", "2") + text[-4:])

    cluster = Cluster(shards, act=act)
    if has_changed:
        message = f"{file} was read again for a worker that is gone, and has changed since .* must stay as it is until"
        with pytest.raises(ClusterFailed, match=message):
            cluster.train()
    else:
        cluster.train()
        assert cluster.of(EpochEnded)[-1].n_words == 3 * N_TOKENS


@pytest.mark.parametrize("has_checkpoint", [True, False])
def test_all_rows_are_lost(shards, has_checkpoint):
    """The run continues from what this process has: the last checkpoint, or the beginning."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.tasks.workers.alive.append("w2")
            cluster.tasks.kill("w0", "w1")

    cluster = Cluster(shards, act=act)
    checkpoints = Checkpoints(cluster.run, lambda is_epochs_end: is_epochs_end and len(checkpoints.saved) == 0)
    cluster.run.checkpointer = checkpoints if has_checkpoint else None
    cluster.train()
    n_words = N_TOKENS if has_checkpoint else 0
    assert cluster.messages == [f"data or tasks were lost: going back to token {n_words:,}"]
    ended = [event.n_words // N_TOKENS for event in cluster.of(EpochEnded)]
    assert ended == ([1, 2, 2, 3] if has_checkpoint else [1, 2, 1, 2, 3])
    if has_checkpoint:
        assert [position.n_words for position, _ in checkpoints.saved] == [N_TOKENS, 3 * N_TOKENS]


def test_data_that_is_lost_again_and_again(shards):
    def act(event, seen):
        if isinstance(event, Progress):
            cluster.tasks.workers.alive.append(f"x{seen}")
            cluster.tasks.kill(cluster.tasks.workers.alive[0])

    cluster = Cluster(shards, 1, act)
    n = MOST_LOSSES + LOSSES_OF_WORKER  # those of the worker that the round began with
    with pytest.raises(ClusterFailed, match=f"the workers lost their data {n + 1} times in one round"):
        cluster.train()
    assert len(cluster.messages) == n


def test_workers_that_die_one_by_one_in_a_round(shards):
    """However many they are, the run goes on as long as one lives; so it does when that happens again."""

    def act(event, seen):
        alive = cluster.tasks.workers.alive
        if isinstance(event, Progress) and len(alive) > (10, 5, 1)[len(cluster.of(RoundEnded))]:
            cluster.tasks.kill(alive[-1])

    cluster = Cluster(shards, 10, act)
    cluster.train()
    assert len(cluster.tasks.workers.alive) == 1
    assert len(cluster.messages) == 9
    assert cluster.of(EpochEnded)[-1].n_words == 3 * N_TOKENS


@pytest.mark.parametrize("kind", [Waiting, Progress])
def test_a_run_that_is_stopped(shards, kind):
    """It keeps the rounds that are whole, and its matrices are those of its position."""
    cluster = Cluster(shards, act=lambda event, seen: type(event) is kind and len(cluster.of(RoundEnded)) == 2)
    checkpoints = cluster.run.checkpointer = Checkpoints(cluster.run)
    cluster.train()
    [*_, (position, inputs), (last_position, last_inputs)] = checkpoints.saved
    assert len(cluster.of(RoundEnded)) == 2
    assert 0 < cluster.run.position.n_words < 3 * N_TOKENS
    assert last_position.n_words == position.n_words == cluster.run.position.n_words
    np.testing.assert_array_equal(inputs, last_inputs)
    np.testing.assert_array_equal(inputs, cluster.run.matrices.word_inputs)


def test_a_stopped_run_whose_rows_are_lost(shards):
    """It ends at once with what it fetched last."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.tasks.kill("w0", "w1")
        return isinstance(event, Waiting) and not cluster.tasks.workers.alive

    cluster = Cluster(shards, act=act)
    checkpoints = Checkpoints(cluster.run, lambda is_epochs_end: len(checkpoints.saved) == 0)
    cluster.run.checkpointer = checkpoints
    cluster.train()
    (first, first_inputs), (last, last_inputs) = checkpoints.saved
    assert 0 < first.n_words < cluster.of(Progress)[-1].n_words
    assert last == first == cluster.run.position
    np.testing.assert_array_equal(last_inputs, first_inputs)


def test_the_last_worker_is_replaced_while_the_rows_are_placed(shards, monkeypatch):
    """What was sent for the tasks to those before is sent again: Dask would wait for ever for a worker to make it."""

    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 2:
            cluster.tasks.workers.alive.append("w2")
            cluster.tasks.kill("w0", "w1")

    def place(data, at):
        if at == "w2" and "w3" not in cluster.tasks.workers.alive:
            cluster.tasks.workers.alive.append("w3")
            cluster.tasks.kill("w2")
        return scatter(data, at)

    cluster = Cluster(shards, act=act)
    scatter = cluster.tasks.scatter
    monkeypatch.setattr(cluster.tasks, "scatter", place)
    cluster.train()
    assert cluster.messages == ["data or tasks were lost: going back to token 0"], "once"
    assert cluster.run.position.n_words == 3 * N_TOKENS


@pytest.mark.parametrize("n_failures", [1, 99])
def test_a_stopped_run_whose_cluster_hangs(shards, monkeypatch, n_failures):
    """The first failure is a worker that is given up: others have its rows. If all fail, what is here is kept."""
    cluster = Cluster(shards, act=lambda event, seen: isinstance(event, Waiting) and len(cluster.of(RoundEnded)) == 2)
    checkpoints = Checkpoints(cluster.run, lambda is_epochs_end: len(checkpoints.saved) == 0)
    cluster.run.checkpointer, failures, gather = checkpoints, [], cluster.tasks.gather

    def fail(futures):
        if cluster.tasks.is_hurried and len(failures) < n_failures:
            failures.append(futures)
            raise DataLost("gave it up") if n_failures == 1 else ClusterFailed("the scheduler does not answer")
        return gather(futures)

    monkeypatch.setattr(cluster.tasks, "gather", fail)
    cluster.train()
    (first, _), (last, inputs) = checkpoints.saved
    assert last == cluster.run.position
    assert last.n_words == (cluster.of(EpochEnded)[-1] if n_failures == 1 else first).n_words
    np.testing.assert_array_equal(inputs, cluster.run.matrices.word_inputs)


def test_checkpoints_are_resumed(shards):
    """The rest of the epoch is trained, and nothing twice; also on another number of workers."""
    cluster = Cluster(shards, act=lambda event, seen: isinstance(event, Waiting) and len(cluster.of(RoundEnded)) == 1)
    cluster.train()
    here = cluster.run.position
    n_spans = cluster.run.schedule.n_spans
    assert here.n_words > 0
    resumed = Cluster(shards, 3)
    resumed.run.position = here
    resumed.train()
    assert resumed.of(EpochEnded)[-1].n_words == 3 * N_TOKENS
    assert sum(event.n_beats for event in resumed.of(RoundEnded)) == len(resumed.of(Progress))
    assert n_spans <= 64


def test_a_resumed_epoch_that_is_over_stays_over(shards):
    cluster = Cluster(shards)
    loop = ClusterLoop(cluster.run, cluster.corpus, cluster.tasks)
    done = spans_to_text(np.ones(len(loop._spans_done()), bool))
    cluster.run.position = Position(0, 5, N_TOKENS, 1, 1.0, spans_done=done)
    cluster.train()
    assert [event.n_words for event in cluster.of(EpochEnded)] == [N_TOKENS, 2 * N_TOKENS, 3 * N_TOKENS]


def test_what_is_left_of_an_epoch(shards):
    """A position in the middle of an epoch names the spans that are done; only the others are trained."""
    cluster = Cluster(shards, epochs=1)
    n = ClusterLoop(cluster.run, cluster.corpus, cluster.tasks)._spans.n
    is_done = np.arange(n) % 2 == 0
    cluster.run.position = replace(Position(), n_spans=int(is_done.sum()), spans_done=spans_to_text(is_done))
    cluster.train()
    ids = np.concatenate([future.value.ids for future in cluster.corpus.shards])
    assert 0.3 * N_TOKENS < cluster.run.position.n_words < 0.7 * N_TOKENS
    assert len(ids) == cluster.corpus.n_ids
    cluster.run.position = replace(Position(), spans_done="?")
    with pytest.raises(InputError, match="damaged"):
        ClusterLoop(cluster.run, cluster.corpus, cluster.tasks)


def test_the_position_within_an_epoch(shards, monkeypatch):
    """Checkpoints between rounds have which spans are done."""
    monkeypatch.setattr(Costs, "length_of_round", lambda costs, n_spans: (2, 2))
    cluster = Cluster(shards, epochs=1)
    checkpoints = cluster.run.checkpointer = Checkpoints(cluster.run)
    cluster.train()
    assert len(cluster.of(RoundEnded)) > 2
    loop = ClusterLoop(cluster.run, cluster.corpus, cluster.tasks)
    for position, _ in checkpoints.saved[:-1]:
        is_done = spans_from_text(position.spans_done, loop._spans.n)
        assert is_done.sum() == position.n_spans > 0
    assert is_done.all()
    n_words = [position.n_words for position, _ in checkpoints.saved]
    assert n_words == sorted(n_words)


def test_a_new_worker_takes_part_from_the_next_round_on(shards):
    def act(event, seen):
        if isinstance(event, RoundEnded) and seen == 1:
            cluster.tasks.workers.alive.append("w9")

    cluster = Cluster(shards, act=act)
    cluster.train()
    n_workers = [event.n_workers for event in cluster.of(RoundEnded)]
    assert n_workers[0] == 2
    assert set(n_workers[1:]) == {3}
    assert cluster.of(EpochEnded)[-1].n_words == 3 * N_TOKENS


def test_a_worker_that_fails_is_left_out(shards, monkeypatch):
    cluster = Cluster(shards, 3)
    wait_for_round = cluster.tasks.wait_for_round

    def fail_once(futures, usual_seconds=0):
        if len(cluster.of(Progress)) == 6 and "w1" in cluster.tasks.workers.alive:  # in the second round
            raise WorkerFailed("w1", "too little memory")
        wait_for_round(futures, usual_seconds)

    monkeypatch.setattr(cluster.tasks, "wait_for_round", fail_once)
    cluster.train()
    again = f"data or tasks were lost: going back to token {N_TOKENS:,}"
    assert cluster.messages == ["worker w1 failed: too little memory", again]
    assert [event.n_workers for event in cluster.of(RoundEnded)] == [3, 2, 2]
    assert cluster.of(EpochEnded)[-1].n_words == 3 * N_TOKENS


def test_a_round_that_fails_is_repeated_without_those_that_had_just_joined(shards):
    """However many join and die in rounds, the run goes on."""

    def act(event, seen):
        alive = cluster.tasks.workers.alive
        if isinstance(event, RoundEnded):
            alive.append(f"x{seen}")
        if isinstance(event, Progress) and event.n_workers > 2:
            cluster.tasks.kill(*alive[2:])
            alive.append(f"y{len(cluster.events)}")

    cluster = Cluster(shards, act=act)
    cluster.train()
    assert [event.n_workers for event in cluster.of(RoundEnded)] == [2, 2, 2]
    assert len(cluster.messages) == 2
    assert cluster.of(EpochEnded)[-1].n_words == 3 * N_TOKENS


def test_a_worker_that_takes_no_data_is_left_out(shards, monkeypatch):
    cluster = Cluster(shards)
    scatter = cluster.tasks.scatter

    def fail(data, at):
        if at == "w0":
            raise DataLost("can't start new thread")
        return scatter(data, at)

    monkeypatch.setattr(cluster.tasks, "scatter", fail)
    cluster.train()
    assert cluster.messages[0] == "worker w0 failed: it does not receive data (can't start new thread)"
    assert {event.n_workers for event in cluster.of(RoundEnded)} == {1}


def test_divergence(shards):
    cluster = Cluster(shards)
    cluster.run.matrices.word_inputs[3, 3] = np.nan
    with pytest.raises(DivergedError, match="in epoch 1, after 0 tokens, with an initial lr of 0.025"):
        cluster.train()
