"""Outputs that are whole or not there, locks, and what is refused before the work."""

import errno
import io
import os
import stat
import subprocess
import sys
import threading
import time

import pytest

from fastw2v import InputError, RunError, files
from fastw2v.files import (
    all_locked,
    check_no_link,
    check_output,
    check_outputs,
    check_unicode,
    check_words,
    locked,
    replacing,
)


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"import os; from fastw2v.files import locked\nwith locked({str(tmp_path / 'o')!r}): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert (tmp_path / ".o.lock").exists()
    with locked(tmp_path / "o"):
        pass
    assert not (tmp_path / ".o.lock").exists()


def test_leftovers_of_a_killed_run_are_removed_but_not_those_of_a_living_one(tmp_path):
    code = f"import os; from fastw2v.files import replacing\nwith replacing({str(tmp_path / 'o')!r}) as f: os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    (tmp_path / ".o.mine.tmp").touch()
    assert len(list(tmp_path.glob(".o.*.tmp"))) == 2
    with replacing(tmp_path / "o") as file:
        with locked(tmp_path / "o"):
            assert len(list(tmp_path.glob(".o.*.tmp"))) == 2, "its own process has it open"
        file.write(b"whole")
    assert (tmp_path / "o").read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == [".o.mine.tmp", "o"]


def test_one_name_for_two_outputs(tmp_path):
    for first, second in ((tmp_path / "a", tmp_path / "a"), ("-", "/dev/stdout"), ("/dev/fd/1", "-")):
        with pytest.raises(InputError, match="is named for two outputs"):
            check_outputs([first, None, second], [], True)


def test_without_locks_nothing_of_the_living_is_removed(tmp_path, monkeypatch):
    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    with replacing(tmp_path / "o") as file:
        with locked(tmp_path / "o"):
            pass
        file.write(b"whole")
    assert (tmp_path / "o").read_bytes() == b"whole"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    with locked(tmp_path / "o"):
        child = os.fork()
        if not child:
            time.sleep(1)
            os._exit(0)
    with locked(tmp_path / "o"):
        pass
    os.waitpid(child, 0)


def test_long_names_have_locks_of_their_own(tmp_path):
    with locked(tmp_path / ("a" * 200)), locked(tmp_path / ("a" * 200 + "b")):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "an output has an empty name: name a file, or - for stdout"),
        ("none/o", "output directory .*none does not exist: create it first"),
        ("directory", "output .*directory is a directory: name a file in it"),
        ("input", "is the same file as the input .*input: choose another name"),
        ("link to input", "is the same file as the input"),
        ("hard link to input", "is the same file as the input"),
        ("old", "exists: give --overwrite"),
        ("x" * 300, "cannot be written in its directory: File name too long"),
    ],
)
def test_outputs_that_are_refused(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    (tmp_path / "input").write_text("text")
    (tmp_path / "old").write_text("old")
    (tmp_path / "link to input").symlink_to("input")
    os.link(tmp_path / "input", tmp_path / "hard link to input")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(InputError, match=message):
        check_output(name, ["missing", "input"], overwrite=False)
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "input").read_text() == "text"


def test_outputs_that_are_accepted(tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "dangling").symlink_to("new")
    os.mkfifo(tmp_path / "pipe")
    for name in ("old", "new", "dangling", "pipe", "y" * 250):
        check_output(tmp_path / name, [tmp_path / "input"])
    check_output("/dev/null", overwrite=False)
    check_output("-", overwrite=False)
    assert sorted(os.listdir(tmp_path)) == ["dangling", "old", "pipe"], "the files that were tried are gone"
    assert (tmp_path / "old").read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_write_permission(tmp_path):
    (tmp_path / "d").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written in its directory: Permission denied"):
        check_output(tmp_path / "d" / "o")


def test_files_that_cannot_be_replaced_are_refused_at_once(tmp_path, monkeypatch):
    path = tmp_path / "old"
    path.touch()
    check_output(path)
    tmp_path.chmod(0o1777)
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(InputError, match="is another user's, in a directory where only owners"):
        check_output(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid)
    check_output(path)

    def refuse(number):
        def fail(*_):
            raise OSError(number, os.strerror(number))

        return fail

    with monkeypatch.context() as patched:
        patched.setattr(
            files, "open", lambda *_, **__: io.BytesIO(b"1 2 3 / %s/a\\040b rw - x\n" % bytes(tmp_path)), raising=False
        )
        path.rename(tmp_path / "a b")
        with pytest.raises(InputError, match="is a mount point, which cannot be replaced: mount its directory"):
            check_output(tmp_path / "a b")
        (tmp_path / "a b").rename(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse(errno.ETXTBSY))  # a program that runs can be replaced
        files._check_replaceable("old", str(path))
        patched.setattr(os, "open", refuse(errno.EPERM))
        with pytest.raises(InputError, match=r"is immutable \(chattr\): choose another name"):
            files._check_replaceable("old", str(path))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_group_of_the_old_file_is_kept(tmp_path):
    path = tmp_path / "old"
    path.touch()
    os.chown(path, -1, 4321)
    with replacing(path):
        pass
    assert path.stat().st_gid == 4321


def test_stdin_among_the_inputs(tmp_path):
    (tmp_path / "input").write_text("text")
    code = "import sys; from fastw2v.files import check_output; check_output(sys.argv[1], ['-'])"
    with open(tmp_path / "input") as file:
        command = [sys.executable, "-c", code, tmp_path / "input"]
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    assert "is the same file as the input -" in done.stderr


def test_a_stream_that_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    check_output("/dev/stderr")
    with pytest.raises(InputError, match="output - is closed: name a file, or leave the stream open"):
        check_output("-")


