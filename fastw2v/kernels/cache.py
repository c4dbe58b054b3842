"""Compiled kernels on disk. Damaged ones are compiled again; if they cannot be written, there is one warning.

Every installation of the same version for the same Python, Numba and CPU shares them: a second virtual environment
compiles nothing.

The digest of a file detects damage but is no signature, and what is read is run. So a file is read only if it belongs
to the user, to root, or to the owner of the directory that NUMBA_CACHE_DIR names: whoever names a directory trusts its
owner. The user need not be able to write there: a container may run as another user than the one that built it.
"""

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.registry import cpu_target

from ..system import NO_LINK, NO_WAIT, user_cache, user_number

LARGEST = 1 << 26
"""The bytes of the largest file that is read. Kernels take less than 1 MB; damage must not fill the memory."""

UNUSED_SECONDS = 30 * 24 * 3600.0
"""The kernels of other versions are removed when they have not been used for this long."""

SECONDS_BETWEEN_LOOKS = 0.02
"""How often to look for a kernel that another process compiles."""

_warned_of: list[Path | None] = []


def _cache_directory() -> Path | None:
    """Return the path of a directory named after a hash of what kernels depend on, or None for a user without a home.

    Numba watches only the file that defines a function: without the hash, an edit of a helper in another file would
    leave stale machine code behind. Bounds checking is not in Numba's cache key either.
    """
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    cpu = cpu_target.target_context.codegen().magic_tuple()
    versions = numba.__version__, llvmlite.__version__, sys.implementation.cache_tag
    stamp = hashlib.sha256(sources + repr((versions, cpu, config.BOUNDSCHECK)).encode()).hexdigest()[:16]
    try:
        return Path(config.CACHE_DIR or user_cache()) / "fastw2v" / stamp
    except RuntimeError as error:
        _warn(None, error)
        return None


def _warn(directory: Path | None, reason: object) -> None:
    """Warn, once in a process, that compiled kernels are not kept, and say what to do."""
    if not _warned_of:
        _warned_of.append(directory)
        reason = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        warnings.warn(
            f"cannot keep compiled kernels in {directory or 'the home directory'} ({reason}): they are compiled again "
            "in every process. Set NUMBA_CACHE_DIR to a writable directory with room to avoid that.",
            RuntimeWarning,
            stacklevel=3,
        )


CACHE_DIRECTORY = _cache_directory()


def _is_trusted(owner: int) -> bool:
    """Return whether code in a file that the user with this number owns may be run."""
    user = user_number()
    if user is None or owner in (user, 0):
        return True
    return bool(config.CACHE_DIR) and owner == os.stat(config.CACHE_DIR).st_uid


def missing_kernels(names: Iterable[str]) -> list[str]:
    """Return those kernels whose present version has yet to be compiled on this machine."""
    directory = CACHE_DIRECTORY or Path("/nowhere")
    return [name for name in names if not any(directory.glob(f"{name}-*.nbc"))]


AWAITED: dict[str, Callable[[], bool]] = {}
"""Whether another process still compiles into the same cache, by the names of its kernels: they are waited for."""


def keep_on_disk(compiled: Any) -> None:
    """Load a function from the cache when it is first called, or compile it and keep it there.

    A function must not be compiled both with and without `parallel`, which is not in Numba's cache key.
    """
    if CACHE_DIRECTORY is None:
        return
    # Numba reads its cache directory when it makes the cache of a function. Ours is set for just that moment, so that
    # the user's own functions keep theirs.
    users_directory = config.CACHE_DIR
    config.CACHE_DIR = str(CACHE_DIRECTORY)
    try:
        try:
            compiled._cache = _cache_of(compiled.py_func, CACHE_DIRECTORY)
        except AttributeError:  # a Numba with other names inside keeps its own kind of files
            compiled.enable_caching()
    except (OSError, RuntimeError) as error:  # RuntimeError: Numba finds no file that the function is from
        _warn(CACHE_DIRECTORY, error)
    finally:
        config.CACHE_DIR = users_directory


