"""The whole path from Python: what is learnt, what is repeated exactly, what stops a run."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from planted import planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v.corpus.corpus import Corpus
from fastw2v.training.model import Model
from fastw2v.training.objective import new_model, span_trainer
from fastw2v.training.run import BytesRead, CorpusRead, PhaseEnded, PhaseStarted
from fastw2v.training.trainer import held_out_loss

SMALL = {"dim": 20, "min_count": 1, "epochs": 3, "sample": 0, "lr": 0.05}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("update", ["window", "pair"])
@pytest.mark.parametrize("which", ["input", "output", "average"])
def test_words_that_share_contexts_become_neighbours(planted, threads, update, which):
    vectors = fastw2v.train(planted, threads=threads, update=update, vectors=which, **SMALL)
    assert len(vectors) == 96
    assert share_of_planted_neighbours(vectors) > 0.95


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [
    {"model": "cbow"}, {"model": "cbow", "cbow_gradient": "exact", "lr": 0.2}, {"loss": "hs"},
    {"model": "cbow", "loss": "hs"}, {"loss": "hs", "update": "pair"}, {"loss": "softmax"},
    {"model": "cbow", "loss": "softmax"}, {"loss": "softmax", "vectors": "output"},
], ids=str)  # fmt: skip
def test_every_objective_finds_the_neighbours(planted, threads, options):
    losses = []
    vectors = fastw2v.train(
        planted, threads=threads, callback=lambda event: losses.append(getattr(event, "loss", np.nan)) and None,
        **{**SMALL, "epochs": 8, **options},
    )  # fmt: skip
    assert share_of_planted_neighbours(vectors) > 0.9
    losses = [loss for loss in losses if not np.isnan(loss)]
    assert losses[-1] < losses[0]


def test_more_threads_than_cores_train_too(tmp_path, planted):
    subprocess.run(
        [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v.bin", "--threads", "5", "--quiet",
         "--dim", "20", "--min-count", "1", "--epochs", "3", "--sample", "0", "--lr", "0.05"], check=True,
    )  # fmt: skip
    assert share_of_planted_neighbours(fastw2v.Vectors.load(tmp_path / "v.bin")) > 0.95


def test_more_threads_than_numba_has(planted):
    with pytest.raises(fastw2v.InputError, match="threads is 4096: Numba starts at most .*NUMBA_NUM_THREADS=4096"):
        fastw2v.train(planted, threads=4096)


def test_average_is_the_mean_of_both(planted):
    made = {
        which: fastw2v.train(planted, threads=1, vectors=which, **SMALL) for which in ("input", "output", "average")
    }
    np.testing.assert_array_equal(made["average"].vectors, (made["input"].vectors + made["output"].vectors) / 2)


def test_one_thread_gives_the_same_bytes_in_two_processes(planted):
    code = f"""
