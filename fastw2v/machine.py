"""The cores, memory and sizes of files that this process may use, in a container or under a limit too."""

import errno
import math
from contextlib import suppress
from pathlib import Path

from .system import cgroups, free_address_space, free_memory, largest_file, n_cores

_CGROUP = Path("/sys/fs/cgroup")

_MEMORY_FILES = (("memory.max", "memory.current", ""), ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_"))
"""The files of a cgroup's limit and use, and the prefix of fields in memory.stat, in versions 2 and 1 of cgroups."""


def available_threads() -> int:
    """Return how many cores this process may use: its affinity, or its container's CPU quota if that is less."""
    cores = n_cores()
    quota = _cgroup_cpus()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _cgroup_cpus() -> float | None:
    """Return the container's quota in cores, or None."""
    with suppress(OSError, ValueError):  # version 2: "quota period", quota "max" where there is no limit
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):  # version 1: -1 where there is no limit
        limit = int((_CGROUP / "cpu/cpu.cfs_quota_us").read_text())
        return limit / int((_CGROUP / "cpu/cpu.cfs_period_us").read_text()) if limit > 0 else None
    return None


def available_memory(n_unmapped: int = 0) -> tuple[int | None, str]:
    """Return the bytes that the process can still get, or None if unknown, and the name of what sets that limit.

    n_unmapped: the bytes of mapped files that will be unmapped before the memory is needed. They count as memory for
    `ulimit -v` only.
    """
    addresses = free_address_space()
    limits = {"the machine": free_memory(), "the cgroup's limit": _cgroup_memory()}
    limits["ulimit -v"] = None if addresses is None else addresses + n_unmapped
    known = [(free, limit) for limit, free in limits.items() if free is not None]
    return min(known) if known else (None, "unknown")


def failure_of(error: OSError) -> str:
    """Return why a file could not be written, and the limit of `ulimit -f` where that is the reason."""
    limit = largest_file() if error.errno == errno.EFBIG else None
    return str(error.strerror) + (
        "" if limit is None else f": ulimit -f allows {format_bytes(limit)}, raise that limit"
    )


def format_bytes(n_bytes: float) -> str:
    """Return a size as users see it: 1.5 MB, 24.6 GB."""
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.{0 if n_bytes >= 1e7 else 1}f} MB"


def _cgroup_memory() -> int | None:
    """Return what the process's cgroup and those above it leave. Cached files, which can be dropped, count as free."""
    left: list[int] = []
    for directory in _own_cgroups():
        for limit_file, usage_file, prefix in _MEMORY_FILES:
            with suppress(OSError, ValueError, IndexError):
                limit = int((directory / limit_file).read_text())  # "max" where there is none
                used = int((directory / usage_file).read_text())
                statistics = (directory / "memory.stat").read_text().splitlines()
                cached = f"{prefix}inactive_file", f"{prefix}active_file"
                cache = sum(int(line.split()[1]) for line in statistics if line.split()[0] in cached)
                left.append(max(0, limit - used + cache))
    return min(left) if left else None


def _own_cgroups() -> set[Path]:
    """Return the directories of the process's cgroups and of all cgroups above them, for both versions."""
    places = [Path(), *cgroups()]
    return {
        root / place for root in (_CGROUP, _CGROUP / "memory") for path in places for place in (path, *path.parents)
    }
