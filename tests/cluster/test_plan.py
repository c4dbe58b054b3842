"""fastw2v plan: what a cluster would do."""

import json
import statistics
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastw2v.cli import cli
from fastw2v.training import plan as module
from fastw2v.training.plan import plan_run
from fastw2v.training.rounds import MOST_WAITING, exchange_bytes

SIZES = {"n_words": 1_000_000, "dim": 300, "n_tokens": 10**11, "epochs": 1, "threads": 16}


RESULTS = Path(__file__).parent.parent / "benchmarks" / "results" / "distributed.json"


@pytest.mark.skipif(not RESULTS.exists(), reason="no results yet")
def test_constants_are_those_measured():
    result = json.loads(RESULTS.read_text())
    found = result["constants"]
    assert pytest.approx(found["exchange"], rel=0.05) == module.SECONDS_OF_AN_EXCHANGE
    assert pytest.approx(found["task"], rel=0.05) == module.SECONDS_OF_A_TASK
    assert pytest.approx(found["byte"], rel=0.05) == module.SECONDS_OF_A_BYTE
    assert pytest.approx(found["memory"], rel=0.05) == module.MODELS_OF_A_WORKER
    speeds = {name: statistics.median(run["words_per_second"] for run in runs)
              for name, runs in result["speed"]["runs"].items()}  # fmt: skip
    assert pytest.approx(speeds["1 worker"], rel=0.05) == module.WORDS_PER_SECOND
    assert pytest.approx(speeds["2 threads"] / speeds["1 thread"], rel=0.05) == 1 + module.THREAD_SHARE


def test_bytes_of_an_exchange():
    # 3 workers: each sends 2 of 3 parts of its changes, and its combined part to 2 others.
    assert exchange_bytes(3, 30, 5) == (20 + 2 * 10) * 2 * 4 * 5
    assert exchange_bytes(1, 30, 5) == 0


def test_more_nodes_are_faster_and_wait_as_planned():
    plans = [plan_run(n, bandwidth=1e10 / 8, **SIZES) for n in (1, 2, 4, 8)]
    assert [plan.seconds for plan in plans] == sorted((plan.seconds for plan in plans), reverse=True)
    assert all(plan.waiting <= MOST_WAITING * 1.1 for plan in plans)
    assert plans[-1].corpus == 4 * 10**11 // 8


def test_a_slow_network_waits():
    slow = plan_run(8, bandwidth=1e8 / 8, **{**SIZES, "n_tokens": 10**9})
    assert slow.waiting > 0.5
    assert slow.words_per_second < 4 * plan_run(1, bandwidth=1e8 / 8, **SIZES).words_per_second


def test_given_speed():
    assert plan_run(1, bandwidth=1e9, words_per_second=1e6, **SIZES).words_per_second == pytest.approx(1e6, rel=0.1)


def test_command():
    done = CliRunner().invoke(cli, ["plan", "--nodes", "6"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["nodes", "1", "2", "4", "6"]