def _cache_of(function: Any, directory: Path) -> Any:
    """Return Numba's cache of a function, with our files in the place of its own."""
    caching = numba.core.caching
    # Numba gives up a directory that it cannot write, even if all that it needs can be read there.
    any_place = type("AnyPlace", (caching.UserProvidedCacheLocator,), {"ensure_cache_path": lambda self: None})
    locators = [any_place, *caching.CompileResultCacheImpl._locator_classes]
    implementation = type("AnyPlaceImpl", (caching.CompileResultCacheImpl,), {"_locator_classes": locators})
    cache = type("AnyPlaceCache", (caching.FunctionCache,), {"_impl_class": implementation})(function)
    about = hashlib.sha256(Path(function.__code__.co_filename).read_bytes()).hexdigest()
    cache._cache_file = CheckedFiles(directory, cache._impl.filename_base, about, numba.core.serialize.dumps)
    return ForgivingCache(cache, directory, f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}")


def _keep_in_use(directory: Path) -> None:
    """Set the time of the directory to now, once a day."""
    now = time.time()
    with contextlib.suppress(OSError):  # of another user
        if now - directory.stat().st_mtime > UNUSED_SECONDS / 30:
            os.utime(directory)


def _remove_unused(directory: Path) -> None:
    """Remove the kernels of other versions that have not been used for `UNUSED_SECONDS`, and nothing else."""
    if directory.parent.is_symlink():  # it may lead anywhere
        return
    for other in directory.parent.glob("[0-9a-f]" * len(directory.name)):
        with contextlib.suppress(OSError):  # of another user, removed by another process, or it holds other files too
            if other != directory and not other.is_symlink() and _is_unused(other):
                for path in filter(_is_unused, other.glob("*.nbc")):
                    path.unlink()
                other.rmdir()


def _is_unused(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > UNUSED_SECONDS


class ForgivingCache:
    """Numba's cache of a function, whose errors never end a run: the function is compiled instead."""

    def __init__(self, cache: Any, directory: Path, name: str) -> None:
        self._cache, self._directory, self._name = cache, directory, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        """Return the compiled function, or None if it is not there or cannot be loaded."""
        while True:
            is_coming = AWAITED.get(self._name, bool)()  # asked before, so that what comes last is found
            with contextlib.suppress(Exception):
                loaded = self._cache.load_overload(*arguments)
                if loaded is not None:
                    _keep_in_use(self._directory)
                    return loaded
            if not is_coming:
                return None
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def save_overload(self, *arguments: Any) -> None:
        """Keep a compiled function, or warn that it is not kept."""
        try:
            self._cache.save_overload(*arguments)
            _remove_unused(self._directory)
        except Exception as error:
            _warn(self._directory, error)


class CheckedFiles:
    """The cache files of one function. They replace Numba's index and data files, which Numba neither checks nor syncs.

    Each key (signature and CPU) has its own file: a digest and pickled data. The digest covers the key and `about` too:
    data that is damaged, or from another version of the source or of Numba, is neither unpickled nor run. A new file is
    written under another name, synced and renamed: after a loss of power, or if several processes write it at once, it
    is whole or absent.
    """

    def __init__(self, directory: Path, name: str, about: object, dumps: Callable[[object], bytes]) -> None:
        self._directory, self._name, self._about, self._dumps = directory, name, about, dumps

    def load(self, key: object) -> Any:
        """Return the data of a key, or None where it is damaged or a stranger's. Raises OSError if it is not there."""
        path, digest = self._place_of(key)
        # To open a pipe would wait for its writer, and a link might lead to a download in a directory of the user's.
        with open(path, "rb", opener=lambda name, mode: os.open(name, mode | NO_WAIT | NO_LINK)) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST or not _is_trusted(found.st_uid):
                return None
            content = file.read()
        data = memoryview(content)[digest.digest_size :]
        digest.update(data)
        return pickle.loads(data) if content.startswith(digest.digest()) else None

    def save(self, key: object, data: object) -> None:
        """Write the data of a key. Raises OSError where that fails; what was there is then left as it was."""
        path, digest = self._place_of(key)
        pickled = self._dumps(data)
        digest.update(pickled)
        self._directory.mkdir(parents=True, exist_ok=True)
        temporary = self._directory / f"{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(digest.digest() + pickled)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def flush(self) -> None:
        """Remove the data of all keys."""
        for path in self._directory.glob(f"{self._name}.*.nbc"):
            path.unlink(missing_ok=True)

    def _place_of(self, key: object) -> tuple[Path, Any]:
        """Return the file of a key, and a digest that has yet to take in the data."""
        name = hashlib.blake2b(str(key).encode(), digest_size=8).hexdigest()
        return self._directory / f"{self._name}.{name}.nbc", hashlib.blake2b(f"{self._about} {key}".encode())
