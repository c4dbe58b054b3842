"""A run: its events in their order, its ends, and what it does with a loop that loses rows; then with real loops."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from listeners import Recorder
from planted import planted_text

import fastw2v
from fastw2v import DivergedError, EpochEnded, InputError, Progress, RunError, TrainConfig
from fastw2v.events import BytesRead, CorpusRead, Evaluating, PhaseEnded, PhaseStarted, Waiting
from fastw2v.kernels.statistics import LOGIT_SUM, LOSS, N_PREDICTIONS, N_SAMPLES, N_TOKENS, SIZE, STATISTICS, mean_loss
from fastw2v.training import run as module
from fastw2v.training.run import Slice, StopRequested, TrainingRun
from fastw2v.training.schedule import Position

SMALL = {"dim": 20, "min_count": 1, "epochs": 3, "sample": 0, "lr": 0.05}

N_SLICES = 2
"""The number of slices in an epoch of a `FakeLoop`; each trains 10 words in a second, at a loss of its number."""


class FakeLoop:
    """A `Loop` that trains nothing, but counts as if it did, and notes what it is asked to do."""

    def __init__(self, run, n_predictions=70):
        self.run, self.n_predictions = run, n_predictions
        self.calls = []

    def train_epoch(self):
        self.calls.append(f"train {self.run.position.epoch}")
        while self.run.position.n_spans < N_SLICES:
            total = np.zeros(STATISTICS)
            total[[N_TOKENS, N_PREDICTIONS, N_SAMPLES, SIZE]] = 10, self.n_predictions, 1, 2
            total[LOSS] = 2 * (1 + self.run.position.n_spans)
            self.run.position = self.run.position.after(total, 1, 1.0)
            self.run.tell_progress(self.run.position, Slice(total, 1.0, 0.05, mean_loss(total)))
            self.run.offer_checkpoint(self)

    def take_loss(self):
        return mean_loss(np.array(self.run.position.epoch_total))

    def fetch(self):
        self.calls.append("fetch")

    def fetch_what_is_left(self):
        self.calls.append("fetch what is left")


class FakeCheckpointer:
    """Notes the positions that it is offered and saves; `due` says whether it wants one now."""

    def __init__(self, due=lambda is_epochs_end: False):
        self.is_due = due
        self.offered, self.saved = [], []
        self.is_closed = False

    def offer(self, position, is_epochs_end):
        self.offered.append((position.epoch, position.n_spans, is_epochs_end))

    def save(self, position):
        self.saved.append((position.epoch, position.n_spans))

    def close(self):
        self.is_closed = True

    def last_good(self, advice):
        return f"There is one: {advice}"


@pytest.fixture
def new_run(monkeypatch):
    """A function that makes a run without matrices, of two epochs; its held-out loss is always 3."""

    def held_out_loss(text, config, threads, take_loss, tell):
        tell(Evaluating(1.0))
        return 3.0, 0.5

    def new_run(callback=lambda event: None, epochs=2, **more):
        config = TrainConfig(epochs=epochs)
        corpus = SimpleNamespace(n_tokens=10 * N_SLICES, n_ids=1000)
        run = TrainingRun(config, corpus, SimpleNamespace(is_finite=lambda: True), 1, callback, **more)
        run.span_trainer = None
        return run

    monkeypatch.setattr(module, "held_out_loss", held_out_loss)
    return new_run


TEXT = SimpleNamespace()
"""Stands for held-out text."""


def told(recorder):
    """The events in short: the words of a Progress, the number of an epoch that ended."""
    return [
        event.n_words if isinstance(event, Progress) else f"epoch {event.epoch}"
        for event in recorder.of(Progress, EpochEnded)
    ]


def test_the_epochs_of_a_run(new_run):
    recorder = Recorder()
    run = new_run(recorder)
    loop = FakeLoop(run)
    run.train(loop)
    assert told(recorder) == [10, 20, "epoch 1", 30, 40, "epoch 2"]
    assert loop.calls == ["train 0", "train 1", "fetch"]
    assert run.position == Position(epoch=2, n_words=40, n_predictions=280, seconds=4.0)
    for ended in recorder.of(EpochEnded):
        assert (ended.loss, ended.seconds) == (1.5, 2.0 * ended.epoch)
        assert math.isnan(ended.held_out_loss)
        assert math.isnan(ended.held_out_error)


def test_the_progress_that_is_told(new_run):
    recorder = Recorder()
    run = new_run(recorder)
    run.train(FakeLoop(run))
    last = recorder.of(Progress)[-1]
    assert (last.epoch, last.epochs, last.n_words, last.n_words_total) == (2, 2, 40, 40)
    assert (last.n_predictions, last.loss, last.learning_rate) == (70, 2.0, 0.05)
    assert (last.seconds, last.words_per_second, last.seconds_left) == (4.0, 10.0, 0.0)
    assert (last.n_workers, last.waited) == (0, 0.0)


def test_held_out_text_is_asked_before_the_first_epoch_and_after_each(new_run):
    recorder = Recorder()
    run = new_run(recorder, held_out=TEXT)
    loop = FakeLoop(run)
    run.train(loop)
    assert told(recorder) == ["epoch 0", 10, 20, "epoch 1", 30, 40, "epoch 2"]
    assert loop.calls == ["train 0", "fetch", "train 1", "fetch", "fetch"]
    assert {(ended.held_out_loss, ended.held_out_error) for ended in recorder.of(EpochEnded)} == {(3.0, 0.5)}
    assert math.isnan(recorder.of(EpochEnded)[0].loss)


def test_a_resumed_run_goes_on_from_its_position(new_run):
    recorder = Recorder()
    total = [0.0] * STATISTICS
    total[N_SAMPLES], total[SIZE], total[LOSS] = 1, 2, 8
    position = Position(epoch=1, n_spans=1, n_words=30, n_predictions=5, seconds=3.0, epoch_total=total)
    run = new_run(recorder, held_out=TEXT, position=position)
    run.train(FakeLoop(run))
    assert told(recorder) == [40, "epoch 2"]
    assert recorder.of(EpochEnded)[0].loss == (8 + 4) / (2 + 2)


def test_resuming_a_run_that_is_over(new_run):
    recorder = Recorder()
    checkpointer = FakeCheckpointer()
    position = Position(epoch=2, n_words=40, n_predictions=5)
    run = new_run(recorder, position=position, resumed_from=position, checkpointer=checkpointer)
    loop = FakeLoop(run)
    run.train(loop)
    assert (recorder.events, loop.calls, checkpointer.saved) == ([], [], []), "the checkpoint is on disk"


class ForgetfulLoop(FakeLoop):
    """A loop whose rows are lost at the n-th fetch: the run goes back to where `lost` says."""

    def __init__(self, run, n, lost):
        super().__init__(run)
        self._n_left, self._lost = n, lost

    def fetch(self):
        super().fetch()
        self._n_left -= 1
        if self._n_left == 0:
            self.run.position = self._lost


HALF = Position(epoch=0, n_spans=1, n_words=10, n_predictions=70, seconds=1.0)


def test_an_epoch_whose_end_was_lost_is_trained_again_and_ends_once(new_run):
    recorder = Recorder()
    run = new_run(recorder, held_out=TEXT)
    loop = ForgetfulLoop(run, 1, HALF)
    run.train(loop)
    assert told(recorder) == ["epoch 0", 10, 20, 20, "epoch 1", 30, 40, "epoch 2"]
    assert loop.calls == ["train 0", "fetch", "train 0", "fetch", "train 1", "fetch", "fetch"]
    assert run.position.n_words == 40


def test_rows_that_are_lost_for_a_checkpoint_at_the_end_of_an_epoch(new_run):
    recorder = Recorder()
    checkpointer = FakeCheckpointer(due=lambda is_epochs_end=False: is_epochs_end)
    run = new_run(recorder, checkpointer=checkpointer)
    run.train(ForgetfulLoop(run, 1, HALF))
    assert told(recorder) == [10, 20, 20, "epoch 1", 30, 40, "epoch 2"]
    assert checkpointer.offered == [(0, 1, True), (0, 2, True)], "what was fetched is what is offered"
    assert checkpointer.saved == [(2, 0)]


def test_rows_that_are_lost_at_the_very_end_are_trained_again(new_run):
    recorder = Recorder()
    run = new_run(recorder)
    run.train(ForgetfulLoop(run, 1, Position(epoch=1, n_spans=1, n_words=30, n_predictions=70, seconds=3.0)))
    assert told(recorder) == [10, 20, "epoch 1", 30, 40, "epoch 2", 40, "epoch 2"]
    assert (run.position.epoch, run.position.n_words) == (2, 40)


@pytest.mark.parametrize("fails", ["train_epoch", "fetch"])
def test_a_loop_that_fails_ends_the_run_without_a_checkpoint(new_run, fails):
    def fail():
        raise RunError("the cluster is gone")

    checkpointer = FakeCheckpointer()
    run = new_run(checkpointer=checkpointer)
    loop = FakeLoop(run)
    setattr(loop, fails, fail)
    with pytest.raises(RunError, match="the cluster is gone"), run:
        run.train(loop)
    assert (checkpointer.saved, checkpointer.is_closed) == ([], True)


def test_a_run_that_is_stopped_saves_what_it_has(new_run):
    recorder = Recorder(3)
    checkpointer = FakeCheckpointer()
    run = new_run(recorder, checkpointer=checkpointer)
    loop = FakeLoop(run)
    run.train(loop)
    assert told(recorder) == [10, 20, "epoch 1", 30]
    assert loop.calls == ["train 0", "train 1", "fetch what is left"]
    assert checkpointer.saved == [(1, 1)]


def test_a_run_that_is_stopped_while_held_out_text_is_asked(new_run):
    checkpointer = FakeCheckpointer()
    run = new_run(lambda event: isinstance(event, Evaluating), held_out=TEXT, checkpointer=checkpointer)
    loop = FakeLoop(run)
    run.train(loop)
    assert (loop.calls, checkpointer.saved) == (["fetch what is left"], [(0, 0)])


def stop_at_evaluation(number, recorder):
    """A callback that ends the run at an `Evaluating`; number: that after epoch `number`."""

    def callback(event):
        recorder(event)
        return isinstance(event, Evaluating) and len(recorder.of(Evaluating)) == number + 1

    return callback


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_a_stop_while_held_out_text_is_asked_loses_no_epochs_end(new_run, epoch):
    """The position stays at the end of the epoch, so the resumed run tells its losses; the last epoch's too."""
    recorder, checkpointer = Recorder(), FakeCheckpointer()
    run = new_run(stop_at_evaluation(epoch, recorder), held_out=TEXT, checkpointer=checkpointer)
    run.train(FakeLoop(run))
    whole = ["epoch 0", 10, 20, "epoch 1", 30, 40, "epoch 2"]
    assert told(recorder) == whole[: 3 * epoch]
    assert checkpointer.saved == [(0, 0) if epoch == 0 else (epoch - 1, N_SLICES)]
    resumed = new_run(recorder, held_out=TEXT, checkpointer=checkpointer, position=run.position)
    resumed.train(FakeLoop(resumed))
    assert told(recorder) == whole
    assert [ended.loss for ended in recorder.of(EpochEnded)[1:]] == [1.5, 1.5]
    assert {ended.held_out_loss for ended in recorder.of(EpochEnded)} == {3.0}
    assert checkpointer.saved[-1] == (2, 0)


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_an_epochs_end_is_told_at_once_where_nothing_can_be_resumed(new_run, epoch):
    recorder = Recorder()
    run = new_run(stop_at_evaluation(epoch, recorder), held_out=TEXT)
    run.train(FakeLoop(run))
    assert told(recorder) == ["epoch 0", 10, 20, "epoch 1", 30, 40, "epoch 2"][: 3 * epoch + (epoch > 0)]
    if epoch:
        assert recorder.of(EpochEnded)[-1].loss == 1.5
        assert math.isnan(recorder.of(EpochEnded)[-1].held_out_loss)


