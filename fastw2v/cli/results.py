"""The results of commands, on stdout."""

import contextlib
import io
import os
import sys

import click

from ..errors import InputError, RunError
from ..files.replace import PatientFile
from ..machine import failure_of
from ..system import is_blocking


def check_stdout() -> None:
    """Raise InputError where the results have nowhere to go, so that this is known before the work."""
    if sys.stdout is None:
        raise InputError("the results go to stdout, which is closed: leave it open, or redirect it to a file")


def wait_for_reader() -> None:
    """Let all writing to stdout wait for its reader: the program before may have made it non-blocking."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):  # it has no descriptor
            if not is_blocking(sys.stdout.fileno()):
                patient = io.BufferedWriter(PatientFile(sys.stdout.fileno(), "wb", closefd=False))
                sys.stdout = io.TextIOWrapper(patient, sys.stdout.encoding, sys.stdout.errors)


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
