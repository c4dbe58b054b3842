"""Outputs that are whole or not there."""

import errno
import os
import stat
import threading
import time

import pytest

from fastw2v.errors import ReaderLeft, RunError
from fastw2v.files import replace
from fastw2v.files.replace import all_locked, replacing, stdout_may_end


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_group_of_the_old_file_is_kept(tmp_path):
    path = tmp_path / "old"
    path.touch()
    os.chown(path, -1, 4321)
    with replacing(path):
        pass
    assert path.stat().st_gid == 4321


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions(tmp_path, umask):
    old_umask = os.umask(umask)
    try:
        with replacing(tmp_path / "new"):
            pass
        (tmp_path / "old").touch()
        os.chmod(tmp_path / "old", 0o604)
        with replacing(tmp_path / "old"):
            pass
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o666 & ~umask
    assert stat.S_IMODE(os.stat(tmp_path / "old").st_mode) == 0o604, "those of the old file"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "target").write_text("old")
    (tmp_path / "link").symlink_to("d/target")
    with replacing(tmp_path / "link") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "d" / "target").read_text() == "old", "until it is complete"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "d" / "target").read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_exception_nothing_has_changed(tmp_path, error):
    (tmp_path / "o").write_text("old")

    def write_half():
        with replacing(tmp_path / "o") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert (tmp_path / "o").read_text() == "old"
    assert os.listdir(tmp_path) == ["o"]


def test_a_full_disk(tmp_path):
    (tmp_path / "o").write_text("old")
    message = r"cannot write .*o: No space left on device; no old file was changed"
    with pytest.raises(RunError, match=message), replacing(tmp_path / "o"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert os.listdir(tmp_path) == ["o"]
    with pytest.raises(RunError, match="cannot write .*none/o: No such file"), replacing(tmp_path / "none" / "o"):
        pass


def test_the_old_file_takes_a_name_when_the_new_one_is_whole(tmp_path):
    path, previous = tmp_path / "o", tmp_path / "p"
    for text in (b"1", b"2", b"3"):
        with replacing(path, previous) as file:
            file.write(text)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    with pytest.raises(ValueError, match="no"), replacing(path, previous) as file:
        raise ValueError("no")
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    (tmp_path / ".o.previous.fastw2v-tmp").write_bytes(b"of a killed run")
    with replacing(path, previous) as file:
        file.write(b"4")
    assert (path.read_bytes(), previous.read_bytes()) == (b"4", b"3")
    assert sorted(os.listdir(tmp_path)) == ["o", "p"]


def test_the_file_before_is_kept_without_hard_links(tmp_path, monkeypatch):
    """On FAT and many network file systems, and for another user's file (protected_hardlinks)."""

    def no_links(*names):
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    path, previous = tmp_path / "o", tmp_path / "p"
    for content in (b"1", b"2", b"3"):
        with replacing(path, previous) as file:
            file.write(content)
    assert (path.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    replace = os.replace

    def fail(source, target):
        if os.path.basename(source).startswith("."):
            raise OSError(28, "full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunError, match="full"), replacing(path, previous) as file:
        file.write(b"4")
    assert path.read_bytes() == b"3", "it has its name again"
    assert [entry.name for entry in tmp_path.iterdir()] == ["o"]


def test_streams_are_written_to_directly(tmp_path, capfd):
    with replacing("-") as file:
        file.write(b"to stdout")
    with replacing("/dev/stderr") as file:
        file.write(b"to stderr")
    assert capfd.readouterr() == ("to stdout", "to stderr")
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with replacing(tmp_path / "pipe") as file:
        file.write(b"to a pipe")
    assert os.read(reader, 100) == b"to a pipe"
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode), "it is still a pipe"
    os.close(reader)
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(ReaderLeft, match="its reader closed it"), replacing(f"/dev/fd/{write}") as file:
        file.write(b"nobody reads this")
    os.close(write)


def test_a_reader_that_may_end():
    with stdout_may_end():
        raise ReaderLeft("/dev/stdout")
    with pytest.raises(ReaderLeft), stdout_may_end():
        raise ReaderLeft("/dev/fd/63")


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="needs descriptors that do not block")
def test_a_stream_that_does_not_block(monkeypatch):
    """Its reader is waited for."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    monkeypatch.setitem(replace.STANDARD_STREAMS, "-", write)
    pieces = []

    def read_slowly():
        time.sleep(0.2)
        while piece := os.read(read, 1 << 16):
            pieces.append(piece)

    reader = threading.Thread(target=read_slowly)
    reader.start()
    with replacing("-") as file:
        file.write(b"x" * 1_000_000)
    os.close(write)
    reader.join()
    os.close(read)
    assert len(b"".join(pieces)) == 1_000_000


def test_a_file_of_others_that_appears_is_not_replaced(tmp_path):
    path, victim = tmp_path / "o", tmp_path / "victim"
    victim.write_text("theirs")
    with all_locked([path], overwrite=False):
        path.symlink_to(victim)
        with pytest.raises(RunError, match="o was created by another program in the meantime"), replacing(path) as file:
            file.write(b"ours")
        path.unlink()
        for content in (b"first", b"second"):  # as a loss plot, which is drawn again and again
            with replacing(path) as file:
                file.write(content)
    assert (path.read_text(), victim.read_text(), sorted(os.listdir(tmp_path))) == ("second", "theirs", ["o", "victim"])
    with all_locked([path], overwrite=True), replacing(path) as file:
        file.write(b"third")
