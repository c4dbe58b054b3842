"""The steps of a training: what is checked before any work, in which order the work goes, what is locked and saved."""

import contextlib
import os
import shutil

import numpy as np
import pytest
from listeners import Recorder
from planted import TRAIN

import fastw2v
from fastw2v import InputError, Progress, RunError, TrainConfig, TrainedModel, Vectors
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import CorpusRead, Estimated, NewFile, PhaseEnded, PhaseStarted, Resumed
from fastw2v.files.locks import locked
from fastw2v.kernels.statistics import STATISTICS
from fastw2v.modelfile import CHECKPOINT
from fastw2v.training import train as module
from fastw2v.training.request import Request, Source
from fastw2v.training.run import Slice
from fastw2v.training.schedule import Position
from fastw2v.training.train import check, read, start, train_model

SMALL = {"dim": 8, "min_count": 1, "sample": 0, "threads": 1, "epochs": 1}
CONFIG = TrainConfig(**SMALL)


class FakeBackend:
    """A `Backend` that reads two sentences and trains nothing; it notes what it is asked to do."""

    threads = 1
    gathers_rows = False

    def __init__(self, files=()):
        self.files = list(files)
        self.calls = []
        self.fails_to_train = False

    def prepare(self, has_vocabulary):
        self.calls.append("prepare with a vocabulary" if has_vocabulary else "prepare")

    def read(self, pruning):
        self.calls.append(pruning)
        return Corpus.from_blocks([(8, np.array(bytearray(b"a b a c\n")))], pruning)

    def train(self, run):
        self.calls.append("train")
        if self.fails_to_train:
            raise RunError("it broke")
        run.matrices.word_outputs[:] = 1.0


def request_of(config=CONFIG, **arguments):
    return Request(Source(corpus="a.txt"), config, **arguments)


def test_the_steps_of_a_training():
    backend, recorder = FakeBackend(), Recorder()
    model = train_model(request_of(callback=recorder), backend)
    assert backend.calls == ["prepare", Pruning(min_count=1), "train"]
    assert [type(event) for event in recorder.events] == [
        PhaseStarted,
        PhaseEnded,
        CorpusRead,
        Estimated,
        PhaseStarted,
        PhaseEnded,
    ]
    assert [event.name for event in recorder.of(PhaseStarted)] == ["read", "train"]
    assert model.config == CONFIG
    assert model.vocabulary.words == ["a", "b", "c"]
    assert (model.input_vectors.shape, np.unique(model.output_vectors).tolist()) == ((3, 8), [1.0])


def test_what_is_kept_of_the_words():
    vocabulary = fastw2v.Vocabulary(["b", "a"], np.array([5, 4]))
    backend = FakeBackend()
    model = train_model(request_of(TrainConfig(**{**SMALL, "max_vocab": 2}), vocabulary=vocabulary), backend)
    assert backend.calls[:2] == ["prepare with a vocabulary", Pruning(1, 2, vocabulary)]
    backend = FakeBackend()
    again = request_of(TrainConfig(**SMALL, lr=0.01), continue_from=model)
    assert train_model(again, backend).vocabulary.words == ["a", "b", "c"]
    assert backend.calls[1] == Pruning(1, earlier=model.vocabulary)


BEFORE_THE_WORK = [
    ({"resume": True}, "resume needs the directory"),
    ({"checkpoint_every": 0}, "checkpoint_every is 0 minutes"),
    ({"checkpoint": "no/c"}, "cannot make the checkpoint directory"),
    ({"checkpoint": ""}, "has an empty name"),
    ({"freeze": True}, "freeze needs vectors"),
    ({"init_vectors": "v.txt"}, "needs an explicit lr"),
    ({"save_model": "m.txt"}, "its name must end in .fw2v"),
    ({"save_model": "there.fw2v"}, "is the same file as the input"),
    ({"held_out": "none.txt"}, "held-out text: corpus none.txt does not exist"),
    ({"held_out": "-"}, "held-out text: stdin .-. is the corpus already"),
    ({"loss_plot": "loss.gif"}, "loss.gif"),
]


