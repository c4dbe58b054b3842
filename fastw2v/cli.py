"""The command line: parse, call the library, print. Only this and progress.py print."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn

import click

from . import __version__
from .config import TrainConfig, base_type
from .corpus.paths import find_files, find_held_out
from .errors import Fastw2vError, InputError
from .files import check_output
from .vectors.plots import check_plot

if TYPE_CHECKING:
    from .corpus.vocabulary import Vocabulary
    from .progress import Reporter


class _Stopped(BaseException):
    """A signal has come. Not KeyboardInterrupt, which Click would take for its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Signals:
    """Ctrl-C and SIGTERM: the first ends the work in good order, at the next safe point; a second one ends it at once.

    Until the kernels are compiled there is nothing to put in order, and an exception inside the compiler could be lost
    or crash it: there the first one ends the process at once.
    """

    ends_at_once = True

    def catch(self) -> None:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> NoReturn:
        if self.ends_at_once:
            _say_stopped(number)
            os._exit(128 + number)
        self.ends_at_once = True
        raise _Stopped(number)


def _say_stopped(number: int) -> None:
    _say(f"{'interrupted' if number == signal.SIGINT else 'terminated'}: the vectors were not written")


def main() -> NoReturn:
    """Run a command. Exit codes: 0 done, 1 failed in the work, 2 refused before it, 130 or 143 by a signal."""
    _signals.catch()
    warnings.showwarning = lambda message, *where: _say(f"warning: {message}")
    try:
        cli.main(prog_name="fastw2v", standalone_mode=False)
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except InputError as error:
        _say(str(error))
        code = 2
    except (Fastw2vError, OSError, MemoryError) as error:
        _say(str(error) or "out of memory")
        code = 1
    except _Stopped as stopped:
        _say_stopped(stopped.number)
        code = 128 + stopped.number
    sys.exit(code)


def _say(message: str) -> None:
    # A file name or word from outside may hold bytes that the terminal's encoding cannot.
    if sys.stderr is None:  # closed: its number may be another file's by now
        return
    with contextlib.suppress(OSError):
        os.write(2, f"fastw2v: {message}\n".encode(errors="backslashreplace"))


_signals = _Signals()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Train word2vec vectors fast on ordinary CPUs.

    \b
    fastw2v train corpus.txt -o vecs.txt
    fastw2v train --help
    """


def _train_options(command: Callable[..., None]) -> Callable[..., None]:
    """One option for each field of TrainConfig, which holds defaults and help."""
    for item in reversed(fields(TrainConfig)):
        name = "--" + item.name.replace("_", "-")
        allowed = item.metadata["allowed"]
        kind = base_type(item.name)
        if kind is bool:
            add = click.option(name, is_flag=True, default=item.default, help=item.metadata["help"])
        else:
            add = click.option(
                name,
                type=click.Choice(allowed.choices) if allowed.choices else kind,
                default=item.default,
                show_default=item.default is not None,
                help=item.metadata["help"],
                metavar="DIR" if kind is str and not allowed.choices else None,
            )
        command = add(command)
    return command


@cli.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the vectors go; - is stdout.")
@click.option("--format", "kind", type=click.Choice(["text", "binary"]), help="Default: binary for .bin, else text.")
@_train_options
@click.option("--save-vocab", metavar="FILE", help="Write the vocabulary as 'word count' lines.")
@click.option("--read-vocab", metavar="FILE", help="Use this vocabulary and its counts; drop other words.")
@click.option("--held-out", metavar="FILE", help="Text that is not trained on: tell its loss after each epoch.")
@click.option("--loss-plot", metavar="FILE", help="Draw the loss curve, while training too: .png, .svg or .pdf.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--log-json", metavar="FILE", help="Write one JSON record a line, one for each slice and each epoch.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(
    corpus: tuple[str, ...],
    output: str,
    kind: str | None,
    save_vocab: str | None,
    read_vocab: str | None,
    held_out: str | None,
    loss_plot: str | None,
    overwrite: bool,
    log_json: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Train vectors on CORPUS: text files, globs, directories, or - for stdin.

    Plain text or gz, bz2, xz, zst. A line is a sentence, words are separated by white space.

    \b
    fastw2v train corpus.txt -o vecs.txt
    fastw2v train 'wiki/*.xz' -o vecs.bin --dim 300 --epochs 3 --threads 8
    zcat corpus.gz | fastw2v train - -o vecs.txt --min-count 10
    """
    options = {name: value for name, value in options.items() if value is not None}
    config = TrainConfig.from_options(options)  # refused here, before Numba is loaded
    if config.threads:
        os.environ["NUMBA_NUM_THREADS"] = str(config.threads)  # Numba's default, the cores, would be its limit
    if config.loss == "softmax":
        _limit_blas()
    files = find_files(corpus)
    if loss_plot:
        check_plot(loss_plot)
    inputs = [*files, *([read_vocab] if read_vocab else []), *(find_held_out(held_out, files) if held_out else [])]
    _check_outputs([output, save_vocab, log_json, loss_plot], inputs, overwrite)

    from . import train as train_vectors
    from .corpus.vocabulary import Vocabulary
    from .vectors import formats

    vocabulary = Vocabulary.load(read_vocab) if read_vocab else None
    with _reporter(quiet, log_json) as report:
        if save_vocab:
            report.on_vocabulary = _saver(save_vocab)
        vectors = train_vectors(
            files, vocabulary=vocabulary, held_out=held_out, loss_plot=loss_plot, callback=report, **options
        )
        with report.phase("write"):
            formats.save(output, vectors.index_to_key, vectors.vectors, kind or formats.format_of(output))
        report.summary(output)


def _limit_blas() -> None:
    """The threads of full softmax are ours; NumPy's libraries read these once, when they are loaded."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = "1"


def _check_outputs(outputs: list[str | None], inputs: list[str], overwrite: bool) -> None:
    named = [name for name in outputs if name is not None]
    for place, name in enumerate(named):
        check_output(name, inputs, overwrite)
        if os.path.realpath(name) in [os.path.realpath(other) for other in named[:place]]:
            raise InputError(f"{name} is named for two outputs: give each its own file")


def _saver(path: str) -> Callable[[Vocabulary], None]:
    return lambda vocabulary: vocabulary.save(path)


def _reporter(quiet: bool, log_json: str | None) -> Reporter:
    from .progress import Reporter

    return Reporter(quiet, log_json, on_compiled=_end_in_good_order)


def _end_in_good_order() -> None:
    _signals.ends_at_once = False


@cli.command()
def warmup() -> None:
    """Compile the kernels for this CPU now, for example when building a container image."""
    _limit_blas()
    from .training.run import compile_kernels

    compile_kernels(include_readers=True)
    compile_kernels(loss="hs")
    compile_kernels(loss="softmax")
