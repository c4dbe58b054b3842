"""Exceptions that keep their texts and types, across processes too."""

import pickle

import pytest

from fastw2v import errors
from fastw2v.errors import (
    CutOff,
    DivergedError,
    Fastw2vError,
    InputError,
    MissingExtra,
    ReaderLeft,
    RunError,
    UnknownWord,
    text_of,
)


def test_hierarchy():
    assert issubclass(InputError, ValueError)
    assert issubclass(UnknownWord, KeyError)
    assert issubclass(RunError, RuntimeError)
    assert issubclass(DivergedError, RunError)
    assert issubclass(CutOff, InputError)
    assert issubclass(CutOff, EOFError)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 8
    assert all(issubclass(kind, Fastw2vError) for kind in kinds)
    assert RunError("x").vectors is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MissingExtra("a plot", "matplotlib"), "a plot needs the package matplotlib: pip install 'matplotlib'"),
        (UnknownWord("wrod", ["word", "x"]), "the word 'wrod' has no vector; similarly spelled words are word"),
        (UnknownWord("zzz", ["word"]), "the word 'zzz' has no vector"),
        (
            UnknownWord("King", ["kings", "ring", "Kong", "king", "KING"]),
            "the word 'King' has no vector; similarly spelled words are king, KING, ring",
        ),
        (InputError("as it is"), "as it is"),
        (ReaderLeft("-"), "cannot write -: its reader closed it before everything was written"),
    ],
)
def test_texts_cross_processes(error, expected):
    assert str(error) == expected
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), expected)


def test_exceptions_that_say_nothing():
    errors_and_texts = [(MemoryError(), "out of memory"), (ValueError(), "ValueError"), (InputError("bad"), "bad")]
    assert [text_of(error) for error, _ in errors_and_texts] == [text for _, text in errors_and_texts]


def test_an_unknown_word_is_kept():
    with pytest.raises(KeyError) as raised:
        raise UnknownWord("wrod", [])
    assert raised.value.word == "wrod"
