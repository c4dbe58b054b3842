"""What the process may use: cores and memory, under cgroups of both versions and ulimit."""

import os
import shlex
import subprocess
import sys

import pytest

from fastw2v import machine


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """A function that writes the files of a cgroup, on a machine with 64 cores and without any other cgroup."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("DOT", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    return write


@pytest.mark.parametrize(
    ("quota", "expected"), [("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000\n", 1), ("max 100000\n", 64)]
)
def test_threads_under_a_quota_of_version_2(cgroup, quota, expected):
    cgroup(cpuDOTmax=quota)
    assert machine.available_threads() == expected


@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("-1", 64), ("10000000", 64), ("nonsense", 64)])
def test_threads_under_a_quota_of_version_1(cgroup, quota, expected):
    cgroup(cpu__cpuDOTcfs_quota_us=f"{quota}\n", cpu__cpuDOTcfs_period_us="100000\n")
    assert machine.available_threads() == expected


def test_threads_without_a_quota(cgroup, monkeypatch):
    assert machine.available_threads() == 64
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5})
    assert machine.available_threads() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert machine.available_threads() == 7


def test_available_memory(tmp_path, monkeypatch):
    free, _ = machine.available_memory()
    assert free is None or free > 1e6
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_own_cgroups", lambda: [tmp_path])
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 300000\nactive_file 100000\n")
    assert machine.available_memory() == (900_000, "the cgroup's limit")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory()[1] != "the cgroup's limit"


def test_memory_under_version_1(cgroup):
    statistics = "inactive_file 1\ntotal_inactive_file 30\ntotal_active_file 10\n"
    cgroup(
        memory__memoryDOTlimit_in_bytes="3000\n",
        memory__memoryDOTusage_in_bytes="2500\n",
        memory__memoryDOTstat=statistics,
    )
    assert machine.available_memory() == (540, "the cgroup's limit")
    cgroup(memory__memoryDOTusage_in_bytes="9000\n")
    assert machine.available_memory() == (0, "the cgroup's limit")


def test_the_least_of_all_cgroups_above_the_process_counts(tmp_path, monkeypatch):
    directories = [tmp_path, tmp_path / "outer", tmp_path / "outer" / "inner"]
    monkeypatch.setattr(machine, "_own_cgroups", lambda: directories)
    directories[2].mkdir(parents=True)
    for directory, limit in zip(directories, (5000, 1000, 3000), strict=True):
        (directory / "memory.max").write_text(f"{limit}\n")
        (directory / "memory.current").write_text("100\n")
        (directory / "memory.stat").write_text("anon 1\n")
    assert machine.available_memory() == (900, "the cgroup's limit")


def test_own_cgroups_are_those_of_the_process_and_above(monkeypatch):
    lists = {"/proc/self/cgroup": "0::/outer/inner\n1:memory:/v1\n2:cpu:/../escape\n"}
    monkeypatch.setattr(machine.Path, "read_text", lambda path: lists[str(path)])
    got = {str(directory.relative_to("/sys/fs/cgroup")) for directory in machine._own_cgroups()}
    assert {".", "memory", "outer", "outer/inner", "v1", "memory/outer", "memory/outer/inner", "memory/v1"} <= got


def test_memory_of_the_machine(monkeypatch):
    monkeypatch.setattr(machine, "_cgroup_memory", lambda: None)
    monkeypatch.setattr(machine, "free_address_space", lambda: None)
    files = {"/proc/meminfo": "MemTotal:       2000 kB\nMemAvailable:   1000 kB\n"}
    monkeypatch.setattr(machine.Path, "read_text", lambda path: files[str(path)])
    assert machine.available_memory() == (1_024_000, "the machine")
    files["/proc/meminfo"] = "MemTotal: 2000 kB\n"
    assert machine.available_memory() == (None, "unknown")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_under_ulimit():
    code = "from fastw2v.machine import available_memory as f; print(*f(), *f(1000))"
    command = f"ulimit -v 200000; {sys.executable} -c {shlex.quote(code)}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    free, limit, more_free, _ = done.stdout.replace("ulimit -v", "ulimit").split()
    assert limit == "ulimit"
    assert 0 < int(free) < 200_000 * 1024
    assert int(more_free) == int(free) + 1000, "a mapped file that will be unmapped"


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [
        (0, "0.0 MB"),
        (1_540_000, "1.5 MB"),
        (9_900_000, "9.9 MB"),
        (10_400_000, "10 MB"),
        (999_000_000, "999 MB"),
        (1e9, "1.0 GB"),
        (24.6e9, "24.6 GB"),
        (1234.5e9, "1,234.5 GB"),
    ],
)
def test_sizes_in_words(n_bytes, expected):
    assert machine.format_bytes(n_bytes) == expected
