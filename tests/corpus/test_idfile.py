"""The file of ids: it leaves nothing behind, and errors of its disk say what to do."""

import errno
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from corpora import read

from fastw2v.corpus import idfile
from fastw2v.corpus.idfile import map_ids, map_in_order, renumber_file, temporary_file, write_ids
from fastw2v.errors import InputError, RunError


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
    with pytest.raises(InputError, match="cannot keep the encoded corpus in .*nowhere.*--temp-dir"):
        read(path, temp_dir=str(tmp_path / "nowhere"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/dev/full is Linux's")
def test_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("a b a")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **options: open("/dev/full", "r+b", 0))  # noqa: SIM115
    with pytest.raises(RunError, match="no room left in .*--temp-dir"):
        read(path)


@pytest.mark.parametrize("threads", [1, 3])
def test_renumbering_in_place(monkeypatch, threads):
    monkeypatch.setattr(idfile, "IDS_AT_A_TIME", 7)
    rng = np.random.default_rng(0)
    sentences = [rng.integers(0, 10, rng.integers(1, 12)).astype(np.int32) for _ in range(60)]
    new_ids = np.array([3, -1, 0, -1, 1, 2, -1, 4, 5, 6], np.int32)
    with temporary_file(None) as file, ThreadPoolExecutor(threads) as pool:
        for sentence in sentences:
            write_ids(file, np.append(sentence, np.int32(-1)))
        checksum = renumber_file(file, new_ids, pool)
        got = map_ids(file)
    words = [new_ids[sentence] for sentence in sentences]
    assert got[got >= 0].tolist() == [word for sentence in words for word in sentence if word >= 0]
    assert checksum == zlib.crc32(got.tobytes())
    assert not got.flags.writeable


@pytest.mark.parametrize("ids_at_a_time", [1, 2, 3, 100])
def test_no_sentence_is_empty(monkeypatch, ids_at_a_time):
    monkeypatch.setattr(idfile, "IDS_AT_A_TIME", ids_at_a_time)
    ids = np.array([-1, 1, -1, 0, -1, -1, 1, 0, -1, 1, -1, 0, 1, 0, -1, -1], np.int32)
    with temporary_file(None) as file, ThreadPoolExecutor(1) as pool:
        write_ids(file, ids)
        checksum = renumber_file(file, np.array([0, -1], np.int32), pool)
        got = map_ids(file)
    assert got.tolist() == [0, -1, 0, -1, 0, 0, -1]
    assert checksum == zlib.crc32(got.tobytes())


def test_a_file_that_became_shorter(monkeypatch):
    class ShortFile:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def readinto(self, buffer):
            return 0

    with temporary_file(None) as file, ThreadPoolExecutor(1) as pool:
        write_ids(file, np.array([0, -1], np.int32))
        with pytest.raises(RunError, match="became shorter: was its directory cleaned"):
            renumber_file(ShortFile(file), np.zeros(1, np.int32), pool)


def test_results_come_in_order_and_few_items_are_taken_in_advance():
    n_taken = 0

    def items():
        nonlocal n_taken
        for item in range(100):
            n_taken += 1
            yield item

    with ThreadPoolExecutor(4) as pool:
        for number, got in enumerate(map_in_order(pool, lambda item: -item, items(), n_ahead=3)):
            assert got == -number
            assert n_taken <= number + 4
    assert n_taken == 100


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (
            2_000_000,
            r"^ulimit -f allows files of 2.0 MB, with 0.0 MB of the encoded corpus written: .* Raise that limit$",
        ),
        (None, r"^no room left in .*, with .* Name a directory with more room with --temp-dir$"),  # of the file system
    ],
)
def test_a_limit_of_files(monkeypatch, limit, message):
    monkeypatch.setattr(idfile, "largest_file", lambda: limit)
    with pytest.raises(RunError, match=message), temporary_file(None):
        raise OSError(errno.EFBIG, "File too large")


def test_a_file_without_ids():
    with temporary_file(None) as file:
        ids = map_ids(file)
    assert (len(ids), ids.dtype, ids.flags.writeable) == (0, np.int32, False)
