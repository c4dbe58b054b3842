"""fastw2v plan: what a cluster would do."""

import json
import statistics
from pathlib import Path

import pytest

from fastw2v.cluster import plan as module
from fastw2v.cluster.plan import PlannedRun, plan_run
from fastw2v.cluster.protocol import bytes_of_round
from fastw2v.cluster.rounds import MOST_WAITING

RUN = PlannedRun(n_words=1_000_000, dim=300, n_tokens=10**11, epochs=1, threads=16, bandwidth=1e10 / 8)
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "clusters.json"


def test_constants_are_those_measured():
    result = json.loads(RESULTS.read_text())
    measured = result["constants"]
    assert pytest.approx(measured["exchange"], rel=0.05) == module.SECONDS_OF_AN_EXCHANGE
    assert pytest.approx(measured["task"], rel=0.05) == module.SECONDS_OF_A_TASK
    assert pytest.approx(measured["byte"], rel=0.05) == module.SECONDS_OF_A_BYTE
    assert pytest.approx(measured["memory"], rel=0.05) == module.MODELS_OF_A_WORKER
    runs = result["speed"]["runs"]
    speeds = {name: statistics.median(run["words_per_second"] for run in runs[name]) for name in runs}
    assert pytest.approx(speeds["1 worker"], rel=0.05) == module.WORDS_PER_SECOND
    assert pytest.approx(speeds["2 threads"] / speeds["1 thread"], rel=0.05) == 1 + module.THREAD_SHARE


def test_more_nodes_are_faster_and_wait_as_planned():
    plans = [plan_run(RUN, n) for n in (1, 2, 4, 8)]
    assert [plan.seconds for plan in plans] == sorted((plan.seconds for plan in plans), reverse=True)
    assert all(plan.waiting <= MOST_WAITING * 1.1 for plan in plans)
    assert plans[-1].corpus == 4 * 10**11 // 8


def test_a_slow_network_waits():
    slow = plan_run(RUN._replace(n_tokens=10**9, bandwidth=1e8 / 8), 8)
    assert slow.waiting > 0.5
    assert slow.words_per_second < 4 * plan_run(RUN._replace(bandwidth=1e8 / 8), 1).words_per_second


def test_given_speed():
    assert plan_run(RUN._replace(words_per_second=1e6), 1).words_per_second == pytest.approx(1e6, rel=0.1)


def test_one_round_by_hand():
    """A corpus that is one round: 4 beats, of which 3 exchange the frequent rows."""
    run = PlannedRun(n_words=1000, dim=10, n_tokens=10**6, epochs=3, threads=1, bandwidth=1e6, words_per_second=1e6)
    plan = plan_run(run, 2)
    n_bytes = bytes_of_round(2, 1000, 10, 4)
    assert n_bytes == (1000 + 3 * 50) * 2 * 4 * 10
    fixed = module.SECONDS_OF_AN_EXCHANGE + 10 * module.SECONDS_OF_A_TASK  # 2 workers and 2 blocks: 10 tasks
    exchanges = 4 * fixed + n_bytes * module.SECONDS_OF_A_BYTE + n_bytes / 1e6
    assert plan.bytes_of_round == n_bytes
    assert plan.exchange == pytest.approx(fixed + 80_000 * (module.SECONDS_OF_A_BYTE + 1e-6))
    assert plan.round == pytest.approx(0.5 + exchanges)
    assert plan.seconds == pytest.approx(3 * (0.5 + exchanges))
    assert plan.waiting == pytest.approx(exchanges / (0.5 + exchanges))
    assert plan.memory == 5 * 80_000
    process = module.BYTES_OF_A_WORKER + 4 * 500
    assert module.memory_of_worker(1000, 10, 500) == (process + 3 * 80_000, process + 5 * 80_000)
    assert plan.corpus == 4 * 10**6 // 2
