"""What `train` is asked to do: exactly one source; what is not named is the default."""

import inspect
from dataclasses import fields

import pytest

import fastw2v
from fastw2v import InputError, TrainConfig
from fastw2v.training.request import Request, Source


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        ({}, "none"),
        ({"corpus": "a.txt", "lines": ["a b"]}, "corpus, lines"),
        ({"sentences": [], "walks": (), "lines": []}, "sentences, lines, walks"),
    ],
)
def test_there_is_one_source(sources, names):
    with pytest.raises(InputError, match=f"needs one of corpus, sentences, lines and walks, found {names}$"):
        Source(**sources)


@pytest.mark.parametrize("name", ["corpus", "sentences", "lines", "walks"])
def test_an_empty_source_is_a_source(name):
    assert getattr(Source(**{name: ()}), name) == ()


def test_the_defaults_are_those_of_the_public_call():
    request = Request(Source(corpus="a.txt"), TrainConfig())
    parameters = inspect.signature(fastw2v.train).parameters
    for item in fields(Request):
        if item.name not in ("source", "config"):
            assert getattr(request, item.name) == parameters[item.name].default, item.name
