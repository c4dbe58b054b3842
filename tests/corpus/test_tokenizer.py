"""The byte grammar against a few lines of Python, with texts cut into blocks at every place."""

import io
import pickle

import numpy as np
import pytest
import reference
from corpora import read, sentences_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.corpus import source
from fastw2v.corpus.tokenizer import Tokenizer
from fastw2v.errors import InputError

SEPARATORS = [*" \t\n\x00\x1f\x7f\u0085\u00a0\u1680\u2003\u2028\u202f\u205f\u3000", "  ", "\r\n"]
WORDS = ["a", "bb", "word", "longerword", "exactly8", "été", "あ", "€", "…", "\U0001f600"]
PARTS_OF_CHARACTERS = [b"\xc2", b"\xe2", b"\xe2\x80", b"\xe3\x80", b"\xff"]
PIECES = [text.encode() for text in WORDS + SEPARATORS] + PARTS_OF_CHARACTERS
texts = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


def tokenized(text, **options):
    """Sentences by the tokenizer alone, as bytes."""
    tokenizer = Tokenizer(**options)
    return as_sentences(tokenizer.encode(np.array(bytearray(text))).tolist(), tokenizer)


def as_sentences(ids, tokenizer):
    words = tokenizer.arena.split(b"\n")[:-1]
    sentences = [[]]
    for word in ids:
        if word < 0:
            sentences.append([])
        else:
            sentences[-1].append(words[(word - tokenizer.first) // tokenizer.step])
    return [sentence for sentence in sentences if sentence]


@given(texts)
@settings(max_examples=500, deadline=None)
def test_grammar(text):
    assert tokenized(text + b"\n") == reference.sentences_of(text)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_a_small_dictionary_grows(text):
    assert tokenized(text + b"\n", n_words=1, first=1, step=3) == reference.sentences_of(text)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes(text):
    assert tokenized(text + b"\n") == reference.sentences_of(text)


@given(texts, st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_blocks_may_be_cut_anywhere(text, block_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_without_bom", lambda block, file: block)
        patch.setattr(source, "BLOCK_BYTES", block_bytes)
        blocks = list(source._cut(io.BytesIO(text), "a file"))
    assert sum(n_read for n_read, _ in blocks) == len(text)
    assert b"".join(block.tobytes() for _, block in blocks) == text + b"\n"
    tokenizer = Tokenizer()
    ids = [word for _, block in blocks for word in tokenizer.encode(block).tolist()]
    assert as_sentences(ids, tokenizer) == reference.sentences_of(text)


def test_too_many_words_for_ids(monkeypatch):
    monkeypatch.setattr("fastw2v.corpus.tokenizer.MAX_ID", 16)
    text = b" ".join(b"%d" % i for i in range(17)) + b"\n"
    assert len(tokenized(text[: text.index(b"16")], n_words=4)[0]) == 16
    with pytest.raises(InputError, match="more than 16 distinct words: ids are 32 bits"):
        tokenized(text, n_words=4)


def encoded(text, **options):
    tokenizer = Tokenizer(**options)
    tokenizer.encode(np.array(bytearray(text)))
    return tokenizer


def test_absorbing_adds_words_counts_and_dropped_tokens():
    long = b"x" * 1001
    tokenizer, other = encoded(b"a b a " + long + b"\n"), encoded(b"c b " + long + b" " + long + b"\n")
    assert tokenizer.absorb(other).tolist() == [2, 1]
    assert (tokenizer.arena, tokenizer.counts.tolist(), tokenizer.n_overlong) == (b"a\nb\nc\n", [2, 2, 1], 3)
    sent = pickle.loads(pickle.dumps(tokenizer))
    assert (sent.arena, sent.counts.tolist(), sent.n_overlong) == (b"a\nb\nc\n", [2, 2, 1], 3)


def test_learnt_words_are_the_only_ones():
    tokenizer = Tokenizer()
    tokenizer.learn(["b", "a"])
    assert tokenizer.encode(np.array(bytearray(b"a c b\nc a\n"))).tolist() == [1, 0, -1, 1, -1]
    assert (tokenizer.counts.tolist(), tokenizer.n_unknown) == ([1, 2], 2)
    with pytest.raises(InputError, match="holds a separator or more than 1000 bytes"):
        Tokenizer().learn(["a b", "c"])


def test_subset_keeps_the_order_that_is_asked_for():
    assert encoded(b"a b c d\n").subset(np.array([3, 1])).arena == b"d\nb\n"


def test_invalid_utf8(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"caf\xe9 caf\xe8 good caf\xe9 caf\xef\xbf\xbd\n")
    got = read(path)
    assert got.vocabulary.words == ["caf\ufffd", "good"]
    assert got.vocabulary.counts.tolist() == [4, 1]
    assert got.reading.n_invalid == 3
    assert sentences_of(got)[0][0] == "caf\ufffd"
    got = read(path, invalid_utf8="keep")
    assert got.vocabulary.words == ["caf\\xe9", "caf\\xe8", "caf\ufffd", "good"]
    with pytest.raises(InputError, match=r"3 tokens of the corpus are not UTF-8, the first is b'caf\\xe9'"):
        read(path, invalid_utf8="refuse")
