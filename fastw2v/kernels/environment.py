"""Environment variables with which Numba cannot do its work. Importing this does not load Numba."""

import os
from contextlib import suppress


class UnusableNumba(RuntimeError):
    """Numba cannot compile or start threads because of a variable of its own. The text is one line for the user."""


def check_environment() -> None:
    """Raise UnusableNumba for a number of threads with which Numba cannot be imported."""
    with suppress(ValueError):  # Numba ignores what is no number
        if int(given := os.environ.get("NUMBA_NUM_THREADS", "1")) < 1:
            raise UnusableNumba(f"NUMBA_NUM_THREADS is {given}: it must be at least 1; unset it to use all cores")