@pytest.mark.parametrize("event", [Evaluating(0.5), Waiting(), None], ids=str)
def test_what_the_callback_may_stop_at(new_run, event):
    run = new_run(lambda event: True)
    if event is None:
        with pytest.raises(StopRequested):
            run.tell_progress(Position(), Slice(np.ones(STATISTICS), 1.0, 0.05, (2.0, 0.1)))
    else:
        with pytest.raises(StopRequested):
            run.tell(event)


def test_other_events_stop_nothing(new_run):
    recorder = Recorder()
    run = new_run(lambda event: recorder(event) or not isinstance(event, Progress))
    run.train(FakeLoop(run))
    assert told(recorder) == [10, 20, "epoch 1", 30, 40, "epoch 2"]


def test_checkpoints_are_offered_where_they_are_due(new_run):
    checkpointer = FakeCheckpointer(due=lambda is_epochs_end=False: True)
    run = new_run(epochs=3, checkpointer=checkpointer)
    loop = FakeLoop(run)
    run.train(loop)
    in_epoch = [[(epoch, 1, False), (epoch, 2, False)] for epoch in range(3)]
    assert checkpointer.offered == [*in_epoch[0], (0, 2, True), *in_epoch[1], (1, 2, True), *in_epoch[2]]
    assert loop.calls.count("fetch") == len(checkpointer.offered) + 1
    assert checkpointer.saved == [(3, 0)]


