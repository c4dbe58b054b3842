"""From text to ids: the same corpus for any number of threads, and what is refused."""

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import corpora
import numpy as np
import pytest
from corpora import read, sentences_of

from fastw2v.corpus import idfile, source
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.tokenizer import problem_of
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import InputError

PATH = f"import sys; sys.path.insert(0, {str(Path(corpora.__file__).parent)!r}); "
"""What lets a program given by `-c` import the helpers of the tests."""


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_corpus_is_the_same_for_any_threads(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(source, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(idfile, "IDS_AT_A_TIME", 700)
    rng = np.random.default_rng(0)
    lines = [[f"w{i}" for i in rng.geometric(0.02, rng.integers(1, 40))] for _ in range(500)]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(map(" ".join, lines)))
    counts = {}
    for word in (word for line in lines for word in line):
        counts[word] = counts.get(word, 0) + 1
    kept = sorted((word for word in counts if counts[word] >= 5), key=lambda word: (-counts[word], word.encode()))
    got = read(path, Pruning(5), threads=threads)
    assert got.vocabulary.words == kept
    assert got.vocabulary.counts.tolist() == [counts[word] for word in kept]
    assert sentences_of(got) == [line for line in ([w for w in line if w in kept] for line in lines) if line]
    assert got.n_tokens == sum(counts[word] for word in kept)
    assert got.reading.n_tokens == sum(counts.values())
    assert got.reading.n_types == len(counts)


def test_given_vocabulary(tmp_path):
    (tmp_path / "vocab").write_text("y 2\nx 9\nnever 7\n")
    path = tmp_path / "c.txt"
    path.write_text("x y z x\ny q")
    for threads in (1, 3):
        got = read(path, Pruning(vocabulary=Vocabulary.load(tmp_path / "vocab")), threads=threads)
        assert got.vocabulary.words == ["x", "never", "y"]
        assert got.vocabulary.counts.tolist() == [9, 7, 2]
        assert sentences_of(got) == [["x", "y", "x"], ["y"]]
        assert got.reading.n_unknown == 2


def test_stdin(tmp_path):
    code = "from corpora import read; print(read('-').vocabulary.words)"
    for data in (b"b a b", gzip.compress(b"b a b")):
        got = subprocess.run([sys.executable, "-c", PATH + code], input=data, capture_output=True, check=True)
        assert got.stdout.split() == [b"['b',", b"'a']"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "holds no words"),
        (b" \n\t\r\n\x00 ", "holds no words"),
        (b"a b a c", "no word of the corpus occurs 3 times .min_count.: of 4 tokens and 3 distinct words, the most"),
        (b"a a a b", "the vocabulary is one word, 'a', of 2 distinct"),
        ("a b a".encode("utf-16"), "is UTF-16, UTF-32 or not text"),
        ("a b a".encode("utf-16-le"), "is UTF-16, UTF-32 or not text"),
        ("a b a".encode("utf-32"), "is UTF-16, UTF-32 or not text"),
        (b"PK\x03\x04....", "is a zip archive: unpack it first"),
    ],
)
def test_texts_that_are_refused(tmp_path, text, message):
    path = tmp_path / "c.txt"
    path.write_bytes(text)
    with pytest.raises(InputError, match=message):
        read(path, Pruning(3))


def test_slow_and_nonblocking_stdin():
    code = "from corpora import read; print(read('-').reading.n_tokens)"
    main, side = os.pipe()
    os.set_blocking(main, False)
    process = subprocess.Popen([sys.executable, "-c", PATH + code], stdin=main, stdout=subprocess.PIPE)
    for piece in (b"o", b"ne", b" two" * 1000, b" three"):
        os.write(side, piece)
        time.sleep(0.4)
    os.close(side)
    assert process.communicate()[0] == b"1002\n"
    os.close(main)


def test_given_vocabulary_of_one_word(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("a b a")
    with pytest.raises(InputError, match="training needs at least two words, and the given vocabulary has 1"):
        read(path, Pruning(vocabulary=Vocabulary(["a"], np.array([5]))))
    with pytest.raises(
        InputError, match=r"the vocabulary cannot be used: the word 'a\\x7fb' is empty or holds white space"
    ):
        read(path, Pruning(vocabulary=Vocabulary(["a\x7fb", "c"], np.array([5, 5]))))
    assert len(read(path, Pruning(5, vocabulary=Vocabulary(["a", "b"], np.array([2, 1])))).vocabulary) == 2


def test_given_vocabulary_that_does_not_occur(tmp_path):
    path = tmp_path / "c.txt"
    pruning = Pruning(vocabulary=Vocabulary(["x", "y"], np.array([1, 1])))
    path.write_text("a b")
    with pytest.raises(
        InputError, match=r"^the text holds no word of the vocabulary \(all 2 tokens are other words\): is it in an"
    ):
        read(path, pruning)
    path.write_text(" \n")
    with pytest.raises(InputError, match="^the text holds no words: it is empty or all white space$"):
        read(path, pruning)


def test_long_tokens_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK_BYTES", 5000)
    path = tmp_path / "c.txt"
    # Of the limit, one over it, and over many blocks, followed by separators that blocks may cut.
    path.write_bytes(
        b"a " + b"k" * 1000 + b" " + b"x" * 1001 + b" b " + b"y" * 54_321 + b"\xe3\x80\x80c " + b"z" * 9000
    )
    got = read(path)
    assert sorted(got.vocabulary.words) == ["a", "b", "c", "k" * 1000]
    assert got.reading.n_overlong == 3


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_ids_leave_memory_and_come_again(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c d\n" * 500_000)
    corpus = read(path)
    before = corpus.ids.copy()

    def resident():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Rss"))

    assert corpus.ids.max() == 3  # touch them all
    with_ids = resident()
    corpus.let_go()
    assert with_ids - resident() > corpus.ids.nbytes / 1024 / 2
    np.testing.assert_array_equal(corpus.ids, before)


@pytest.mark.parametrize(("how", "n_bytes"), [("keep", 4000), ("replace", 3000)])
def test_the_vocabulary_of_a_text_is_read_back(tmp_path, how, n_bytes):
    """Words that are not UTF-8 grow when they are repaired, and a U+FEFF may begin the first one."""
    path = tmp_path / "c.txt"
    words = ["\ufeffking".encode(), b"\xff" * 1000, b"\xfe" * 334, b"a"]
    path.write_bytes(b"a " + b"".join((9 - i) * (word + b" ") for i, word in enumerate(words)))
    vocabulary = read(path, invalid_utf8=how).vocabulary
    assert max(len(word.encode()) for word in vocabulary.words) == n_bytes
    vocabulary.save(tmp_path / "v")
    given = Vocabulary.load(tmp_path / "v", problem_of)
    assert (given.words, given.counts.tolist()) == (vocabulary.words, vocabulary.counts.tolist())
    for threads in (1, 3):
        assert read(path, Pruning(vocabulary=given), threads=threads).vocabulary.words == vocabulary.words