@pytest.mark.parametrize(("arguments", "message"), BEFORE_THE_WORK)
def test_what_is_refused_before_the_work(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.fw2v").touch()
    backend = FakeBackend(files=["there.fw2v", "-"])
    with pytest.raises(InputError, match=message):
        train_model(request_of(**arguments), backend)
    assert backend.calls == []
    assert os.listdir(tmp_path) == ["there.fw2v"]


def test_the_memory_of_what_training_starts_from_is_free_while_it_trains(tmp_path):
    config = TrainConfig(**SMALL, lr=0.01)
    backend = FakeBackend()
    request = request_of(config, init_vectors=Vectors(["a"], np.ones((1, 8))), checkpoint=tmp_path, resume=True)
    with start(job := check(request, backend), read(job, backend), 1) as run:
        run.checkpointer.save(run.position)
        assert (job.start, job.checkpoint) == (None, None)
    job = check(request, backend)
    assert (job.start is None, job.checkpoint is None) == (False, False)
    with start(job, read(job, backend), 1) as run:
        assert (job.start, job.checkpoint) == (None, None)
        np.testing.assert_array_equal(run.matrices.word_inputs[0], np.ones(8))


def test_a_resumed_run_is_told_before_it_trains(tmp_path):
    backend = FakeBackend()
    request = request_of(checkpoint=tmp_path, resume=True)
    with start(job := check(request, backend), read(job, backend), 1) as run:
        run.checkpointer.save(Position(n_words=3))
    recorder = Recorder()
    train_model(request_of(checkpoint=tmp_path, resume=True, callback=recorder), backend)
    assert [type(event) for event in recorder.events[2:]] == [CorpusRead, Estimated, PhaseStarted, Resumed, PhaseEnded]
    assert recorder.of(Resumed) == [Resumed(str(tmp_path / CHECKPOINT), 3, "")]


def test_room_is_checked_before_the_training(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "check_disk", lambda files, advice: asked.append(files))
    backend, recorder = FakeBackend(), Recorder()
    paths = {"checkpoint": tmp_path, "save_model": tmp_path / "m.fw2v"}
    train_model(request_of(**paths, callback=recorder), backend)
    n_bytes = module.model_file_bytes(3, request_of().config.dim)
    path, model = str(tmp_path / CHECKPOINT), NewFile("the model", str(paths["save_model"]), n_bytes, n_bytes)
    assert asked == [(NewFile("two checkpoints", path, n_bytes, 2 * n_bytes), model)]
    assert [estimated.files for estimated in recorder.of(Estimated)] == asked
    (tmp_path / "previous.fw2v").write_bytes(b"x")
    monkeypatch.setattr(module.checkpoint, "check_directory", lambda directory, resume: None)
    (tmp_path / CHECKPOINT).unlink(missing_ok=True)
    train_model(request_of(checkpoint=tmp_path), backend)
    expected = NewFile("two checkpoints", path, n_bytes, n_bytes)
    assert asked[-1] == (expected,), "what will be replaced is room too"


def test_words_that_no_file_can_hold(tmp_path, planted):
    lines = {"sentences": [["a\ud800", "b"]] * 9, **SMALL}
    for arguments in ({"save_model": tmp_path / "m.fw2v"}, {"checkpoint": tmp_path / "c"}):
        with pytest.raises(InputError, match="is not valid Unicode"):
            fastw2v.train(**lines, **arguments)
    assert len(fastw2v.train(**lines)) == 2, "in memory they are fine"


def test_the_model_is_saved_at_the_end(tmp_path):
    path = tmp_path / "m.fw2v"
    model = train_model(request_of(save_model=path), FakeBackend())
    np.testing.assert_array_equal(TrainedModel.load(path).output_vectors, model.output_vectors)


def test_a_model_that_cannot_be_written_leaves_its_vectors(tmp_path, monkeypatch):
    def fail(path, content):
        raise RunError("cannot write: No space left on device")

    monkeypatch.setattr("fastw2v.modelfile.write", fail)
    with pytest.raises(RunError, match="cannot write: No space left") as failed:
        train_model(request_of(save_model=tmp_path / "m.fw2v"), FakeBackend())
    assert failed.value.vectors.index_to_key == ["a", "b", "c"]


def test_a_directory_that_vanishes_leaves_the_vectors(tmp_path):
    """What is checked before the work may have changed at its end: that is an error of the run, not of the request."""
    (tmp_path / "d").mkdir()
    backend = FakeBackend()
    trained, backend.train = backend.train, lambda run: (trained(run), shutil.rmtree(tmp_path / "d"))
    with pytest.raises(RunError, match=r"cannot write .*m.fw2v: No such file or directory") as failed:
        train_model(request_of(save_model=tmp_path / "d" / "m.fw2v"), backend)
    assert failed.value.vectors.index_to_key == ["a", "b", "c"]


@pytest.mark.parametrize("fails", [False, True])
def test_the_loss_is_plotted_however_a_training_ends(tmp_path, fails):
    pytest.importorskip("matplotlib")

    class OneSlice(FakeBackend):
        def train(self, run):
            run.tell_progress(run.position, Slice(np.ones(STATISTICS), seconds=1.0, learning_rate=0.1, loss=(2.0, 0.1)))
            super().train(run)

    backend, recorder = OneSlice(), Recorder()
    backend.fails_to_train = fails
    with pytest.raises(RunError, match="it broke") if fails else contextlib.nullcontext():
        train_model(request_of(loss_plot=tmp_path / "loss.svg", callback=recorder), backend)
    assert (tmp_path / "loss.svg").stat().st_size > 1000
    assert len(recorder.of(Progress)) == 1, "the plot passes events on"


def test_outputs_are_locked_while_a_run_works(tmp_path):
    class CuriousBackend(FakeBackend):
        def train(self, run):
            for path in (tmp_path / "c" / CHECKPOINT, tmp_path / "m.fw2v"):
                with pytest.raises(InputError, match="is being written by another run"), locked(path):
                    pass
            super().train(run)

    backend = CuriousBackend()
    train_model(request_of(checkpoint=tmp_path / "c", save_model=tmp_path / "m.fw2v"), backend)
    assert backend.calls[-1] == "train"
    with locked(tmp_path / "c" / CHECKPOINT), locked(tmp_path / "m.fw2v"):
        pass


@pytest.mark.parametrize("name", ["checkpoint", "save_model"])
def test_a_second_run_is_refused_before_it_compiles(tmp_path, name):
    model = tmp_path / "m.fw2v"
    arguments, output = {
        "checkpoint": ({"checkpoint": tmp_path}, tmp_path / CHECKPOINT),
        "save_model": ({"save_model": model}, model),
    }[name]
    backend = FakeBackend()
    message = "is being written by another run: wait for it, or name another"
    with locked(output), pytest.raises(InputError, match=message):
        train_model(request_of(**arguments), backend)
    assert backend.calls == []


def test_a_second_run_on_the_same_output_is_refused_at_once(planted, tmp_path, run):
    for name in ("o.txt", "link"):
        (tmp_path / "o.txt").touch()
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to("o.txt")
        with locked(tmp_path / "o.txt"):
            code, _, err = run("train", planted, "-o", tmp_path / name, "--overwrite", *TRAIN)
        assert code == 2
        assert "is being written by another run: wait for it, or name another" in err
    assert run("train", planted, "-o", tmp_path / "o.txt", "--overwrite", *TRAIN)[0] == 0
    assert not list(tmp_path.glob(".o.txt*"))


def test_a_second_run_in_the_same_checkpoint_directory(planted, tmp_path):
    (tmp_path / "c").mkdir()
    with locked(tmp_path / "c" / CHECKPOINT), pytest.raises(InputError, match="written by another run"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", min_count=1)


@pytest.mark.parametrize("arguments", [{"checkpoint": "in/ck"}, {"save_model": "in/m.fw2v"}, {"loss_plot": "in/p.svg"}])
def test_outputs_that_the_next_run_would_read(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a b a c\n")
    for corpus in ("in", (name for name in ["in/**"])):
        request = Request(Source(corpus=corpus), CONFIG, **arguments)
        with pytest.raises(InputError, match="the next run would read it as text"):
            check(request, FakeBackend())
    with pytest.raises(InputError, match="^held-out text: output in/"):
        check(request_of(held_out=(name for name in ["in"]), **arguments), FakeBackend())
    assert os.listdir("in") == ["a.txt"]
