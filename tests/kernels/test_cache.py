"""Kernels on disk: kept, loaded, compiled again when damaged or a stranger's, and only a warning if not kept."""

import errno
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

import numba
import pytest
from numba.core import config

from fastw2v.kernels import cache
from fastw2v.kernels.cache import CheckedFiles
from fastw2v.kernels.jit import kernel


def plus_one(x):
    return x + 1


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    """Where these tests keep compiled functions; the warning is told again."""
    monkeypatch.setattr(cache, "CACHE_DIRECTORY", tmp_path / "cache")
    monkeypatch.setattr(cache, "_warned_of", [])
    return tmp_path / "cache"


def is_hit(function=plus_one):
    """Call the function as a new process does: whether it was loaded."""
    compiled = kernel(function)
    assert compiled(1) == 2
    (hits, misses) = (sum(n.values()) for n in (compiled.stats.cache_hits, compiled.stats.cache_misses))
    assert hits + misses == 1
    return hits == 1


def files_of(directory):
    return [path for path in directory.rglob("*") if not path.is_dir()]


def test_what_is_compiled_is_kept_and_loaded(directory):
    assert cache.missing_kernels(["test_cache.plus_one"]) == ["test_cache.plus_one"]
    assert [is_hit(), is_hit(), is_hit()] == [False, True, True]
    (path,) = files_of(directory)
    assert path.name.startswith("test_cache.plus_one")
    assert cache.missing_kernels(["test_cache.plus_one", "test_cache.plus"]) == ["test_cache.plus"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask(), "others may read what an administrator has compiled"


def test_what_another_process_compiles_is_waited_for(directory, monkeypatch):
    is_hit()
    (path,) = files_of(directory)
    content = path.read_bytes()
    path.unlink()
    answers = [True, True, True, False]

    def is_working():
        if len(answers) == 2:
            path.write_bytes(content)
        return answers.pop(0)

    monkeypatch.setitem(cache.AWAITED, "test_cache.plus_one", is_working)
    assert is_hit()
    assert len(answers) == 1, "not asked again once the kernel is there"
    path.unlink()
    assert not is_hit(), "the process ended without it"
    assert answers == []


def umask():
    os.umask(now := os.umask(0))
    return now


def test_users_keep_their_directory(directory):
    users_directory = config.CACHE_DIR
    is_hit()
    assert users_directory == config.CACHE_DIR


def flipped(data):
    place = random.Random(len(data)).randrange(len(data))
    return data[:place] + bytes([data[place] ^ 16]) + data[place + 1 :]


DAMAGES = {
    "empty": lambda data: b"",
    "halved": lambda data: data[: len(data) // 2],
    "zeroed": lambda data: bytes(len(data)),
    "flipped": flipped,
    "digest flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "garbage": lambda data: random.Random(0).randbytes(len(data)),
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_and_written_again(directory, damage):
    is_hit()
    (path,) = files_of(directory)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[damage](whole))
    assert [is_hit(), is_hit()] == [False, True]
    assert files_of(directory) == [path]


def make_huge(path):
    os.truncate(path, 1 << 40)


def make_pipe(path):
    path.unlink()
    os.mkfifo(path)


def make_dangling(path):
    path.unlink()
    path.symlink_to(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("change", [make_huge, make_pipe, make_dangling])
def test_what_is_no_file_of_ours_is_replaced(directory, change):
    is_hit()
    (path,) = files_of(directory)
    change(path)
    assert [is_hit(), is_hit()] == [False, True]


def test_a_directory_in_the_place_of_a_file_is_a_warning(directory):
    is_hit()
    (path,) = files_of(directory)
    path.unlink()
    path.mkdir()
    with pytest.warns(RuntimeWarning, match=r"cannot keep compiled kernels in .* \(Is a directory\)"):
        assert not is_hit()
    assert files_of(directory) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_an_error_on_saving_is_one_warning(directory, monkeypatch, call, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.warns(RuntimeWarning, match=rf"\({os.strerror(number)}\).* Set NUMBA_CACHE_DIR") as caught:
        assert [is_hit(), is_hit()] == [False, False]
    assert len(caught) == 1
    assert str(directory) in str(caught[0].message)
    assert files_of(directory) == []


def test_an_error_on_saving_leaves_what_was_there(tmp_path, monkeypatch):
    files = CheckedFiles(tmp_path, "f", "about", pickle.dumps)
    files.save("key", 1)
    monkeypatch.delattr(os, "fsync")  # the last step but one
    with pytest.raises(AttributeError):
        files.save("key", 2)
    assert files.load("key") == 1
    assert len(files_of(tmp_path)) == 1


def test_a_directory_that_vanishes_is_made_again(directory):
    is_hit()
    compiled = kernel(lambda x: x + 1)
    shutil.rmtree(directory)
    assert compiled(1) == 2
    assert files_of(directory) != []


def test_kernels_of_other_versions_are_removed_when_they_are_not_used(tmp_path, monkeypatch):
    places = {name: tmp_path / name for name in ("0123456789abcdef", "fedcba9876543210", "0" * 16, "kept by a user")}
    for number, place in enumerate(places.values()):
        place.mkdir()
        (place / "kernel.nbc").write_text("")
        long_ago = time.time() - (40 if number != 1 else 20) * 24 * 3600
        os.utime(place / "kernel.nbc", (0, long_ago))
        os.utime(place, (0, long_ago))
    monkeypatch.setattr(cache, "CACHE_DIRECTORY", places["0" * 16])
    assert [is_hit(), is_hit()] == [False, True]
    assert sorted(place.name for place in tmp_path.iterdir()) == ["0" * 16, "fedcba9876543210", "kept by a user"]
    os.utime(places["0" * 16], (0, 0))
    assert is_hit()
    assert places["0" * 16].stat().st_mtime > time.time() - 60, "it is in use"


def test_no_file_of_others_is_removed(tmp_path, monkeypatch):
    for place, name in ("a" * 16, "photo.jpg"), ("b" * 16, "new.nbc"), ("elsewhere", "kernel.nbc"):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_text("")
        os.utime(tmp_path / place / name, (0, time.time() if name == "new.nbc" else 0))
        os.utime(tmp_path / place, (0, 0))
    (tmp_path / ("c" * 16)).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path)
    before = {path for path in files_of(tmp_path) if "link" not in path.parts}
    for cached in tmp_path / ("0" * 16), tmp_path / "link" / ("1" * 16):
        monkeypatch.setattr(cache, "CACHE_DIRECTORY", cached)
        assert not is_hit()
    assert before <= set(files_of(tmp_path))


def test_other_installations_use_the_same_kernels(tmp_path):
    """The package twice, in other directories: the second one loads what the first one has compiled."""
    code = (
        "import fastw2v.kernels.random as r, numpy as np; r.fill_uniform(np.zeros((1, 16), np.float32), 0, 1, 1.0, 1)"
    )
    code += "; print(dict(r.fill_uniform.stats.cache_hits), r.__file__)"
    found = []
    for name in ("a", "b"):
        shutil.copytree(
            Path(cache.__file__).parent.parent, tmp_path / name / "fastw2v", ignore=shutil.ignore_patterns("*.pyc")
        )
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / name), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", code], check=False, env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert str(tmp_path / name) in done.stdout, done.stderr
        found.append(done.stdout.startswith("{}"))
    assert found == [True, False]


needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
NOBODY = 65534


def hit_and_warnings_as_nobody(directory, source):
    """Call the function as a process that may not write `directory`: whether it was loaded, and the warnings."""
    os.chmod(directory, 0o755)
    numba.njit(plus_one)(1)  # imports what compiling takes: the user may not be able to read it
    reads, writes = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.chdir(directory)  # what is above cannot be reached by this user
            os.setuid(NOBODY)
            cache.CACHE_DIRECTORY = cache.Path("cache")
            with warnings.catch_warnings(record=True, action="always") as caught:
                answer = is_hit(function_of(source)), [str(each.message) for each in caught]
            os.write(writes, repr(answer).encode())
        finally:
            os._exit(0)
    os.close(writes)
    os.waitpid(child, 0)
    with open(reads) as file:
        return eval(file.read())


def function_of(source):
    """The function of a source file in the present directory, which is the module `f`."""
    sys.modules["f"] = module = types.ModuleType("f")
    exec(compile(cache.Path(source).read_text(), source, "exec"), vars(module))
    return module.plus_one


@needs_root
def test_what_is_kept_is_read_by_a_user_who_cannot_write_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "f", None)  # removes what `function_of` leaves there
    (tmp_path / "f.py").write_text("def plus_one(x):\n    return x + 1\n")
    hit, (warning,) = hit_and_warnings_as_nobody(tmp_path, "f.py")
    assert not hit
    assert "cannot keep compiled kernels in cache (Permission denied)" in warning
    assert [is_hit(function_of("f.py")), is_hit(function_of("f.py"))] == [False, True]
    assert hit_and_warnings_as_nobody(tmp_path, "f.py") == (True, [])


@needs_root
def test_what_a_stranger_has_left_is_not_run_but_compiled_again(directory, monkeypatch):
    is_hit()
    (path,) = files_of(directory)
    os.chown(path, NOBODY, -1)
    assert [is_hit(), is_hit()] == [False, True]
    assert path.stat().st_uid == 0
    os.chown(path, NOBODY, -1)
    os.chown(directory, NOBODY, -1)
    monkeypatch.setattr(config, "CACHE_DIR", str(directory))
    assert is_hit(), "who names a directory trusts its owner"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no numbers of users")
def test_whose_code_is_run(tmp_path, monkeypatch):
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(config, "CACHE_DIR", "")
    assert [cache._is_trusted(user) for user in (0, 1234, 1235, owner)] == [True, True, False, owner == 0]
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    assert [cache._is_trusted(user) for user in (0, 1234, 1235, owner)] == [True, True, False, True]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="needs links")
def test_a_link_to_a_file_of_the_user_is_not_followed(directory):
    is_hit()
    (path,) = files_of(directory)
    path.rename(directory / "download")
    path.symlink_to(directory / "download")
    assert [is_hit(), is_hit()] == [False, True]
    assert not path.is_symlink()


