"""Fixtures for the tests of training."""

import pytest


@pytest.fixture
def slices_of_a_span(monkeypatch):
    """Each slice is one span, so that a run of a moment has many."""
    from fastw2v.training.schedule import SliceLength

    monkeypatch.setattr(SliceLength, "adapt", lambda self, n_spans, seconds: None)
