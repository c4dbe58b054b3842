"""Fixtures of the tests of corpora."""

import pytest

from fastw2v.corpus import shards


@pytest.fixture(params=[2000, 20_000, 10**9])
def size_of_shards(request, monkeypatch):
    monkeypatch.setattr(shards, "LEAST_BYTES", request.param)
    monkeypatch.setattr(shards, "MOST_BYTES", request.param)
    return request.param
