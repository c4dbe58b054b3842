"""A result that could not be written: where it goes instead, and what is said of the checkpoint."""

import os
import tempfile

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import RunError, Vectors
from fastw2v.cli.rescue import rescue
from fastw2v.files import replace
from fastw2v.modelfile import CHECKPOINT
from fastw2v.training.checkpoint import load
from fastw2v.training.model import TrainedModel

SMALL = {"dim": 12, "min_count": 1, "threads": 1}
pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")

COMMAND = ("--dim", 12, "--min-count", 1, "--threads", 1)


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """The temporary and the current directory, for what is saved there."""
    for name in ("temporary", "current"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "current")
    return tmp_path / "temporary", tmp_path / "current"


@pytest.fixture
def fill(monkeypatch):
    """A function that makes the disk of a directory full: files can be made there, but have no room."""
    new_file, full = replace.new_file_beside, []

    def new_file_without_room(target):
        descriptor, temporary = new_file(target)
        if target.startswith(tuple(full)):
            os.close(descriptor)
            descriptor = os.open("/dev/full", os.O_WRONLY)
        return descriptor, temporary

    monkeypatch.setattr(replace, "new_file_beside", new_file_without_room)
    return lambda directory: full.append(f"{directory}/")


def write_text(path):
    with open(path, "w") as file:
        file.write("x")


def fail(path):
    raise RunError(f"cannot write {os.path.basename(path)}: No space left on device")


def test_the_first_place_with_room(tmp_path, places):
    temporary, current = places
    told = rescue("vectors", {"v.txt": write_text}, None, None)
    [path] = temporary.glob("fastw2v-*/v.txt")
    assert told == f"the vectors went to {path} instead: copy that file to where it should be"
    told = rescue("vectors", {"v.txt": write_text}, None, str(tmp_path / "none"))
    assert len(list(temporary.glob("fastw2v-*/v.txt"))) == 2, "each in a directory of its own"
    tempfile.tempdir = str(tmp_path / "none")
    told = rescue("model", {"v.txt": fail, "v.fw2v": write_text}, None, None)
    [path] = current.glob("fastw2v-*/v.fw2v")
    assert told == (
        f"the model went to {path} instead: copy that file to where it should be, or convert it with `fastw2v convert`"
    )


def test_no_place_with_room(places):
    told = rescue("vectors", {"v.txt": fail}, None, None)
    reason = "cannot write v.txt: No space left on device"
    assert told == f"the vectors could not be saved elsewhere either ({reason}; {reason})"
    assert [os.listdir(place) for place in places] == [[], []]


def test_what_the_checkpoint_has(planted, tmp_path, places):
    directory = tmp_path / "c"
    path = directory / CHECKPOINT

    def told():
        return rescue("vectors", {"v.txt": fail}, str(directory), None).split("); ")[-1]

    directory.mkdir()
    assert told() == f"there is no checkpoint in {directory}"
    fastw2v.train(planted, checkpoint=directory, callback=Recorder(1), **SMALL)
    n_words = load(directory).position.n_words
    assert (
        told() == f"{path} holds an earlier state, after {n_words:,} of 150,000 tokens: "
        "--resume trains the rest from there"
    )
    fastw2v.train(planted, checkpoint=directory, resume=True, **SMALL)
    assert told() == f"{path} holds the finished run: run again with --resume to write the vectors"
    assert rescue("vectors", {"v.txt": write_text}, str(directory), None) == told()
    assert os.listdir(places[0]) == [], "nothing needs to be saved"
    for file in directory.iterdir():
        file.write_bytes(file.read_bytes()[:-100])
    assert told().startswith(f"no checkpoint in {directory} can be used: {path} is cut off")


def test_output_and_checkpoint_on_the_same_full_disk(planted, tmp_path, places, run, fill):
    disk = tmp_path / "disk"
    disk.mkdir()
    fill(disk)
    code, _, err = run("train", planted, "-o", disk / "o.txt", "--checkpoint", disk / "c", *COMMAND)
    assert code == 1
    [path] = places[0].glob("fastw2v-*/o.txt")
    last = err.splitlines()[-1]
    assert last.startswith(f"fastw2v: cannot write {disk}/o.txt: No space left on device")
    assert (
        f"The file takes about 0.0 MB; the vectors went to {path} instead: copy that file to where it should be" in last
    )
    assert last.endswith(f"there is no checkpoint in {disk}/c")
    np.testing.assert_array_equal(Vectors.load(path).vectors, fastw2v.train(planted, **SMALL).vectors)
    assert not list(disk.glob("*.txt"))


