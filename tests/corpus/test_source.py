"""Files as blocks: ends of files, byte order marks, changes while they are read."""

import itertools
import os

import pytest
from corpora import read, sentences_of

from fastw2v.corpus.source import read_blocks
from fastw2v.errors import RunError

TEXT = b"one two three\ntwo one\n" * 1000


def test_empty_texts_are_read_beside_others(tmp_path):
    paths = [tmp_path / name for name in ("1.txt", "gz", ".gz.txt", "c.lz4", "2.txt")]
    for path in paths:
        path.write_bytes(b"one two\n" if path.name == "2.txt" else b"")
    assert sentences_of(read(paths)) == [["one", "two"]]


def test_bom_and_crlf(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"\xef\xbb\xbfone two\r\ntwo\rone\r\n")
    assert sentences_of(read(path)) == [["one", "two"], ["two", "one"]]


def test_a_file_without_last_newline_ends_its_sentence(tmp_path):
    (tmp_path / "1").write_text("a b")
    (tmp_path / "2").write_text("c")
    assert sentences_of(read([tmp_path / "1", tmp_path / "2"])) == [["a", "b"], ["c"]]


def test_blocks_of_a_plain_file(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"word " * 500_000)
    blocks = [block for _, block in read_blocks([str(path)])]
    assert len(blocks) > 2
    assert all(block[-1] in b" \n" for block in blocks)


def test_a_corpus_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n" * 1_000_000)

    def grow(n_bytes):
        with open(path, "a") as file:
            file.write("more\n")

    with pytest.raises(RunError, match=r"corpus .*t.txt changed while it was read: wait until it is complete"):
        read(path, on_bytes=grow)


def replace_keeping_size_and_time(path):
    before = path.stat()
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes().swapcase())
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.replace(path)


CHANGES = {
    "grown": lambda path: path.write_text(path.read_text() + "more\n"),
    "cut": lambda path: os.truncate(path, 5),
    "rewritten": lambda path: (path.write_bytes(path.read_bytes().swapcase()), os.utime(path, ns=(1, 1))),
    "replaced": replace_keeping_size_and_time,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_before_its_turn(tmp_path, change):
    paths = [tmp_path / name for name in ("1.txt", "2.txt", "3.txt")]
    for path in paths:
        path.write_text("a b c\n" * 9)
    blocks = read_blocks([str(path) for path in paths])
    next(blocks)
    CHANGES[change](paths[2])
    with pytest.raises(RunError, match=r"corpus .*3.txt changed while other files of the corpus were read: wait until"):
        list(blocks)
    blocks = read_blocks([str(path) for path in paths])
    list(itertools.islice(blocks, 2))
    CHANGES[change](paths[0])
    paths[2].chmod(0o600)  # neither this nor what has been read matters
    assert len(list(blocks)) == 1


def test_new_numbers_of_files_are_no_change(tmp_path, monkeypatch):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n")
    states, n_asked, stat = path.stat(), itertools.count(), os.stat

    def renumbering(file):
        """The state of a file as file systems in user space may tell it: with another number each time."""
        mode, _, *others = states
        times = {name: getattr(states, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns")}
        return os.stat_result((mode, next(n_asked), *others), times)

    monkeypatch.setattr(os, "stat", renumbering)
    blocks = list(read_blocks([str(path)]))
    monkeypatch.setattr(os, "stat", stat)
    assert len(blocks) == 1
    assert next(n_asked) == 3
