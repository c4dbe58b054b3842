"""Files behind URLs, such as s3:// and gs://, through fsspec."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..errors import Fastw2vError, InputError, MissingExtra


def is_url(name: str) -> bool:
    return "://" in name


@contextlib.contextmanager
def file_system(url: str) -> Iterator[tuple[Any, str]]:
    """The file system of a URL and the path in it. Errors inside become InputError, whatever the storage raises."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra(f"reading {url}", "fastw2v[remote]") from None
    try:
        yield url_to_fs(url)
    except (Fastw2vError, EOFError):
        raise
    except FileNotFoundError as error:
        raise InputError(f"{url} does not exist: check the spelling") from error
    except Exception as error:  # each storage has its own, that of a package to install among them
        raise InputError(f"cannot read {url}: {type(error).__name__}: {error}") from error


def find_urls(url: str) -> list[str]:
    """The files that a URL names: itself, those of a glob, or those below a directory, sorted."""
    if "::" in url:
        raise InputError(f"{url} is one URL in another, which is not supported: unpack it first")
    with file_system(url) as (files, path):
        if any(character in path for character in ("*[" if url.startswith("http") else "*?[")):
            found = [name for name, about in files.glob(path, detail=True).items() if about["type"] == "file"]
        elif files.isdir(path):
            found = [name for name in files.find(path) if "/." not in name.removeprefix(path.rstrip("/"))]
        else:
            found = [files.info(path)["name"]]
        if not found:
            raise InputError(f"{url} names no files")
        return sorted(files.unstrip_protocol(name) for name in found)


def size_of_url(url: str) -> int:
    """In bytes."""
    with file_system(url) as (files, path):
        return int(files.info(path)["size"])
