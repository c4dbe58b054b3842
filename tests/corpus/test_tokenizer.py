"""The byte grammar against a few lines of Python, with texts cut into blocks at every place."""

import io
import itertools
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import reference
from corpora import read, sentences_of
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.corpus import source
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.tokenizer import Tokenizer, problem_of
from fastw2v.corpus.vocabulary import Vocabulary
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
    n_parts = len(tokenizer.parts)
    words = [part.text.tobytes().split(b"\n")[:-1] for part in tokenizer.parts]
    sentences = [[]]
    for word in ids:
        if word < 0:
            sentences.append([])
        else:
            sentences[-1].append(words[word % n_parts][word // n_parts])
    return [sentence for sentence in sentences if sentence]


@given(texts)
@settings(max_examples=500, deadline=None)
def test_grammar(text):
    assert tokenized(text + b"\n") == reference.sentences_of(text)


@given(texts)
@settings(max_examples=200, deadline=None)
def test_a_small_dictionary_grows(text):
    assert tokenized(text + b"\n", n_words=1, n_parts=4) == reference.sentences_of(text)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes(text):
    assert tokenized(text + b"\n") == reference.sentences_of(text)


@given(texts, st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_blocks_may_be_cut_anywhere(text, block_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "without_mark", lambda block, file: block)
        patch.setattr(source, "BLOCK_BYTES", block_bytes)
        blocks = list(source._cut(io.BytesIO(text), "a file"))
    assert sum(n_read for n_read, _ in blocks) == len(text)
    assert b"".join(block.tobytes() for _, block in blocks) == text + b"\n"
    tokenizer = Tokenizer()
    ids = [word for _, block in blocks for word in tokenizer.encode(block).tolist()]
    assert as_sentences(ids, tokenizer) == reference.sentences_of(text)


def test_too_many_words_for_ids(monkeypatch):
    monkeypatch.setattr("fastw2v.corpus.words.MAX_ID", 16)
    text = b" ".join(b"%d" % i for i in range(17)) + b"\n"
    assert len(tokenized(text[: text.index(b"16")], n_words=4)[0]) == 16
    with pytest.raises(InputError, match="the text has more than 16 distinct words"):
        tokenized(text, n_words=4)


def test_learnt_words_are_the_only_ones():
    tokenizer = Tokenizer()
    tokenizer.learn(["b", "a"])
    assert tokenizer.encode(np.array(bytearray(b"a c b\nc a\nc\n"))).tolist() == [1, 0, -1, 1, -1]
    assert (tokenizer.parts[0].counts.tolist(), tokenizer.n_unknown) == ([1, 2], 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["c", "a b"], "the vocabulary cannot be used: the word 'a b' is empty or holds white space"),
        (["c", "é" * 2001, "a b"], f"the word '{'é' * 40}'... has 4,002 bytes: words of a text have up to 4,000"),
        (["\x7f", "c\x01d"], r"the vocabulary cannot be used: the word '\\x7f' is empty or holds"),
        (["", "c d"], r"the vocabulary cannot be used: the word '' is empty or holds"),
        (["c", "c"], "the vocabulary cannot be used: a word is repeated"),
    ],
)
def test_words_that_no_text_can_hold(words, message):
    with pytest.raises(InputError, match=message):
        Tokenizer().learn(words)


def test_separators_are_the_same_in_python():
    letters = [chr(i) for i in (*range(0xD800), *range(0xE000, 0x10000), sys.maxunicode)]
    separators = [letter for letter in letters if problem_of(f"a{letter}b")]
    others = sorted(set(letters) - set(separators))
    texts = [f"a{letter}b\n".encode() for letter in separators]
    assert [b" ".join(itertools.chain(*tokenized(text))) for text in texts] == [b"a b"] * len(texts)
    assert len(tokenized("".join(f"a{letter}b " for letter in others).encode() + b"\n")[0]) == len(others)


def test_threads_share_a_dictionary(tmp_path):
    """Each thread's ids name the same words, however they take turns."""
    rng = np.random.default_rng(1)
    texts = [b" ".join(b"%d" % n for n in rng.zipf(1.2, 20_000)) + b"\n" for _ in range(16)]
    tokenizer = Tokenizer(n_parts=8, n_words=1)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(tokenizer.encode, (np.array(bytearray(text)) for text in texts)))
    for text, ids in zip(texts, found, strict=True):
        assert as_sentences(ids.tolist(), tokenizer) == [text.split()]
    counts = {}
    for part in tokenizer.parts:
        words = part.text.tobytes().split(b"\n")[:-1]
        counts |= dict(zip(words, part.counts.tolist(), strict=True))
    assert counts == Counter(b" ".join(texts).split())


def test_threads_drop_unknown_words(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("b c a\nc\nb é\n" * 100)
    vocabulary = Vocabulary(["é", "a", "b", "x"], np.array([9, 5, 2, 1]))
    for threads in (1, 3):
        got = read(path, Pruning(vocabulary=vocabulary), threads=threads)
        assert sentences_of(got) == [["b", "a"], ["b", "é"]] * 100
        assert (got.reading.n_unknown, got.n_tokens) == (200, 400)


def test_invalid_utf8(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"caf\xe9 caf\xe8 good caf\xe9 caf\xef\xbf\xbd good\n")
    got = read(path)
    assert got.vocabulary.words == ["caf\ufffd", "good"]
    assert got.vocabulary.counts.tolist() == [4, 2]
    assert got.reading.n_invalid == 3
    assert sentences_of(got)[0][0] == "caf\ufffd"
    path.write_bytes(b"caf\xe9 " * 3 + b"good " * 2)
    with pytest.raises(InputError, match=r"3 of 5 tokens of the corpus are not UTF-8, .*: it is not text, or"):
        read(path)
    assert read(path, invalid_utf8="keep").vocabulary.words == ["caf\\xe9", "good"]
    path.write_bytes(b"caf\xe9 caf\xe8 good caf\xe9 caf\xef\xbf\xbd\n")
    got = read(path, invalid_utf8="keep")
    assert got.vocabulary.words == ["caf\\xe9", "caf\\xe8", "caf\ufffd", "good"]
    with pytest.raises(InputError, match=r"3 tokens of the corpus are not UTF-8, such as b'caf\\xe8'"):
        read(path, invalid_utf8="refuse")
