"""What a path names."""

import os

import pytest

from fastw2v import InputError
from fastw2v.files.names import absolute_path, file_at, is_device, real_path


def test_paths_and_links(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("there")
    assert absolute_path("link") == str(tmp_path / "link")
    assert real_path("link") == os.path.realpath(tmp_path / "there")


def test_relative_paths_without_a_working_directory(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for function in (absolute_path, real_path):
        with pytest.raises(InputError, match="'a' is a relative path, but the working directory is gone: go to one"):
            function("a")
        assert function("/") == "/"


def test_what_is_written_to_directly(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    names = ("pipe", "file", "none", ".", "zero\0byte")
    assert [is_device(tmp_path / name) for name in names] == [True, False, False, False, False]


def test_which_file_stands_at_a_path(tmp_path):
    path = str(tmp_path / "a")
    assert file_at(path) is None
    (tmp_path / "a").touch()
    first = file_at(path)
    assert first is not None
    assert first == file_at(path)
    os.replace(path, tmp_path / "b")
    (tmp_path / "a").touch()
    assert file_at(path) != first
