"""The losses of held-out text and of the sample: the same draws each time, for any number of threads."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import InputError, TrainConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import Evaluating
from fastw2v.kernels.statistics import LOSS, N_PREDICTIONS, N_SAMPLES, SIZE
from fastw2v.training import heldout
from fastw2v.training.heldout import EVALUATION, SHARE_OF_TIME, SampleLoss, held_out_loss, sample_statistics
from fastw2v.training.matrices import new_matrices
from fastw2v.training.trainers import span_trainer

SMALL = {"dim": 20, "min_count": 1, "epochs": 3, "sample": 0, "lr": 0.05}

TEXT = SimpleNamespace(ids=np.zeros(4500, np.int32), n_ids=4500)
"""A text of five spans."""


class FakeTrainer:
    """A `SpanTrainer` for which span i has 2 predictions with a loss of i."""

    def __init__(self, n_predictions=2):
        self.n_predictions = n_predictions
        self.spans = []

    def __call__(self, ids, spans, epoch, statistics, learn=True):
        assert (ids is TEXT.ids, epoch, learn) == (True, EVALUATION, False)
        self.spans += spans.numbers.tolist()
        statistics[:, N_PREDICTIONS] = statistics[:, SIZE] = self.n_predictions
        statistics[:, N_SAMPLES] = 1
        statistics[:, LOSS] = 2 * spans.numbers


@pytest.mark.parametrize("threads", [1, 2])
def test_every_span_counts_once(threads, slices_of_a_span):
    trainer, recorder = FakeTrainer(), Recorder()
    loss, _ = held_out_loss(TEXT, TrainConfig(), threads, trainer, recorder)
    assert loss == np.mean(range(5))
    assert trainer.spans == [0, 1, 2, 3, 4]
    shares = [event.share for event in recorder.of(Evaluating)]
    assert shares == ([0.2, 0.4, 0.6, 0.8, 1.0] if threads == 1 else [0.4, 0.8, 1.0])


def test_the_listener_may_end_it(slices_of_a_span):
    def tell(event):
        if event.share > 0.5:
            raise StopIteration

    trainer = FakeTrainer()
    with pytest.raises(StopIteration):
        held_out_loss(TEXT, TrainConfig(), 1, trainer, tell)
    assert trainer.spans == [0, 1, 2]


def test_a_text_without_predictions():
    with pytest.raises(InputError, match="held-out text has no line .sentence. with two words of the vocabulary"):
        held_out_loss(TEXT, TrainConfig(), 1, FakeTrainer(n_predictions=0), lambda event: None)


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"loss": "softmax"}], ids=str)
def test_the_loss_of_a_model_does_not_depend_on_threads_or_slices(planted, options):
    config = TrainConfig(dim=20, min_count=1, **options)
    corpus = Corpus.from_text(planted, Pruning(min_count=1))
    matrices = new_matrices(96, config, 2)
    matrices.word_outputs[:] = np.random.default_rng(0).normal(size=(96, 20))
    inputs, outputs = matrices.word_inputs.copy(), matrices.word_outputs.copy()
    losses = []
    for threads in (1, 2, 2):
        trainer = span_trainer(matrices, corpus.vocabulary, config, threads)
        losses.append(held_out_loss(corpus, config, threads, trainer, lambda event: None))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert losses[1] == pytest.approx(losses[2], rel=1e-12), "the draws are the same at each call"
    assert all(number > 0 and math.isfinite(number) for number in losses[0])
    np.testing.assert_array_equal(matrices.word_inputs, inputs)
    np.testing.assert_array_equal(matrices.word_outputs, outputs)


def test_held_out_text_without_known_words(tmp_path, planted):
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("nothing known\n")
    with pytest.raises(
        InputError, match=r"^held-out text: the text holds no word of the vocabulary \(all 2 tokens are oth"
    ):
        fastw2v.train(planted, held_out=held_out, **SMALL)
    held_out.write_text("")
    with pytest.raises(InputError, match="^held-out text: the text holds no words: it is empty or all white space$"):
        fastw2v.train(planted, held_out=held_out, **SMALL)
    held_out.write_text("t1w1\nt2w2\n")
    with pytest.raises(InputError, match="held-out text has no line .sentence. with two words"):
        fastw2v.train(planted, held_out=held_out, **SMALL)


class Clock:
    """A `SpanTrainer` each call of which takes a second of the clock that it also is."""

    def __init__(self, ids):
        self.ids, self.now, self.asked = ids, 0.0, []

    def perf_counter(self):
        return self.now

    def __call__(self, ids, spans, epoch, statistics, learn=True):
        assert (ids is self.ids, epoch, learn) == (True, EVALUATION, False)
        self.now += 1.0
        self.asked.append((spans.numbers.tolist(), spans.length))
        statistics[:, [N_SAMPLES, SIZE, LOSS]] = 1, 2, 6


@pytest.mark.parametrize(("n_ids", "n_spans"), [(10, 1), (199_999, 1), (500_000, 2), (6_000_000, 30), (10**8, 200)])
def test_the_sample_is_a_small_share_from_everywhere(n_ids, n_spans):
    ids = np.empty(n_ids, np.int32)
    clock = Clock(ids)
    sample_statistics(ids, n_ids, clock)
    [(numbers, length)] = clock.asked
    n_all = -(-n_ids // length)
    assert len(numbers) == n_spans
    assert 0 <= min(numbers) <= max(numbers) < n_all
    assert np.allclose(np.diff(numbers), n_all / n_spans, atol=1)
    assert length * len(numbers) <= max(length, 0.005 * n_ids)


def test_the_loss_of_the_sample_keeps_to_its_share_of_the_time(monkeypatch):
    ids = np.zeros(1000, np.int32)
    clock = Clock(ids)
    monkeypatch.setattr(heldout, "time", clock)
    sample = SampleLoss(ids, clock)
    assert all(map(math.isnan, sample.value))
    for seconds in range(1000):
        if sample.is_due(seconds):
            sample.take()
    assert sample.value[0] == 3.0
    assert SHARE_OF_TIME * 1000 - 1 <= len(clock.asked) <= SHARE_OF_TIME * 1000
