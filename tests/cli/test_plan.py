"""fastw2v plan: its table."""

import pytest
from click.testing import CliRunner

from fastw2v.cli import cli


def test_command():
    done = CliRunner().invoke(cli, ["plan", "--nodes", "6"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.output.splitlines()] == ["nodes", "1", "2", "4", "6"]


def test_options_reach_the_plan():
    def cells(*options):
        done = CliRunner().invoke(cli, ["plan", "--nodes", "1", *options])
        assert done.exit_code == 0, done.output
        return done.output.splitlines()[1].split()

    _, speed, hours, *_ = cells("--words", "3600000000", "--epochs", "2", "--words-per-second", "1000000")
    assert float(speed) == pytest.approx(1, abs=0.11)
    assert float(hours) == pytest.approx(2, rel=0.15)
    assert cells("--vocab", "1000000", "--dim", "500")[-4:-2] == ["20", "GB"]
    assert cells("--words", "10000000000")[-2:] == ["40", "GB"]


@pytest.mark.parametrize("option", ["--gigabits", "--words-per-second"])
@pytest.mark.parametrize("value", ["nan", "inf", "0", "-1", "1e-300"])
def test_numbers_that_are_no_speed(run, option, value):
    code, out, err = run("plan", option, value)
    assert (code, out) == (2, "")
    assert f"Invalid value for '{option}'" in err


@pytest.mark.parametrize("option", ["--words", "--vocab", "--dim", "--epochs"])
def test_sizes_that_no_corpus_has(run, option):
    assert run("plan", option, "9" * 331)[0] == 2


def test_a_corpus_that_is_too_small_for_its_cluster(run):
    assert run("plan", "--words", 1, "--vocab", 2, "--nodes", 10_000, "--dim", 1)[0] == 0
