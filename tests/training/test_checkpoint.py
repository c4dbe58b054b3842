"""Checkpoints, read again: what is damaged, lies, or is from another run is refused; the previous one is taken."""

import os
import shutil
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import InputError, TrainConfig, Vectors, modelfile
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import Resumed
from fastw2v.modelfile import CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training import checkpoint
from fastw2v.training.matrices import new_matrices
from fastw2v.training.run import TrainingRun

OPTIONS = {"dim": 12, "min_count": 1, "epochs": 3, "sample": 0, "threads": 1, "lr": 0.05}


def resume(corpus, directory, **options):
    return fastw2v.train(corpus, checkpoint=directory, resume=True, **{**OPTIONS, **options})


def load_file(path):
    """Load the checkpoint in one file, whatever stands beside it."""
    directory = path.parent / "alone"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    shutil.copy(path, directory / CHECKPOINT)
    return checkpoint.load(directory)


def test_a_checkpoint_is_a_file_of_vectors(planted, tmp_path, run):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    code, out, _ = run("info", tmp_path / "c")
    assert code == 0
    assert "96 words x 12" in out
    assert "checkpoint: 3 of 3 epochs done, 90,000 tokens (100.0%) in" in out
    assert "options: model skipgram, loss ns, dim 12" in out
    assert run("convert", tmp_path / "c" / CHECKPOINT, tmp_path / "v.txt")[0] == 0
    np.testing.assert_array_equal(Vectors.load(tmp_path / "v.txt").vectors, expected.vectors)


def test_the_one_before_is_kept_and_taken_where_the_last_is_damaged(planted, tmp_path, slices_of_a_span):
    directory = tmp_path / "c"
    for n in (5, 7):
        resume(planted, directory, callback=Recorder(n))
    assert sorted(os.listdir(directory)) == [CHECKPOINT, PREVIOUS_CHECKPOINT]
    latest, before = load_file(directory / CHECKPOINT), load_file(directory / PREVIOUS_CHECKPOINT)
    assert latest.position.n_words > before.position.n_words
    shutil.rmtree(directory / "alone")
    data = bytearray((directory / CHECKPOINT).read_bytes())
    data[-1000] ^= 1
    (directory / CHECKPOINT).write_bytes(data)
    expected = fastw2v.train(planted, **OPTIONS)
    recorder = Recorder()
    got = resume(planted, directory, callback=recorder)
    np.testing.assert_array_equal(got.vectors, expected.vectors)
    [resumed] = recorder.of(Resumed)
    assert resumed.path.endswith(PREVIOUS_CHECKPOINT)
    assert resumed.n_words == before.position.n_words
    assert "is damaged: the checksum of its" in resumed.warning
    assert sorted(os.listdir(directory)) == [CHECKPOINT, PREVIOUS_CHECKPOINT, checkpoint.UNUSABLE]
    assert (directory / checkpoint.UNUSABLE).read_bytes() == data
    for name in (CHECKPOINT, PREVIOUS_CHECKPOINT):
        load_file(directory / name)
        (directory / name).write_bytes(data)
    with pytest.raises(InputError, match="no checkpoint in .* can be used: .* is damaged"):
        resume(planted, directory)


CHANGES = [
    {"dim": 13},
    {"lr": 0.04},
    {"seed": 2},
    {"epochs": 4},
    {"window": 4},
    {"model": "cbow"},
    {"min_count": 2},
    {"negative": 6},
    {"sample": 0.01},
]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_another_run_is_refused_by_name(planted, tmp_path, changed):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    [(name, value)] = changed.items()
    with pytest.raises(InputError, match=f"is from a run with {name} .*; this run has {value!r}"):
        resume(planted, tmp_path / "c", **changed)


@pytest.mark.filterwarnings("ignore:force_softmax has no effect")
def test_options_that_may_change(planted, tmp_path):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    got = resume(planted, tmp_path / "c", threads=2, temp_dir=str(tmp_path), force_softmax=True, vectors="output")
    assert got.vectors.shape == expected.vectors.shape
    assert not np.array_equal(got.vectors, expected.vectors), "they are the output vectors"


