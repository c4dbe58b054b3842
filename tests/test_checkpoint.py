"""Checkpoints: what is resumed is what would have been; what is damaged or of another run is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from planted import planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import InputError, RunError, Vectors
from fastw2v.corpus.corpus import Corpus
from fastw2v.training import checkpoint as module
from fastw2v.training import trainer
from fastw2v.training.checkpoint import CURRENT, PREVIOUS, CheckpointFailed, CheckpointSaved, Resumed

OPTIONS = {"dim": 12, "min_count": 1, "epochs": 3, "sample": 0, "threads": 1, "lr": 0.05}


@pytest.fixture
def slices_of_a_span(monkeypatch):
    """Each slice is one span, so that a run of a moment has many."""
    monkeypatch.setattr(trainer._Pace, "adapt", lambda self, n_spans, seconds: None)


def stop_after(n, events=None):
    """A callback that ends the run at the n-th Progress."""

    def callback(event):
        nonlocal n
        if events is not None:
            events.append(event)
        n -= isinstance(event, fastw2v.Progress)
        return n <= 0

    return callback


@pytest.mark.parametrize("options", [
    {}, {"model": "cbow"}, {"loss": "hs"}, {"model": "cbow", "loss": "hs"}, {"update": "pair"}, {"loss": "softmax"},
], ids=str)  # fmt: skip
def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit(
    planted, tmp_path, slices_of_a_span, options, monkeypatch
):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    options = {**OPTIONS, **options}
    expected_events, events = [], []
    expected = fastw2v.train(planted, **options, callback=lambda event: expected_events.append(event) and None)
    for n in (5, 1, 40, 1, 1000):  # in the middle of an epoch, and over its end
        got = fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, callback=stop_after(n, events), **options)
    np.testing.assert_array_equal(got.vectors, expected.vectors)

    def progress(events):
        return [(event.epoch, event.n_words, event.loss, event.learning_rate) for event in events
                if isinstance(event, fastw2v.Progress)]  # fmt: skip

    np.testing.assert_equal(progress(events), progress(expected_events))
    ends = [[event for event in found if isinstance(event, fastw2v.EpochEnded)] for found in (events, expected_events)]
    assert [event.loss for event in ends[0]] == pytest.approx([event.loss for event in ends[1]])


def test_several_threads_count_every_word_once(planted, tmp_path, slices_of_a_span):
    events = []
    for n in (3, 7, 30, 1000):
        got = fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, callback=stop_after(n, events),
                            **{**OPTIONS, "threads": 2})  # fmt: skip
    last = [event for event in events if isinstance(event, fastw2v.Progress)][-1]
    assert last.n_words == last.n_words_total == 90_000
    assert share_of_planted_neighbours(got) > 0.9


def test_resuming_a_finished_run_gives_its_vectors(planted, tmp_path):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    got = fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)
    np.testing.assert_array_equal(got.vectors, expected.vectors)


def test_frozen_vectors_and_a_run_that_goes_on(planted, tmp_path, slices_of_a_span):
    given = fastw2v.train(planted, **OPTIONS).subset([f"t0w{i}" for i in range(12)])
    options = {**OPTIONS, "init_vectors": given, "freeze": True}
    expected = fastw2v.train(planted, **options)
    for n in (5, 1000):
        got = fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, callback=stop_after(n), **options)
    np.testing.assert_array_equal(got.vectors, expected.vectors)
    with pytest.raises(InputError, match="is of a run with 12 frozen words, this one has 0"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)
    more = {**OPTIONS, "lr": 0.01, "continue_from": tmp_path / "c" / CURRENT}
    expected = fastw2v.train(planted, **more)
    for n in (5, 1000):
        got = fastw2v.train(planted, checkpoint=tmp_path / "d", resume=True, callback=stop_after(n), **more)
    np.testing.assert_array_equal(got.vectors, expected.vectors)


def test_the_one_before_is_kept_and_taken_where_the_last_is_damaged(planted, tmp_path, slices_of_a_span):
    directory = tmp_path / "c"
    for n in (5, 7):
        fastw2v.train(planted, checkpoint=directory, resume=True, callback=stop_after(n), **OPTIONS)
    assert sorted(os.listdir(directory)) == [CURRENT, PREVIOUS]
    assert module.load(directory).position.n_words > module._read(str(directory / PREVIOUS), "").position.n_words
    data = bytearray((directory / CURRENT).read_bytes())
    data[-1000] ^= 1
    (directory / CURRENT).write_bytes(data)
    expected = fastw2v.train(planted, **OPTIONS)
    events = []
    got = fastw2v.train(planted, checkpoint=directory, resume=True, callback=lambda e: events.append(e) and None,
                        **OPTIONS)  # fmt: skip
    np.testing.assert_array_equal(got.vectors, expected.vectors)
    [resumed] = [event for event in events if isinstance(event, Resumed)]
    assert resumed.path.endswith(PREVIOUS)
    assert "is damaged: the checksum of its" in resumed.warning
    assert sorted(os.listdir(directory)) == [CURRENT, PREVIOUS, module.UNUSABLE]
    assert (directory / module.UNUSABLE).read_bytes() == data
    for name in (CURRENT, PREVIOUS):
        module._read(str(directory / name), "")
        (directory / name).write_bytes(data)
    with pytest.raises(InputError, match="no checkpoint in .* can be used: .* is damaged"):
        fastw2v.train(planted, checkpoint=directory, resume=True, **OPTIONS)


@pytest.mark.parametrize("changed", [
    {"dim": 13}, {"lr": 0.04}, {"seed": 2}, {"epochs": 4}, {"window": 4}, {"model": "cbow"}, {"min_count": 2},
    {"negative": 6}, {"sample": 0.01},
], ids=str)  # fmt: skip
def test_another_run_is_refused_by_name(planted, tmp_path, changed):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    [(name, value)] = changed.items()
    with pytest.raises(InputError, match=f"is of a run with {name} .*, this one has {value!r}"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **{**OPTIONS, **changed})


def test_another_corpus_is_refused(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    text = planted.read_text()
    for other in (text + "t0w0 t0w1\n", text.replace("t0w0", "t0x0", 1), "\n".join(text.split("\n")[::-1])):
        planted.write_text(other)
        with pytest.raises(InputError, match="is of another corpus: its had 30,000 words in a vocabulary of 96"):
            fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)


def test_refused(planted, tmp_path):
    with pytest.raises(InputError, match="resume needs the directory"):
        fastw2v.train(planted, resume=True, **OPTIONS)
    with pytest.raises(InputError, match="checkpoint_every is 0 minutes"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=0, **OPTIONS)
    with pytest.raises(InputError, match="cannot make the checkpoint directory"):
        fastw2v.train(planted, checkpoint=tmp_path / "no" / "c", **OPTIONS)
    with pytest.raises(InputError, match="cannot make the checkpoint directory"):
        fastw2v.train(planted, checkpoint=planted, **OPTIONS)
    fastw2v.train(planted, checkpoint=tmp_path / "c", save_model=tmp_path / "m.fw2v", **OPTIONS)
    with pytest.raises(InputError, match="holds the checkpoint of a run: --resume"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    shutil.copy(tmp_path / "m.fw2v", tmp_path / "c" / CURRENT)
    (tmp_path / "c" / PREVIOUS).unlink()
    with pytest.raises(InputError, match="is no checkpoint, but a file of vectors or a model"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)


def test_a_failed_checkpoint_does_not_stop_the_run(planted, tmp_path, monkeypatch, slices_of_a_span):
    write = module.containers.save_native
    attempts = []

    def fail_at_times(path, content):
        attempts.append(path)
        if len(attempts) in (2, 3):
            raise RunError("cannot write: No space left on device")
        write(path, content)

    monkeypatch.setattr(module.containers, "save_native", fail_at_times)
    events = []
    options = {**OPTIONS, "epochs": 60}  # long enough for several checkpoints, also on a busy machine
    got = fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=1e-9, **options,
                        callback=lambda event: events.append(event) and None)  # fmt: skip
    np.testing.assert_array_equal(got.vectors, fastw2v.train(planted, **options).vectors)
    kinds = [type(event) for event in events if isinstance(event, (CheckpointFailed, CheckpointSaved))]
    assert kinds[:3] == [CheckpointSaved, CheckpointFailed, CheckpointFailed]
    assert kinds[-1] is CheckpointSaved
    assert len(Vectors.load(tmp_path / "c" / CURRENT)) == 96


def test_divergence_names_the_last_checkpoint_and_leaves_it(planted, tmp_path, monkeypatch, slices_of_a_span):
    text = Corpus.from_text(planted, min_count=1)
    calls = []

    def span_trainer(model, *arguments):
        train = trainer_before(model, *arguments)

        def spoiled(*spans):
            calls.append(1)
            if len(calls) == 20:
                model.output_vectors[: len(text.vocabulary)] = np.inf
            train(*spans)

        return spoiled

    trainer_before = trainer.span_trainer
    monkeypatch.setattr(trainer, "span_trainer", span_trainer)
    with pytest.raises(
        fastw2v.DivergedError, match=r"lr = 0.05.*The last checkpoint, from before, is .*, after [\d,]+ w"
    ):
        fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=1e-9, **OPTIONS)
    assert np.isfinite(Vectors.load(tmp_path / "c" / CURRENT).vectors).all()


def start(*arguments):
    return subprocess.Popen([sys.executable, "-m", "fastw2v", "train", *map(str, arguments)], stderr=subprocess.PIPE,
                            text=True)  # fmt: skip


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


COMMAND = ("--dim", 12, "--min-count", 1, "--sample", 0, "--threads", 1, "--epochs", 400)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_run(tmp_path, sent, run):
    path = tmp_path / "t.txt"
    path.write_text(planted_text())
    out, log = tmp_path / "o.txt", tmp_path / "log"
    command = (path, "-o", out, "--checkpoint", tmp_path / "c", "--log-json", log, *COMMAND)
    process = start(*command)
    wait_for(log, process)
    sent_at = time.monotonic()
    process.send_signal(sent)
    _, err = process.communicate()
    assert time.monotonic() - sent_at < 2
    assert process.returncode == 128 + sent
    assert "the vectors were not written; --resume goes on after" in err.splitlines()[-1]
    assert not out.exists()
    code, _, err = run("train", *command, "--resume")
    assert code == 0
    assert "going on from" in err
    assert run("train", path, "-o", tmp_path / "whole.txt", *COMMAND)[0] == 0
    assert out.read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_killed_run_goes_on(tmp_path, run):
    path = tmp_path / "t.txt"
    path.write_text(planted_text())
    command = (path, "-o", tmp_path / "o.txt", "--checkpoint", tmp_path / "c", "--checkpoint-every", 1e-6, *COMMAND)
    process = start(*command)
    wait_for(tmp_path / "c" / PREVIOUS, process)
    process.kill()
    process.communicate()
    code, _, err = run("train", *command, "--resume")
    assert code == 0
    assert "going on from" in err
    assert run("train", path, "-o", tmp_path / "whole.txt", *COMMAND)[0] == 0
    assert (tmp_path / "o.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


def test_a_checkpoint_is_a_file_of_vectors(planted, tmp_path, run):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    code, out, _ = run("info", tmp_path / "c")
    assert code == 0
    assert "96 words x 12" in out
    assert "checkpoint: 3 of 3 epochs done, 90,000 words (100.0%) in" in out
    assert "options: model skipgram, loss ns, dim 12" in out
    assert run("convert", tmp_path / "c" / CURRENT, tmp_path / "v.txt")[0] == 0
    np.testing.assert_array_equal(Vectors.load(tmp_path / "v.txt").vectors, expected.vectors)


def test_a_failed_last_save_leaves_the_checkpoint(planted, tmp_path, run):
    command = ("train", planted, "--checkpoint", tmp_path / "c", "--dim", 12, "--min-count", 1, "--threads", 1)
    code, _, err = run(*command, "-o", "/dev/full")
    assert code == 1
    assert "No space left on device" in err
    assert "It takes about 0.0 MB" in err
    assert "has the run, --resume writes it again" in err
    assert run(*command, "-o", tmp_path / "o.txt", "--resume")[0] == 0
    assert len(Vectors.load(tmp_path / "o.txt")) == 96


def test_a_checkpoint_of_a_newer_version(planted, tmp_path, monkeypatch):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    monkeypatch.setattr(module.containers, "VERSION", 0)
    with pytest.raises(InputError, match="has version 1, this fastw2v reads 0: update fastw2v"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)


def test_checkpoints_at_the_ends_of_epochs_cost_little(planted, tmp_path, monkeypatch):
    write = module.containers.save_native

    def write_slowly(path, content):
        write(path, content)
        time.sleep(0.2)

    monkeypatch.setattr(module.containers, "save_native", write_slowly)
    events = []
    fastw2v.train(planted, checkpoint=tmp_path / "c", callback=lambda event: events.append(event) and None,
                  **{**OPTIONS, "epochs": 30})  # fmt: skip
    saved = [event for event in events if isinstance(event, CheckpointSaved)]
    assert len(saved) <= 3, "after the first epoch, at the end"
    assert saved[-1].n_words == 900_000
    assert all(0 <= event.stall <= event.seconds for event in saved)


@pytest.mark.parametrize("changes", [
    {"position": {"n_spans": -5}}, {"position": {"epoch": "x"}}, {"position": {"epoch_total": ["a"] * 32}},
    {"position": {"seconds": None}}, {"position": None}, {"config": [1]}, {"corpus": None}, {"corpus": {}},
    {"n_frozen": "a"}, {"model": None},
], ids=str)  # fmt: skip
def test_headers_that_lie_are_refused(planted, tmp_path, changes, run):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    found = module.load(tmp_path / "c")
    about = dict(found.about)
    for name, value in changes.items():
        about[name] = {**about[name], **value} if value and isinstance(value, dict) else value
    module.containers.save_native(tmp_path / "c" / CURRENT, found.content._replace(training=about))
    (tmp_path / "c" / PREVIOUS).unlink(missing_ok=True)
    with pytest.raises(InputError, match="is no checkpoint"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)
    assert run("info", tmp_path / "c")[0] == 0


def test_a_position_beyond_the_end_is_refused(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    found = module.load(tmp_path / "c")
    about = {**found.about, "position": {**found.about["position"], "epoch": 1, "n_spans": 10**6}}
    module.containers.save_native(tmp_path / "c" / CURRENT, found.content._replace(training=about))
    with pytest.raises(InputError, match="stands at span 1000000 of epoch 2"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)


def test_other_counts_are_another_corpus(planted, tmp_path):
    words = [f"t{topic}w{i}" for topic in range(8) for i in range(12)]
    for counts in (np.arange(96, 0, -1), np.arange(196, 100, -1)):
        vocabulary = fastw2v.Vocabulary(words, counts)
        if counts[0] == 96:
            fastw2v.train(planted, vocabulary=vocabulary, checkpoint=tmp_path / "c", **OPTIONS)
            continue
        with pytest.raises(InputError, match="with other counts"):
            fastw2v.train(planted, vocabulary=vocabulary, checkpoint=tmp_path / "c", resume=True, **OPTIONS)


def test_odd_directories(planted, tmp_path):
    with pytest.raises(InputError, match="has an empty name"):
        fastw2v.train(planted, checkpoint="", **OPTIONS)
    with pytest.raises(InputError, match="cannot make the checkpoint directory"):
        fastw2v.train(planted, checkpoint="a\0b", **OPTIONS)
    with pytest.raises(InputError, match="checkpoint_every is nan"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=float("nan"), **OPTIONS)
    os.mkfifo(tmp_path / CURRENT)
    with pytest.raises(InputError, match="is no regular file"):
        fastw2v.train(planted, checkpoint=tmp_path, resume=True, **OPTIONS)


def test_a_callbacks_own_error_is_not_a_failed_checkpoint(planted, tmp_path):
    def callback(event):
        if isinstance(event, CheckpointSaved):
            raise OSError(28, "my own log is full")

    with pytest.raises(OSError, match="my own log is full"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", callback=callback, **OPTIONS)


def test_without_a_callback_a_failed_checkpoint_is_a_warning(planted, tmp_path, monkeypatch):
    def fail(path, content):
        raise RunError("cannot write: No space left on device")

    monkeypatch.setattr(module.containers, "save_native", fail)
    with pytest.warns(RuntimeWarning, match="no checkpoint: cannot write: No space left"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    with pytest.raises(InputError, match="is no valid Unicode"):
        fastw2v.train(sentences=[["a\ud800", "b"]] * 9, checkpoint=tmp_path / "c", **OPTIONS)


def test_a_full_disk_does_not_refuse_to_resume(planted, tmp_path, monkeypatch, slices_of_a_span):
    from fastw2v.training import resources

    for n in (5, 7):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, callback=stop_after(n), **OPTIONS)
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: type("", (), {"free": 1000}))
    monkeypatch.setattr("fastw2v.training.run.check_room_for_ids", lambda files, temp_dir: None)
    fastw2v.train(planted, checkpoint=tmp_path / "c", resume=True, **OPTIONS)
    with pytest.raises(InputError, match="two checkpoints needs about"):
        fastw2v.train(planted, checkpoint=tmp_path / "d", **OPTIONS)


def test_the_same_command_resumes_what_it_has_written(planted, tmp_path, run):
    command = ("train", planted, "-o", tmp_path / "o.txt", "--checkpoint", tmp_path / "c", "--dim", 12,
               "--save-vocab", tmp_path / "v", "--save-model", tmp_path / "m.fw2v")  # fmt: skip
    assert run(*command)[0] == 0
    (tmp_path / "o.txt").unlink()
    code, _, err = run(*command, "--resume")
    assert code == 0
    assert "wrote " in err
    code, _, err = run("train", planted, "-o", tmp_path / "c" / PREVIOUS, "--checkpoint", tmp_path / "c", "--overwrite")
    assert (code, "is named for two outputs" in err) == (2, True)