def test_nothing_is_fetched_for_a_checkpoint_that_is_not_due(new_run):
    checkpointer = FakeCheckpointer(due=lambda is_epochs_end=False: False)
    run = new_run(checkpointer=checkpointer)
    loop = FakeLoop(run)
    run.offer_checkpoint(loop)
    new_run().offer_checkpoint(loop)
    assert (loop.calls, checkpointer.offered) == ([], [])


def test_a_run_that_learnt_nothing(new_run):
    run = new_run(checkpointer=FakeCheckpointer())
    with pytest.raises(
        InputError, match=r"nothing was learnt: no line .*two words of the vocabulary, or subsampling left"
    ):
        run.train(FakeLoop(run, n_predictions=0))
    assert run.checkpointer.saved == []
    stopped = new_run(Recorder(1))
    stopped.train(FakeLoop(stopped, n_predictions=0))


def test_numbers_that_are_not_finite(new_run):
    total = np.zeros(STATISTICS)
    run = new_run(position=Position(epoch=1, n_words=30))
    run.check_finite(total)
    total[LOGIT_SUM] = np.nan
    with pytest.raises(
        DivergedError, match=r"in epoch 2, after 30 tokens, with an initial lr of 0.025: use a lower --lr. No vec.*n$"
    ):
        run.check_finite(total)
    run.checkpointer = FakeCheckpointer()
    for loss, option in (("ns", "--continue-from"), ("hs", "--init-vectors")):
        run.config = replace(run.config, loss=loss)
        with pytest.raises(
            DivergedError, match=f"No vectors were written. There is one: to start from it, give {option} and a lower"
        ):
            run.check_finite(total)


