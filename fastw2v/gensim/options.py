"""gensim's options of training, and ours."""

import math
import random
import warnings
from typing import Any

import numpy as np

from ..config import TrainConfig

OF_GENSIM_3 = {"size": "vector_size", "iter": "epochs"}
"""What gensim 3 called some options."""

_OPTIONS = """vector_size alpha window min_count max_vocab_size sample seed workers min_alpha sg hs negative ns_exponent
cbow_mean hashfxn epochs null_word sorted_vocab batch_words compute_loss comment max_final_vocab shrink_windows"""
OPTIONS = tuple(_OPTIONS.split())
"""The arguments of `Word2Vec` that are attributes too."""

_STATE = """corpus_count corpus_total_words min_alpha_yet_reached train_count total_train_time running_training_loss
effective_min_count update"""
STATE = tuple(_STATE.split())
"""The other attributes that files keep."""

_GOLDEN = (3 + math.sqrt(5)) / 2
"""gensim's factor for a `sample` of 1 or more, which is a number of occurrences instead of a share of the text."""

MOST_WINDOW = 1_000
"""The largest window of the kernels. Larger ones, which mean all of a sentence, are taken as this."""

LEAST_MIN_ALPHA = 1e-8
"""What a `min_alpha` of 0 or less is taken as, because a learning rate must be above 0."""


def with_names_of_gensim_4(given: dict[str, Any]) -> dict[str, Any]:
    """Return options of gensim 3 by their names in gensim 4, with a warning. Raises TypeError for others."""
    if unknown := given.keys() - OF_GENSIM_3.keys():
        raise TypeError(f"Word2Vec has no argument {unknown.pop()!r}")
    for name in given:
        advice = f"{name} is called {OF_GENSIM_3[name]} since gensim 4"
        warnings.warn(advice, DeprecationWarning, stacklevel=3)
    return {OF_GENSIM_3[name]: value for name, value in given.items()}


def warn_of(options: dict[str, Any]) -> None:
    """Warn of options that would change gensim's results, and have no effect here."""
    if not options["sorted_vocab"]:
        warnings.warn("sorted_vocab=0 has no effect: the vocabulary is always sorted", stacklevel=3)
    if options["window"] > MOST_WINDOW:
        warnings.warn(
            f"window is {options['window']}: at most {MOST_WINDOW:,} words to each side are used", stacklevel=3
        )
    if options["null_word"]:
        warnings.warn("null_word has no effect: no word is added to the vocabulary", stacklevel=3)


def losses_of(model: Any) -> list[str]:
    """Return the losses that a model is trained with. Raises ValueError if there are none."""
    losses = ["hs"] * bool(model.hs) + ["ns"] * bool(model.negative and model.negative > 0)
    if not losses:
        raise ValueError("hs and negative are both 0: set hs=1 or negative=5, otherwise nothing can be trained")
    return losses


def _whole(number: Any) -> Any:
    """Return a whole number as int, and anything else as it is."""
    return int(number) if isinstance(number, float | np.floating) and float(number).is_integer() else number


def config_of(model: Any, n_tokens: int, sample: float | None = None) -> TrainConfig:
    """Return the options of a model as those of `train`. n_tokens: the sum of the counts of its words.

    sample: instead of the model's.
    """
    sample, min_lr = sample or model.sample, max(model.min_alpha, LEAST_MIN_ALPHA)
    is_negative = model.alpha < -LEAST_MIN_ALPHA  # a loop of `alpha -= step` may end just below 0
    if sample and sample >= 1:
        sample = min(1.0, int(sample * _GOLDEN) / max(1, n_tokens))
    return TrainConfig(
        model="skipgram" if model.sg else "cbow",
        loss="ns" if model.negative or not model.hs else "hs",
        update=model.update if model.sg else "window",  # CBOW has no pairs
        dim=_whole(model.vector_size),
        window=min(_whole(model.window), MOST_WINDOW),
        fixed_window=not model.shrink_windows,
        negative=_whole(model.negative) or TrainConfig.negative,
        ns_exponent=model.ns_exponent,
        cbow_sum=not (model.cbow_mean or model.sg),
        sample=sample or 0.0,
        epochs=_whole(model.epochs),
        lr=model.alpha if is_negative else max(model.alpha, min_lr),  # a negative one is refused
        min_lr=min_lr,
        seed=random.getrandbits(32) if model.seed is None else model.seed,
    )


def options_of(config: TrainConfig) -> dict[str, Any]:
    """Return the options of `train` as those of a `Word2Vec`."""
    return {
        "vector_size": config.dim,
        "alpha": config.first_lr,
        "min_alpha": config.first_lr * 1e-4 if config.min_lr is None else config.min_lr,
        "window": config.window,
        "min_count": config.min_count,
        "sample": config.sample,
        "seed": config.seed,
        "sg": int(config.model == "skipgram"),
        "hs": int(config.loss == "hs"),
        "negative": config.negative if config.loss == "ns" else 0,
        "ns_exponent": config.ns_exponent,
        "cbow_mean": int(not config.cbow_sum),
        "epochs": config.epochs,
        "shrink_windows": not config.fixed_window,
    }
