"""What is said of texts whose words need a preparation first, and that nothing is said of others."""

import numpy as np
import pytest

from fastw2v.corpus import advice
from fastw2v.corpus.advice import advice_on, how_to_convert


def said_of(text):
    words, counts = np.unique(text.split(), return_counts=True)
    return advice_on(words.tolist(), counts)


def test_a_text_that_is_prepared():
    assert said_of("the king's men met new_york co-op 1984 3.14 :-) - -- \u2014 and the others") == []
    assert said_of("") == []
    assert said_of("the " * 98 + "end. The") == []  # one in a hundred


def test_punctuation_and_capitals():
    assert said_of("the king, the queen, a king and the (end) He he " + "x " * 7) == [
        "17% of the words end in punctuation, such as 'king,': --strip-punctuation removes it",
        "6% of the words also occur in lower case, such as 'He': --lower makes them one word",
    ]
    assert said_of("\u6771\u4eac\u3002") == [
        "100% of the words end in punctuation, such as '\u6771\u4eac\u3002': --strip-punctuation removes it"
    ]


LONG = {
    "Japanese": "\u543e\u8f29\u306f\u732b\u3067\u3042\u308b\u540d\u524d\u306f\u307e\u3060",
    "Chinese": "\u5143\u5bb5\u8282\u662f\u4e2d\u56fd\u7684\u4f20\u7edf\u8282\u65e5",
    "Thai": "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22\u0e40\u0e1b\u0e47\u0e19\u0e20\u0e32\u0e29\u0e32",
    "Lao, Burmese or Khmer": "\u1781\u17d2\u1798\u17c2\u179a\u1781\u17d2\u1798\u17c2\u179a",
}


@pytest.mark.parametrize(
    ("language", "segmenter"),
    [
        ("Japanese", "sudachipy"),
        ("Chinese", "jieba"),
        ("Thai", "pythainlp"),
        ("Lao, Burmese or Khmer", "a segmenter for its language"),
    ],
)
def test_text_without_blanks(language, segmenter):
    sentence = LONG[language]
    [said] = said_of(f"{sentence} {sentence}\u3002 one two three")
    assert said.startswith(f"the text seems to be {language}")
    assert said.endswith(f"split it into words first, with {segmenter}")
    assert not said_of(" ".join(sentence[i : i + 2] for i in range(0, len(sentence), 2)))
    assert not said_of(f"{sentence} " + "word " * 20)


def test_only_the_most_frequent_words_are_looked_at(monkeypatch):
    monkeypatch.setattr(advice, "WORDS_LOOKED_AT", 3)
    words, counts = [*"abc", *(f"rare{i}," for i in range(50))], np.array([9, 9, 9] + 50 * [1])
    assert advice_on(words, counts) == []


def test_encodings():
    assert "WINDOWS-1252" in how_to_convert([b"caf\xe9", b"na\xefve,", b"\xff\xfe"])
    assert "ENCODING" in how_to_convert([b"caf\xe9", b"\xcf\xf0\xe8\xe2\xe5\xf2", b"\x83e\x83X"])
    assert "ENCODING" in how_to_convert([])
