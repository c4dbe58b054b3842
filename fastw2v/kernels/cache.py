"""Compiled kernels on disk: what is damaged there is compiled again, and what cannot be written is one warning."""

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config

LARGEST = 1 << 26
"""The bytes of the largest file that is read. Kernels take less than 1 MB; damage must not fill the memory."""

_warned_of: list[Path | None] = []


def _cache_directory() -> Path | None:
    """Return a directory named after a hash of the kernels' sources, or None where nothing can be written.

    Numba watches only the file that defines a function: without the hash, an edit of a helper in another file would
    leave stale machine code behind. Bounds checking is not in Numba's cache key either.
    """
    sources = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    stamp = hashlib.sha256(sources + f"boundscheck={config.BOUNDSCHECK}".encode()).hexdigest()[:16]
    directory = None
    try:
        directory = Path(config.CACHE_DIR or _user_cache()) / "fastw2v" / stamp
        directory.mkdir(parents=True, exist_ok=True)
        if os.access(directory, os.W_OK | os.X_OK):
            return directory
        _warn(directory, "not writable")
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        _warn(directory, error)
    return None


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home())
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


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


def is_cache_cold(name: str) -> bool:
    """Return whether the present version of the kernel `name` has yet to be compiled on this machine."""
    return CACHE_DIRECTORY is None or not any(CACHE_DIRECTORY.rglob(f"*{name}*.nbc"))


def keep_on_disk(compiled: Any, kind: str) -> None:
    """Load a function from the cache when it is first called, or compile it and keep it there.

    kind: "serial" or "parallel". Each has a directory, because Numba's cache key does not hold `parallel`: it would
    take one version of a function for the other.
    """
    if CACHE_DIRECTORY is None:
        return
    directory = CACHE_DIRECTORY / kind
    # Numba reads its cache directory when caching is enabled. Ours is set for just that moment, so that the user's own
    # functions keep theirs.
    users_directory = config.CACHE_DIR
    config.CACHE_DIR = str(directory)
    try:
        compiled.enable_caching()
    except (OSError, RuntimeError) as error:  # RuntimeError: Numba finds no place that it can write
        _warn(directory, error)
        return
    finally:
        config.CACHE_DIR = users_directory
    with contextlib.suppress(AttributeError):  # a Numba with other names inside keeps its own kind of files
        cache, dumps = compiled._cache, numba.core.serialize.dumps
        locator, name = cache._impl.locator, cache._impl.filename_base
        # It is the path of the cache as a rule, but where that cannot be written Numba chooses another place.
        place = directory / locator.get_suitable_cache_subpath(compiled.py_func.__code__.co_filename)
        cache._cache_file = CheckedFiles(place, name, (numba.__version__, locator.get_source_stamp()), dumps)
        compiled._cache = ForgivingCache(cache, directory)


class ForgivingCache:
    """Numba's cache of a function, whose errors never end a run: the function is compiled instead."""

    def __init__(self, cache: Any, directory: Path) -> None:
        self._cache, self._directory = cache, directory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, *arguments: Any) -> Any:
        """Return the compiled function, or None if it is not there or cannot be loaded."""
        try:
            return self._cache.load_overload(*arguments)
        except Exception:
            return None

    def save_overload(self, *arguments: Any) -> None:
        """Keep a compiled function, or warn that it is not kept."""
        try:
            self._cache.save_overload(*arguments)
        except Exception as error:
            _warn(self._directory, error)


class CheckedFiles:
    """The files of one function in the place of Numba's index and data, which are neither checked nor synced.

    Each key, that is signature and CPU, has a file of its own: a digest and pickled data. The digest is of the key and
    `about`, too: data that is damaged, or from another version of the source or of Numba, is neither unpickled nor run.
    A file is written beside, synced and renamed, so that it is whole or absent after a loss of power, and whoever
    writes it at the same time.
    """

    def __init__(self, directory: Path, name: str, about: object, dumps: Callable[[object], bytes]) -> None:
        self._directory, self._name, self._about, self._dumps = directory, name, about, dumps

    def load(self, key: object) -> Any:
        """Return the data of a key, or None where it is damaged. Raises OSError where it cannot be read."""
        path, digest = self._place_of(key)
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:  # to open a pipe would wait for its writer
            return None
        content = path.read_bytes()
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
