"""The loop of one process: which spans it trains, at which rates, and where the run then stands."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from listeners import Recorder

from fastw2v import DivergedError, InputError, Progress, TrainConfig
from fastw2v.kernels.statistics import LOGIT_SUM, LOSS, N_PREDICTIONS, N_SAMPLES, N_TOKENS, SIZE
from fastw2v.training.loop import LocalLoop
from fastw2v.training.run import StopRequested, TrainingRun
from fastw2v.training.schedule import Position

N_SPANS, TOKENS_OF_SPAN = 10, 900


class FakeCorpus:
    """A corpus of ten spans; counts how often its memory is released."""

    def __init__(self):
        self.ids = np.zeros(1000 * N_SPANS, np.int32)
        self.n_ids, self.n_tokens = len(self.ids), TOKENS_OF_SPAN * N_SPANS
        self.n_released = 0

    def let_go(self):
        self.n_released += 1


class FakeTrainer:
    """A `SpanTrainer` that notes what it is to train, and counts as if it did."""

    def __init__(self):
        self.calls, self.spans, self.rates = [], [], []
        self.logit_sum = 1.0
        self.n_losses = 0

    def __call__(self, ids, spans, epoch, statistics, learn=True):
        if not learn:
            self.n_losses += 1
            statistics[:, [N_SAMPLES, SIZE, LOSS]] = 1, 2, 6 / self.n_losses
            return
        self.spans += spans.numbers.tolist()
        self.rates += spans.learning_rates.tolist()
        self.calls.append((epoch, spans.numbers.tolist(), spans.learning_rates.tolist(), spans.length))
        statistics[:, [N_TOKENS, N_PREDICTIONS, LOGIT_SUM]] = TOKENS_OF_SPAN, 7 * TOKENS_OF_SPAN, self.logit_sum
        time.sleep(1e-4)


@pytest.fixture
def run():
    run = TrainingRun(TrainConfig(epochs=2, lr=0.5, seed=3), FakeCorpus(), None, 2, Recorder())
    run.span_trainer = FakeTrainer()
    return run


def test_an_epoch_visits_its_spans_in_the_order_of_the_schedule(run, slices_of_a_span):
    LocalLoop(run, run.corpus).train_epoch()
    calls = run.span_trainer.calls
    assert [len(numbers) for _, numbers, _, _ in calls] == [2] * 5, "one for each thread"
    assert run.span_trainer.spans == run.schedule.order(0).tolist()
    assert {(epoch, length) for epoch, _, _, length in calls} == {(0, 1000)}
    assert run.span_trainer.rates == run.schedule.learning_rates(np.arange(N_SPANS)).tolist()
    assert run.position.n_spans == N_SPANS
    assert run.position.n_words == run.corpus.n_tokens
    assert run.corpus.n_released == 5


def test_what_is_left_of_an_epoch(run, slices_of_a_span):
    run.position = Position(epoch=1, n_spans=7, n_words=16 * TOKENS_OF_SPAN)
    LocalLoop(run, run.corpus).train_epoch()
    order, rates = run.schedule.order(1), run.schedule.learning_rates(np.arange(17, 20))
    assert run.span_trainer.calls == [
        (1, order[7:9].tolist(), rates[:2].tolist(), 1000),
        (1, order[9:].tolist(), rates[2:].tolist(), 1000),
    ]
    LocalLoop(run, run.corpus).train_epoch()
    assert len(run.span_trainer.calls) == 2, "nothing is left"


def test_slices_grow_until_they_take_their_time(run):
    LocalLoop(run, run.corpus).train_epoch()
    assert [len(numbers) for _, numbers, _, _ in run.span_trainer.calls] == [2, 8]


def test_progress_is_told_after_each_slice(run, slices_of_a_span):
    LocalLoop(run, run.corpus).train_epoch()
    progress = run.callback.of(Progress)
    assert [event.n_words for event in progress] == [2 * TOKENS_OF_SPAN * n for n in range(1, 6)]
    assert {(event.epoch, event.n_predictions) for event in progress} == {(1, 14 * TOKENS_OF_SPAN)}
    for event, (_, _, rates, _) in zip(progress, run.span_trainer.calls, strict=True):
        assert event.learning_rate == rates[-1]
    assert run.position.seconds == progress[-1].seconds >= 5e-4


def test_the_loss_is_that_of_the_sample_as_it_was_taken_last(run, slices_of_a_span):
    loop = LocalLoop(run, run.corpus)
    assert loop.take_loss()[0] == 3.0
    loop.train_epoch()
    losses = [event.loss for event in run.callback.of(Progress)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == 3.0 / run.span_trainer.n_losses


def test_a_slice_that_diverged_does_not_count(run, slices_of_a_span):
    run.position = Position(n_spans=2, n_words=1800)
    run.span_trainer.logit_sum = np.nan
    with pytest.raises(DivergedError, match="in epoch 1, after 1,800 tokens"):
        LocalLoop(run, run.corpus).train_epoch()
    assert (run.position.n_spans, run.callback.events) == (2, [])


def test_a_run_that_is_stopped_stands_behind_its_last_slice(run, slices_of_a_span):
    run.callback = Recorder(3)
    with pytest.raises(StopRequested):
        LocalLoop(run, run.corpus).train_epoch()
    assert run.position.n_spans == 6


def test_a_checkpoint_is_offered_after_each_slice(run, slices_of_a_span):
    offered = []
    run.checkpointer = SimpleNamespace(
        is_due=lambda is_epochs_end: len(offered) < 3,
        offer=lambda position, is_epochs_end: offered.append((position.n_spans, is_epochs_end)),
    )
    LocalLoop(run, run.corpus).train_epoch()
    assert offered == [(2, False), (4, False), (6, False)]


def test_the_rows_are_in_this_process(run):
    loop = LocalLoop(run, run.corpus)
    loop.fetch()
    loop.fetch_what_is_left()
    assert run.position == Position()


@pytest.mark.parametrize("position", [Position(epoch=3), Position(epoch=1, n_spans=N_SPANS + 1)], ids=["epoch", "span"])
def test_a_position_beyond_the_end_is_refused(run, position):
    run.position = position
    place = f"{position.n_spans} parts into epoch {position.epoch + 1}"
    message = f"is damaged: it is {place}, but this run has 2 epochs of 10 parts; start again"
    with pytest.raises(InputError, match=message):
        LocalLoop(run, run.corpus)


def test_the_end_is_not_beyond_the_end(run):
    for position in (Position(epoch=2), Position(epoch=1, n_spans=N_SPANS)):
        run.position = position
        LocalLoop(run, run.corpus)
