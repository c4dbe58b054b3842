"""Kernels with bounds checked, between rows of canaries: no write goes beside the matrices."""

import os
import subprocess
import sys

import pytest
from figures import amount, report

pytestmark = pytest.mark.faults

CODE = """
import random, sys
import numpy as np
from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.jit import in_parallel
from fastw2v.kernels.statistics import STATISTICS
from fastw2v.kernels.tracks import compile_tracks, new_tracks, run_on_tracks
from fastw2v.kernels.train import Job, Pass, train_span
from fastw2v.kernels.walk import Spans
from fastw2v.training.matrices import new_matrices
from fastw2v.training.objective import objective_of, windows_of
from fastw2v.training.pieces import size_of_piece

CANARY = np.float32(12345.678)
OPTIONS = [
    {}, {"model": "cbow"}, {"loss": "hs"}, {"model": "cbow", "loss": "hs"}, {"update": "pair"},
    {"model": "cbow", "cbow_gradient": "exact"}, {"deterministic": True}, {"deterministic": True, "loss": "hs"},
]

def guarded(matrix):
    # A copy of the matrix between rows of canaries, and the memory before and behind it.
    rows, stride = matrix.shape
    memory = np.full((rows + 8) * stride + 16, CANARY)
    start = -memory.ctypes.data // 4 % 16 + 4 * stride
    end = start + rows * stride
    inner = memory[start:end].reshape(rows, stride)
    inner[:] = matrix
    return inner, (memory[:start], memory[end:])

n_wanted = int(sys.argv[1])
n_beside = 0
rng = random.Random(0)
settings = [
    (dim, negative, window, n_words, kind)
    for dim in (1, 3, 17, 100, 300) for negative in range(1, 21) for window in range(1, 21)
    for n_words in range(2, 11) for kind in range(len(OPTIONS))
]
for dim, negative, window, n_words, kind in rng.sample(settings, n_wanted):
    config = TrainConfig(dim=dim, negative=negative, window=window, sample=0, **OPTIONS[kind])
    vocabulary = Vocabulary([f"w{i}" for i in range(n_words)], np.arange(n_words, 0, -1) * 5)
    threads = rng.choice((1, 2))
    is_frozen = np.array([rng.random() < 0.3 for _ in range(n_words)]) if rng.random() < 0.3 else None
    matrices = new_matrices(n_words, config, threads, is_frozen)
    inputs, beside_inputs = guarded(matrices.input_vectors)
    outputs, beside_outputs = guarded(matrices.output_vectors)
    ids = np.array([rng.randrange(-1, n_words) for _ in range(400)], np.int32)
    ids.flags.writeable = False
    spans = Spans(np.array([0]), np.array([0.05], np.float32), 1000)
    windows = windows_of(vocabulary, config)._replace(is_frozen=matrices.is_frozen)
    objective = objective_of(vocabulary, config)
    visit = Pass(True, np.uint64(1), np.uint64(0))
    model = inputs, outputs, windows, *objective, matrices.layout, visit
    statistics = np.zeros((1, STATISTICS))
    job = Job(ids, spans, *model, statistics)
    if config.deterministic:
        tracks = new_tracks(job, 1, *size_of_piece(config, objective.paths.longest))
        with in_parallel(1):
            run_on_tracks(compile_tracks(job), job, tracks, 0, 1, 1)
    else:
        train_span(job.compile_kernel(), ids, spans, 0, *model, statistics[0], 0)
    for beside in (*beside_inputs, *beside_outputs):
        if (beside != CANARY).any():
            n_beside += 1
            print((dim, negative, window, n_words, kind), file=sys.stderr)
    for matrix in (inputs, outputs):
        assert np.isfinite(matrix).all()
        assert (matrix[:, dim:] == 0).all(), "padding"
print(n_beside)
"""


def test_canaries():
    n = amount(3000, 40)
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1"}
    command = [sys.executable, "-c", CODE, str(n)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    n_beside = int(done.stdout)
    report("kernels with bounds checked, between canaries", settings=n, writes_beside=n_beside)
    assert n_beside == 0, done.stderr
