"""What differs between systems: each branch, forced on this one, also where Python lacks whole modules."""

import importlib.util
import mmap
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fastw2v import system

PACKAGE = Path(system.__file__).parent

POSIX_ONLY = {
    os: ["O_NOFOLLOW", "O_NONBLOCK", "geteuid", "chown", "get_blocking", "register_at_fork", "sched_getaffinity"],
    signal: ["SIGHUP", "SIGXCPU", "pthread_sigmask"],
    select: ["poll"],
    mmap: ["MADV_DONTNEED"],
}
"""What Python has not on Windows, by module."""


@pytest.fixture
def windows(monkeypatch):
    """The module as Windows would load it."""
    for module, names in POSIX_ONLY.items():
        for name in names:
            monkeypatch.delattr(module, name, raising=False)
    for name in ("fcntl", "resource"):
        monkeypatch.setitem(sys.modules, name, None)  # whose import fails
    monkeypatch.setattr(sys, "platform", "win32")
    spec = importlib.util.spec_from_file_location("system_of_windows", system.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_other_module_asks_for_the_system():
    asks = r"(has|get)attr\((os|signal|select|mmap)\b|sys\.platform|/proc\b|import (fcntl|resource)$|os\.name"
    pattern = re.compile(asks, re.MULTILINE)
    found = [
        path.name for path in PACKAGE.rglob("*.py") if path.name != "system.py" and pattern.search(path.read_text())
    ]
    assert not found


def test_windows(windows, tmp_path, monkeypatch):
    assert windows.HANGUP is windows.CPU_LIMIT is None
    assert windows.NO_LINK == windows.NO_WAIT == 0
    assert not windows.HAS_POLL
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert windows.n_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert windows.n_cores() == 1
    assert windows.largest_file() is windows.free_address_space() is windows.user_number() is None
    assert windows.ending_signals() == [signal.SIGINT, signal.SIGTERM]
    (tmp_path / "a").write_bytes(b"some text")
    windows.set_group(str(tmp_path / "a"), 0)
    windows.at_fork(before=pytest.fail)
    with windows.hangup_blocked():
        pass
    with open(tmp_path / "a", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        assert windows.lock_file(file.fileno()) is None
        assert windows.is_blocking(file.fileno())
        windows.free_pages(memory)
        assert memory[:] == b"some text"


def test_caches_of_each_system(windows, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("LOCALAPPDATA", r"C:\Users\me\AppData\Local")
    assert windows.user_cache() == Path(r"C:\Users\me\AppData\Local")
    monkeypatch.delenv("LOCALAPPDATA")
    assert windows.user_cache() == tmp_path
    monkeypatch.setattr(sys, "platform", "darwin")
    assert system.user_cache() == tmp_path / "Library" / "Caches"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert system.user_cache() == tmp_path / ".cache"
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert system.user_cache() == Path("/caches")


def test_a_system_without_proc(monkeypatch):
    def refuse(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(system, "open", refuse, raising=False)
    assert system.free_memory() is None
    assert system.cgroups() == []
    assert system.mounts() == set()


needs_limits = pytest.mark.skipif(system.resource is None, reason="Windows has no limits")


@needs_limits
def test_limits(monkeypatch):
    resource, limits = system.resource, {}
    unlimited = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limits.get(which, unlimited), unlimited))
    assert system.largest_file() is system.free_address_space() is None
    limits |= {resource.RLIMIT_FSIZE: 4096, resource.RLIMIT_AS: 1 << 50}
    assert system.largest_file() == 4096
    monkeypatch.setattr(Path, "read_text", lambda path: {"/proc/self/statm": "100 1\n"}[str(path)])
    assert system.free_address_space() == (1 << 50) - 100 * os.sysconf("SC_PAGE_SIZE")
    limits[resource.RLIMIT_AS] = 1
    assert system.free_address_space() == 0
    monkeypatch.setattr(Path, "read_text", lambda path: "nonsense")
    assert system.free_address_space() is None


def test_proc_of_linux(monkeypatch):
    files = {"/proc/meminfo": "MemTotal: 9 kB\nMemAvailable: 2 kB\n", "/proc/self/cgroup": "0::/a/b\n1:memory:/c\n"}
    monkeypatch.setattr(Path, "read_text", lambda path: files[str(path)])
    assert system.free_memory() == 2048
    assert system.cgroups() == [Path("a/b"), Path("c")]


@pytest.mark.skipif(system.fcntl is None, reason="needs flock")
def test_locks(tmp_path, monkeypatch):
    with open(tmp_path / "a", "w") as first, open(tmp_path / "a") as second:
        assert system.lock_file(first.fileno()) is True
        assert system.lock_file(second.fileno()) is False

    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr(system.fcntl, "flock", refuse)
    assert system.lock_file(0) is None


def test_directories_that_cannot_be_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    system.sync_directory(str(tmp_path))
    assert len(synced) == (sys.platform != "win32")
    system.sync_directory(str(tmp_path / "missing"))

    def refuse(descriptor):
        raise OSError("not of this file system")

    monkeypatch.setattr(os, "fsync", refuse)
    system.sync_directory(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "chown"), reason="needs groups")
def test_groups(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "chown", lambda *arguments: given.append(arguments))
    system.set_group("a", 5)
    assert given == [("a", -1, 5)]

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    system.set_group("a", 5)


@pytest.mark.skipif(not system.HAS_POLL, reason="needs poll")
def test_pipes():
    reader, writer = os.pipe()
    assert system.is_writable(writer, 0)
    assert system.is_blocking(writer)
    os.set_blocking(writer, False)
    assert not system.is_blocking(writer)
    while system.is_writable(writer, 0):
        os.write(writer, bytes(4096))
    os.close(reader)
    assert system.is_writable(writer, 0), "a write would fail at once"
    os.close(writer)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_functions_are_called_at_a_fork():
    code = """if True:
        import os
        from fastw2v.system import at_fork
        at_fork(before=lambda: print("before", flush=True), after_in_child=lambda: print("child", flush=True))
        at_fork(after_in_parent=lambda: print("parent", flush=True))
        if not os.fork():
            os._exit(0)
        os.wait()
    """
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert sorted(got.split()) == ["before", "child", "parent"]
    assert got.split()[0] == "before"


@pytest.mark.skipif(system.HANGUP is None, reason="needs SIGHUP")
def test_processes_are_started_without_hangups():
    code = "import signal; print(signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with system.hangup_blocked():
        inside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    outside = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert (inside, outside) == ("True\n", "False\n")
    assert system.ending_signals() == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU]
