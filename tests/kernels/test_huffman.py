"""The tree: by hand, optimal, deterministic, and consistent as paths."""

import itertools
import time

import numpy as np
import pytest
import reference

from fastw2v import TrainConfig, Vocabulary
from fastw2v.training.objective import objective_of


def paths_of(counts):
    vocabulary = Vocabulary([f"w{i}" for i in range(len(counts))], np.array(counts, np.int64))
    paths = objective_of(vocabulary, TrainConfig(loss="hs")).paths
    pieces = [slice(*ends) for ends in itertools.pairwise(paths.starts)]
    return [(paths.nodes[piece].tolist(), paths.labels[piece].tolist()) for piece in pieces]


def test_by_hand():
    # 5 a, 2 b, 1 c, 1 d: d and c join first (node 0), then b and that (node 1), then that and a (node 2, the root).
    a, b, c, d = paths_of([5, 2, 1, 1])
    assert a == ([2], [0.0])
    assert b[0] == [1, 2]
    assert b[1][1] == c[1][2] == d[1][2] == 1.0
    assert c[0] == d[0] == [0, 1, 2]
    assert c[1][0] != d[1][0]


def test_two_words():
    assert sorted(label for _, (label,) in paths_of([3, 2])) == [0.0, 1.0]


@pytest.mark.parametrize(
    "counts", [[1] * 100, list(range(300, 0, -1)), [2**i for i in range(30, -1, -1)], [7, 7, 7, 1]]
)
def test_code_length_is_the_least_possible(counts):
    paths = paths_of(counts)
    assert sum(n * len(nodes) for n, (nodes, _) in zip(counts, paths, strict=True)) == reference.huffman_cost(counts)
    assert all(nodes[-1] == len(counts) - 2 for nodes, _ in paths), "every path ends at the root"
    assert len({(tuple(nodes), tuple(labels)) for nodes, labels in paths}) == len(counts), "each word has its own leaf"
    assert paths == paths_of(counts)


def test_words_of_count_0_make_no_chain():
    for n in (2, 1000, 65_536):
        counts = np.zeros(n, np.int64)
        paths = objective_of(Vocabulary([""] * n, counts), TrainConfig(loss="hs")).paths
        assert paths.longest == (n - 1).bit_length(), "all words are equally frequent"
    counts[:100] = np.arange(100, 0, -1)
    paths = objective_of(Vocabulary([""] * n, counts), TrainConfig(loss="hs")).paths
    assert paths.longest <= 20


def test_the_deepest_tree_that_counts_can_make():
    counts = [1, 1]
    while sum(counts) + counts[-1] + counts[-2] <= 2**62:
        counts.append(counts[-1] + counts[-2])
    paths = objective_of(Vocabulary([""] * len(counts), counts[::-1]), TrainConfig(loss="hs")).paths
    assert paths.longest == len(counts) - 1 == 87
    assert (np.diff(paths.starts) <= 90).all()


def test_a_million_words():
    counts = (1e7 / np.arange(1, 1_000_001)).astype(np.int64) + 1
    vocabulary = Vocabulary([""] * len(counts), counts)
    objective_of(Vocabulary(["a", "b"], counts[:2]), TrainConfig(loss="hs"))
    start = time.perf_counter()
    paths = objective_of(vocabulary, TrainConfig(loss="hs")).paths
    print(f"{time.perf_counter() - start:.2f} s")  # shown by pytest -s; no timed assertions
    assert np.diff(paths.starts).max() == paths.longest < 64
