"""From files to ids: every way to name a corpus and what may be wrong with it."""

import bz2
import gzip
import lzma
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import reference

from fastw2v.corpus import corpus as corpus_module
from fastw2v.corpus import source
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.paths import find_files
from fastw2v.corpus.source import read_blocks
from fastw2v.errors import InputError, MissingExtra, RunError


def sentences(corpus):
    """Lists of words, as the ids say them."""
    found = [[]]
    for word in corpus.ids.tolist():
        if word < 0:
            found.append([])
        else:
            found[-1].append(corpus.vocabulary.words[word])
    return [sentence for sentence in found if sentence]


def read(path, **options):
    return Corpus.from_text(path, **{"min_count": 1, **options})


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_corpus_is_the_same_for_any_threads(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(source, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(corpus_module, "PIECE", 700)
    rng = np.random.default_rng(0)
    lines = [[f"w{i}" for i in rng.geometric(0.02, rng.integers(1, 40))] for _ in range(500)]
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(map(" ".join, lines)))
    counts = {}
    for word in (word for line in lines for word in line):
        counts[word] = counts.get(word, 0) + 1
    kept = sorted((word for word in counts if counts[word] >= 5), key=lambda word: (-counts[word], word.encode()))
    got = read(path, min_count=5, threads=threads)
    assert got.vocabulary.words == kept
    assert got.vocabulary.counts.tolist() == [counts[word] for word in kept]
    assert sentences(got) == [line for line in ([w for w in line if w in kept] for line in lines) if line]
    assert got.n_tokens == sum(counts[word] for word in kept)
    assert got.reading.n_tokens == sum(counts.values())
    assert got.reading.n_types == len(counts)


def test_max_vocab_keeps_the_most_frequent(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("c c c b b a a d")
    assert read(path, max_vocab=3).vocabulary.words == ["c", "a", "b"]


def test_given_vocabulary(tmp_path):
    from fastw2v.corpus.vocabulary import Vocabulary

    (tmp_path / "vocab").write_text("y 2\nx 9\nnever 7\n")
    path = tmp_path / "c.txt"
    path.write_text("x y z x\ny q")
    for threads in (1, 3):
        got = read(path, vocabulary=Vocabulary.load(tmp_path / "vocab"), threads=threads)
        assert got.vocabulary.words == ["x", "never", "y"]
        assert got.vocabulary.counts.tolist() == [9, 7, 2]
        assert sentences(got) == [["x", "y", "x"], ["y"]]
        assert got.reading.n_unknown == 2


COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
TEXT = b"one two three\ntwo one\n" * 1000


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compression_by_content_not_by_name(tmp_path, kind):
    path = tmp_path / "corpus.data"
    path.write_bytes(COMPRESSORS[kind](TEXT))
    got = read(path)
    assert sentences(got) == reference_text(TEXT)
    assert got.reading.n_bytes == len(TEXT)


def reference_text(text):
    return [[word.decode() for word in line] for line in reference.sentences_of(text)]


def test_zst(tmp_path):
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    path = tmp_path / "corpus"
    whole = zstd.compress(TEXT[:6000]) + zstd.compress(TEXT[6000:])
    path.write_bytes(whole)
    assert sentences(read(path)) == reference_text(TEXT)
    for damaged in (whole[:-5], whole + b"trailing"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged or cut off"):
            read(path)


def test_zst_without_its_codec(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    path = tmp_path / "corpus"
    path.write_bytes(b"\x28\xb5\x2f\xfd....")
    with pytest.raises(MissingExtra, match="pip install 'backports.zstd'"):
        read(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_compressed_input_is_refused(tmp_path, kind, damage):
    data = COMPRESSORS[kind](TEXT + np.random.default_rng(0).bytes(100_000))
    middle = len(data) // 2
    path = tmp_path / "corpus"
    path.write_bytes(
        data[:middle] if damage == "cut" else data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]
    )
    with pytest.raises(InputError, match=f"{path} is damaged or cut off near its byte"):
        read(path)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_several_streams_are_one_text(tmp_path, kind):
    path = tmp_path / "corpus"
    compress = COMPRESSORS[kind]
    whole = compress(b"one two\n") + compress(b"two one\n" * 10_000)
    for padding in (b"", b"\0" * 8, b"\0" * 600_000):
        path.write_bytes(whole + padding)
        assert sentences(read(path)) == [["one", "two"]] + [["two", "one"]] * 10_000
    first = len(compress(b"one two\n"))
    for damaged in (whole[:first] + b"?" + whole[first + 1 :], whole + b"trailing", whole[:first] + b"junk"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is damaged or cut off"):
            read(path)


def test_a_bomb_takes_no_memory(tmp_path):
    path = tmp_path / "corpus"
    path.write_bytes(bz2.compress(b"a b " * 25_000_000))
    assert path.stat().st_size < 100_000
    blocks = read_blocks([str(path)])
    assert max(len(block) for _, block in blocks) < 2_000_000


def test_stdin(tmp_path):
    code = "from fastw2v.corpus.corpus import Corpus; print(Corpus.from_text('-', min_count=1).vocabulary.words)"
    for data in (b"b a b", gzip.compress(b"b a b")):
        got = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
        assert got.stdout.split() == [b"['b',", b"'a']"]


def test_paths_globs_and_directories(tmp_path):
    for name in ("b/2.txt", "b/1.txt", "b/.hidden", "b/deep/3.txt", "a.txt", "[odd].txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.stem} x\n")

    def names(*corpus):
        return [path.removeprefix(f"{tmp_path}/") for path in find_files([str(tmp_path / part) for part in corpus])]

    assert names("a.txt", "b") == ["a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt"]
    assert names("b/*.txt") == ["b/1.txt", "b/2.txt"]
    assert names("**/*.txt") == ["[odd].txt", "a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt"]
    assert names("[odd].txt") == ["[odd].txt"]
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "linked" / "up").symlink_to(tmp_path / "linked")
    assert names("linked") == ["linked/b/1.txt", "linked/b/2.txt", "linked/b/deep/3.txt"]
    assert find_files(tmp_path / "a.txt") == [str(tmp_path / "a.txt")]
    assert sentences(read(tmp_path / "b")) == [["1", "x"], ["2", "x"], ["3", "x"]]


@pytest.mark.parametrize(("corpus", "message"), [
    ("missing.txt", r"corpus .*missing.txt does not exist"),
    ("*.nothing", r"corpus .*\*.nothing does not exist, as a path or as a glob"),
    ("empty", r"corpus directory .*empty holds no files"),
])  # fmt: skip
def test_corpus_that_is_not_there(tmp_path, corpus, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find_files(str(tmp_path / corpus))


def test_no_corpus_or_stdin_twice():
    with pytest.raises(InputError, match="no corpus given"):
        find_files([])
    with pytest.raises(InputError, match="read only once"):
        find_files(["-", "-"])


@pytest.mark.parametrize("corpus", [[["some", "words"]], 5, [None]])
def test_a_corpus_that_is_no_path(corpus):
    with pytest.raises(InputError, match="a corpus is a path or several"):
        find_files(corpus)


def test_unreadable_corpus(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("a b")
    monkeypatch.setattr("os.access", lambda *arguments: False)  # root may read anything
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        find_files(path)


@pytest.mark.parametrize(("text", "message"), [
    (b"", "holds no words"),
    (b" \n\t\r\n\x00 ", "holds no words"),
    (b"a b a c", "no word of the corpus occurs min_count = 3 times: it has 4 words, 3 distinct, the most"),
    (b"a a a b", "the vocabulary is one word, 'a', of 2 distinct"),
    ("a b a".encode("utf-16"), "is UTF-16, UTF-32 or not text"),
    ("a b a".encode("utf-16-le"), "is UTF-16, UTF-32 or not text"),
    ("a b a".encode("utf-32"), "is UTF-16, UTF-32 or not text"),
    (b"PK\x03\x04....", "is a zip archive: unpack it first"),
])  # fmt: skip
def test_texts_that_are_refused(tmp_path, text, message):
    path = tmp_path / "c.txt"
    path.write_bytes(text)
    with pytest.raises(InputError, match=message):
        read(path, min_count=3)


def test_slow_and_nonblocking_stdin():
    code = "from fastw2v.corpus.corpus import Corpus; print(Corpus.from_text('-', min_count=1).reading.n_tokens)"
    main, side = os.pipe()
    os.set_blocking(main, False)
    process = subprocess.Popen([sys.executable, "-c", code], stdin=main, stdout=subprocess.PIPE)
    for piece in (b"o", b"ne", b" two" * 1000, b" three"):
        os.write(side, piece)
        time.sleep(0.4)
    os.close(side)
    assert process.communicate()[0] == b"1002\n"
    os.close(main)


def test_given_vocabulary_of_one_word(tmp_path):
    from fastw2v.corpus.vocabulary import Vocabulary

    path = tmp_path / "c.txt"
    path.write_text("a b a")
    with pytest.raises(InputError, match="the vocabulary that was given has 1 words: a context needs two"):
        read(path, vocabulary=Vocabulary(["a"], np.array([5])))
    with pytest.raises(InputError, match="holds a separator or more than 1000 bytes"):
        read(path, vocabulary=Vocabulary(["a\x7fb", "c"], np.array([5, 5])))
    assert len(read(path, min_count=5, vocabulary=Vocabulary(["a", "b"], np.array([2, 1]))).vocabulary) == 2


def test_given_vocabulary_that_does_not_occur(tmp_path):
    from fastw2v.corpus.vocabulary import Vocabulary

    path = tmp_path / "c.txt"
    path.write_text("a b")
    with pytest.raises(InputError, match="holds no word of the vocabulary that was given"):
        read(path, vocabulary=Vocabulary(["x", "y"], np.array([1, 1])))


def test_bom_and_crlf(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"\xef\xbb\xbfone two\r\ntwo\rone\r\n")
    assert sentences(read(path)) == [["one", "two"], ["two", "one"]]


def test_a_file_without_last_newline_ends_its_sentence(tmp_path):
    (tmp_path / "1").write_text("a b")
    (tmp_path / "2").write_text("c")
    assert sentences(read([tmp_path / "1", tmp_path / "2"])) == [["a", "b"], ["c"]]


def test_invalid_utf8(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"caf\xe9 caf\xe8 good caf\xe9 caf\xef\xbf\xbd\n")
    got = read(path)
    assert got.vocabulary.words == ["caf\ufffd", "good"]
    assert got.vocabulary.counts.tolist() == [4, 1]
    assert got.reading.n_invalid == 3
    assert sentences(got)[0][0] == "caf\ufffd"
    got = read(path, invalid_utf8="keep")
    assert got.vocabulary.words == ["caf\\xe9", "caf\\xe8", "caf\ufffd", "good"]
    with pytest.raises(InputError, match=r"3 words of the corpus are not UTF-8, the first is b'caf\\xe9'"):
        read(path, invalid_utf8="refuse")


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


def test_temporary_ids_leave_no_file(tmp_path):
    path, room = tmp_path / "c.txt", tmp_path / "room"
    path.write_text("a b a")
    room.mkdir()
    got = read(path, temp_dir=str(room))
    assert not list(room.iterdir())
    assert not got.ids.flags.writeable


def test_bad_temporary_directory(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("a b a")
    with pytest.raises(InputError, match="cannot keep ids in .*nowhere.*--temp-dir"):
        read(path, temp_dir=str(tmp_path / "nowhere"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("a b a")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: open("/dev/full", "r+b", 0))  # noqa: SIM115
    with pytest.raises(RunError, match="no room left in .*--temp-dir"):
        read(path)


def test_blocks_of_a_plain_file(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"word " * 500_000)
    blocks = [block for _, block in read_blocks([str(path)])]
    assert len(blocks) > 2
    assert all(block[-1] in b" \n" for block in blocks)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc")
def test_ids_leave_memory_and_come_again(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c d\n" * 500_000)
    corpus = Corpus.from_text(path, min_count=1)
    before = corpus.ids.copy()

    def resident():
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Rss"))

    assert corpus.ids.max() == 3  # touch them all
    with_ids = resident()
    corpus.let_go()
    assert with_ids - resident() > corpus.ids.nbytes / 1024 / 2
    np.testing.assert_array_equal(corpus.ids, before)
