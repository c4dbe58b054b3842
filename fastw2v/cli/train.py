"""fastw2v train, warmup."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..config import TrainConfig
from ..corpus.paths import find_files, find_held_out, names_for_workers
from ..errors import InputError, RunError
from ..files import check_distinct, check_outputs, locked
from ..vectors.names import CHECKPOINT, FORMATS, PREVIOUS_CHECKPOINT, format_of, outputs_of
from ..vectors.plots import check_plot
from .options import config_options
from .stopping import Stopped, signals

if TYPE_CHECKING:
    from ..corpus.vocabulary import Vocabulary
    from ..progress import Reporter


UNWRITTEN = "the vectors were not written"


@click.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the vectors go; - is stdout.")
@click.option("--format", "kind", type=click.Choice(FORMATS),
              help="Default: by the end of the name (.bin, .npz, .fw2v, .tsv), else text.")  # fmt: skip
@config_options
@click.option("--save-vocab", metavar="FILE", help="Write the vocabulary as 'word count' lines.")
@click.option("--read-vocab", metavar="FILE", help="Use this vocabulary and its counts; drop other words.")
@click.option("--init-vectors", metavar="FILE", help="Start from these vectors; other words start at random.")
@click.option("--save-model", metavar="FILE", help="Write all that --continue-from needs: a .fw2v file.")
@click.option("--continue-from", metavar="FILE", help="Add CORPUS to the run that wrote this model; keep its words.")
@click.option("--checkpoint", metavar="DIR", help="Keep the state of the run there, to resume from.")
@click.option("--checkpoint-every", metavar="MINUTES", type=float, default=10.0, show_default=True,
              help="Also after long epochs, at the end and at Ctrl-C.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, with the same corpus and options.")
@click.option("--freeze", is_flag=True, help="Do not change the vectors that are started from.")
@click.option("--held-out", metavar="FILE", help="Text that is not trained on: tell its loss after each epoch.")
@click.option("--loss-plot", metavar="FILE", help="Draw the loss curve, while training too: .png, .svg or .pdf.")
@click.option("--dask", metavar="ADDRESS", help="Train on a Dask cluster: a scheduler's address, or local:N for N "
              "processes here.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--log-json", metavar="FILE", help="Write one JSON record a line, one for each slice and each epoch.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def train(
    corpus: tuple[str, ...],
    output: str,
    kind: str | None,
    save_vocab: str | None,
    read_vocab: str | None,
    init_vectors: str | None,
    save_model: str | None,
    continue_from: str | None,
    checkpoint: str | None,
    checkpoint_every: float,
    resume: bool,
    freeze: bool,
    held_out: str | None,
    loss_plot: str | None,
    dask: str | None,
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
    signals.consequence = f": {UNWRITTEN}"
    options = {name: value for name, value in options.items() if value is not None}
    config = TrainConfig.from_options(options)  # refused here, before Numba is loaded
    if config.threads:
        os.environ["NUMBA_NUM_THREADS"] = str(config.threads)  # Numba's default, the cores, would be its limit
    if config.loss == "softmax":
        limit_blas()
    files = seen = names_for_workers(corpus) if dask is not None else find_files(corpus)
    if dask is not None:
        with contextlib.suppress(InputError):  # the workers see more, perhaps
            seen = find_files(files)
    if loss_plot:
        check_plot(loss_plot)
    given = [name for name in (read_vocab, init_vectors, continue_from) if name is not None]
    inputs = [*seen, *given, *(find_held_out(held_out, files) if held_out else [])]
    kind = kind or format_of(output)
    outputs = outputs_of(output, kind)
    by_the_way = [save_model, save_vocab, loss_plot, log_json]  # the run that is resumed may have made them
    check_outputs(outputs, inputs, overwrite)
    check_outputs(by_the_way, [*inputs, *outputs], overwrite or resume)
    own = [os.path.join(checkpoint, name) for name in (CHECKPOINT, PREVIOUS_CHECKPOINT)] if checkpoint else []
    check_distinct([*outputs, *by_the_way, *own])

    with locked(output):
        _train(
            files, output, kind, save_vocab, log_json, quiet, read_vocab=read_vocab, resume=resume,
            init_vectors=init_vectors, continue_from=continue_from, freeze=freeze, save_model=save_model,
            checkpoint=checkpoint, checkpoint_every=checkpoint_every, held_out=held_out, loss_plot=loss_plot, dask=dask,
            **options,
        )  # fmt: skip


def _train(
    files: list[str], output: str, kind: str, save_vocab: str | None, log_json: str | None, quiet: bool, *,
    read_vocab: str | None, resume: bool, dask: str | None, **options: Any,
) -> None:  # fmt: skip
    from .. import train as train_vectors
    from ..corpus.vocabulary import Vocabulary
    from ..training.checkpoint import CheckpointSaved
    from ..training.resources import check_disk, file_bytes, size_of
    from ..training.run import CorpusRead, Event, PhaseEnded
    from ..training.trainer import Evaluating, Progress

    vocabulary = Vocabulary.load(read_vocab) if read_vocab else None
    checkpoint, dim = options["checkpoint"], options["dim"]
    with _reporter(quiet, log_json, resume) as report, contextlib.ExitStack() as closing:
        if save_vocab:
            report.on_vocabulary = _saver(save_vocab)

        def on_event(event: Event) -> bool:
            report(event)
            match event:
                case CorpusRead(vocabulary=words):
                    check_disk(output, file_bytes(kind, len(words), dim), "the output", "choose another place")
                case Progress() | Evaluating():
                    signals.waits = True
                case CheckpointSaved(n_words=n_words):
                    signals.consequence = f": {UNWRITTEN}; --resume goes on after {n_words:,} words"
                case PhaseEnded("train"):
                    signals.waits = False
                    if signals.received:
                        raise Stopped(signals.received)
            return signals.received > 0

        if dask is not None:
            from ..training.connection import connected

            options["client"] = closing.enter_context(connected(dask, options.get("threads")))
        try:
            vectors = train_vectors(files, vocabulary=vocabulary, resume=resume, callback=on_event, **options)
        except RunError as error:
            if error.vectors is not None:  # only the model could not be written
                error.vectors.save(output, kind)
            raise
        with report.phase("write"):
            try:
                vectors.save(output, kind)
            except RunError as error:
                needed = size_of(file_bytes(kind, len(vectors), dim))
                kept = f"; {checkpoint} has the run, --resume writes it again" if checkpoint else ""
                raise RunError(f"{error}. It takes about {needed}{kept}") from error
        report.summary(output)


def limit_blas() -> None:
    """The threads of full softmax are ours; NumPy's libraries read these once, when they are loaded."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = "1"


def _saver(path: str) -> Callable[[Vocabulary], None]:
    return lambda vocabulary: vocabulary.save(path)


def _reporter(quiet: bool, log_json: str | None, append: bool) -> Reporter:
    from ..progress import Reporter

    return Reporter(quiet, log_json, on_compiled=signals.end_in_good_order, append=append)


@click.command()
def warmup() -> None:
    """Compile the kernels for this CPU now, for example when building a container image."""
    limit_blas()
    from ..corpus.phrases import compile_kernels as compile_phrases
    from ..training.run import compile_kernels

    compile_phrases()
    compile_kernels(include_readers=True)
    compile_kernels(loss="hs")
    compile_kernels(loss="softmax")
