"""What this machine gives the process."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_threads() -> int:
    """Cores this process may use: its affinity, or its container's CPU quota if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_cpus()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _cgroup_cpus() -> float | None:
    try:  # version 2: "quota period", quota "max" where there is no limit
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:  # version 1: -1 where there is no limit
        limit = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        return limit / int((_CGROUP / "cpu/cpu.cfs_period_us").read_text()) if limit > 0 else None
    except (OSError, ValueError):
        return None


def available_memory() -> tuple[int | None, str]:
    """Bytes that the process can still get, None if unknown, and what sets that: the machine, a cgroup, a limit."""
    found = [
        (free, limit) for free, limit in (_machines_memory(), _cgroups_memory(), _address_space()) if free is not None
    ]
    return min(found) if found else (None, "unknown")


def _machines_memory() -> tuple[int | None, str]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return 1024 * fields["MemAvailable"], "the machine"
    except (OSError, KeyError, ValueError, IndexError):
        return None, ""


def _cgroups_memory() -> tuple[int | None, str]:
    """The least of what is left in the process's cgroup and those above it; file pages that can go count as free."""
    left: list[int] = []
    for directory in _own_cgroups():
        for limit_file, used_file, prefix in (
            ("memory.max", "memory.current", ""),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
        ):
            try:
                limit = int((directory / limit_file).read_text())  # "max" is none
                used = int((directory / used_file).read_text())
                statistics = (directory / "memory.stat").read_text().splitlines()
                cached = {f"{prefix}inactive_file", f"{prefix}active_file"}
                cache = sum(int(line.split()[1]) for line in statistics if line.split()[0] in cached)
                left.append(max(0, limit - used + cache))
            except (OSError, ValueError, IndexError):
                continue
    return (min(left), "the cgroup's limit") if left else (None, "")


def _own_cgroups() -> list[Path]:
    roots = [_CGROUP, _CGROUP / "memory"]
    try:
        names = {line.split(":")[2].strip("/") for line in Path("/proc/self/cgroup").read_text().splitlines()}
    except (OSError, IndexError):
        names = set()
    found = list(roots)
    for root in roots:
        for name in names:
            directory = root / name
            while directory != root and root in directory.parents:
                found.append(directory)
                directory = directory.parent
    return found


def _address_space() -> tuple[int | None, str]:
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError, IndexError):
        return None, ""
    return (None, "") if limit == resource.RLIM_INFINITY else (max(0, limit - used), "ulimit -v")


def format_bytes(n_bytes: float) -> str:
    """A size in words: 1.5 MB, 24.6 GB."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.{0 if n_bytes >= 1e7 else 1}f} MB"
