"""gensim's options as ours, and back."""

import math

import pytest

from fastw2v import TrainConfig
from fastw2v.gensim import Word2Vec
from fastw2v.gensim.options import OPTIONS, STATE, config_of, options_of


def test_options_have_gensims_names_and_defaults():
    import gensim.models

    ours, theirs = Word2Vec(), gensim.models.Word2Vec()
    for name in {*OPTIONS, *STATE} - {"effective_min_count", "update"}:
        assert getattr(ours, name) == getattr(theirs, name), name


def test_options_become_ours():
    model = Word2Vec(
        vector_size=7,
        window=3,
        sg=1,
        hs=0,
        negative=9,
        alpha=0.5,
        min_alpha=0.1,
        sample=0,
        shrink_windows=False,
        seed=3,
    )
    expected = TrainConfig(
        dim=7, window=3, negative=9, lr=0.5, min_lr=0.1, sample=0, fixed_window=True, seed=3, ns_exponent=0.75
    )
    assert config_of(model, 100) == expected


@pytest.mark.parametrize(
    ("alpha", "min_alpha", "expected"), [(0.02, 0.02, (0.02, 0.02)), (0.01, 0.02, (0.02, 0.02)), (0.1, 0, (0.1, 1e-8))]
)
def test_rates(alpha, min_alpha, expected):
    config = config_of(Word2Vec(alpha=alpha, min_alpha=min_alpha), 100)
    assert (config.lr, config.min_lr) == expected


def test_a_sample_that_is_a_count():
    assert config_of(Word2Vec(sample=100), 10_000).sample == int(100 * (3 + math.sqrt(5)) / 2) / 10_000
    assert config_of(Word2Vec(sample=100), 10).sample == 1


def test_there_and_back():
    config = TrainConfig(model="cbow", dim=9, window=4, lr=0.1, min_lr=0.01, negative=7, epochs=3, fixed_window=True)
    assert config_of(Word2Vec(**options_of(config)), 100) == config
