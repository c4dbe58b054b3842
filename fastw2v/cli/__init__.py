"""The command line: parse, call the library, print. Nothing outside this folder prints."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from .. import __version__
from ..errors import Fastw2vError, InputError
from ..kernels.environment import UnusableNumba, check_environment
from .corpora import phrases, vocab
from .plan import plan
from .results import drop_unwritten_results, wait_for_reader
from .stopping import Stopped, say, say_stopped, signals
from .train import train, warmup
from .vectors import analogy, convert, evaluate, info, plot, similar


def main() -> NoReturn:
    """Run a command. Exit codes: 0 success, 1 failure, 2 unusable input, 129, 130, 143 or 152 ended by a signal."""
    signals.catch()
    wait_for_reader()
    warnings.showwarning = lambda message, *where: say(f"warning: {message}")
    try:
        cli.main(prog_name="fastw2v", standalone_mode=False)
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except MemoryError as error:
        say(f"out of memory: {error}" if str(error) else "out of memory")
        code = 1
    except (Fastw2vError, UnusableNumba, OSError) as error:
        say(str(error))
        code = 2 if isinstance(error, (InputError, UnusableNumba)) else 1
    except Stopped as stopped:
        say_stopped(stopped.number)
        code = 128 + stopped.number
    drop_unwritten_results()
    sys.exit(code)


class _Commands(click.Group):
    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:  # which prints --help and --version
        with _reader_may_leave():
            return super().make_context(*arguments, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        check_environment()
        with _reader_may_leave():
            return super().invoke(ctx)


@contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End the command where the reader of stdout has what it wanted. Click would exit with 1."""
    try:
        yield
    except BrokenPipeError:
        drop_unwritten_results()
        raise click.exceptions.Exit(0) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Train word2vec vectors fast on ordinary CPUs.

    \b
    fastw2v train corpus.txt -o vecs.txt
    fastw2v similar vecs.txt king
    fastw2v train --help
    """


for _command in (train, similar, analogy, evaluate, convert, plot, info, vocab, phrases, plan, warmup):
    cli.add_command(_command)
