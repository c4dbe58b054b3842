"""The results of commands, on stdout."""

import os
import sys

import click

from ..errors import InputError, RunError
from ..machine import failure_of


def check_stdout() -> None:
    """Raise InputError where the results have nowhere to go, so that this is known before the work."""
    if sys.stdout is None:
        raise InputError("stdout, where the results go, is closed: leave it open, or give it a file")


def show(text: str) -> None:
    """Print a line at once. Raises BrokenPipeError for a reader that has left, RunError for a full disk."""
    encoding = sys.stdout.encoding or "utf-8"  # which need not have all letters of a word or of a file's name
    try:
        click.echo(text.encode(encoding, "backslashreplace").decode(encoding))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(f"cannot write to stdout: {failure_of(error)}") from error


def drop_unwritten_results() -> None:
    """Let what could not be written to stdout go nowhere: Python would try once more at its end, and exit with 120."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
