"""What pictures there are, and the files that they are drawn to. Importing this loads neither NumPy nor matplotlib."""

import os

from ..errors import InputError, MissingExtra
from ..files import PathLike

MAP_METHODS = ("pca", "tsne", "umap")
PICTURE_SUFFIXES = {"plot": ("png", "svg", "pdf"), "map": ("png", "svg", "pdf", "html")}
"""What the names of loss plots and of maps of words may end in; all but html is drawn by matplotlib."""


def check_picture(path: PathLike, what: str) -> str:
    """The suffix of a picture's name, in small letters and without the point. what: "plot" or "map".

    Raises InputError for a suffix that `what` cannot have, MissingExtra where matplotlib is needed and not installed.
    """
    suffix, (*most, last) = os.path.splitext(os.fspath(path))[1][1:].lower(), PICTURE_SUFFIXES[what]
    if suffix not in (*most, last):
        raise InputError(f"{what} {os.fspath(path)}: its name must end in .{', .'.join(most)} or .{last}")
    if suffix != "html":
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise MissingExtra("a plot" if what == "plot" else "a picture", "matplotlib") from None
    return suffix
