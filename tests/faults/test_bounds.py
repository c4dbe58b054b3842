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
from fastw2v.kernels.train import STATISTICS, Spans, train_spans_serial
from fastw2v.training.objective import new_model, objective_of, windows_of

CANARY = np.float32(12345.678)
n_wanted = int(sys.argv[1])
n_beside = 0
rng = random.Random(0)
settings = [
    (dim, negative, window, n_words, kind)
    for dim in (1, 3, 17, 100, 300) for negative in range(1, 21) for window in range(1, 21)
    for n_words in range(2, 11) for kind in range(6)
]
for dim, negative, window, n_words, kind in rng.sample(settings, n_wanted):
    options = [{}, {"model": "cbow"}, {"loss": "hs"}, {"model": "cbow", "loss": "hs"}, {"update": "pair"},
               {"model": "cbow", "cbow_gradient": "exact"}][kind]
    config = TrainConfig(dim=dim, negative=negative, window=window, sample=0, **options)
    vocabulary = Vocabulary([f"w{i}" for i in range(n_words)], np.arange(n_words, 0, -1) * 5)
    threads = rng.choice((1, 2))
    is_frozen = np.array([rng.random() < 0.3 for _ in range(n_words)]) if rng.random() < 0.3 else None
    model = new_model(n_words, config, threads, is_frozen)
    guarded = []
    matrices = []
    for matrix in (model.input_vectors, model.output_vectors):
        rows, stride = matrix.shape
        memory = np.full((rows + 8) * stride + 16, CANARY)
        start = -memory.ctypes.data // 4 % 16 + 4 * stride
        inner = memory[start : start + rows * stride].reshape(rows, stride)
        inner[:] = matrix
        guarded.append((memory, start, start + rows * stride))
        matrices.append(inner)
    ids = np.array([rng.randrange(-1, n_words) for _ in range(400)], np.int32)
    ids.flags.writeable = False
    windows = windows_of(vocabulary, config)._replace(is_frozen=model.is_frozen)
    statistics = np.zeros((1, STATISTICS))
    with in_parallel(1):
        train_spans_serial(ids, Spans(np.array([0]), np.array([0.05], np.float32), 1000), *matrices, windows,
                           objective_of(vocabulary, config, threads), 8, True, np.uint64(1), np.uint64(0), statistics)
    for memory, start, stop in guarded:
        beside = np.append(memory[:start], memory[stop:])
        if (beside != CANARY).any():
            n_beside += 1
            print((dim, negative, window, n_words, kind), file=sys.stderr)
        assert np.isfinite(memory).all()
    assert all((matrix[:, dim:] == 0).all() for matrix in matrices), "padding"
print(n_beside)
"""


def test_canaries():
    n = amount(3000, 40)
    done = subprocess.run([sys.executable, "-c", CODE, str(n)], env={**os.environ, "NUMBA_BOUNDSCHECK": "1"},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    n_beside = int(done.stdout)
    report("kernels with bounds checked, between canaries", settings=n, writes_beside=n_beside)
    assert n_beside == 0, done.stderr
