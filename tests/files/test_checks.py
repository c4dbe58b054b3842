"""What is refused before the work."""

import errno
import io
import os
import subprocess
import sys

import pytest

from fastw2v import InputError, system
from fastw2v.files import checks
from fastw2v.files.checks import check_no_link, check_output, check_outputs, check_unicode, check_words


def test_one_name_for_two_outputs(tmp_path):
    for first, second in ((tmp_path / "a", tmp_path / "a"), ("-", "/dev/stdout"), ("/dev/fd/1", "-")):
        with pytest.raises(InputError, match="is given as two outputs"):
            check_outputs([first, None, second], [], True)


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
    read, write = os.pipe()
    check_output(f"/dev/fd/{write}")  # as `>(command)` of bash names it
    os.close(read)
    os.close(write)
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
            system, "open", lambda *_, **__: io.BytesIO(b"1 2 3 / %s/a\\040b rw - x\n" % bytes(tmp_path)), raising=False
        )
        path.rename(tmp_path / "a b")
        with pytest.raises(InputError, match="is a mount point, which cannot be replaced: mount its directory"):
            check_output(tmp_path / "a b")
        (tmp_path / "a b").rename(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse(errno.ETXTBSY))  # a program that runs can be replaced
        checks._check_replaceable("old", str(path))
        patched.setattr(os, "open", refuse(errno.EPERM))
        with pytest.raises(InputError, match=r"is immutable \(chattr\): choose another name"):
            checks._check_replaceable("old", str(path))


def test_stdin_among_the_inputs(tmp_path):
    (tmp_path / "input").write_text("text")
    code = "import sys; from fastw2v.files.checks import check_output; check_output(sys.argv[1], ['-'])"
    with open(tmp_path / "input") as file:
        command = [sys.executable, "-c", code, tmp_path / "input"]
        done = subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)
    assert "is the same file as the input -" in done.stderr


def test_stdout_that_is_appended_to_an_input(tmp_path):
    (tmp_path / "input").write_text("text")
    code = "import sys; from fastw2v.files.checks import check_output; check_output('-', [sys.argv[1]])"
    command = [sys.executable, "-c", code, tmp_path / "input"]
    with open(tmp_path / "input", "a") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    assert f"output - is the same file as the input {tmp_path}/input" in done.stderr
    with open(tmp_path / "other", "a") as file:
        assert subprocess.run(command, stdout=file, check=False).returncode == 0


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
    with pytest.raises(InputError, match="link is given as two outputs"):
        check_outputs([tmp_path / "a", tmp_path / "link"], [], True)


def test_no_link(tmp_path):
    check_no_link(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="link is a symbolic link"):
        check_no_link(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe is a pipe or device, and a checkpoint must be a regular file"):
        check_no_link(tmp_path / "pipe")
    check_no_link(tmp_path)  # a directory does no harm


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
