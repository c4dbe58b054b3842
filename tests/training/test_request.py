"""What `train` is asked to do: exactly one source; what is not named is the default."""

import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastw2v
from fastw2v import InputError, TrainConfig, Vocabulary
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


WRONG_TYPES = [
    ({"checkpoint": 5}, "checkpoint is 5: it must be a path"),
    ({"checkpoint": b"x"}, "checkpoint is b'x': it must be a path"),
    ({"save_model": b"x.fw2v"}, "save_model is b'x.fw2v': it must be a path"),
    ({"loss_plot": 5}, "loss_plot is 5: it must be a path"),
    ({"checkpoint_every": "x"}, "checkpoint_every is 'x': it must be a number of minutes"),
    ({"checkpoint_every": None}, "checkpoint_every is None: it must be a number of minutes"),
    ({"resume": "yes"}, "resume is 'yes': it must be of type bool"),
    ({"resume": 1}, "resume is 1: it must be of type bool"),
    ({"freeze": "no"}, "freeze is 'no': it must be of type bool"),
    ({"freeze": None}, "freeze is None: it must be of type bool"),
    ({"callback": 5}, "callback is 5: it must be a function"),
    ({"continue_from": 5, "lr": 0.01}, "continue_from is of type int: it must be a TrainedModel or a file's name"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG_TYPES)
def test_arguments_of_a_wrong_type_are_refused(planted, arguments, message):
    with pytest.raises(InputError, match=message):
        fastw2v.train(planted, **arguments)


GIVEN = Vocabulary(["t0w0", "t0w1"], [2, 1])

WITHOUT_EFFECT = [
    ({"negative": 3, "loss": "hs"}, "negative has no effect with loss hs: it needs loss ns"),
    ({"ns_exponent": 1, "loss": "hs"}, "ns_exponent has no effect with loss hs"),
    ({"shared_negatives": 5, "loss": "hs"}, "shared_negatives has no effect with loss hs: it needs loss ns"),
    (
        {"shared_negatives": 5, "update": "pair"},
        "shared_negatives has no effect with update pair: it needs update window",
    ),
    ({"sample": 0, "sample_formula": "paper"}, "sample_formula has no effect with sample 0, which keeps all words"),
    ({"cbow_gradient": "exact"}, "cbow_gradient has no effect with model skipgram: it needs model cbow"),
    ({"force_softmax": True}, "force_softmax has no effect with loss ns"),
    ({"checkpoint_every": 1}, "checkpoint_every has no effect without checkpoint"),
    ({"vocabulary": GIVEN, "min_count": 4}, "min_count has no effect with a given vocabulary"),
    ({"vocabulary": GIVEN, "invalid_utf8": "keep"}, "invalid_utf8 has no effect with a given vocabulary"),
    ({"worker_timeout": 5}, "worker_timeout has no effect: the training is not on a cluster"),
]


@pytest.mark.parametrize(("arguments", "message"), WITHOUT_EFFECT)
def test_what_has_no_effect_is_told(planted, arguments, message):
    with pytest.warns(UserWarning, match=message):
        fastw2v.train(planted, dim=2, epochs=1, threads=1, **arguments)


def test_what_has_an_effect_is_not_told(tmp_path):
    config = TrainConfig(negative=3, ns_exponent=1, model="cbow", cbow_gradient="exact", worker_timeout=5)
    request = Request(Source(corpus="a.txt"), config, checkpoint=tmp_path, checkpoint_every=1)
    assert request.without_effect(has_cluster=True) == []
    request = Request(Source(corpus="a.txt"), TrainConfig(temp_dir=str(tmp_path)))
    assert request.without_effect(has_cluster=False) == []
    assert request.without_effect(has_cluster=True)[0].startswith("temp_dir has no effect on a cluster")


SENTENCES = [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"corpus": SENTENCES}, {"sentences": SENTENCES}),
        ({"corpus": [("a", "b")]}, {"sentences": [("a", "b")]}),
        ({"corpus": [[1, 2], [3]]}, {"walks": [[1, 2], [3]]}),
        ({"sentences": [[1, 2], [3]]}, {"walks": [[1, 2], [3]]}),
        ({"corpus": ["a.txt", "b.txt"]}, {"corpus": ["a.txt", "b.txt"]}),
        ({"corpus": Path("a.txt")}, {"corpus": Path("a.txt")}),
        ({"corpus": []}, {"corpus": []}),
        ({"lines": ["a b"]}, {"lines": ["a b"]}),
    ],
)
def test_what_the_first_argument_is(given, expected):
    assert Source.of(**given) == Source(**expected)
    if isinstance(next(iter(given.values())), list):
        for name, items in given.items():
            got = Source.of(**{name: iter(items)})
            [(where, value)] = [(field, value) for field, value in vars(got).items() if value is not None]
            assert {where: list(value)} == expected


def test_arrays_are_walks():
    array = np.zeros((2, 3), int)
    assert Source.of(corpus=array).walks is array
    flat = np.zeros(3, int), np.array([0, 3])
    assert Source.of(corpus=flat).walks is flat


def test_a_corpus_that_is_nothing():
    with pytest.raises(
        InputError, match="the corpus is of type int: it must be the name of a file or several, or lists"
    ):
        Source.of(corpus=5)
    with pytest.raises(InputError, match="one of corpus, sentences, lines and walks, found sentences, lines"):
        Source.of(corpus=SENTENCES, lines=["a"])


def test_what_is_looked_at_is_not_lost():
    """The kind of a corpus is that of its first sequence with something in it; it is iterated over once."""
    assert Source.of(corpus=[[], [1, 2]]) == Source(walks=[[], [1, 2]])
    assert list(Source.of(corpus=iter([[], [1, 2]])).walks) == [[], [1, 2]]


def test_tables():
    table = pd.DataFrame({"customer": [1, 1, 2], "item": ["a", "b", "c"], "number": [7, 8, 9]})
    baskets = table.groupby("customer")
    assert [[*basket] for basket in Source.of(corpus=baskets["item"]).sentences] == [["a", "b"], ["c"]]
    assert [[*basket] for basket in Source.of(corpus=baskets["number"]).walks] == [[7, 8], [9]]
    with pytest.raises(InputError, match=r"corpus is a table: give one of its columns, as in lines=table\['text'\]"):
        Source.of(corpus=table)
    with pytest.raises(InputError, match="corpus is a groupby of tables: choose a column"):
        Source.of(corpus=baskets)


def test_two_sources_of_which_one_is_named_wrongly():
    with pytest.raises(InputError, match="found corpus, sentences"):
        Source.of(corpus=SENTENCES, sentences=SENTENCES)
    with pytest.raises(InputError, match="found corpus, walks"):
        Source.of(corpus=[[1]], walks=[[2]])
