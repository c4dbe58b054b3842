"""What a run tells: how estimates and progress read, and what the default callback does."""

import warnings
from dataclasses import fields, is_dataclass
from typing import get_args

import pytest

from fastw2v import events
from fastw2v.events import Estimated, Progress, warn


def test_estimates_say_what_they_are():
    memory = {"2 matrices": 2_400_000_000, "tables": 40_000_000, "nothing": 0}
    estimated = Estimated(memory, 3_000_000_000, "ulimit -v")
    assert estimated.total == 2_440_000_000
    assert (
        str(estimated)
        == "training needs 2.4 GB of memory (2 matrices 2.4 GB, tables 40 MB); 3.0 GB is free under ulimit -v"
    )
    assert str(Estimated(memory, None, "")) == "training needs 2.4 GB of memory (2 matrices 2.4 GB, tables 40 MB)"


def progress(n_words, seconds):
    """A Progress of a run of 100 words."""
    return Progress(
        epoch=1,
        epochs=1,
        n_words=n_words,
        n_words_total=100,
        n_predictions=0,
        loss=1.0,
        loss_error=0.1,
        learning_rate=0.1,
        seconds=seconds,
        words_per_second=1.0,
    )


def test_the_seconds_that_are_left():
    assert progress(25, 10.0).seconds_left == pytest.approx(30)
    assert progress(100, 10.0).seconds_left == 0
    assert progress(0, 1.0).seconds_left == pytest.approx(99), "no word yet"


def test_every_event_is_in_the_union_and_documented():
    classes = {kind for kind in vars(events).values() if is_dataclass(kind) and kind.__module__ == events.__name__}
    assert set(get_args(events.Event)) == classes
    for kind in classes:
        assert kind.__name__ in (events.__doc__ or ""), "the module says when it is told"
        assert kind.__dataclass_params__.frozen, kind
        assert kind.__doc__
        assert not kind.__doc__.startswith(f"{kind.__name__}("), "a docstring of its own"
        assert all(item.name.islower() for item in fields(kind))


@pytest.mark.parametrize("action", ["always", "error", "ignore"])
def test_a_warning_is_shown_but_ends_no_run(action):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter(action)
        warn("no checkpoint was written")
    assert [str(warning.message) for warning in warned] == ["no checkpoint was written"] * (action != "ignore")


def test_a_callback_receives_what_it_is_annotated_with():
    told = []

    def one(event: Progress):
        told.append(event)

    def several(event: "Progress | events.Waiting") -> None:
        told.append(event)

    def every(event):
        told.append(event)

    def any_event(event: events.Event):
        told.append(event)

    def of_no_event(event: int):
        told.append(event)

    happened = [events.Waiting(), progress(25, 10.0), events.BytesRead(3)]
    for callback, expected in (
        (one, happened[1:2]),
        (several, happened[:2]),
        (every, happened),
        (any_event, happened),
        (of_no_event, happened),
        (told.append, happened),
        (print, None),
    ):
        told.clear()
        wrapped = events.for_every_event(callback)
        if expected is not None:
            for event in happened:
                wrapped(event)
            assert told == expected, callback
