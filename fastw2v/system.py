"""What differs between operating systems, and what is done where something is missing.

No other module asks which system this is, or whether Python has a certain function. Linux has all of this; macOS lacks
/proc and CPU affinity; Windows lacks locks on files, limits, forks, SIGHUP, `poll` and the numbers of users.
"""

import contextlib
import mmap
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
    import resource
except ImportError:  # on Windows
    fcntl = resource = None  # type: ignore[assignment]

HANGUP = getattr(signal, "SIGHUP", None)
"""What a terminal sends when it is closed, or the ssh connection behind it. None on Windows."""

CPU_LIMIT = getattr(signal, "SIGXCPU", None)
"""What the system sends each second once a process has used its CPU time, up to the hard limit, where it kills it. None
on Windows."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""The flag with which a file is not opened through a symbolic link; 0 where there is none."""

NO_WAIT = getattr(os, "O_NONBLOCK", 0)
"""The flag with which opening a pipe does not wait for its other end; 0 where there is none."""

HAS_YIELD = hasattr(os, "sched_yield")
"""Whether the C library can let another thread have the core."""

HAS_POLL = hasattr(select, "poll")
"""Whether a stream can be asked whether a write would wait."""


def n_cores() -> int:
    """Return how many cores this process may use, or all cores of the machine if the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_memory() -> int | None:
    """Return the bytes of memory that programs can still get without swapping, or None if unknown."""
    with contextlib.suppress(OSError, KeyError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * {line.split(":")[0]: int(line.split()[1]) for line in lines}["MemAvailable"]
    return None


def free_address_space() -> int | None:
    """Return how many bytes the process may still allocate under `ulimit -v`, or None if there is no known limit."""
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
    return max(0, limit - used)


def largest_file() -> int | None:
    """Return the most bytes that a file of this process may have under `ulimit -f`, or None without such a limit."""
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if limit == resource.RLIM_INFINITY else limit


def cgroups() -> list[Path]:
    """Return the cgroups of this process, as paths below the root of all cgroups; none outside Linux."""
    with contextlib.suppress(OSError, IndexError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        return [Path(line.split(":")[2].strip("/")) for line in lines]
    return []


def free_pages(memory: mmap.mmap) -> None:
    """Free the memory that holds pages of a mapped file; they are loaded again when they are read."""
    if hasattr(mmap, "MADV_DONTNEED"):
        memory.madvise(mmap.MADV_DONTNEED)


def user_cache() -> Path:
    """Return the directory for the caches of this user. Raises RuntimeError for a user without a home."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def user_number() -> int | None:
    """Return the number of the user of this process, or None where users have no numbers."""
    return os.geteuid() if hasattr(os, "geteuid") else None


def set_group(path: str, group: int) -> None:
    """Give a file to a group. Nothing happens where there are no groups, or where the user may not do that."""
    with contextlib.suppress(OSError):
        if hasattr(os, "chown"):
            os.chown(path, -1, group)


def lock_file(descriptor: int) -> bool | None:
    """Lock a file; return True, or False if another process has it locked, or None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def sync_directory(path: str) -> None:
    """Put the names of the files in a directory on disk, where directories can be synced."""
    with contextlib.suppress(OSError):
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def mounts() -> set[bytes]:
    """Return the paths where file systems are mounted, as the system spells them; none where it has no such list."""
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", "rb") as file:
        return {line.split()[4] for line in file}
    return set()


def is_writable(descriptor: int, seconds: float) -> bool:
    """Whether a write would not wait, or would fail at once. Waits for that. Only where `HAS_POLL`."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(1000 * seconds))


def is_blocking(descriptor: int) -> bool:
    """Whether a write waits until the text has been taken. Raises OSError for what is not a descriptor."""
    return os.get_blocking(descriptor) if hasattr(os, "get_blocking") else True


def at_fork(
    before: Callable[[], None] | None = None,
    after_in_parent: Callable[[], None] | None = None,
    after_in_child: Callable[[], None] | None = None,
) -> None:
    """Have functions called when this process forks, where processes can fork."""
    if hasattr(os, "register_at_fork"):
        given = {"before": before, "after_in_parent": after_in_parent, "after_in_child": after_in_child}
        os.register_at_fork(**{name: function for name, function in given.items() if function})


def ending_signals() -> list[int]:
    """Return the signals that end a run cleanly, those that this system has."""
    return [number for number in (signal.SIGINT, signal.SIGTERM, HANGUP, CPU_LIMIT) if number is not None]


@contextlib.contextmanager
def hangup_blocked() -> Iterator[None]:
    """Keep SIGHUP from processes that are started during the block, where there is such a signal."""
    if HANGUP is None:
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {HANGUP})  # which a new process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
