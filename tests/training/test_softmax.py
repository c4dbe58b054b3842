"""Full softmax against the reference, prediction by prediction; what it refuses."""

import os
import subprocess
import sys

import numpy as np
import pytest
import reference
from kernel_cases import EPOCH, SEED, case, corpus, random_matrices, read_only
from planted import planted_text

import fastw2v
from fastw2v.kernels.statistics import LOGIT_SUM, LOSS, N_PREDICTIONS, N_TOKENS, SIZE, STATISTICS, mean_loss
from fastw2v.kernels.walk import MAX_SHIFT, Spans
from fastw2v.training import softmax

LEARNING_RATE = 0.02
N_WORDS = 50


def train(ids, setting, numbers, length, threads=1, learn=True):
    """The words' rows, padding included, those before in float64, and the statistics."""
    matrices, before = random_matrices(setting.layout, dim=10)
    statistics = np.zeros((len(numbers), STATISTICS))
    spans = Spans(np.array(numbers), np.full(len(numbers), LEARNING_RATE, np.float32), length)
    train_spans = softmax.SoftmaxTrainer(matrices, setting.windows, setting.config, threads)
    train_spans(ids, spans, EPOCH, statistics, learn)
    return matrices.input_vectors, matrices.output_vectors, before, statistics


def padded(rows):
    return np.pad(rows, ((0, 0), (0, 6)))


