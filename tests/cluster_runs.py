"""Runs on a cluster: the training of a planted text, and what it tells."""

import re

import numpy as np
import pytest

import fastw2v
from fastw2v.events import ClusterChanged

N_TOKENS = 600_000
OPTIONS = {"dim": 20, "min_count": 1, "epochs": 6, "sample": 0, "window": 3}


def first_and_deep(first, *others):
    """Parameters of a test: with the first it always runs, with the others only where deep tests do."""
    return [first, *(pytest.param(other, marks=pytest.mark.deep) for other in others)]


def separation(vectors):
    """How much more alike the words of a planted topic are than those of two, in cosines."""
    words = vectors.index_to_key
    matrix = vectors.vectors / np.linalg.norm(vectors.vectors, axis=1, keepdims=True)
    topics = np.array([re.sub(r"\d+$", "", word) for word in words])
    cosines = matrix @ matrix.T
    same = topics[:, None] == topics
    np.fill_diagonal(cosines, np.nan)
    return np.nanmean(cosines[same]) - np.nanmean(cosines[~same])


def train_with(text, client, act=lambda event, seen: None, **options):
    """Train; call `act` with each event and how often its kind was seen. Returns (vectors, events)."""
    events = []

    def note(event):
        events.append(event)
        return act(event, sum(type(one) is type(event) for one in events))

    vectors = fastw2v.train(text, client=client, callback=note, **{**OPTIONS, **options})
    return vectors, events


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def messages_of(events):
    return [event.message for event in of_kind(events, ClusterChanged)]
