"""The events of a run in words."""

import math
from dataclasses import replace

import pytest
from progress_samples import BAR, PROGRESS

from fastw2v import events
from fastw2v.corpus.vocabulary import Reading
from fastw2v.reporting.lines import advice_lines, describe_changes, format_bar, last_lines, lines_of

READING = Reading(n_bytes=2_000_000, n_tokens=12, n_types=3)


def test_changes_of_the_text():
    assert describe_changes(READING) == []
    assert describe_changes(replace(READING, n_overlong=1000, n_unknown=2, n_invalid=3)) == [
        "dropped 1,000 tokens of more than 1,000 bytes",
        "dropped 2 tokens that are not in the given vocabulary",
        "3 tokens were not valid UTF-8 (see --invalid-utf8)",
    ]


def test_advice():
    assert advice_lines(READING) == []
    assert advice_lines(replace(READING, advice=("one", "two"))) == ["hint: one", "hint: two"]


def test_the_bar_of_a_cluster_and_of_a_slow_run():
    slow = replace(PROGRESS, words_per_second=1234.5, loss=math.nan, n_workers=3, waited=0.125)
    assert format_bar(slow, 200)[27:] == (
        " 30% epoch 2/5  1,234 words/s  loss -  lr 0.02  ETA 0:00:07  3 workers, waiting 12%"
    )
    late = replace(PROGRESS, n_words=1, seconds=100.0)
    assert format_bar(late).endswith("ETA 2:45:00")


@pytest.mark.parametrize("columns", range(1, 130))
def test_the_bar_fits_the_terminal(columns):
    assert len(format_bar(PROGRESS, columns)) < max(columns, 1) or columns == 1


def test_a_narrow_terminal_shows_the_time_left():
    assert format_bar(PROGRESS) == BAR
    assert format_bar(PROGRESS, 80) == BAR.replace("#######.................", "####........")
    assert format_bar(PROGRESS, 60) == " 30% epoch 2/5  5.50 M words/s  loss 2.500  ETA 0:00:07"
    assert format_bar(PROGRESS, 50) == "[##.....]  30% epoch 2/5  loss 2.500  ETA 0:00:07"
    assert format_bar(PROGRESS, 30).startswith(" 30% epoch 2/5  ETA 0:00:07")
    assert format_bar(PROGRESS, 10) == " 30% epoc"


def test_the_best_epoch():
    early, last = events.BestKept(3, 2.34567, 5), events.BestKept(5, 2.0, 5)
    assert lines_of(early) == ["kept the vectors of epoch 3 of 5, with the lowest held-out loss, 2.3457"]
    assert lines_of(last) == ["kept the vectors of epoch 5 of 5, with the lowest held-out loss, 2.0000"]


def test_the_last_lines():
    assert last_lines(None, None, {}) == ["nothing was left to train, so nothing was added to a log or a loss plot"]
    assert last_lines(PROGRESS, None, {"read": 1.0}) == ["30 tokens trained at 10 words/s (read 1.0 s)"]
