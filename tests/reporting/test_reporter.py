"""What Python shows of a run: with `progress`, and in the log."""

import logging

import pytest
from progress_samples import PROGRESS

import fastw2v
from fastw2v import events
from fastw2v.reporting.reporter import Reporter, reporting
from fastw2v.reporting.screen import Screen

SMALL = {"dim": 20, "min_count": 1, "epochs": 2, "threads": 1}


def test_nothing_is_shown_unless_it_is_asked_for(planted, capfd):
    fastw2v.train(planted, **SMALL)
    assert capfd.readouterr() == ("", "")


def test_progress(planted, capfd):
    fastw2v.train(planted, progress=True, **SMALL)
    out, err = capfd.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("compiling")]  # the cache may be cold
    assert lines[0].startswith("read 0.")
    assert "100% epoch 2/2" in lines[-3]
    assert lines[-2].startswith("last epoch: loss")
    assert "60,000 tokens trained at" in lines[-1]


def test_the_log_has_what_progress_shows(planted, capfd, caplog):
    with caplog.at_level(logging.INFO, "fastw2v"):
        fastw2v.train(planted, progress=True, **SMALL)
    assert [record.message for record in caplog.records] == capfd.readouterr().err.splitlines()


def test_the_bar_ends_with_the_loss_of_the_last_epoch(capsys):
    reporter = Reporter(Screen())
    reporter(PROGRESS)
    reporter(events.EpochEnded(5, 100, 1.25, 0.1, float("nan"), float("nan"), 3.0))
    reporter.summary()
    assert "loss 1.250" in capsys.readouterr().err


def test_the_callback_is_asked_all_the_same():
    with reporting(lambda event: event == PROGRESS, progress=False) as on_event:
        assert on_event(PROGRESS)
        assert not on_event(events.Waiting())


def test_a_line_is_ended_when_the_run_fails(capsys):
    def fail():
        with reporting(events.ignore, progress=True) as on_event:
            on_event(events.KernelCompiling("a.b", 1, 2))
            on_event(events.PhaseEnded("compile", 1.0))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert capsys.readouterr().err in ("", "compiling kernel 1 of 2: a.b\n")
