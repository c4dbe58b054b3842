"""Every option once, checked when made."""

import re
from dataclasses import fields

import numpy as np
import pytest

from fastw2v import InputError, TrainConfig
from fastw2v.config import base_type

REFUSED = [
    ({"dim": 0}, "dim is 0: it must be from 1 to 10,000"),
    ({"dim": "100"}, "dim is '100': it must be of type int"),
    ({"dim": 10.5}, "dim is 10.5: it must be of type int"),
    ({"dim": True}, "dim is True: it must be of type int"),
    ({"window": 0}, "window is 0: it must be from 1 to"),
    ({"negative": 0}, "negative is 0: it must be from 1 to"),
    ({"epochs": -1}, "epochs is -1: it must be from 1 to"),
    ({"lr": 0.0}, "lr is 0.0: it must be from 1e-30 to 100"),
    ({"lr": 1e-45}, "lr is 1e-45: it must be from 1e-30 to"),
    ({"min_lr": 0.0}, "min_lr is 0.0: it must be from 1e-30 to"),
    ({"lr": 0.01, "min_lr": 0.02}, "min_lr is 0.02: it must be at most lr, 0.01, from which lr falls"),
    ({"min_lr": 0.03}, "min_lr is 0.03: it must be at most lr, 0.025"),
    ({"lr": float("nan")}, "lr is nan: it must be from 1e-30 to"),
    ({"sample": -1e-3}, "sample is -0.001: it must be from 0 to"),
    ({"min_count": 0}, "min_count is 0: it must be at least 1"),
    ({"max_vocab": 1}, "max_vocab is 1: it must be at least 2"),
    ({"threads": 0}, "threads is 0: it must be from 1 to"),
    ({"seed": -1}, "seed is -1: it must be from 0 to"),
    ({"update": "batch"}, "update is 'batch': it must be window or pair"),
    ({"vectors": "both"}, "vectors is 'both': it must be one of input, output, average"),
    ({"dim": 300, "shared_negatives": 1000, "window": 1000}, "multiplications per word: Ctrl-C would take seconds"),
    ({"loss": "hs", "vectors": "output"}, "with hierarchical softmax the output vectors belong to the nodes"),
    ({"loss": "softmax", "update": "pair"}, "softmax trains predictions in batches"),
    ({"model": "cbow", "update": "pair"}, "with cbow a window is one prediction and has no pairs"),
    ({"model": "glove"}, "model is 'glove': it must be skipgram or cbow"),
    ({"vector_size": 100}, "there is no option vector_size: did you mean dim"),
    ({"workers": 2}, "there is no option workers: did you mean threads"),
    ({"widow": 2}, "there is no option widow: did you mean window"),
    ({"qqqq": 2}, "there is no option qqqq: the options are model, loss"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refused(options, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        TrainConfig.from_options(options)


def test_whole_numbers_are_fine_where_fractions_are():
    assert TrainConfig(lr=1, sample=0) == TrainConfig(lr=1.0, sample=0.0)


def test_base_type():
    assert base_type("threads") is int
    assert base_type("temp_dir") is str
    assert base_type("lr") is float


def test_the_first_choice_is_the_default():
    for item in fields(TrainConfig):
        choices = item.metadata["allowed"].choices
        assert not choices or item.default == choices[0]


def test_the_learning_rate_by_default():
    assert [TrainConfig(model=model).first_lr for model in ("skipgram", "cbow")] == [0.025, 0.05]
    assert TrainConfig(lr=0.01).first_lr == 0.01


def test_the_negatives_of_a_step_by_default():
    assert [TrainConfig(negative=n).n_drawn for n in (1, 3, 5, 6, 7, 20)] == [1, 3, 3, 6, 7, 7]
    assert TrainConfig(shared_negatives=12).n_drawn == 12
    assert TrainConfig(negative=20, update="pair").n_drawn == 20


@pytest.mark.parametrize("name", [item.name for item in fields(TrainConfig)])
@pytest.mark.parametrize("number", [10**400, -(10**400), 10**5000, 2**63], ids=lambda number: f"{number.bit_length()}")
def test_integers_that_fit_into_no_number_are_refused(name, number):
    with pytest.raises(InputError, match=f"{name} is a number of {number.bit_length()} bits: at most 63 are allowed"):
        TrainConfig(**{name: number})


def test_scalars_of_numpy_are_numbers():
    config = TrainConfig(dim=np.int64(5), lr=np.float32(0.5), fixed_window=np.bool_(True), seed=np.uint8(3))
    assert (config.dim, config.lr, config.fixed_window, config.seed) == (5, 0.5, True, 3)
    assert [type(value) for value in (config.dim, config.lr, config.fixed_window)] == [int, float, bool]
    with pytest.raises(InputError, match=r"dim is 5.0: it must be of type int"):
        TrainConfig(dim=np.float64(5))


def test_the_repr_shows_what_was_changed():
    assert repr(TrainConfig(dim=50, model="cbow")) == "TrainConfig(model='cbow', dim=50)"
    assert repr(TrainConfig()) == "TrainConfig()"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("vector_size", "did you mean dim?"),
        ("dimm", "did you mean dim?"),
        ("sg", "did you mean model (1: skipgram, 0: cbow)?"),
        ("hs", "did you mean loss (1: hs, 0: ns)?"),
        ("zzz", "the options are model, loss, dim"),
    ],
)
def test_unknown_options(name, advice):
    with pytest.raises(InputError, match=f"there is no option {name}: {re.escape(advice)}"):
        TrainConfig.from_options({name: 1})
