"""Training on tracks, against the reference and on any number of threads."""

import numpy as np
import pytest
import reference
from kernel_cases import EPOCH, N_WORDS, SEED, case, corpus, random_matrices

from fastw2v.kernels.jit import MAX_THREADS, in_parallel
from fastw2v.kernels.statistics import N_PREDICTIONS, N_TOKENS, STATISTICS
from fastw2v.kernels.tracks import HOT, ROUND, compile_tracks, new_tracks, run_on_tracks
from fastw2v.kernels.train import Job, Pass
from fastw2v.kernels.walk import MAX_SHIFT, Spans
from fastw2v.training import matrices as rows_of_matrices
from fastw2v.training import pieces

LENGTH, ROUNDS_TO_MERGE, N_TRACKS = 40, 3, 3
RATES = np.array([0.03, 0.02, 0.01], np.float32)
SPAN_LENGTH = 1000


def job(setting, numbers=(2, 0, 3)):
    matrices, before = random_matrices(setting.layout, dim=10)
    spans = Spans(np.array(numbers), RATES[: len(numbers)], SPAN_LENGTH)
    model = matrices.input_vectors, matrices.output_vectors, setting.windows, *setting.objective, setting.layout
    visit = Pass(True, np.uint64(SEED), np.uint64(EPOCH))
    return Job(corpus(), spans, *model, visit, np.zeros((len(numbers), STATISTICS))), before


def train(setting, threads=1, first_round=0, times=1, **options):
    """The words' rows after training, those before in float64, and the statistics."""
    done, before = job(setting, **options)
    longest = done.paths.longest
    tracks = new_tracks(done, N_TRACKS, *pieces.size_of_piece(setting.config, longest))
    kernels = compile_tracks(done)
    with in_parallel(threads):
        for _ in range(times):
            first_round = run_on_tracks(kernels, done, tracks, first_round, ROUNDS_TO_MERGE, threads)
    return done.inputs[:N_WORDS], done.outputs[:N_WORDS], before, done.statistics


@pytest.fixture(autouse=True)
def few_hot_rows(monkeypatch):
    monkeypatch.setattr(rows_of_matrices, "HOT_WORDS", 4)
    monkeypatch.setattr(rows_of_matrices, "HOT_NODES", 6)
    monkeypatch.setattr(pieces, "WINDOWS_OF_PIECE", LENGTH)


def tracks_case(**options):
    return case(keep=0.7, deterministic=True, tracks=N_TRACKS, **options)


OPTIONS = [
    {},
    {"negative": 15, "window": 5},
    {"update": "pair"},
    {"model": "cbow"},
    {"model": "cbow", "cbow_sum": True},
    {"loss": "hs"},
    {"loss": "hs", "update": "pair"},
    {"model": "cbow", "loss": "hs"},
    {"n_frozen": 20},
    {"n_frozen": 20, "update": "pair"},
    {"n_frozen": 20, "loss": "hs", "model": "cbow"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_training_is_that_of_the_reference_round_by_round(options):
    setting, ids, numbers = tracks_case(**options), corpus(), (2, 0, 3)
    inputs, outputs, expected, statistics = train(setting)
    spans, n_tokens = [], []
    for number in numbers:
        start, stop = (reference.start_of_span(ids, n, SPAN_LENGTH, MAX_SHIFT) for n in (number, number + 1))
        state = reference.stream(reference.stream(SEED, EPOCH), number)
        spans.append(reference.Span(ids, start, stop, setting.windows, setting.objective, state))
        n_tokens.append(np.count_nonzero(ids[start:stop] >= 0))
    layout = setting.layout
    length, _ = pieces.size_of_piece(setting.config, setting.objective.paths.longest)
    hot_outputs = layout.first_hot_output + np.arange(layout.n_hot_outputs)
    assert len(hot_outputs) == (6 if setting.config.loss == "hs" else 4)
    hot = np.arange(layout.n_hot_inputs), hot_outputs
    n_predictions = reference.train_on_tracks(spans, RATES, *expected, length, hot, ROUNDS_TO_MERGE)
    assert statistics[:, N_PREDICTIONS].tolist() == n_predictions
    assert statistics[:, N_TOKENS].tolist() == n_tokens
    np.testing.assert_allclose(inputs[:, :10], expected[0], atol=2e-5)
    np.testing.assert_allclose(outputs[:, :10], expected[1], atol=2e-5)
    assert not inputs[:, 10:].any()
    assert not outputs[:, 10:].any()


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"update": "pair"}], ids=str)
def test_any_number_of_threads_gives_the_same_bytes(options):
    setting = tracks_case(**options)
    inputs, outputs, _, statistics = train(setting, times=3)
    for threads in range(2, min(5, MAX_THREADS) + 1):
        others = train(setting, threads=threads, times=3)
        np.testing.assert_array_equal(others[0], inputs)
        np.testing.assert_array_equal(others[1], outputs)
        np.testing.assert_array_equal(others[3], statistics)


def test_rounds_are_numbered_again_when_no_number_is_left():
    setting = tracks_case()
    inputs, outputs, *_ = train(setting, times=3)
    again = train(setting, first_round=int(HOT) - SPAN_LENGTH - 5, times=3)
    np.testing.assert_array_equal(again[0], inputs)
    np.testing.assert_array_equal(again[1], outputs)
    assert (int(HOT) << ROUND) < 2**63


@pytest.mark.parametrize("numbers", [(1,), (3, 1)])
def test_fewer_spans_than_tracks(numbers):
    statistics = train(tracks_case(), numbers=numbers)[3]
    assert (statistics[:, N_PREDICTIONS] > 0).all()


def test_a_layout_without_rows_for_the_tracks_is_refused():
    done, _ = job(tracks_case())
    with pytest.raises(ValueError, match="5 tracks"):
        new_tracks(done, 5, LENGTH, 200)
    done, _ = job(case(threads=3))
    with pytest.raises(ValueError, match="private rows"):
        new_tracks(done, N_TRACKS, LENGTH, 200)