def test_a_file_in_the_place_of_a_directory_is_a_warning(directory):
    directory.write_text("")
    with pytest.warns(RuntimeWarning, match="cannot keep compiled kernels in") as caught:
        assert [is_hit(), is_hit()] == [False, False]
    assert len(caught) == 1


def test_no_place_for_numba_is_a_warning(directory):
    class Compiled:
        def enable_caching(self):
            raise RuntimeError("no locator available")

    with pytest.warns(RuntimeWarning, match="no locator available"):
        cache.keep_on_disk(Compiled())


def test_another_numba_keeps_its_own_cache():
    class Compiled:
        _cache = "with other names inside"

        def enable_caching(self):
            self.directory = config.CACHE_DIR

    compiled = Compiled()
    cache.keep_on_disk(compiled)
    assert compiled._cache == "with other names inside"
    assert compiled.directory == str(cache.CACHE_DIRECTORY)


def test_every_flipped_bit_is_found(tmp_path):
    files = CheckedFiles(tmp_path, "f", "about", pickle.dumps)
    files.save("key", list(range(20)))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert files.load("key") is None, bit
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert files.load("key") is None, length


def test_a_file_fits_one_key_of_one_version(tmp_path):
    files = CheckedFiles(tmp_path, "f", ("0.68", "source"), pickle.dumps)
    files.save("key", 1)
    files.save("other", 2)
    assert (files.load("key"), files.load("other")) == (1, 2)
    first, second = tmp_path.iterdir()
    second.write_bytes(first.read_bytes())
    assert [files.load("key"), files.load("other")].count(None) == 1
    files.save("key", 1)
    files.save("other", 2)
    newer = CheckedFiles(tmp_path, "f", ("0.69", "source"), pickle.dumps)
    assert newer.load("key") is None
    newer.save("key", 3)
    assert (newer.load("key"), files.load("key")) == (3, None)
    assert len(list(tmp_path.iterdir())) == 2
    newer.flush()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_without_a_directory(monkeypatch):
    monkeypatch.setattr(cache, "CACHE_DIRECTORY", None)
    assert cache.missing_kernels(["test_cache.plus_one"])
    with warnings.catch_warnings(record=True) as caught:
        assert kernel(plus_one)(1) == 2
    assert caught == []
