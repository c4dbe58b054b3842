"""What pictures there are, and the files that they are drawn to. Importing this loads neither NumPy nor matplotlib."""

import contextlib
import os
import re
import sys

from ..errors import InputError, MissingExtra
from ..files.names import PathLike

MAP_METHODS = ("pca", "tsne", "umap")
PICTURE_SUFFIXES = {"plot": ("png", "svg", "pdf"), "map": ("png", "svg", "pdf", "html")}
"""What the names of loss plots and of maps of words may end in; all but html is drawn by matplotlib."""

_UNPRINTABLE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufeff\ufffe\uffff]")
"""What pictures cannot hold: control characters and halves of surrogate pairs (svg), byte order marks (pdf)."""


def printable(text: str) -> str:
    """The text with a backslash and a number for each character that no picture can hold."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def check_picture(path: PathLike, what: str) -> str:
    """The extension of a picture's name, in small letters and without the point. what: "plot" or "map".

    Raises InputError for an extension that `what` cannot have, and MissingExtra if matplotlib is needed but missing.
    """
    suffix, (*most, last) = os.path.splitext(os.fspath(path))[1][1:].lower(), PICTURE_SUFFIXES[what]
    if suffix not in (*most, last):
        raise InputError(f"{what} {os.fspath(path)}: its name must end in .{', .'.join(most)} or .{last}")
    if suffix != "html":
        try:
            _load_matplotlib()
        except ImportError:
            raise MissingExtra("a plot" if what == "plot" else "a picture", "matplotlib") from None
    return suffix


def _load_matplotlib() -> None:
    """Import matplotlib, whatever MPLBACKEND says: Jupyter sets it for commands, to a backend they may not have.

    Files need no backend. One that exists is set all the same, for other users of matplotlib in this process.
    """
    backend = os.environ.pop("MPLBACKEND", None) if "matplotlib" not in sys.modules else None
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
