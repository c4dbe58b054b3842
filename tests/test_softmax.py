"""Full softmax against the reference, prediction by prediction; what it refuses."""

import os
import subprocess
import sys

import numpy as np
import pytest
import reference
from planted import planted_text
from test_train_kernel import EPOCH, N_WORDS, SEED, corpus, setting

import fastw2v
from fastw2v.kernels import softmax
from fastw2v.kernels.train import (
    LOGIT_SUM,
    LOSS,
    MAX_SHIFT,
    N_PREDICTIONS,
    N_TOKENS,
    SIZE,
    STATISTICS,
    Spans,
)
from fastw2v.training.trainer import mean_loss

LEARNING_RATE = 0.02


def train(ids, windows, numbers, length, batch_size=64, dim=10, learn=True, threads=1):
    stride = -(-dim // 16) * 16
    inputs, outputs = np.zeros((2, N_WORDS, stride), np.float32)
    rng = np.random.default_rng(3)
    inputs[:, :dim], outputs[:, :dim] = rng.normal(size=(2, N_WORDS, dim), scale=0.3)
    before = inputs.astype(np.float64), outputs.astype(np.float64)
    statistics = np.zeros((len(numbers), STATISTICS))
    spans = Spans(np.array(numbers), np.full(len(numbers), LEARNING_RATE, np.float32), length)
    softmax.train_spans_softmax(
        ids, spans, inputs, outputs, dim, windows, batch_size, threads, learn, SEED, EPOCH, statistics
    )
    return inputs, outputs, before, statistics


@pytest.mark.parametrize(("block", "threads"), [(16, 1), (16, 2), (50, 1), (2048, 3)])
@pytest.mark.parametrize("options", [
    {}, {"window": 5, "fixed_window": True}, {"model": "cbow"}, {"model": "cbow", "cbow_gradient": "exact"},
], ids=str)  # fmt: skip
def test_training_is_the_reference_batch_by_batch(monkeypatch, options, block, threads):
    monkeypatch.setattr(softmax, "BLOCK", block)
    ids, length, numbers, batch_size = corpus(), 1000, [2, 0, 3], 64
    windows = setting(keep=0.7, **options)[0]
    inputs, outputs, expected, statistics = train(ids, windows, numbers, length, batch_size, threads=threads)
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
        assert got[N_TOKENS] == np.count_nonzero(ids[start:stop] >= 0)
        assert got[N_PREDICTIONS] == got[SIZE] == len(groups)
        assert got[LOSS] == got[LOGIT_SUM] == pytest.approx(losses.sum(), rel=1e-5)
        # Standard error of a ratio of sums over windows.
        window_losses = np.add.reduceat(losses, np.cumsum([0, *window_sizes[:-1]]))
        n = len(window_sizes)
        rest = window_losses - losses.mean() * window_sizes
        error = np.sqrt((rest**2).sum() * n / (n - 1)) / sum(window_sizes)
        assert mean_loss(got) == pytest.approx((losses.mean(), error), rel=1e-4)
    np.testing.assert_allclose(inputs, np.pad(expected[0][:, :10], ((0, 0), (0, 6))), atol=2e-5)
    np.testing.assert_allclose(outputs, np.pad(expected[1][:, :10], ((0, 0), (0, 6))), atol=2e-5)


def test_nothing_moves_where_nothing_is_to_be_learnt():
    inputs, outputs, before, statistics = train(corpus(), setting()[0], [0], 4000, learn=False)
    np.testing.assert_array_equal(inputs, before[0].astype(np.float32))
    np.testing.assert_array_equal(outputs, before[1].astype(np.float32))
    assert statistics[0, LOSS] / statistics[0, SIZE] == pytest.approx(np.log(N_WORDS), rel=0.1)


def test_a_span_without_pairs():
    ids = np.array([0, -1, 1, -1, 2, -1], np.int32)
    ids.flags.writeable = False
    assert train(ids, setting()[0], [0], 1000)[3][0, [N_PREDICTIONS, N_TOKENS]].tolist() == [0, 3]


@pytest.mark.parametrize("width", [1, 15, 16, 17, 100])
@pytest.mark.parametrize("scale", [1e-3, 1, 300])
def test_exponentials(width, scale):
    logits = np.random.default_rng(0).normal(size=(5, width), scale=scale).astype(np.float32)
    largest, sums = np.empty((2, 5), np.float32)
    got = logits.copy()
    softmax.take_exponentials(got, largest, sums)
    np.testing.assert_array_equal(largest, logits.max(axis=1))
    expected = np.exp(logits.astype(np.float64) - largest[:, None])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(sums, expected.sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("n_words", [300, 2000])
def test_frequent_words_do_not_make_it_diverge(tmp_path, model, n_words):
    rng = np.random.default_rng(0)
    words = rng.zipf(1.2, size=60_000) % n_words
    path = tmp_path / "zipf.txt"
    path.write_text("\n".join(" ".join(f"w{word}" for word in line) for line in words.reshape(-1, 20)))
    losses = []
    fastw2v.train(
        path, model=model, loss="softmax", sample=0, min_count=1, epochs=2, dim=50,
        callback=lambda event: losses.append(event.loss) if isinstance(event, fastw2v.EpochEnded) else None,
    )  # fmt: skip
    assert losses[1] < losses[0] < np.log(n_words)


@pytest.fixture
def slow_text(tmp_path):
    """Text whose softmax would take very long."""
    path = tmp_path / "slow.txt"
    path.write_text(" ".join(f"w{i}" for i in range(20_000)) + "\n" + planted_text())
    return path


def test_absurd_work_is_refused_with_an_estimate(slow_text, run, tmp_path):
    code, _, err = run(
        "train", slow_text, "-o", tmp_path / "v", "--min-count", 1, "--loss", "softmax", "--epochs", 10**6
    )
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

    fastw2v.train(slow_text, min_count=1, loss="softmax", epochs=10**6, force=True, callback=stop)
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
    assert "MissingExtra: threads with loss softmax, from Python, needs the package threadpoolctl" in got.stderr
    settings["OPENBLAS_NUM_THREADS"] = "1"
    subprocess.run([sys.executable, "-c", code], check=True, env=settings)


def test_the_command_line_needs_no_threadpoolctl(planted, tmp_path):
    # It sets BLAS's threads before NumPy is loaded.
    code = "import sys; sys.modules['threadpoolctl'] = None; from fastw2v.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, "warmup"], check=True)
    subprocess.run(
        [sys.executable, "-c", code, "train", planted, "-o", tmp_path / "v", "--loss", "softmax", "--threads", "1",
         "--epochs", "1"], check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "7"},
    )  # fmt: skip
    assert len(fastw2v.Vectors.load(tmp_path / "v")) == 96