def test_another_corpus_is_refused(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    text = planted.read_text()
    for other in (text + "t0w0 t0w1\n", text.replace("t0w0", "t0x0", 1), "\n".join(text.split("\n")[::-1])):
        planted.write_text(other)
        with pytest.raises(
            InputError, match="on another corpus, with 30,000 tokens and a vocabulary of 96 words; this run has"
        ):
            resume(planted, tmp_path / "c")


@pytest.mark.filterwarnings("ignore:min_count has no effect")
def test_other_counts_are_another_corpus(planted, tmp_path):
    words = [f"t{topic}w{i}" for topic in range(8) for i in range(12)]
    vocabularies = [fastw2v.Vocabulary(words, np.arange(first, first - 96, -1)) for first in (96, 196)]
    fastw2v.train(planted, vocabulary=vocabularies[0], checkpoint=tmp_path / "c", **OPTIONS)
    with pytest.raises(InputError, match="or the words' counts differ: give the same corpus to resume"):
        resume(planted, tmp_path / "c", vocabulary=vocabularies[1])


class ElsewhereCorpus(NamedTuple):
    """A corpus that is not in this process, as that of a cluster."""

    vocabulary: fastw2v.Vocabulary
    n_ids: int
    n_tokens: int
    checksum: int


def test_a_cluster_and_one_machine(planted, tmp_path):
    """The spans of their runs differ, even if the corpus is the same."""
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    earlier = checkpoint.load(tmp_path / "c")
    corpus, config = Corpus.from_text(planted, Pruning(min_count=1)), TrainConfig(**OPTIONS)
    run = TrainingRun(config, corpus, new_matrices(96, config, 1), threads=1)
    earlier.check_run(run)
    elsewhere = replace(run, corpus=ElsewhereCorpus(corpus.vocabulary, corpus.n_ids, corpus.n_tokens, 5))
    message = f"^{earlier.path} is from a run on one machine; this run is on a cluster: leave out --dask"
    with pytest.raises(InputError, match=message):
        earlier.check_run(elsewhere)
    earlier.about["on_cluster"] = True
    message = (
        "is from a run on a cluster; this run is on one machine: give --dask .client=., local:1 will do, to resume"
    )
    with pytest.raises(InputError, match=message):
        earlier.check_run(run)
    del earlier.about["on_cluster"]
    with pytest.raises(InputError, match="or the words' counts differ, or only one of the two runs uses --dask"):
        earlier.check_run(elsewhere)


def test_other_frozen_words_are_another_run(planted, tmp_path):
    given = fastw2v.train(planted, **OPTIONS)
    options = {"freeze": True, "checkpoint": tmp_path / "c", **OPTIONS}
    two = given.subset(["t0w0", "t0w1"])
    fastw2v.train(planted, init_vectors=two, **options)
    with pytest.raises(
        InputError, match="is from a run that froze 2 words; this run freezes 0: give freeze and the same"
    ):
        resume(planted, tmp_path / "c", init_vectors=two)
    resume(planted, tmp_path / "d", init_vectors=two)
    with pytest.raises(
        InputError, match="is from a run that froze 0 words; this run freezes 2: leave out freeze to res"
    ):
        resume(planted, tmp_path / "d", init_vectors=two, freeze=True)
    forget(tmp_path / "c", "start")
    with pytest.raises(InputError, match="is from a run that froze 2 words; this run freezes 0"):
        resume(planted, tmp_path / "c")
    with pytest.raises(InputError, match="is from a run that froze 2 words; this run freezes 2 others"):
        resume(planted, tmp_path / "c", init_vectors=given.subset(["t0w0", "t0w2"]), freeze=True)


@pytest.fixture
def starts(planted, tmp_path):
    """Arguments of `train`: three places to start from, and others of the same words, and of other words."""
    first, second = (fastw2v.train_model(planted, **{**OPTIONS, "epochs": 1, "seed": seed}) for seed in (1, 2))
    other_outputs = replace(first, output_vectors=second.output_vectors)
    vectors = [model.vectors() for model in (first, second)]
    vectors[0].save(tmp_path / "v.fw2v")
    return {
        "random": {},
        "vectors": {"init_vectors": vectors[0]},
        "the same in a file": {"init_vectors": tmp_path / "v.fw2v"},
        "other vectors": {"init_vectors": vectors[1]},
        "fewer vectors": {"init_vectors": vectors[0].subset(list(vectors[0])[:10])},
        "model": {"continue_from": first},
        "other model": {"continue_from": second},
        "other outputs": {"continue_from": other_outputs},
    }


OTHER_STARTS = [
    ("random", "vectors", "random vectors; this run starts from init_vectors: leave out init_vectors to resume"),
    ("random", "model", "random vectors; this run starts from continue_from: leave out continue_from to resume"),
    ("vectors", "random", "init_vectors; this run starts from random vectors: give the same init_vectors to"),
    ("vectors", "other vectors", "other init_vectors, for 96 words; this run's are for 96: give the same init_v"),
    ("vectors", "fewer vectors", "other init_vectors, for 96 words; this run's are for 10: give the same init_v"),
    ("vectors", "model", "init_vectors; this run starts from continue_from: give the same init_vectors to"),
    ("model", "random", "continue_from; this run starts from random vectors: give the same continue_from to"),
    ("model", "other model", "other continue_from, .*: give the same continue_from to resume"),
    ("model", "other outputs", "other continue_from, .*: give the same continue_from to resume"),
]


@pytest.mark.parametrize(("begun", "resumed", "message"), OTHER_STARTS)
def test_another_start_is_refused(planted, tmp_path, starts, slices_of_a_span, begun, resumed, message):
    directory = tmp_path / "c"
    resume(planted, directory, callback=Recorder(5), **starts[begun])
    before = (directory / CHECKPOINT).read_bytes()
    with pytest.raises(InputError, match=f"is from a run that started from {message}"):
        resume(planted, directory, **starts[resumed])
    assert (directory / CHECKPOINT).read_bytes() == before
    resume(planted, directory, **starts[begun])


def test_the_same_start_from_a_file(planted, tmp_path, starts):
    resume(planted, tmp_path / "c", callback=Recorder(1), **starts["vectors"])
    resume(planted, tmp_path / "c", **starts["the same in a file"])


@pytest.fixture
def texts(planted, tmp_path):
    """Arguments of `train`: no held-out text, one, and another as long."""
    lines = planted.read_text().splitlines()[:40]
    (tmp_path / "held.txt").write_text("\n".join(lines))
    (tmp_path / "other.txt").write_text("\n".join(lines[::-1]))
    return {"none": {}, **{name: {"held_out": tmp_path / f"{name}.txt"} for name in ("held", "other")}}


OTHER_TEXTS = [
    ("none", "held", r"no held-out text; this run has one of [\d,]+ tokens: leave out held_out to resume, or name"),
    ("held", "none", r"another held-out text, of [\d,]+ tokens; this run has none: give the same held_out to resume"),
    (
        "held",
        "other",
        r"another held-out text, of ([\d,]+) tokens; this run has one of \1 tokens: give the same held_out to resume",
    ),
]


@pytest.mark.parametrize(("begun", "resumed", "message"), OTHER_TEXTS)
def test_another_held_out_text_is_refused(planted, tmp_path, texts, slices_of_a_span, begun, resumed, message):
    resume(planted, tmp_path / "c", callback=Recorder(5), **texts[begun])
    with pytest.raises(InputError, match=f"is from a run with {message}"):
        resume(planted, tmp_path / "c", **texts[resumed])
    resume(planted, tmp_path / "c", **texts[begun])


@pytest.mark.parametrize(("name", "begun", "resumed"), [("start", "vectors", "random"), ("held_out", "held", "none")])
def test_checkpoints_of_earlier_versions_are_resumed(planted, tmp_path, starts, texts, name, begun, resumed):
    """They do not say what their runs started from, nor which held-out text they had."""
    arguments = starts | texts
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS, **arguments[begun])
    forget(tmp_path / "c", name)
    got = resume(planted, tmp_path / "c", **arguments[resumed])
    np.testing.assert_array_equal(got.vectors, expected.vectors)