def test_each_of_several_outputs_is_checked(tmp_path):
    (tmp_path / "a").touch()
    check_outputs([tmp_path / "a", None], [], True)
    with pytest.raises(InputError, match="exists"):
        check_outputs([None, tmp_path / "b", tmp_path / "a"], [], False)
    (tmp_path / "link").symlink_to("a")
    with pytest.raises(InputError, match="link is named for two outputs"):
        check_outputs([tmp_path / "a", tmp_path / "link"], [], True)


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
    (tmp_path / ".o.previous.tmp").write_bytes(b"of a killed run")
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


def test_no_link(tmp_path):
    check_no_link(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="link is a symbolic link"):
        check_no_link(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a pipe or device, and a checkpoint must be a regular file"):
        check_no_link(tmp_path / "pipe")
    check_no_link(tmp_path)  # a directory does no harm


def test_a_directory_is_locked(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="is being written by another run"), locked(tmp_path):
        pass


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
    with replacing(tmp_path / "pipe") as file:
        os.close(reader)
        file.write(b"nobody reads this")  # no error


def test_streams_and_devices_are_not_locked(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("-", "/dev/null", tmp_path / "pipe"):
        with locked(path), locked(path):
            pass
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_lock_that_cannot_be_made(tmp_path):
    with (
        pytest.raises(InputError, match="output .*none/o cannot be locked: .*No such file"),
        locked(tmp_path / "none/o"),
    ):
        pass


def test_two_locks_on_one_output(tmp_path):
    with locked(tmp_path / "o"):
        assert os.listdir(tmp_path) == [".o.lock"]
        with pytest.raises(InputError, match="is being written by another run"), locked(tmp_path / "o"):
            pass
        with locked(tmp_path / "other"):
            pass
    assert os.listdir(tmp_path) == []


def test_a_lock_whose_file_is_removed(tmp_path):
    """It is taken again, unless another run has taken it, or written the output: that is never replaced then."""
    path, lock = tmp_path / "o", tmp_path / ".o.lock"

    def write(content):
        with replacing(path) as file:
            file.write(content)

    with locked(path):
        write(b"1")
        lock.unlink()
        write(b"2")
        with pytest.raises(InputError, match="is being written by another run"), locked(path):
            pass
        lock.unlink()
        path.write_bytes(b"of another run")
        with pytest.raises(
            RunError, match=r"o was not replaced: its lock .*\.o\.lock was removed, and another run may"
        ):
            write(b"3")
        assert path.read_bytes() == b"of another run"
    code = "import sys; from fastw2v.files import locked\nwith locked(sys.argv[1]): print(flush=True), input()"
    with locked(path):
        lock.unlink()
        other = subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        other.stdout.readline()
        with pytest.raises(RunError, match="was not replaced"):
            write(b"4")
    assert lock.exists(), "it is the other one's"
    with other:
        other.communicate(b"\n")
    assert os.listdir(tmp_path) == ["o"]


@pytest.mark.skipif(not hasattr(os, "set_blocking"), reason="needs descriptors that do not block")
def test_a_stream_that_does_not_block(monkeypatch):
    """Its reader is waited for."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    monkeypatch.setitem(files.STANDARD_STREAMS, "-", write)
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


def test_traces_of_a_process_that_ends_at_once(tmp_path):
    code = "import os, sys; from fastw2v.files import locked, remove_traces, temporary_directory\n"
    code += "with locked(sys.argv[1]), locked(sys.argv[2]), temporary_directory(sys.argv[3]) as directory:\n"
    code += "    open(os.path.join(directory, 'spilled'), 'w').close(); remove_traces(); os._exit(9)"
    command = [sys.executable, "-c", code, tmp_path / "a", tmp_path / "b", tmp_path]
    assert subprocess.run(command, check=False).returncode == 9
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("word", ["", "two words", "line\n", "nb\u00a0sp", "tab\t"])
def test_words_that_no_text_can_hold(word):
    check_words(["a", "é"], "word2vec")
    with pytest.raises(InputError, match="is empty or holds white space, so no word2vec file can hold it: rename"):
        check_words(["a", word], "word2vec")


def test_words_that_are_no_unicode():
    check_unicode(["\U0001f600", "", "two words"])
    for check in (check_unicode, lambda words: check_words(words, "text")):
        with pytest.raises(InputError, match="is not valid Unicode, so no file can hold it: rename it"):
            check(["a", "\udcff"])


def test_a_lock_that_another_user_left(tmp_path, monkeypatch):
    (tmp_path / ".o.lock").touch()
    really_open = os.open

    def open_as_a_stranger(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_as_a_stranger)
    with locked(tmp_path / "o"), pytest.raises(InputError, match="another run"), locked(tmp_path / "o"):
        pass


def test_a_lock_that_is_a_link(tmp_path):
    (tmp_path / ".o.lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(InputError, match=r"cannot be locked: .*: remove that file"),
        locked(tmp_path / "o"),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_of_others_that_appears_is_not_replaced(tmp_path):
    path, victim = tmp_path / "o", tmp_path / "victim"
    victim.write_text("theirs")
    with all_locked([path], overwrite=False):
        path.symlink_to(victim)
        with pytest.raises(RunError, match="o was made by someone else meanwhile"), replacing(path) as file:
            file.write(b"ours")
        path.unlink()
        for content in (b"first", b"second"):  # as a loss plot, which is drawn again and again
            with replacing(path) as file:
                file.write(content)
    assert (path.read_text(), victim.read_text(), sorted(os.listdir(tmp_path))) == ("second", "theirs", ["o", "victim"])
    with all_locked([path], overwrite=True), replacing(path) as file:
        file.write(b"third")
