"""Files behind URLs, such as s3:// and gs://, through fsspec."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ..errors import Fastw2vError, InputError, MissingExtra
from ..kernels.forks import LOADING


def is_url(name: str) -> bool:
    return "://" in name


@contextlib.contextmanager
def file_system(url: str) -> Iterator[tuple[Any, str]]:
    """Yield the file system of a URL and the path in it; what the storage raises meanwhile becomes an InputError."""
    with LOADING:  # until the storage's own modules are loaded
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise MissingExtra(f"reading {url}", "fastw2v[remote]") from None
        with _storage_errors(url):
            found = url_to_fs(url)
    with _storage_errors(url):
        yield found


@contextlib.contextmanager
def _storage_errors(url: str) -> Iterator[None]:
    """Raise InputError for what a storage raises in the `with` block."""
    try:
        yield
    except (Fastw2vError, EOFError):
        raise
    except FileNotFoundError as error:
        raise InputError(f"{url} does not exist: check the spelling") from error
    except Exception as error:  # each storage raises its own exceptions; one is that a package is missing
        raise InputError(f"cannot read {url}: {type(error).__name__}: {error}") from error


def _links_to_file(files: Any, name: str, info: dict[str, Any]) -> bool:
    return bool(info.get("islink")) and not files.isdir(name)


def find_urls(url: str) -> list[str]:
    """Return the files that a URL names, sorted: itself, those of a glob, or those below a directory."""
    if "::" in url:
        raise InputError(f"{url} is a URL of a file inside another (::), which is not supported: unpack that first")
    with file_system(url) as (files, path):
        if any(character in path for character in ("*[" if url.startswith("http") else "*?[")):
            found = files.glob(path, detail=True).items()
            # A link may lead nowhere: that is an error when it is opened.
            names = [name for name, info in found if info["type"] == "file" or _links_to_file(files, name, info)]
        elif files.isdir(path):
            names = [name for name in files.find(path) if "/." not in name.removeprefix(path.rstrip("/"))]
        else:
            names = [files.info(path)["name"]]
        if not names:
            raise InputError(f"{url} names no files: check the spelling")
        return sorted(files.unstrip_protocol(name) for name in names)
