"""Early stopping: the best vectors are kept, in memory and in a file, and a resumed run knows them."""

import math
import os

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import BestKept, EpochEnded, InputError, Progress, TrainConfig, Vectors
from fastw2v.modelfile import BEST, ModelFile
from fastw2v.training.matrices import new_matrices
from fastw2v.training.patience import Patience

WORDS = ["a", "b", "c"]


@pytest.fixture
def matrices():
    return new_matrices(len(WORDS), TrainConfig(dim=4), threads=1)


def content_of(matrices, kind="skipgram", threads=1):
    about = {"model": kind, "loss": "ns", "config": {"dim": 4, "threads": threads}}
    return ModelFile(WORDS, matrices.word_inputs, np.ones(3, np.int64), None, matrices.word_outputs, about)


def test_the_best_vectors_are_kept(matrices):
    patience = Patience(2, matrices)
    rows = matrices.word_inputs
    ends = []
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 2.0], start=1):
        rows[:] = epoch
        ends.append(patience.is_over(epoch, loss))
    assert ends == [False, False, False, True], "a loss that is equal has not fallen"
    assert (patience.epoch, patience.loss) == (2, 2.0)
    patience.restore()
    assert (matrices.word_inputs == 2).all()


def test_a_run_that_is_resumed_knows_the_best_vectors(matrices, tmp_path):
    patience = Patience(3, matrices, content_of(matrices), tmp_path)
    matrices.word_inputs[:], matrices.word_outputs[:] = 5, 6
    assert not patience.is_over(1, 1.5)
    assert (Vectors.load(tmp_path / BEST).vectors == 5).all()
    matrices.word_inputs[:] = 7
    resumed = Patience(3, matrices, content_of(matrices, threads=2), tmp_path)  # which may differ
    resumed.resume()
    assert (resumed.epoch, resumed.loss) == (1, 1.5)
    assert resumed.is_over(4, 1.6)
    resumed.restore()
    assert (matrices.word_inputs == 5).all()
    assert (matrices.word_outputs == 6).all()


def test_best_vectors_that_are_of_no_use(matrices, tmp_path):
    Patience(3, matrices, content_of(matrices), tmp_path).is_over(1, 1.5)
    other = Patience(3, matrices, content_of(matrices, "cbow"), tmp_path)
    with pytest.warns(RuntimeWarning, match="are lost: .*best.fw2v is from another run"):
        other.resume()
    assert (other.epoch, other.loss) == (0, math.inf)
    (tmp_path / BEST).write_bytes(b"FASTW2V")
    with pytest.warns(RuntimeWarning, match="are lost: .*best.fw2v"):
        other.resume()
    (tmp_path / BEST).unlink()
    other.resume()
    assert other.epoch == 0


def test_a_disk_that_is_full_ends_no_run(matrices, tmp_path):
    patience = Patience(3, matrices, content_of(matrices), tmp_path / "none")
    with pytest.warns(RuntimeWarning, match="the best vectors so far were not written"):
        assert not patience.is_over(1, 1.0)


OVERFITTING = {"dim": 20, "min_count": 1, "lr": 0.3, "epochs": 12, "threads": 1, "held_out_share": 0.2}


def test_a_run_that_stops_early(planted):
    recorder = Recorder()
    vectors = fastw2v.train(planted, callback=recorder, patience=2, **OVERFITTING)
    losses = [event.held_out_loss for event in recorder.of(EpochEnded)][1:]
    [kept] = recorder.of(BestKept)
    assert len(losses) == kept.n_epochs < 12
    assert kept.epoch == 1 + int(np.argmin(losses)) == kept.n_epochs - 2
    assert kept.held_out_loss == min(losses)
    assert np.isfinite(vectors.vectors).all()


def test_patience_needs_held_out_text(planted):
    with pytest.raises(InputError, match="patience needs held-out text"):
        fastw2v.train(planted, patience=2)
    with pytest.raises(InputError, match="are both held-out text: give one"):
        fastw2v.train(planted, held_out=planted, held_out_share=0.1)


def test_a_run_that_is_over_and_resumed(planted, tmp_path):
    recorder = Recorder()
    options = {**OVERFITTING, "patience": 2, "checkpoint": tmp_path / "c"}
    vectors = fastw2v.train(planted, **options)
    again = fastw2v.train(planted, callback=recorder, resume=True, **options)
    assert np.array_equal(again.vectors, vectors.vectors)
    assert recorder.of(Progress) == []
    assert os.path.exists(tmp_path / "c" / BEST)


def test_a_run_that_is_stopped_and_resumed(planted, tmp_path):
    whole = fastw2v.train(planted, patience=2, **OVERFITTING)
    options = {**OVERFITTING, "patience": 2, "checkpoint": tmp_path / "c"}
    for n in range(3):
        fastw2v.train(planted, callback=Recorder(2 + n), resume=n > 0, **options)
    recorder = Recorder()
    vectors = fastw2v.train(planted, callback=recorder, resume=True, **options)
    assert np.array_equal(vectors.vectors, whole.vectors)
    assert len(recorder.of(BestKept)) == 1
