"""`fastw2v.train` as a whole: what is learnt, what is repeated exactly, from which inputs and in which processes."""

import hashlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from listeners import Recorder
from planted import TRAIN, planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import EpochEnded, InputError, Progress
from fastw2v.config import LOWEST_LR

SMALL = {"dim": 20, "min_count": 1, "epochs": 3, "sample": 0, "lr": 0.05}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("update", ["window", "pair"])
@pytest.mark.parametrize("which", ["input", "output", "average"])
def test_words_that_share_contexts_become_neighbours(planted, threads, update, which):
    vectors = fastw2v.train(planted, threads=threads, update=update, vectors=which, **SMALL)
    assert len(vectors) == 96
    assert share_of_planted_neighbours(vectors) > 0.95


OBJECTIVES = [
    {"model": "cbow"},
    {"model": "cbow", "cbow_gradient": "exact", "lr": 0.2},
    {"loss": "hs"},
    {"model": "cbow", "loss": "hs"},
    {"loss": "hs", "update": "pair"},
    {"loss": "softmax"},
    {"model": "cbow", "loss": "softmax"},
    {"loss": "softmax", "vectors": "output"},
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", OBJECTIVES, ids=str)
def test_every_objective_finds_the_neighbours(planted, threads, options):
    recorder = Recorder()
    options = {**SMALL, "epochs": 8, "threads": threads, **options}
    vectors = fastw2v.train(planted, callback=recorder, **options)
    assert share_of_planted_neighbours(vectors) > 0.9
    losses = [event.loss for event in recorder.of(Progress, EpochEnded) if not np.isnan(event.loss)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("options", [{}, {"model": "cbow", "cbow_gradient": "exact"}, {"loss": "hs"}], ids=str)
def test_the_smallest_learning_rate_has_a_loss(planted, options):
    recorder = Recorder()
    fastw2v.train(planted, callback=recorder, **{**SMALL, "epochs": 1, "threads": 1, **options, "lr": LOWEST_LR})
    [ended] = recorder.of(EpochEnded)
    assert 4 < ended.loss < 5, "of vectors that have not moved"


def test_more_threads_than_cores_train_too(tmp_path, planted):
    command = ["train", planted, "-o", tmp_path / "v.bin", "--threads", "5", "--quiet", *TRAIN]
    subprocess.run([sys.executable, "-m", "fastw2v", *command], check=True)
    assert share_of_planted_neighbours(fastw2v.Vectors.load(tmp_path / "v.bin")) > 0.95


def test_average_is_the_mean_of_both(planted):
    inputs, outputs, average = (
        fastw2v.train(planted, threads=1, vectors=which, **SMALL).vectors for which in ("input", "output", "average")
    )
    np.testing.assert_array_equal(average, (inputs + outputs) / 2)


def test_text_without_lines_trains(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text(planted_text().replace("\n", " "))
    assert share_of_planted_neighbours(fastw2v.train(path, **{**SMALL, "window": 2})) > 0.5


DIGEST = """
import fastw2v, hashlib, sys
vectors = fastw2v.train(sys.argv[1], threads=1, dim=20, min_count=1, epochs=3, sample=0.01, seed=5)
print(hashlib.sha256(vectors.vectors.tobytes()).hexdigest())
"""


def test_one_thread_gives_the_same_bytes_in_two_processes(planted):
    command = [sys.executable, "-c", DIGEST, planted]
    digests = {subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(2)}
    assert len(digests) == 1
    other = fastw2v.train(planted, threads=1, dim=20, min_count=1, epochs=3, sample=0.01, seed=6)
    assert hashlib.sha256(other.vectors.tobytes()).hexdigest() + "\n" not in digests


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("loss", ["ns", "hs", "softmax"])
def test_one_thread_gives_the_same_bytes_again(planted, model, loss):
    options = {"model": model, "loss": loss, "threads": 1, "dim": 20, "min_count": 1}
    first, second = (fastw2v.train(planted, **options).vectors.tobytes() for _ in range(2))
    assert first == second


def test_all_ways_train_the_same_vectors(planted):
    lines = planted.read_text().splitlines()
    options = {"dim": 8, "epochs": 1, "min_count": 1, "threads": 1}
    expected = fastw2v.train(planted, **options)
    for inputs in ({"sentences": [line.split() for line in lines]}, {"lines": lines}):
        got = fastw2v.train(**inputs, **options)
        assert got.index_to_key == expected.index_to_key
        np.testing.assert_array_equal(got.vectors, expected.vectors)


REFUSED = [
    ({"lines": [["a", "b"]]}, "the lines hold a list: a line is a str"),
    ({}, "needs one of corpus, sentences, lines and walks, found none"),
    ({"corpus": "x", "sentences": []}, "found corpus, sentences"),
    ({"lines": [], "vector_size": 5}, "there is no option vector_size: did you mean dim"),
    ({"lines": [], "dim": 0}, "dim is 0: it must be from 1 to"),
    ({"corpus": "x", "client": 5}, "client is of type int: it must be a distributed.Client"),
]


@pytest.mark.parametrize("train", [fastw2v.train, fastw2v.train_model])
@pytest.mark.parametrize(("inputs", "message"), REFUSED)
def test_refused_inputs(train, inputs, message):
    with pytest.raises(InputError, match=message):
        train(**inputs)


TWO_THREADS = """
import fastw2v, os, sys, threading
def work():
    fastw2v.train(sys.argv[1], threads=2, dim=20, min_count=1, epochs=20)
    os.write(1, b"done\\n")
workers = [threading.Thread(target=work) for _ in range(2)]
for worker in workers: worker.start()
for worker in workers: worker.join()
"""


@pytest.mark.parametrize("layer", ["workqueue", "default"])
def test_two_trainings_in_two_python_threads(planted, layer):
    # The layer workqueue aborts the process where two threads enter it.
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    command = [sys.executable, "-c", TWO_THREADS, planted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "done\n" * 2, done.stderr


def test_in_a_thread_that_is_not_the_main_one(planted):
    trained = []
    thread = threading.Thread(target=lambda: trained.append(fastw2v.train(planted, dim=8, min_count=1, epochs=1)))
    thread.start()
    thread.join()
    assert len(trained[0]) == 96


FORKS = """
import multiprocessing, os, sys
import fastw2v

SENTENCES = [["a", "b", "c", "d"]] * 500

def work(number):
    return len(fastw2v.train(sentences=SENTENCES, dim=8, min_count=1, threads=2, epochs=2))

if __name__ == "__main__":
    assert work(0) == 4
    for kind in ("fork", "spawn"):
        with multiprocessing.get_context(kind).Pool(2) as pool:
            assert pool.map(work, range(4)) == [4] * 4
    child = os.fork()
    if not child:
        os._exit(work(0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_and_in_process_pools(tmp_path):
    (tmp_path / "forks.py").write_text(FORKS)
    command = [sys.executable, "forks.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
