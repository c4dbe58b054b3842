"""Checkpoints, written: when, beside the training, and what a failure leaves."""

import errno
import math
import os
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import DivergedError, RunError, Vectors, modelfile
from fastw2v.events import CheckpointFailed, CheckpointSaved
from fastw2v.files.locks import locked
from fastw2v.modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training import checkpointer as checkpointer_module
from fastw2v.training import run as run_module
from fastw2v.training.checkpointer import Checkpointer
from fastw2v.training.matrices import Matrices, new_matrices
from fastw2v.training.schedule import Position

OPTIONS = {"dim": 12, "min_count": 1, "epochs": 3, "sample": 0, "threads": 1, "lr": 0.05}


@pytest.fixture
def matrices():
    return new_matrices(3, fastw2v.TrainConfig(dim=5), threads=1)


@pytest.fixture
def checkpointer_of(tmp_path, matrices):
    """A function that makes a checkpointer of the matrices in tmp_path, which is closed at the end."""
    made = []

    def checkpointer_of(seconds=math.inf, tell=lambda event: None):
        about, counts = {"model": "m", "loss": "l"}, np.array([3, 2, 1])
        vectors = {"vectors": matrices.word_inputs, "output_vectors": matrices.word_outputs}
        content = modelfile.ModelFile(["a", "b", "c"], counts=counts, training=about, **vectors)
        made.append(Checkpointer(tmp_path, seconds, content, tell))
        return made[-1]

    yield checkpointer_of
    for checkpointer in made:
        checkpointer.close()


@pytest.fixture
def slow_writes(monkeypatch):
    """Each write of a file takes 0.2 s longer."""
    write = modelfile.write

    def write_slowly(path, content, previous):
        write(path, content, previous)
        time.sleep(0.2)

    monkeypatch.setattr(modelfile, "write", write_slowly)


def test_what_a_checkpoint_holds(tmp_path, matrices, checkpointer_of):
    recorder = Recorder()
    matrices.word_outputs[:] = 7
    checkpointer_of(tell=recorder).save(Position(epoch=1, n_spans=2, n_words=30))
    content = modelfile.read(tmp_path / CHECKPOINT, verify=True)
    assert list(content.words) == ["a", "b", "c"]
    assert content.counts.tolist() == [3, 2, 1]
    np.testing.assert_array_equal(content.vectors, matrices.word_inputs)
    np.testing.assert_array_equal(content.output_vectors, matrices.word_outputs)
    assert (content.training["model"], content.training["loss"]) == ("m", "l")
    assert Position(**content.training["position"]) == Position(epoch=1, n_spans=2, n_words=30)
    [saved] = recorder.events
    assert (saved.path, saved.n_words) == (str(tmp_path / CHECKPOINT), 30)
    assert 0 <= saved.stall <= saved.seconds


def test_the_checkpoint_is_of_the_moment_it_was_begun(tmp_path, matrices, checkpointer_of, slow_writes):
    matrices.word_inputs[:] = 1
    checkpointer = checkpointer_of(seconds=0)
    checkpointer.offer(Position(n_words=1))
    matrices.word_inputs[:] = 2  # while it is being written
    checkpointer.close()
    assert (modelfile.read(tmp_path / CHECKPOINT).vectors == 1).all()


def test_one_at_a_time(tmp_path, checkpointer_of, slow_writes):
    recorder = Recorder()
    checkpointer = checkpointer_of(seconds=0, tell=recorder)
    for n_words in (1, 2, 3):
        checkpointer.offer(Position(n_words=n_words))
    assert not checkpointer.is_due()
    checkpointer.save(Position(n_words=4))
    assert [event.n_words for event in recorder.events] == [1, 4], "2 and 3 came while 1 was being written"
    assert checkpointer.last_saved.n_words == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, PREVIOUS_CHECKPOINT]


def positions(directory):
    """The words trained of the latest checkpoint and of the one before, which are whole and two files."""
    paths = directory / CHECKPOINT, directory / PREVIOUS_CHECKPOINT
    assert not paths[0].samefile(paths[1])
    return [modelfile.read(path, verify=True).training["position"]["n_words"] for path in paths]


@pytest.fixture
def fail_to_rename(monkeypatch):
    """A function that lets the n-th renaming from now on fail: with a number as an error, else as a kill."""

    def fail_to_rename(n, error_number=None):
        calls, replace = [], os.replace

        def replace_or_fail(*names):
            calls.append(names)
            if len(calls) == n:
                raise KeyboardInterrupt if error_number is None else OSError(error_number, os.strerror(error_number))
            replace(*names)

        monkeypatch.setattr(os, "replace", replace_or_fail)

    return fail_to_rename


