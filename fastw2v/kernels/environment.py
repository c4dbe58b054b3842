"""The error for environment variables with which Numba cannot do its work. Importing this does not load Numba."""


class UnusableNumba(RuntimeError):
    """Numba cannot compile or start threads because of a variable of its own. The text is one line for the user."""
