"""Counters of words: what they count, absorb, send and refuse."""

import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.corpus.tokenizer import Tokenizer
from fastw2v.corpus.words import WordCounter
from fastw2v.kernels.tokenize import MAX_WORD_BYTES

tokens = st.lists(st.binary(min_size=1, max_size=20).map(lambda word: word.hex().encode()), max_size=100)


def counter_of(words):
    tokenizer = Tokenizer(n_words=1)
    tokenizer.encode(np.array(bytearray(b" ".join(words) + b"\n"), np.uint8))
    return tokenizer.parts[0]


def counted(counter):
    """The words in their order, and how often each occurred."""
    text, ends = counter.text.tobytes(), counter.ends.tolist()
    words = [text[start : end - 1] for start, end in zip([0, *ends], ends, strict=False)]
    assert b"".join(word + b"\n" for word in words) == text
    return dict(zip(words, counter.counts.tolist(), strict=True))


def count(words, start=()):
    found = dict(start)
    for word in words:
        found[word] = found.get(word, 0) + 1
    return found


@given(tokens)
@settings(max_examples=200, deadline=None)
def test_words_are_counted_in_the_order_of_their_first_occurrence(words):
    assert list(counted(counter_of(words)).items()) == list(count(words).items())


@given(tokens, tokens)
@settings(max_examples=200, deadline=None)
def test_absorbing_adds_words_and_counts(words, others):
    counter, other = counter_of(words), counter_of(others)
    numbers = counter.absorb(other)
    expected = count(others, count(words))
    assert list(counted(counter).items()) == list(expected.items())
    assert numbers.tolist() == [list(expected).index(word) for word in counted(other)]


def test_a_counter_is_sent_without_the_room_that_is_left():
    tokenizer = Tokenizer()
    tokenizer.encode(np.array(bytearray(b"a b a\n"), np.uint8))
    [counter] = tokenizer.parts
    data = pickle.dumps(counter)
    assert len(data) < 1500 < counter.__sizeof__()
    sent = pickle.loads(data)
    assert counted(sent) == {b"a": 2, b"b": 1}
    assert sent.absorb(counter_of([b"b", b"c"])).tolist() == [1, 2], "it can go on"


def test_given_words_and_subsets():
    words = [b"a", b"bcd", b"longer than eight", "é".encode()]
    counter = WordCounter.of(words)
    assert list(counted(counter).items()) == [(word, 0) for word in words]
    assert list(counted(counter.subset(np.array([3, 1])))) == [words[3], words[1]]
    assert counted(WordCounter.of([])) == {}


def test_the_smallest_counter_has_room_for_the_longest_words():
    words = [bytes([97 + i]) * (MAX_WORD_BYTES - i) for i in range(20)]
    text = np.array(bytearray(b" ".join(words) + b"\n"), np.uint8)
    tokenizer = Tokenizer(n_words=1)
    tokenizer.encode(text, MAX_WORD_BYTES)
    assert list(counted(tokenizer.parts[0])) == words
    absorbed = WordCounter(1)
    absorbed.absorb(tokenizer.parts[0])
    assert list(counted(absorbed)) == words