def test_a_failed_write_leaves_both_checkpoints(tmp_path, checkpointer_of, fail_to_rename):
    checkpointer = checkpointer_of()
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))
    fail_to_rename(1, errno.EIO)
    with pytest.warns(RuntimeWarning, match="no checkpoint was written after 3 tokens"):
        checkpointer.save(Position(n_words=3))
    assert positions(tmp_path) == [2, 1]
    assert len(list(tmp_path.iterdir())) == 2
    checkpointer.save(Position(n_words=4))
    assert positions(tmp_path) == [4, 2]


def test_both_are_whole_while_the_next_one_is_written(tmp_path, checkpointer_of, monkeypatch):
    checkpointer, seen, fsync = checkpointer_of(), [], os.fsync
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))

    def look(descriptor):
        fsync(descriptor)
        seen.append(positions(tmp_path))

    monkeypatch.setattr(os, "fsync", look)
    checkpointer.save(Position(n_words=3))
    assert seen == [[2, 1], [3, 2]], "the file was synced, then the directory"


def test_a_failed_write_of_the_name_of_the_one_before(tmp_path, checkpointer_of, fail_to_rename):
    checkpointer = checkpointer_of()
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))
    fail_to_rename(2, errno.EIO)
    checkpointer.save(Position(n_words=3))
    assert positions(tmp_path) == [3, 1]
    assert len(list(tmp_path.iterdir())) == 2


def test_two_names_of_one_file_become_two_files(tmp_path, checkpointer_of):
    checkpointer = checkpointer_of()
    checkpointer.save(Position(n_words=1))
    os.link(tmp_path / CHECKPOINT, tmp_path / PREVIOUS_CHECKPOINT)
    checkpointer.save(Position(n_words=2))
    assert positions(tmp_path) == [2, 1]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("error_number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_on_a_disk_with_room_for_two_the_older_one_gives_way(tmp_path, checkpointer_of, monkeypatch, error_number):
    checkpointer = checkpointer_of()
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))
    write = modelfile.write

    def write_where_there_is_room(path, content, previous):
        if previous.exists():
            error = OSError(error_number, os.strerror(error_number))
            raise RunError("cannot write: there is no room") from error
        write(path, content, previous)

    monkeypatch.setattr(modelfile, "write", write_where_there_is_room)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        checkpointer.save(Position(n_words=3))
    if error_number == errno.EFBIG:  # less on the disk is no help
        assert [str(warning.message) for warning in warned] == [
            "no checkpoint was written after 3 tokens: cannot write: there is no room"
        ]
        assert positions(tmp_path) == [2, 1]
    else:
        assert not warned
        assert positions(tmp_path) == [3, 2]


@pytest.fixture
def full_disk_after_two(checkpointer_of, monkeypatch):
    """A checkpointer whose disk has become full after two checkpoints."""
    checkpointer = checkpointer_of()
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))

    def no_room(path, content, previous):
        raise RunError("cannot write: no room") from OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(modelfile, "write", no_room)
    return checkpointer