import fastw2v, hashlib
vectors = fastw2v.train({str(planted)!r}, threads=1, dim=20, min_count=1, epochs=3, sample=0.01, seed=5)
print(hashlib.sha256(vectors.vectors.tobytes()).hexdigest())
"""
    digests = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(digests) == 1
    for more in ({"model": model, "loss": loss} for model in ("skipgram", "cbow") for loss in ("ns", "hs", "softmax")):
        runs = [fastw2v.train(planted, threads=1, dim=20, min_count=1, **more).vectors.tobytes() for _ in range(2)]
        assert runs[0] == runs[1]
    other = fastw2v.train(planted, threads=1, dim=20, min_count=1, epochs=3, sample=0.01, seed=6)
    assert hashlib.sha256(other.vectors.tobytes()).hexdigest().encode() + b"\n" not in digests


def test_events_tell_the_whole_story(planted):
    events = []
    fastw2v.train(planted, callback=events.append, **SMALL)
    progress = [event for event in events if isinstance(event, fastw2v.Progress)]
    epochs = [event for event in events if isinstance(event, fastw2v.EpochEnded)]
    often = BytesRead | fastw2v.Progress | fastw2v.EpochEnded
    names = [type(event).__name__ for event in events if not isinstance(event, often)]
    assert names == ["PhaseStarted", "PhaseEnded"] * 2 + ["CorpusRead", "Estimated", "PhaseStarted", "PhaseEnded"]
    assert [event.name for event in events if isinstance(event, PhaseStarted)] == ["compile", "read", "train"]
    assert all(event.seconds >= 0 for event in events if isinstance(event, PhaseEnded))
    read = next(event for event in events if isinstance(event, CorpusRead))
    assert read.n_tokens == 30_000
    assert progress[-1].n_words == progress[-1].n_words_total == 90_000
    assert progress[-1].seconds_left == 0
    assert [(event.epoch, event.n_words) for event in epochs] == [(1, 30_000), (2, 60_000), (3, 90_000)]
    assert all(0 < event.loss_error < 0.1 and np.isnan(event.held_out_loss) for event in epochs)
    assert [event.n_words for event in progress] == sorted(event.n_words for event in progress)
    assert [event.epoch for event in progress] == sorted(event.epoch for event in progress)
    assert progress[-1].epoch == progress[-1].epochs == 3
    # Untrained, 5 negatives and the centre cost log 2 each; from there it falls.
    assert progress[-1].loss < 0.9 * progress[0].loss < 0.9 * 6 * np.log(2)


@pytest.mark.parametrize("options", [
    {"model": model, "loss": loss} for model in ("skipgram", "cbow") for loss in ("ns", "hs", "softmax")
], ids=str)  # fmt: skip
def test_held_out_loss(tmp_path, planted, options):
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(planted_text(seed=1, n_sentences=500) + "unknown words\n")
    ended = {1: [], 2: []}
    small = {**SMALL, "lr": 0.025}  # at 0.05 two threads that write to the same few rows end 4 % higher
    for threads, epochs in ended.items():
        fastw2v.train(
            planted, held_out=held_out, threads=threads, **{**small, **options},
            callback=lambda event, epochs=epochs: isinstance(event, fastw2v.EpochEnded) and epochs.append(event),
        )  # fmt: skip
    for one, other in zip(*ended.values(), strict=True):
        # Two threads that write to the same few rows learn a little less or more; the loss is the same (next test).
        assert one.held_out_loss == pytest.approx(other.held_out_loss, rel=0.05)
        if one.epoch:
            assert abs(one.loss - other.loss) < 0.05 * one.loss + 4 * (one.loss_error + other.loss_error)
    first, *_, last = ended[1]
    assert (first.epoch, first.n_words, last.epoch) == (0, 0, 3)
    untrained = {"ns": 6 * np.log(2), "hs": np.log2(96) * np.log(2), "softmax": np.log(96)}[options["loss"]]
    assert first.held_out_loss == pytest.approx(untrained, rel=0.02)
    assert np.isnan(first.loss)
    assert last.held_out_loss < first.held_out_loss - 10 * last.held_out_error
    # No text is easier than the one trained on, and the same kind of text is as easy.
    assert last.held_out_loss == pytest.approx(last.loss, rel=0.15)


@pytest.mark.parametrize("options", [{}, {"model": "cbow"}, {"loss": "hs"}, {"loss": "softmax"}], ids=str)
def test_the_loss_of_a_model_does_not_depend_on_threads_or_slices(planted, options):
    config = fastw2v.TrainConfig(dim=20, min_count=1, **options)
    corpus = Corpus.from_text(planted, min_count=1)
    model = new_model(96, config, 2)
    model.output_vectors[:, :20] = np.random.default_rng(0).normal(size=(len(model.output_vectors), 20))
    one, two = (held_out_loss(corpus, config, threads, span_trainer(model, corpus.vocabulary, config, threads))
                for threads in (1, 2))  # fmt: skip
    assert one == pytest.approx(two, rel=1e-6)
    assert one[0] > 0
    assert one[1] > 0


def test_held_out_text_without_known_words(tmp_path, planted):
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("nothing known\n")
    with pytest.raises(fastw2v.InputError, match="held-out text: the corpus holds no word of the vocabulary"):
        fastw2v.train(planted, held_out=held_out, **SMALL)
    held_out.write_text("t1w1\nt2w2\n")
    with pytest.raises(fastw2v.InputError, match="held-out text has no line .sentence. with two words"):
        fastw2v.train(planted, held_out=held_out, **SMALL)


def test_a_callback_can_stop_the_run(planted):
    seen = []

    def stop_at_second(event):
        if isinstance(event, fastw2v.Progress):
            seen.append(event)
        return len(seen) == 2

    vectors = fastw2v.train(planted, callback=stop_at_second, **SMALL)
    assert len(seen) == 2
    assert seen[-1].n_words < seen[-1].n_words_total
    assert np.isfinite(vectors.vectors).all()


@pytest.mark.parametrize("update", ["window", "pair"])
def test_divergence_is_an_error(planted, update):
    with pytest.raises(fastw2v.DivergedError, match=r"diverged to NaN or infinity in epoch \d.* lr = 100: use a lower"):
        fastw2v.train(planted, **{**SMALL, "lr": 100, "update": update, "epochs": 50})


def test_model_knows_bad_numbers():
    model = Model.new(3, 5, 1)
    assert model.is_finite()
    model.output_vectors[2, 4] = np.inf
    assert not model.is_finite()


def test_new_model():
    model = Model.new(2000, 10, seed=4)
    values = model.input_vectors[:, :10]
    assert model.input_vectors.shape == (2000, 16)
    assert model.input_vectors.ctypes.data % 64 == 0
    assert not model.input_vectors[:, 10:].any()
    assert not model.output_vectors.any()
    assert np.abs(values).max() <= 0.05
    assert values.mean() == pytest.approx(0, abs=1e-3)
    assert values.std() == pytest.approx(0.1 / np.sqrt(12), rel=0.02)
    np.testing.assert_array_equal(Model.new(5, 10, seed=4).input_vectors, model.input_vectors[:5])


def test_no_memory(monkeypatch):
    with pytest.raises(fastw2v.InputError, match=r"not enough memory for 2 matrices .*lower --dim"):
        Model.new(2**31 - 1, 10_000, 1)


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_two_trainings_in_two_python_threads(planted, layer):
    # The layer workqueue aborts the process where two threads enter it.
    code = f"""
