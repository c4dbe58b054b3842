"""Runs that are interrupted and continue: to the last bit what would have been, on one thread."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from listeners import Recorder
from planted import planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import EpochEnded, InputError, Progress, RunError, Vectors
from fastw2v.events import Evaluating
from fastw2v.kernels.jit import MAX_THREADS
from fastw2v.modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training import resources, schedule
from fastw2v.training.checkpointer import Checkpointer

OPTIONS = {"dim": 12, "min_count": 1, "epochs": 3, "sample": 0, "threads": 1, "lr": 0.05}


def go_on(corpus, directory, recorder=None, **options):
    """Go on with a run, or begin it; its vectors."""
    options = {**OPTIONS, **options}
    return fastw2v.train(corpus, checkpoint=directory, resume=True, callback=recorder or Recorder(), **options)


OBJECTIVES = [
    {},
    {"model": "cbow"},
    {"loss": "hs"},
    {"model": "cbow", "loss": "hs"},
    {"update": "pair"},
    {"loss": "softmax"},
]


@pytest.mark.parametrize("options", OBJECTIVES, ids=str)
def test_a_resumed_run_is_the_uninterrupted_one_to_the_last_bit(
    planted, tmp_path, slices_of_a_span, options, monkeypatch
):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    whole = Recorder()
    expected = fastw2v.train(planted, callback=whole, **{**OPTIONS, **options})
    parts = [Recorder(n) for n in (5, 1, 40, 1, 1000)]  # in the middle of an epoch, and over its end
    for recorder in parts:
        got = go_on(planted, tmp_path / "c", recorder, **options)
    np.testing.assert_array_equal(got.vectors, expected.vectors)

    def story(recorders):
        told = [event for recorder in recorders for event in recorder.of(Progress)]
        return [(event.epoch, event.n_words, event.learning_rate) for event in told]

    np.testing.assert_equal(story(parts), story([whole]))
    losses = [event.loss for recorder in parts for event in recorder.of(EpochEnded)]
    assert losses == pytest.approx([event.loss for event in whole.of(EpochEnded)])


@pytest.mark.parametrize("options", OBJECTIVES, ids=str)
def test_a_deterministic_run_is_the_same_on_any_number_of_threads_and_resumed(planted, tmp_path, options, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setattr(schedule, "SLICE_SECONDS", 1e-9)  # slices of one span for each track
    options = {**options, "deterministic": True, "tracks": 3}
    expected = fastw2v.train(planted, **{**OPTIONS, **options})
    for n, threads in ((3, 2), (1, 1), (9, min(4, MAX_THREADS)), (1000, 2)):
        got = go_on(planted, tmp_path / "c", Recorder(n), **{**options, "threads": threads})
    np.testing.assert_array_equal(got.vectors, expected.vectors)
    if options.get("loss") != "softmax":
        with pytest.raises(InputError, match="tracks 3; this run has 4"):
            go_on(planted, tmp_path / "c", **{**options, "tracks": 4})


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_stop_while_held_out_text_is_asked_loses_no_loss(planted, tmp_path, n):
    """n: the run is stopped before the first epoch, or after the first, the second, the last."""
    (tmp_path / "held.txt").write_text(planted_text(seed=1, n_sentences=100))  # one slice
    whole, parts = Recorder(), Recorder()

    def callback(event):
        parts(event)
        return isinstance(event, Evaluating) and len(parts.of(Evaluating)) == n

    expected = fastw2v.train(planted, held_out=tmp_path / "held.txt", callback=whole, **OPTIONS)
    go_on(planted, tmp_path / "c", callback, held_out=tmp_path / "held.txt")
    got = go_on(planted, tmp_path / "c", parts, held_out=tmp_path / "held.txt")
    np.testing.assert_array_equal(got.vectors, expected.vectors)
    story = [
        [(event.epoch, event.n_words, event.loss, event.held_out_loss) for event in recorder.of(EpochEnded)]
        for recorder in (parts, whole)
    ]
    np.testing.assert_allclose(*story, rtol=1e-12)


def test_several_threads_count_every_word_once(planted, tmp_path, slices_of_a_span):
    for n in (3, 7, 30, 1000):
        recorder = Recorder(n)
        got = go_on(planted, tmp_path / "c", recorder, threads=2)
    last = recorder.of(Progress)[-1]
    assert last.n_words == last.n_words_total == 90_000
    assert share_of_planted_neighbours(got) > 0.9


def test_resuming_a_finished_run_gives_its_vectors(planted, tmp_path):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    np.testing.assert_array_equal(go_on(planted, tmp_path / "c").vectors, expected.vectors)


def test_a_run_with_frozen_vectors_goes_on(planted, tmp_path, slices_of_a_span):
    given = fastw2v.train(planted, **OPTIONS).subset([f"t0w{i}" for i in range(12)])
    options = {"init_vectors": given, "freeze": True}
    expected = fastw2v.train(planted, **OPTIONS, **options)
    for n in (5, 1000):
        got = go_on(planted, tmp_path / "c", Recorder(n), **options)
    np.testing.assert_array_equal(got.vectors, expected.vectors)


def test_a_run_from_a_model_goes_on(planted, tmp_path, slices_of_a_span):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    options = {"lr": 0.01, "continue_from": tmp_path / "c" / CHECKPOINT}
    expected = fastw2v.train(planted, **{**OPTIONS, **options})
    for n in (5, 1000):
        got = go_on(planted, tmp_path / "d", Recorder(n), **options)
    np.testing.assert_array_equal(got.vectors, expected.vectors)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_resuming_needs_no_more_addresses_than_beginning(planted, tmp_path, monkeypatch, slices_of_a_span):
    """Under `ulimit -v` the mapped checkpoint counts as memory. It is gone before there is memory for the next one."""
    begin, seen = Checkpointer.__init__, []

    def note(*arguments):
        seen.append(str(tmp_path) in Path("/proc/self/maps").read_text())
        begin(*arguments)

    monkeypatch.setattr(Checkpointer, "__init__", note)
    monkeypatch.setattr(resources, "available_memory", lambda n_unmapped: (10**12, seen.append(n_unmapped)))
    go_on(planted, tmp_path / "c", Recorder(5))
    size = (tmp_path / "c" / CHECKPOINT).stat().st_size
    go_on(planted, tmp_path / "c")
    assert seen == [0, False, size, False]


def test_a_full_disk_does_not_refuse_to_resume(planted, tmp_path, monkeypatch, slices_of_a_span):
    for n in (5, 7):
        go_on(planted, tmp_path / "c", Recorder(n))
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: (10**6, 10**6 - 1000, 1000))
    monkeypatch.setattr("fastw2v.training.backend.check_room_for_ids", lambda files, temp_dir: None)
    go_on(planted, tmp_path / "c")
    (tmp_path / "c" / PREVIOUS_CHECKPOINT).unlink()
    (finished,) = (tmp_path / "c").iterdir()
    saved_at = finished.stat().st_mtime_ns
    go_on(planted, tmp_path / "c")
    assert finished.stat().st_mtime_ns == saved_at, "a finished run is not saved again, so it needs no room"
    message = "no room for two checkpoints: about .* is needed in .*; make room in the directory, or name another one"
    with pytest.raises(fastw2v.InputError, match=message):
        fastw2v.train(planted, checkpoint=tmp_path / "d", **OPTIONS)


def start(*arguments):
    """Start a run that cannot end before its log is read: the log is a pipe, which holds the records of 10 epochs.

    Without that, the second that the run takes may be over before this process is next in turn.
    """
    command = [sys.executable, "-m", "fastw2v", "train", *map(str, arguments), "--log-json", "/dev/stdout"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096)


def follow(process):
    """Let a run write one more record of its log."""
    assert process.stdout.readline(), process.stderr.read()


def follow_until(path, process):
    while not path.exists():
        follow(process)


COMMAND = ("--dim", 12, "--min-count", 1, "--sample", 0, "--threads", 1, "--epochs", 200)


@pytest.fixture(scope="module")
def text_and_whole(tmp_path_factory):
    """A text, and the file that a run of `COMMAND` writes if nothing interrupts it."""
    directory = tmp_path_factory.mktemp("whole")
    text, whole = directory / "t.txt", directory / "whole.txt"
    text.write_text(planted_text())
    fastw2v.train(text, dim=12, min_count=1, sample=0, threads=1, epochs=200).save(whole)
    return text, whole


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU])
def test_a_signal_saves_the_run(text_and_whole, tmp_path, sent, run, sighup):
    text, whole = text_and_whole
    out = tmp_path / "o.txt"
    command = (text, "-o", out, "--checkpoint", tmp_path / "c", *COMMAND)
    process = start(*command)
    for _ in range(2):  # after the first record the run may not expect signals yet
        follow(process)
    process.send_signal(sent)
    _, err = process.communicate()
    assert process.returncode == 128 + sent
    assert "the vectors were not written; --resume continues from token" in err.splitlines()[-1]
    assert not out.exists()
    code, _, err = run("train", *command, "--resume")
    assert code == 0
    assert "resuming from" in err
    assert out.read_bytes() == whole.read_bytes()


def test_a_stopped_run_whose_last_save_fails_is_kept_elsewhere(text_and_whole, tmp_path, run):
    text, whole = text_and_whole
    (tmp_path / "ids").mkdir()
    places = ("-o", tmp_path / "o.txt", "--checkpoint", tmp_path / "c", "--checkpoint-every", 1e-6)
    command = (text, *places, "--temp-dir", tmp_path / "ids", *COMMAND)
    process = start(*command)
    follow_until(tmp_path / "c" / PREVIOUS_CHECKPOINT, process)
    while (tmp_path / "c").exists():
        shutil.rmtree(tmp_path / "c", ignore_errors=True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 1
    last = err.splitlines()[-1]
    assert last.startswith("fastw2v: interrupted: the vectors were not written; no checkpoint was written after ")
    assert last.endswith(
        f"copy that file to {tmp_path}/c, then run again with --resume; there is no checkpoint in {tmp_path}/c"
    )
    [path] = (tmp_path / "ids").glob(f"fastw2v-*/{CHECKPOINT}")
    assert f"the checkpoint went to {path} instead" in last
    (tmp_path / "c").mkdir()
    path.rename(tmp_path / "c" / CHECKPOINT)
    code, _, err = run("train", *command, "--resume")
    assert code == 0
    assert "resuming from" in err
    assert (tmp_path / "o.txt").read_bytes() == whole.read_bytes()


def test_a_killed_run_goes_on(text_and_whole, tmp_path, run):
    text, whole = text_and_whole
    command = (text, "-o", tmp_path / "o.txt", "--checkpoint", tmp_path / "c", "--checkpoint-every", 1e-6, *COMMAND)
    process = start(*command)
    follow_until(tmp_path / "c" / PREVIOUS_CHECKPOINT, process)
    process.kill()
    process.communicate()
    code, _, err = run("train", *command, "--resume")
    assert code == 0
    assert "resuming from" in err
    assert (tmp_path / "o.txt").read_bytes() == whole.read_bytes()


def test_a_failed_last_save_leaves_the_checkpoint(planted, tmp_path, run):
    command = ("train", planted, "--checkpoint", tmp_path / "c", "--dim", 12, "--min-count", 1, "--threads", 1)
    code, _, err = run(*command, "-o", "/dev/full")
    assert code == 1
    assert "No space left on device" in err
    assert "The file takes about 0.0 MB" in err
    assert f"{tmp_path}/c/{CHECKPOINT} holds the finished run: run again with --resume to write the vectors" in err
    assert run(*command, "-o", tmp_path / "o.txt", "--resume")[0] == 0
    assert len(Vectors.load(tmp_path / "o.txt")) == 96


@pytest.mark.parametrize("options", [[], ["--quiet"]])
def test_failed_checkpoints_are_told(planted, tmp_path, run, monkeypatch, options):
    def fail(path, content, previous):
        raise RunError("cannot write: No space left on device")

    monkeypatch.setattr("fastw2v.modelfile.write", fail)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    places = "--checkpoint", tmp_path / "c", "-o", tmp_path / "o.txt", "--log-json", tmp_path / "log"
    code, _, err = run("train", planted, *places, "--epochs", 12, "--dim", 12, "--min-count", 1, *options)
    assert code == 0
    failed = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if "checkpoint_failed" in line]
    message = "no checkpoint was written after 360,000 tokens: cannot write: No space left on device"
    assert failed[-1] == {"checkpoint_failed": 360_000, "message": message}
    assert f"warning: {message}" in err.splitlines()
    assert f"warning: failed checkpoints: {len(failed)}" == err.splitlines()[-1]


def test_the_same_command_resumes_what_it_has_written(planted, tmp_path, run):
    train = ("train", planted, "--checkpoint", tmp_path / "c", "--dim", 12)
    command = (*train, "-o", tmp_path / "o.txt", "--save-vocab", tmp_path / "v", "--save-model", tmp_path / "m.fw2v")
    assert run(*command)[0] == 0
    (tmp_path / "o.txt").unlink()
    code, _, err = run(*command, "--resume")
    assert code == 0
    assert "wrote " in err
    code, _, err = run(
        "train", planted, "-o", tmp_path / "c" / PREVIOUS_CHECKPOINT, "--checkpoint", tmp_path / "c", "--overwrite"
    )
    assert (code, "is given as two outputs" in err) == (2, True)