def test_matrices_that_are_not_finite_at_the_end(new_run):
    run = new_run(checkpointer=FakeCheckpointer())
    run.matrices.is_finite = lambda: False
    with pytest.raises(DivergedError, match="diverged to NaN or infinity in epoch 2, after 40 tokens"):
        run.train(FakeLoop(run))
    assert run.checkpointer.saved == []


def test_events_tell_the_whole_story(planted):
    recorder = Recorder()
    fastw2v.train(planted, callback=recorder, **SMALL)
    progress, epochs = recorder.of(Progress), recorder.of(EpochEnded)
    often = BytesRead | Progress | EpochEnded
    names = [type(event).__name__ for event in recorder.events if not isinstance(event, often)]
    assert names == ["PhaseStarted", "PhaseEnded"] * 2 + ["CorpusRead", "Estimated", "PhaseStarted", "PhaseEnded"]
    assert [event.name for event in recorder.of(PhaseStarted)] == ["compile", "read", "train"]
    assert all(event.seconds >= 0 for event in recorder.of(PhaseEnded))
    [read] = recorder.of(CorpusRead)
    assert read.n_tokens == 30_000
    assert progress[-1].n_words == progress[-1].n_words_total == 90_000
    assert progress[-1].seconds_left == 0
    assert [(event.epoch, event.n_words) for event in epochs] == [(1, 30_000), (2, 60_000), (3, 90_000)]
    assert all(0 < event.loss_error < 0.5 and np.isnan(event.held_out_loss) for event in epochs)
    assert [event.n_words for event in progress] == sorted(event.n_words for event in progress)
    assert [event.epoch for event in progress] == sorted(event.epoch for event in progress)
    assert progress[-1].epoch == progress[-1].epochs == 3
    # Untrained, 5 negatives and the centre cost log 2 each; from there it falls.
    assert progress[-1].loss < 0.9 * progress[0].loss < 0.9 * 6 * np.log(2)


