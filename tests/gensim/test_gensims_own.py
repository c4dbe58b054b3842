"""gensim's own tests, taken from the installed package, with our classes in the place of gensim's."""

import unittest

import pytest
from gensim_imports import load_tests

pytestmark = [
    pytest.mark.gensim,
    pytest.mark.filterwarnings("default"),  # the tests themselves use what Python and NumPy have retired
]


@pytest.fixture(autouse=True)
def a_working_directory(tmp_path, monkeypatch):
    """One of the tests writes a file there."""
    monkeypatch.chdir(tmp_path)


def gensims(name):
    """The test cases of one of gensim's modules, by name."""
    cases = [value for value in vars(load_tests(name)).values() if isinstance(value, type)]
    return {f"{case.__name__}_of_{name}": case for case in cases if issubclass(case, unittest.TestCase)}


globals().update(gensims("test_keyedvectors") | gensims("test_word2vec") | gensims("test_phrases"))