def test_a_run_that_was_resumed_on_a_full_disk(planted, tmp_path, run, fill):
    fastw2v.train(planted, checkpoint=tmp_path / "c", callback=Recorder(1), **SMALL)
    n_words = load(tmp_path / "c").position.n_words
    for directory in ("c", "temporary", "current", "disk"):
        (tmp_path / directory).mkdir(exist_ok=True)
        fill(tmp_path / directory)
    command = ("train", planted, "-o", tmp_path / "disk" / "o.txt", "--checkpoint", tmp_path / "c", *COMMAND)
    code, _, err = run(*command, "--resume")
    assert code == 1
    assert "the vectors could not be saved elsewhere either" in err.splitlines()[-1]
    state = f"holds an earlier state, after {n_words:,} of 150,000 tokens: --resume trains the rest from there"
    assert err.splitlines()[-1].endswith(f"{tmp_path}/c/{CHECKPOINT} {state}")


@pytest.mark.parametrize(("kind", "name"), [("text", "vectors.txt"), ("npz", "vectors.npz")])
def test_a_stream_without_room(planted, places, run, kind, name):
    code, _, err = run("train", planted, "-o", "/dev/full", "--format", kind, *COMMAND)
    assert code == 1
    assert "fastw2v: cannot write /dev/full: No space left on device" in err
    [path] = places[0].glob(f"fastw2v-*/{name}")
    assert f"the vectors went to {path} instead" in err
    assert len(Vectors.load(path)) == 96


@pytest.mark.parametrize("is_output_full", [False, True])
def test_a_model_without_room(planted, tmp_path, places, run, fill, is_output_full):
    for name in ("models", "vectors"):
        (tmp_path / name).mkdir()
    fill(tmp_path / "models")
    if is_output_full:
        fill(tmp_path / "vectors")
    output = tmp_path / "vectors" / "o.bin"
    command = "-o", output, "--save-model", tmp_path / "models" / "m.fw2v", "--vectors", "average"
    code, _, err = run("train", planted, *command, *COMMAND)
    assert code == 1
    last = err.splitlines()[-1]
    [path] = places[0].glob("fastw2v-*/m.fw2v")
    assert f"cannot write {tmp_path}/models/m.fw2v: No space left on device" in last
    assert f"the model went to {path} instead" in last
    expected = fastw2v.train_model(planted, **SMALL)
    np.testing.assert_array_equal(TrainedModel.load(path).output_vectors, expected.output_vectors)
    if is_output_full:
        [output] = places[0].glob("fastw2v-*/o.bin")
        assert f"the vectors went to {output} instead" in last
    else:
        assert last.endswith(f"the vectors are in {output}")
    np.testing.assert_array_equal(Vectors.load(output).vectors, expected.vectors("average").vectors)


def test_memory_that_runs_out_at_the_end_is_named(run, planted, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("fastw2v.training.backend.compile_kernels", lambda *arguments: None)
    monkeypatch.setattr(TrainedModel, "save", fail)
    monkeypatch.setattr(Vectors, "save", fail)
    outputs = "-o", tmp_path / "o.txt", "--save-model", tmp_path / "m.fw2v"
    code, _, err = run("train", planted, *outputs, *COMMAND, "--epochs", 1)
    assert code == 1
    assert f"too little memory to write the model {tmp_path}/m.fw2v; the model could not be saved" in err
    assert "(out of memory; out of memory); out of memory. The file takes about 0.0 MB; the vectors could not be" in err


def test_an_output_that_another_made_meanwhile(run, planted, tmp_path, places, monkeypatch):
    output = tmp_path / "o.txt"
    train = fastw2v.api.train_model

    def train_while_another_writes(*arguments, **options):
        output.write_text("theirs")
        return train(*arguments, **options)

    monkeypatch.setattr(fastw2v.api, "train_model", train_while_another_writes)
    code, _, err = run("train", planted, "-o", output, *COMMAND, "--epochs", 1)
    assert (code, output.read_text()) == (1, "theirs")
    assert "was created by another program in the meantime" in err
    [saved] = places[0].glob("fastw2v-*/o.txt")
    assert len(Vectors.load(saved)) == 96
