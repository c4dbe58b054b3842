"""Locks of outputs, and what killed runs leave."""

import errno
import os
import subprocess
import sys
import time

import pytest

from fastw2v import InputError, RunError, system
from fastw2v.files.locks import locked
from fastw2v.files.replace import replacing


def test_a_lock_ends_with_its_process(tmp_path):
    code = f"import os; from fastw2v.files.locks import locked\nwith locked({str(tmp_path / 'o')!r}): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert (tmp_path / ".o.fastw2v-lock").exists()
    with locked(tmp_path / "o"):
        pass
    assert not (tmp_path / ".o.fastw2v-lock").exists()


def test_leftovers_of_a_killed_run_are_removed_but_not_those_of_a_living_one(tmp_path):
    code = "import os, sys; from fastw2v.files.replace import replacing\nwith replacing(sys.argv[1]): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "o"], check=False).returncode == 9
    (tmp_path / ".o.mine.fastw2v-tmp").touch()
    assert len(list(tmp_path.glob(".o.*.fastw2v-tmp"))) == 2
    with replacing(tmp_path / "o") as file:
        with locked(tmp_path / "o"):
            assert len(list(tmp_path.glob(".o.*.fastw2v-tmp"))) == 2, "its own process has it open"
        file.write(b"whole")
    assert (tmp_path / "o").read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path)) == [".o.mine.fastw2v-tmp", "o"]


def test_without_locks_nothing_of_the_living_is_removed(tmp_path, monkeypatch):
    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(system.fcntl, "flock", no_locks)
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


def test_a_directory_is_locked(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="is being written by another run"), locked(tmp_path):
        pass


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
        assert os.listdir(tmp_path) == [".o.fastw2v-lock"]
        with pytest.raises(InputError, match="is being written by another run"), locked(tmp_path / "o"):
            pass
        with locked(tmp_path / "other"):
            pass
    assert os.listdir(tmp_path) == []


def test_a_lock_whose_file_is_removed(tmp_path):
    """It is taken again, unless another run has taken it, or written the output: that is never replaced then."""
    path, lock = tmp_path / "o", tmp_path / ".o.fastw2v-lock"

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
            RunError, match=r"o was not replaced: its lock .*\.o\.fastw2v-lock was removed, and another run may"
        ):
            write(b"3")
        assert path.read_bytes() == b"of another run"
    code = "import sys; from fastw2v.files.locks import locked\nwith locked(sys.argv[1]): print(flush=True), input()"
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


def test_traces_of_a_process_that_ends_at_once(tmp_path):
    code = "import os, sys; from fastw2v.files.locks import locked, remove_traces, temporary_directory\n"
    code += "with locked(sys.argv[1]), locked(sys.argv[2]), temporary_directory(sys.argv[3]) as directory:\n"
    code += "    open(os.path.join(directory, 'spilled'), 'w').close(); remove_traces(); os._exit(9)"
    command = [sys.executable, "-c", code, tmp_path / "a", tmp_path / "b", tmp_path]
    assert subprocess.run(command, check=False).returncode == 9
    assert os.listdir(tmp_path) == []


def test_a_lock_that_another_user_left(tmp_path, monkeypatch):
    (tmp_path / ".o.fastw2v-lock").touch()
    really_open = os.open

    def open_as_a_stranger(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return really_open(path, flags, *mode)

    monkeypatch.setattr(os, "open", open_as_a_stranger)
    with locked(tmp_path / "o"), pytest.raises(InputError, match="another run"), locked(tmp_path / "o"):
        pass


def test_a_lock_that_is_a_link(tmp_path):
    (tmp_path / ".o.fastw2v-lock").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(InputError, match=r"cannot be locked: .*: remove that file"),
        locked(tmp_path / "o"),
    ):
        pass
    assert not (tmp_path / "elsewhere").exists()