OBJECTIVES = [{"model": model, "loss": loss} for model in ("skipgram", "cbow") for loss in ("ns", "hs", "softmax")]


@pytest.mark.parametrize("options", OBJECTIVES, ids=str)
def test_held_out_loss_of_a_run(tmp_path, planted, options):
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(planted_text(seed=1, n_sentences=500) + "unknown words\n")

    def epochs_of_run(threads):
        # At lr 0.05 two threads that write to the same few rows end 4 % higher.
        small = {**SMALL, "lr": 0.025, "threads": threads, **options}
        recorder = Recorder()
        fastw2v.train(planted, held_out=held_out, callback=recorder, **small)
        return recorder.of(EpochEnded)

    by_one = epochs_of_run(1)
    # In about one run in 30, the system suspends a thread where it matters: the loss of the first epoch is 6 % higher.
    _, by_two, _ = sorted((epochs_of_run(2) for _ in range(3)), key=lambda epochs: epochs[1].held_out_loss)
    for one, other in zip(by_one, by_two, strict=True):
        # Two threads that write to the same few rows learn a little less or more; the loss of a model is the same for
        # any number of threads, see test_heldout.py.
        assert one.held_out_loss == pytest.approx(other.held_out_loss, rel=0.05)
        if one.epoch:
            assert abs(one.loss - other.loss) < 0.05 * one.loss + 4 * (one.loss_error + other.loss_error)
    first, *_, last = by_one
    assert (first.epoch, first.n_words, last.epoch) == (0, 0, 3)
    untrained = {"ns": 6 * np.log(2), "hs": np.log2(96) * np.log(2), "softmax": np.log(96)}[options["loss"]]
    assert first.held_out_loss == pytest.approx(untrained, rel=0.02)
    assert first.loss == pytest.approx(untrained, rel=0.05)
    assert last.held_out_loss < first.held_out_loss - 10 * last.held_out_error
    # No text is easier than the one trained on, and the same kind of text is as easy.
    assert last.held_out_loss == pytest.approx(last.loss, rel=0.15)


def test_a_callback_can_stop_the_run(planted):
    recorder = Recorder(2)
    vectors = fastw2v.train(planted, callback=recorder, **SMALL)
    progress = recorder.of(Progress)
    assert len(progress) == 2
    assert progress[-1].n_words < progress[-1].n_words_total
    assert np.isfinite(vectors.vectors).all()


@pytest.mark.parametrize("update", ["window", "pair"])
def test_divergence_is_an_error(planted, update):
    with pytest.raises(DivergedError, match=r"diverged to NaN or infinity in epoch \d.* lr of 100: use a lower"):
        fastw2v.train(planted, **{**SMALL, "lr": 100, "update": update, "epochs": 50})


def test_lines_of_one_word_teach_nothing(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("a\nb\n" * 100)
    with pytest.raises(InputError, match=r"nothing was learnt: no line .sentence. of the corpus holds two words.*y$"):
        fastw2v.train(path, min_count=1, sample=0)
