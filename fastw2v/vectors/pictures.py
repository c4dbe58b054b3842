"""The files that pictures are drawn to. Importing this module loads neither NumPy nor matplotlib."""

from __future__ import annotations

import os

from ..errors import InputError, MissingExtra
from ..files import PathLike

PICTURE_SUFFIXES = {"plot": ("png", "svg", "pdf"), "map": ("png", "svg", "pdf", "html")}
"""What the names of loss plots and of maps of words may end in; all but html is drawn by matplotlib."""


def suffix_of(path: PathLike) -> str:
    """The end of a file's name, in small letters and without the point: "png"."""
    return os.path.splitext(os.fspath(path))[1][1:].lower()


def check_picture(path: PathLike, what: str) -> str:
    """The suffix of a picture that is to be drawn; what: "plot" or "map".

    Raises InputError for a suffix that `what` cannot have, MissingExtra where matplotlib is needed and not installed.
    """
    suffix, allowed = suffix_of(path), PICTURE_SUFFIXES[what]
    if suffix not in allowed:
        ends = f".{', .'.join(allowed[:-1])} or .{allowed[-1]}"
        raise InputError(f"{what} {os.fspath(path)}: its name must end in {ends}")
    if suffix != "html":
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise MissingExtra("a plot" if what == "plot" else "a picture", "matplotlib") from None
    return suffix
