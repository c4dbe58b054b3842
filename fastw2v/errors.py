"""The exceptions a user can meet.

Fastw2vError
 ├── InputError          refused before the work: the message says what was found, what is allowed, what to do
 │    └── MissingExtra   an optional package is not installed; the message holds the pip command
 └── RunError            the work itself failed
      └── DivergedError  a parameter became NaN or infinite
"""


class Fastw2vError(Exception):
    """Base of all exceptions that fastw2v raises on purpose; the text is one line for the user."""


class InputError(Fastw2vError, ValueError):
    """What was asked for cannot be done; nothing was started or written."""


class MissingExtra(InputError):
    """An optional package is needed."""

    def __init__(self, what: str, package: str, extra: str | None = None) -> None:
        install = f"fastw2v[{extra}]" if extra else package
        super().__init__(f"{what} needs the package {package}: pip install {install!r}")


class RunError(Fastw2vError, RuntimeError):
    """The work failed on the way; existing files are untouched."""


class DivergedError(RunError):
    """Training reached NaN or infinity."""
