"""Prepared texts as corpora, phrases and shards read them; the kernel has tests of its own."""

import numpy as np
import pytest
from corpora import read

from fastw2v.corpus.phrases import Phrases
from fastw2v.corpus.preparation import Preparation
from fastw2v.errors import InputError

TEXT = "The King, the queen's 2nd King!\nNew York (1984): NEW york -- 3.14\n"


def words_of(path, **options):
    corpus = read(path, **options)
    words = [*corpus.vocabulary.words, "|"]
    return " ".join(words[i] for i in corpus.ids.tolist())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, TEXT.replace("\n", " | ").strip()),
        ({"lower": True}, TEXT.lower().replace("\n", " | ").strip()),
        ({"strip_punctuation": True}, "The King the queen's 2nd King | New York 1984 NEW york 3.14 |"),
        ({"digits": "zero"}, "The King, the queen's 0nd King! | New York (0000): NEW york -- 0.00 |"),
        ({"digits": "drop"}, "The King, the queen's 2nd King! | New York NEW york -- |"),
        (
            {"lower": True, "strip_punctuation": True, "digits": "drop", "threads": 2},
            "the king the queen's 2nd king | new york new york |",
        ),
    ],
)
def test_corpus(tmp_path, options, text):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    assert words_of(path, **options) == text


def test_phrases(tmp_path):
    path, output = tmp_path / "text.txt", tmp_path / "phrases.txt"
    path.write_text(TEXT)
    how = {"lower": True, "strip_punctuation": True, "digits": "drop"}
    found = Phrases.learn(path, output=output, min_count=1, threshold=0.5, **how)
    assert list(found.export_phrases()) == ["new_york"]
    assert output.read_text() == "the king the queen's 2nd king\nnew_york new_york\n"


def test_what_is_left_may_be_nothing(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("1 2 3\n")
    with pytest.raises(InputError, match="holds no words"):
        read(path, digits="drop")


def test_a_block_is_a_writable_array():
    text = np.array(bytearray(b"A b\n"))
    assert Preparation(lower=True).apply(text).tobytes() == b"a b\n"