import fastw2v, os, threading
def work():
    fastw2v.train({str(planted)!r}, threads=2, dim=20, min_count=1, epochs=20)
    os.write(1, b"done\\n")
workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers: worker.start()
for worker in workers: worker.join()
"""
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                         env={**os.environ, "NUMBA_THREADING_LAYER": layer})  # fmt: skip
    assert got.stdout == "done\n" * 2, got.stderr


def test_each_kernel_is_compiled_once(tmp_path, planted):
    # A second signature would be a second compilation of seconds, on the user's time.
    code = f"""
import fastw2v
from fastw2v.kernels import alias, huffman, numbers, random, softmax, tokenize, train
from numba.core.registry import CPUDispatcher
for threads, update, name in (2, "window", "v.txt"), (1, "pair", "v.bin"):
    vectors = fastw2v.train({str(planted)!r}, threads=threads, update=update, dim=20, epochs=1)
    vectors.save({str(tmp_path)!r} + "/" + name)
    fastw2v.Vectors.load({str(tmp_path)!r} + "/" + name)
for model in "skipgram", "cbow":
    for loss in "hs", "softmax":
        fastw2v.train({str(planted)!r}, model=model, loss=loss, dim=20, epochs=1)
for module in alias, huffman, numbers, random, softmax, tokenize, train:
    for name, kernel in vars(module).items():
        if isinstance(kernel, CPUDispatcher) and not kernel.targetoptions.get("forceinline"):
            print(name, len(kernel.signatures))
"""
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    counts = dict(line.split() for line in got.splitlines())
    assert counts.pop("train_spans_serial") == "0"  # for tests
    assert len(counts) >= 11
    assert set(counts.values()) == {"1"}


def test_lines_of_one_word_teach_nothing(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("a\nb\n" * 100)
    with pytest.raises(
        fastw2v.InputError, match="nothing was learnt: no line .sentence. of the corpus holds two words"
    ):
        fastw2v.train(path, min_count=1, sample=0)


def test_text_without_lines_trains(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text(planted_text().replace("\n", " "))
    assert share_of_planted_neighbours(fastw2v.train(path, **{**SMALL, "window": 2})) > 0.5