@pytest.mark.parametrize(("model", "lr"), [("skipgram", 0.025), ("cbow", 0.05)])
def test_the_default_lr_may_be_written_out(planted, tmp_path, model, lr):
    for number, rates in enumerate([(None, lr), (lr, None)]):
        options = {**OPTIONS, "model": model, "checkpoint": tmp_path / f"c{number}", "resume": True}
        first, second = (fastw2v.train(planted, **{**options, "lr": rate}) for rate in rates)
        np.testing.assert_array_equal(first.vectors, second.vectors)
        with pytest.raises(InputError, match=f"is from a run with lr {lr}; this run has 0.03"):
            fastw2v.train(planted, **{**options, "lr": 0.03})


def test_a_directory_that_has_a_checkpoint_needs_resume(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", save_model=tmp_path / "m.fw2v", **OPTIONS)
    with pytest.raises(InputError, match="holds the checkpoint of a run: give --resume"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    (tmp_path / "c" / CHECKPOINT).rename(tmp_path / "c" / PREVIOUS_CHECKPOINT)
    with pytest.raises(InputError, match="holds the checkpoint of a run: give --resume"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)


def test_a_model_is_no_checkpoint(planted, tmp_path):
    (tmp_path / "c").mkdir()
    vectors = fastw2v.train(planted, save_model=tmp_path / "c" / CHECKPOINT, **OPTIONS)
    with pytest.raises(InputError, match="is not a checkpoint but a file of vectors or a model"):
        resume(planted, tmp_path / "c")
    vectors.save(tmp_path / "c" / CHECKPOINT)
    with pytest.raises(InputError, match="is not a checkpoint but a file of vectors or a model"):
        resume(planted, tmp_path / "c")


def test_refused(planted, tmp_path):
    with pytest.raises(InputError, match="resume needs the directory"):
        fastw2v.train(planted, resume=True, **OPTIONS)
    for minutes in (0, -1, float("nan")):
        with pytest.raises(InputError, match=f"checkpoint_every is {minutes} minutes"):
            fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=minutes, **OPTIONS)
    for directory in (tmp_path / "no" / "c", planted, "a\0b"):
        with pytest.raises(InputError, match="cannot make the checkpoint directory"):
            fastw2v.train(planted, checkpoint=directory, **OPTIONS)
    with pytest.raises(InputError, match="has an empty name"):
        fastw2v.train(planted, checkpoint="", **OPTIONS)
    (tmp_path / CHECKPOINT).mkdir()
    with pytest.raises(InputError, match="is not a regular file"):
        resume(planted, tmp_path)


@pytest.mark.parametrize("name", [CHECKPOINT, PREVIOUS_CHECKPOINT])
def test_a_link_in_the_place_of_a_checkpoint_is_refused(planted, tmp_path, run, name):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    (tmp_path / "c" / CHECKPOINT).rename(tmp_path / "moved")
    (tmp_path / "c" / name).unlink(missing_ok=True)
    (tmp_path / "c" / name).symlink_to(tmp_path / "moved")
    message = f"{tmp_path}/c/{name} is a symbolic link, and a checkpoint must be a file of its own: put a copy"
    with pytest.raises(InputError, match=message):
        resume(planted, tmp_path / "c")
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--checkpoint", tmp_path / "c", "--resume")
    assert (code, message in err) == (2, True)
    (tmp_path / "c").rename(tmp_path / "other")
    (tmp_path / "c").symlink_to(tmp_path / "other")
    (tmp_path / "c" / name).unlink()
    shutil.copy(tmp_path / "moved", tmp_path / "c" / CHECKPOINT)
    resume(planted, tmp_path / "c")


def test_a_directory_in_the_place_of_the_latest_checkpoint(planted, tmp_path, slices_of_a_span):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", checkpoint_every=1e-9, **OPTIONS)
    (tmp_path / "c" / CHECKPOINT).unlink()
    (tmp_path / "c" / CHECKPOINT).mkdir()
    np.testing.assert_array_equal(resume(planted, tmp_path / "c").vectors, expected.vectors)
    assert (tmp_path / "c" / checkpoint.UNUSABLE).is_dir()
    (tmp_path / "c" / CHECKPOINT).unlink()
    (tmp_path / "c" / CHECKPOINT).mkdir()
    (tmp_path / "c" / checkpoint.UNUSABLE / "x").mkdir()
    with pytest.raises(InputError, match="cannot be used, nor renamed to unusable.fw2v: .*: remove /"):
        resume(planted, tmp_path / "c")


def test_a_checkpoint_of_a_newer_version(planted, tmp_path, monkeypatch):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    monkeypatch.setattr(modelfile, "VERSION", 0)
    with pytest.raises(InputError, match="has format version 1, this fastw2v reads up to 0: update fastw2v"):
        resume(planted, tmp_path / "c")


def rewrite(directory, about):
    """Write the checkpoint of a directory again with another header, and leave no other."""
    content = checkpoint.load(directory).content
    modelfile.write(directory / CHECKPOINT, content._replace(training=about))
    (directory / PREVIOUS_CHECKPOINT).unlink(missing_ok=True)


def forget(directory, name):
    """Leave an entry out of the header of a checkpoint, as earlier versions did."""
    rewrite(directory, {key: value for key, value in checkpoint.load(directory).about.items() if key != name})


LIES = [
    {"position": {"n_spans": -5}},
    {"position": {"epoch": "x"}},
    {"position": {"epoch_total": ["a"] * 32}},
    {"position": {"epoch_total": [0.0] * 31}},
    {"position": {"seconds": None}},
    {"position": {"seconds": float("inf")}},
    {"position": {"spans_done": 5}},
    {"config": {"epochs": 0}},
    {"corpus": {"n_tokens": 0}},
    {"position": {"more": 1}},
    {"position": None},
    {"config": [1]},
    {"config": {"epochs": None}},
    {"corpus": None},
    {"corpus": {"more": 1}},
    {"n_frozen": "a"},
    {"model": None},
    {"start": None},
    {"start": {"checksum": "a"}},
    {"start": {"more": 1}},
    {"held_out": None},
    {"on_cluster": 1},
    {"held_out": {"n_tokens": -1}},
]


@pytest.mark.parametrize("changes", LIES, ids=str)
def test_headers_that_lie_are_refused(planted, tmp_path, changes, run):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    about = dict(checkpoint.load(tmp_path / "c").about)
    assert checkpoint.is_of_checkpoint(about)
    for name, value in changes.items():
        about[name] = {**about[name], **value} if isinstance(value, dict) else value
    assert not checkpoint.is_of_checkpoint(about)
    rewrite(tmp_path / "c", about)
    with pytest.raises(InputError, match="is not a checkpoint"):
        resume(planted, tmp_path / "c")
    assert run("info", tmp_path / "c")[0] == 0


@pytest.mark.parametrize("name", ["position", "config", "corpus", "n_frozen", "frozen", "model", "loss"])
def test_headers_that_lack_something_are_refused(planted, tmp_path, name):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    about = dict(checkpoint.load(tmp_path / "c").about)
    del about[name]
    rewrite(tmp_path / "c", about)
    with pytest.raises(InputError, match="is not a checkpoint"):
        resume(planted, tmp_path / "c")


def test_an_empty_fingerprint_is_refused(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    rewrite(tmp_path / "c", {**checkpoint.load(tmp_path / "c").about, "corpus": {}})
    with pytest.raises(InputError, match="is not a checkpoint"):
        resume(planted, tmp_path / "c")


def test_a_position_beyond_the_end_is_refused(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    about = checkpoint.load(tmp_path / "c").about
    rewrite(tmp_path / "c", {**about, "position": {**about["position"], "epoch": 1, "n_spans": 10**6}})
    with pytest.raises(InputError, match="it is 1,000,000 parts into epoch 2"):
        resume(planted, tmp_path / "c")


def test_a_header_from_before_an_option_existed(planted, tmp_path):
    expected = fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    about = checkpoint.load(tmp_path / "c").about
    config = {name: value for name, value in about["config"].items() if name != "cbow_gradient"}
    rewrite(tmp_path / "c", {**about, "config": config})
    np.testing.assert_array_equal(resume(planted, tmp_path / "c").vectors, expected.vectors)


def test_the_number_of_checkpoints(tmp_path):
    assert checkpoint.n_checkpoints(tmp_path / "c") == 0
    (tmp_path / CHECKPOINT).write_bytes(b"x")
    os.link(tmp_path / CHECKPOINT, tmp_path / PREVIOUS_CHECKPOINT)
    assert checkpoint.n_checkpoints(tmp_path) == 1, "one file with two names"
    (tmp_path / CHECKPOINT).unlink()
    (tmp_path / CHECKPOINT).write_bytes(b"x")
    assert checkpoint.n_checkpoints(tmp_path) == 2


def test_the_latest_checkpoint_stays_where_it_is(planted, tmp_path):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    latest = checkpoint.load(tmp_path / "c")
    latest.make_current()
    assert checkpoint.UNUSABLE not in os.listdir(tmp_path / "c")
    (tmp_path / "c" / CHECKPOINT).rename(tmp_path / "c" / PREVIOUS_CHECKPOINT)
    replace(latest, path=str(tmp_path / "c" / PREVIOUS_CHECKPOINT)).make_current()
    assert CHECKPOINT in os.listdir(tmp_path / "c")


@pytest.mark.parametrize("name", [CHECKPOINT, PREVIOUS_CHECKPOINT])
@pytest.mark.parametrize("resumes", [False, True])
def test_a_pipe_in_the_place_of_a_checkpoint(planted, tmp_path, name, resumes):
    fastw2v.train(planted, checkpoint=tmp_path / "c", **OPTIONS)
    (tmp_path / "c" / CHECKPOINT).rename(tmp_path / "c" / PREVIOUS_CHECKPOINT)
    (tmp_path / "c" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "c" / name)
    before = sorted((tmp_path / "c").iterdir())
    with pytest.raises(InputError, match=f"{name} is a pipe or device, and a checkpoint must be a regular file"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", resume=resumes, **OPTIONS)
    assert sorted((tmp_path / "c").iterdir()) == before