def test_the_older_one_stays_where_that_makes_no_room(tmp_path, full_disk_after_two, monkeypatch):
    monkeypatch.setattr(checkpointer_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    (tmp_path / PREVIOUS_CHECKPOINT).write_bytes((tmp_path / PREVIOUS_CHECKPOINT).read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="no room"):
        full_disk_after_two.save(Position(n_words=3))
    assert (tmp_path / PREVIOUS_CHECKPOINT).exists()


def test_a_write_that_fails_again_says_that_the_older_one_gave_way(tmp_path, full_disk_after_two):
    with pytest.warns(RuntimeWarning, match=f"no room; .*{PREVIOUS_CHECKPOINT} had been removed to make room"):
        full_disk_after_two.save(Position(n_words=3))
    assert modelfile.read(tmp_path / CHECKPOINT, verify=True).training["position"]["n_words"] == 2
    assert not (tmp_path / PREVIOUS_CHECKPOINT).exists()


def test_the_link_of_a_killed_run_is_removed_at_the_next_start(tmp_path, checkpointer_of, fail_to_rename, monkeypatch):
    checkpointer = checkpointer_of()
    for n_words in (1, 2):
        checkpointer.save(Position(n_words=n_words))
    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", lambda path: None)
        fail_to_rename(2)
        with pytest.raises(KeyboardInterrupt):
            checkpointer.save(Position(n_words=3))
    assert len(list(tmp_path.iterdir())) == 3, "the link is there"
    with locked(tmp_path / CHECKPOINT):  # as a run does with its checkpoint
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [f".{CHECKPOINT}.fastw2v-lock", CHECKPOINT, PREVIOUS_CHECKPOINT]
    assert positions(tmp_path) == [3, 1]


def test_only_the_last_checkpoint_of_a_run_can_be_written_elsewhere(
    tmp_path, matrices, checkpointer_of, no_room, monkeypatch
):
    recorder = Recorder()
    checkpointer = checkpointer_of(seconds=0, tell=recorder)
    checkpointer.offer(Position(n_words=1))
    with pytest.warns(RuntimeWarning, match="No space left"):
        checkpointer.save(Position(n_words=2))
    periodic, last = recorder.of(CheckpointFailed)
    assert periodic.write_to is None, "the matrices change while the run goes on"
    monkeypatch.undo()
    last.write_to(tmp_path / "elsewhere.fw2v")
    content = modelfile.read(tmp_path / "elsewhere.fw2v", verify=True)
    np.testing.assert_array_equal(content.output_vectors, matrices.word_outputs)
    assert content.training["position"]["n_words"] == 2


def test_when_a_checkpoint_is_due(checkpointer_of):
    checkpointer = checkpointer_of(seconds=1000)
    assert not checkpointer.is_due()
    assert checkpointer.is_due(is_epochs_end=True), "the first one, at the end of an epoch"
    checkpointer.offer(Position())
    assert checkpointer.last_saved is None
    checkpointer.offer(Position(n_words=1), is_epochs_end=True)
    checkpointer.save(Position(n_words=2))
    assert not checkpointer.is_due(is_epochs_end=True), "it would take more than a hundredth of the time"
    assert checkpointer_of(seconds=0).is_due()


def test_without_memory_for_copies_the_training_waits(tmp_path, matrices, monkeypatch, checkpointer_of, slow_writes):
    def no_memory(self):
        raise MemoryError

    monkeypatch.setattr(Checkpointer, "_new_copies", no_memory)
    checkpointer = checkpointer_of(seconds=0)
    checkpointer.offer(Position(n_words=1))
    assert checkpointer.last_saved.n_words == 1, "it is on disk"
    np.testing.assert_array_equal(modelfile.read(tmp_path / CHECKPOINT).vectors, matrices.word_inputs)


def test_numbers_that_are_not_finite_are_never_written(tmp_path, matrices, checkpointer_of):
    recorder = Recorder()
    checkpointer = checkpointer_of(tell=recorder)
    checkpointer.save(Position(n_words=1))
    matrices.word_outputs[1, 1] = np.nan
    with pytest.warns(RuntimeWarning, match="no checkpoint was written after 2 tokens"):
        checkpointer.save(Position(n_words=2))
    reason = "the model holds NaN or infinite numbers"
    assert recorder.of(CheckpointFailed) == [CheckpointFailed(f"no checkpoint was written after 2 tokens: {reason}", 2)]
    assert modelfile.read(tmp_path / CHECKPOINT).training["position"]["n_words"] == 1
    assert not (tmp_path / PREVIOUS_CHECKPOINT).exists(), "what is not written replaces nothing"


def test_what_is_left_of_a_failed_run(tmp_path, checkpointer_of):
    checkpointer = checkpointer_of()
    assert checkpointer.last_good("go on") == f"There is no checkpoint in {tmp_path} yet"
    checkpointer.save(Position(n_words=12345))
    path = tmp_path / CHECKPOINT
    assert checkpointer.last_good("go on") == f"The last good checkpoint is {path}, written after 12,345 tokens; go on"
    assert checkpointer_of().last_good("go on") == f"The last good checkpoint is {path}; go on", "of a resumed run"


def test_a_failed_checkpoint_does_not_stop_the_run(planted, tmp_path, monkeypatch, slices_of_a_span):
    write = modelfile.write
    attempts = []

    def fail_at_times(path, content, previous):
        attempts.append(path)
        if len(attempts) in (2, 3):
            raise RunError("cannot write: No space left on device")
        write(path, content, previous)

    monkeypatch.setattr(modelfile, "write", fail_at_times)
    recorder = Recorder()
    options = {**OPTIONS, "epochs": 60}  # long enough for several checkpoints, also on a busy machine
    with pytest.warns(
        RuntimeWarning, match="no checkpoint was written after [0-9,]+ tokens: cannot write: No space left"
    ):
        got = fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=1e-9, callback=recorder, **options)
    np.testing.assert_array_equal(got.vectors, fastw2v.train(planted, **options).vectors)
    kinds = [type(event) for event in recorder.of(CheckpointFailed, CheckpointSaved)]
    assert kinds[:3] == [CheckpointSaved, CheckpointFailed, CheckpointFailed]
    assert kinds[-1] is CheckpointSaved
    assert len(Vectors.load(tmp_path / "c" / CHECKPOINT)) == 96