@pytest.mark.parametrize(("block", "threads"), [(16, 1), (16, 2), (50, 1), (2048, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": 5, "fixed_window": True},
        {"model": "cbow"},
        {"model": "cbow", "cbow_gradient": "exact"},
        {"n_frozen": 20},
        {"n_frozen": 20, "model": "cbow"},
    ],
    ids=str,
)
def test_training_is_the_reference_batch_by_batch(monkeypatch, options, block, threads):
    monkeypatch.setattr(softmax, "BLOCK", block)
    batch_size = 64
    monkeypatch.setattr(softmax, "BATCH", batch_size)
    ids, length, numbers = corpus(), 1000, [2, 0, 3]
    setting = case(keep=0.7, loss="softmax", seed=SEED, **options)
    windows = setting.windows
    inputs, outputs, expected, statistics = train(ids, setting, numbers, length, threads)
    frozen = np.flatnonzero(windows.is_frozen)
    frozen_rows = expected[0][frozen]
    for number, got in zip(numbers, statistics, strict=True):
        start = reference.start_of_span(ids, number, length, MAX_SHIFT)
        stop = reference.start_of_span(ids, number + 1, length, MAX_SHIFT)
        state = reference.stream(reference.stream(SEED, EPOCH), number)
        groups, centres, window_sizes = reference.predictions_of_span(ids, start, stop, windows, state)
        n_batches = -(-len(groups) // batch_size)
        losses = np.empty(len(groups))
        for first in range(n_batches):
            batch = groups[first::n_batches], centres[first::n_batches]
            losses[first::n_batches] = reference.softmax_loss(*expected, *batch)
            reference.softmax_step(*expected, *batch, np.float32(LEARNING_RATE), windows.exact_mean)
            expected[0][frozen] = frozen_rows
        assert got[N_TOKENS] == np.count_nonzero(ids[start:stop] >= 0)
        assert got[N_PREDICTIONS] == got[SIZE] == len(groups)
        assert got[LOSS] == got[LOGIT_SUM] == pytest.approx(losses.sum(), rel=1e-5)
        # Standard error of a ratio of sums over windows.
        window_losses = np.add.reduceat(losses, np.cumsum([0, *window_sizes[:-1]]))
        n = len(window_sizes)
        rest = window_losses - losses.mean() * window_sizes
        error = np.sqrt((rest**2).sum() * n / (n - 1)) / sum(window_sizes)
        assert mean_loss(got) == pytest.approx((losses.mean(), error), rel=1e-4)
    np.testing.assert_allclose(inputs, padded(expected[0]), atol=2e-5)
    np.testing.assert_allclose(outputs, padded(expected[1]), atol=2e-5)


def test_nothing_moves_where_nothing_is_to_be_learnt():
    inputs, outputs, before, statistics = train(corpus(), case(loss="softmax"), [0], 4000, learn=False)
    np.testing.assert_array_equal(inputs, padded(before[0].astype(np.float32)))
    np.testing.assert_array_equal(outputs, padded(before[1].astype(np.float32)))
    assert statistics[0, LOSS] / statistics[0, SIZE] == pytest.approx(np.log(N_WORDS), rel=0.1)


def test_a_span_without_pairs():
    statistics = train(read_only([0, -1, 1, -1, 2, -1]), case(loss="softmax"), [0], 1000)[3]
    assert statistics[0, [N_PREDICTIONS, N_TOKENS]].tolist() == [0, 3]


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("n_words", [300, 2000])
def test_frequent_words_do_not_make_it_diverge(tmp_path, model, n_words):
    rng = np.random.default_rng(0)
    words = rng.zipf(1.2, size=60_000) % n_words
    path = tmp_path / "zipf.txt"
    path.write_text("\n".join(" ".join(f"w{word}" for word in line) for line in words.reshape(-1, 20)))
    losses = []

    def keep_loss(event):
        if isinstance(event, fastw2v.EpochEnded):
            losses.append(event.loss)

    options = {"loss": "softmax", "sample": 0, "min_count": 1, "epochs": 2, "dim": 50}
    fastw2v.train(path, model=model, callback=keep_loss, **options)
    assert losses[1] < losses[0] < np.log(n_words)


@pytest.fixture
def slow_text(tmp_path):
    """Text whose softmax would take very long."""
    path = tmp_path / "slow.txt"
    path.write_text(" ".join(f"w{i}" for i in range(20_000)) + "\n" + planted_text())
    return path


def test_absurd_work_is_refused_with_an_estimate(slow_text, run, tmp_path):
    options = ["--min-count", 1, "--loss", "softmax", "--epochs", 10**6]
    code, _, err = run("train", slow_text, "-o", tmp_path / "v", *options)
    assert code == 2
    assert "full softmax would take about " in err
    assert " predictions, each against all 20,096 words. Use --loss ns or hs, or lower --max-vocab" in err
    assert not (tmp_path / "v").exists()
    assert not (tmp_path / "vocab").exists()


def test_absurd_work_can_be_forced(slow_text):
    seen = []

    def stop(event):
        seen.append(event)
        return isinstance(event, fastw2v.Progress)

    fastw2v.train(slow_text, min_count=1, loss="softmax", epochs=10**6, force_softmax=True, callback=stop)
    assert any(isinstance(event, fastw2v.Progress) for event in seen)


def test_without_threadpoolctl(planted):
    code = f"""
import sys; sys.modules["threadpoolctl"] = None
import fastw2v
assert len(fastw2v.train({str(planted)!r}, loss="softmax", epochs=1)) == 96
fastw2v.train({str(planted)!r}, loss="softmax", epochs=1, threads=1)
"""
    settings = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=settings)
    assert "MissingExtra: setting threads for loss softmax from Python needs the package threadpoolctl" in got.stderr
    settings["OPENBLAS_NUM_THREADS"] = "1"
    subprocess.run([sys.executable, "-c", code], check=True, env=settings)


def test_the_command_line_needs_no_threadpoolctl(planted, tmp_path):
    # It sets BLAS's threads before NumPy is loaded.
    code = "import sys; sys.modules['threadpoolctl'] = None; from fastw2v.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "warmup"], check=True)
    options = ["--loss", "softmax", "--threads", "1", "--epochs", "1"]
    command = [sys.executable, "-c", code, "train", planted, "-o", tmp_path / "v", *options]
    subprocess.run(command, check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "7"})
    assert len(fastw2v.Vectors.load(tmp_path / "v")) == 96