def test_divergence_names_the_last_checkpoint_and_leaves_it(planted, tmp_path, monkeypatch, slices_of_a_span):
    calls = []
    new_trainer = run_module.span_trainer

    def spoiled_trainer(matrices: Matrices, *arguments):
        train = new_trainer(matrices, *arguments)

        def spoiled(*spans, learn=True):
            calls.append(learn)
            if sum(calls) == 20:
                matrices.word_outputs[:] = np.inf
            train(*spans, learn=learn)

        return spoiled

    monkeypatch.setattr(run_module, "span_trainer", spoiled_trainer)
    message = r"lr of 0.05.*The last good checkpoint is .*, written after [\d,]+ t"
    with pytest.raises(DivergedError, match=message):
        fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=1e-9, **OPTIONS)
    assert np.isfinite(Vectors.load(tmp_path / "c" / CHECKPOINT).vectors).all()


def test_checkpoints_at_the_ends_of_epochs_cost_little(planted, tmp_path, slow_writes):
    recorder = Recorder()
    fastw2v.train(planted, checkpoint=tmp_path / "c", callback=recorder, **{**OPTIONS, "epochs": 30})
    saved = recorder.of(CheckpointSaved)
    assert len(saved) <= 3, "after the first epoch, at the end"
    assert saved[-1].n_words == 900_000
    assert all(0 <= event.stall <= event.seconds for event in saved)


def test_a_callbacks_own_error_is_not_a_failed_checkpoint(planted, tmp_path):
    def callback(event):
        if isinstance(event, CheckpointSaved):
            raise OSError(28, "my own log is full")

    with pytest.raises(OSError, match="my own log is full"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", callback=callback, **OPTIONS)


@pytest.fixture
def no_room(monkeypatch):
    """No native file can be written."""

    def fail(path, content, previous):
        raise RunError("cannot write: No space left on device")

    monkeypatch.setattr(modelfile, "write", fail)


@pytest.mark.parametrize("options", [{}, {"callback": Recorder()}], ids=["no callback", "a callback"])
def test_a_failed_checkpoint_is_a_warning_whatever_the_callback_does(planted, tmp_path, no_room, options):
    with pytest.warns(RuntimeWarning) as warned:
        fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS, **options)
    assert (
        str(warned[-1].message)
        == "no checkpoint was written after 90,000 tokens: cannot write: No space left on device"
    )


def test_many_failures_are_many_events_but_few_warnings(checkpointer_of, no_room, monkeypatch):
    """At most one a minute, and one at the end of the run."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    recorder = Recorder()
    checkpointer = checkpointer_of(seconds=0, tell=recorder)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for n_words in range(100):
            now += 1
            checkpointer.offer(Position(n_words=n_words))
            checkpointer._report(wait=True)
        checkpointer.save(Position(n_words=1234))
    assert len(recorder.of(CheckpointFailed)) == 101
    failed = [str(warning.message).split(":")[0] for warning in warned]
    assert failed == [f"no checkpoint was written after {n_words:,} tokens" for n_words in (0, 60, 1234)]


def test_failures_at_the_ends_of_epochs_cost_little_too(checkpointer_of, no_room, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    checkpointer = checkpointer_of(seconds=1000)
    checkpointer.offer(Position(), is_epochs_end=True)
    now += 0.5
    with pytest.warns(RuntimeWarning, match="no checkpoint"):
        checkpointer._report(wait=True)
    now += 49
    assert not checkpointer.is_due(is_epochs_end=True), "a hundred times as long"
    now += 1
    assert checkpointer.is_due(is_epochs_end=True)


def test_a_failed_checkpoint_ends_no_run_where_warnings_are_errors(planted, tmp_path, no_room):
    recorder, shown = Recorder(), []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.showwarning = lambda message, *where: shown.append(str(message))
        got = fastw2v.train(planted, checkpoint=tmp_path / "c", callback=recorder, **OPTIONS)
    assert len(got) == 96
    failed = [event.message for event in recorder.of(CheckpointFailed)]
    assert (
        failed[-1]
        == shown[-1]
        == "no checkpoint was written after 90,000 tokens: cannot write: No space left on device"
    )
