"""The commands that train: train and warmup."""

from __future__ import annotations

import os
import shlex
import sys
import time
import warnings
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from ..config import TrainConfig
from ..corpus.paths import check_outside, find_files, find_held_out, names_for_workers
from ..errors import InputError, RunError, text_of
from ..files.checks import check_distinct, check_no_link, check_outputs, check_plain
from ..files.names import STANDARD_STREAMS, is_device
from ..files.replace import all_locked, never_replacing
from ..machine import format_bytes
from ..vectors.names import WRITTEN_ONLY, format_of, format_to_write, make_directory, outputs_of
from ..vectors.pictures import check_picture
from .options import FORMAT, command, config_options, flag, option
from .rescue import FAILURES, rescue
from .stopping import Stopped, reason_of, say, signals

SUFFIXES = {"binary": ".bin", "npz": ".npz", "native": ".fw2v", "tensorboard": ".tsv"}
"""How the name of a file ends that has the vectors instead of a stream; .txt for other formats."""

NOT_WRITTEN = ": the vectors were not written"
"""What is said after the reason why a run was stopped."""

if TYPE_CHECKING:
    from ..events import Callback, CheckpointFailed, Event
    from ..training.model import TrainedModel
    from ..vectors.vectors import Vectors
    from .progress import CommandReporter


_GROUPS = {
    "Output": "output kind overwrite quiet log_json",
    "Text": "lower strip_punctuation digits invalid_utf8 min_count max_vocab save_vocab read_vocab",
    "Model": "model loss dim window fixed_window negative ns_exponent shared_negatives update cbow_gradient cbow_sum "
    "vectors",
    "Training": "epochs lr min_lr sample sample_formula threads seed deterministic tracks temp_dir force_softmax",
    "Loss and early stopping": "held_out held_out_share patience loss_plot",
    "Long runs": "checkpoint checkpoint_every resume",
    "Starting from earlier vectors": "init_vectors freeze save_model continue_from",
    "Many machines": "dask worker_timeout",
}
"""The options by the headings of the help."""


@command(groups=_GROUPS)
@click.argument("corpus", nargs=-1, required=True)
@option("-o --output FILE", "Output file for the vectors; - is stdout.", required=True)
@option("--format kind", "Format of the output (default: by its extension).", FORMAT)
@config_options
@option("--save-vocab FILE", "Write the vocabulary, a line 'word count' for each word.")
@option("--read-vocab FILE", "Use the words and counts of this vocabulary, and drop all other words.")
@option("--init-vectors FILE", "Start from these vectors; words that are not in FILE start at random.")
@option("--save-model FILE", "Write everything that --continue-from needs, to a .fw2v file.")
@option("--continue-from FILE", "Train this model further on CORPUS; all of the model's words stay.")
@option("--checkpoint DIR", "Save the state of the run in this directory, to resume from it.")
@option(
    "--checkpoint-every MINUTES",
    "Minutes between checkpoints; others are written after long epochs, at the end, and on a signal.",
    float,
    default=10.0,
)
@flag("--resume", "Resume from the checkpoint, with the same corpus and options; if there is none yet, start fresh.")
@flag("--freeze", "Keep the given vectors unchanged (with --continue-from: the input vectors).")
@option("--held-out FILE", "Text that is not trained on; its loss is reported before training and after each epoch.")
@option("--loss-plot FILE", "Draw the loss curve to a .png, .svg or .pdf file, which is updated during the training.")
@option("--dask ADDRESS", "Train on a Dask cluster: the address of its scheduler, or local:N for N processes here.")
@flag("--overwrite", "Replace files that exist.")
@option("--log-json FILE", "Log progress, epochs, checkpoints and cluster events, as one JSON record per line.")
@flag("--quiet", "Print only warnings and errors.")
def train(corpus: tuple[str, ...], **options: Any) -> None:
    """Train vectors on CORPUS: text files, directories, quoted globs, or - for stdin.

    The text may be plain or compressed (gz, bz2, xz, zst). A line is a sentence, and white space separates words.

    \b
    fastw2v train corpus.txt -o vecs.txt
    fastw2v train 'wiki/*.xz' -o vecs.bin --dim 300 --epochs 3 --threads 8
    zcat corpus.gz | fastw2v train - -o vecs.txt --min-count 10
    """
    signals.consequence = NOT_WRITTEN
    settings = {name: value for name, value in _take(TrainConfig, options).items() if value is not None}
    config = TrainConfig(**settings)  # refused here, before Numba is loaded
    if config.threads and "numba" not in sys.modules:
        os.environ["NUMBA_NUM_THREADS"] = str(config.threads)  # Numba's default, the cores, would be its limit
    if config.loss == "softmax":
        _limit_blas()
    is_on_cluster = options["dask"] is not None
    files = visible = names_for_workers(corpus) if is_on_cluster else find_files(corpus)
    if is_on_cluster:
        with suppress(InputError):  # the workers may see files that this machine does not
            visible = find_files(files)
    options["kind"] = options["kind"] or format_to_write(options["output"])
    command = TrainCommand(**_take(TrainCommand, options))
    if command.is_complete(config, options):
        if not command.quiet:
            what = f"the run in {options['checkpoint']} is complete, and {command.output} is there: nothing to do"
            say(f"{what} (--overwrite writes the vectors again)")
        return
    command.check_files(list(corpus), visible, options)
    outputs = outputs_of(command.output, command.kind)
    others = [command.save_vocab, command.log_json, options["loss_plot"] or None]
    may_replace_others = command.overwrite or options["resume"]
    with (
        all_locked(outputs, command.overwrite),
        all_locked(others, may_replace_others),
        never_replacing([options["save_model"]], may_replace_others),
    ):
        signals.expect(outputs)
        command.run(files, options | settings)


def _take(kind: type, options: dict[str, Any]) -> dict[str, Any]:
    """Take the options that are fields of a dataclass out of `options`."""
    return {item.name: options.pop(item.name) for item in fields(kind)}


@dataclass(frozen=True)
class TrainCommand:
    """The options of `fastw2v train` that are not arguments of `fastw2v.train`, and what the command does with them."""

    output: str
    kind: str  # the format of the output
    save_vocab: str | None
    read_vocab: str | None
    dask: str | None
    overwrite: bool
    log_json: str | None
    quiet: bool

    def is_complete(self, config: TrainConfig, options: dict[str, Any]) -> bool:
        """Whether the run to resume has come to its end, and all of its outputs are there.

        Raises InputError for a checkpoint of other options.
        """
        others = filter(None, [self.save_vocab, options["save_model"]])
        is_there = all(map(os.path.exists, [*outputs_of(self.output, self.kind), *others]))
        if not (options["resume"] and options["checkpoint"] and is_there) or self.overwrite:
            return False
        from ..training import checkpoint

        earlier = checkpoint.load(options["checkpoint"])
        if earlier is None:
            return False
        earlier.check_options(config)
        is_same = earlier.about["config"].get("vectors", config.vectors) == config.vectors
        return earlier.position.epoch == config.epochs and is_same

    def check_files(self, corpus: list[str], visible: list[str], options: dict[str, Any]) -> None:
        """Raise InputError for an output that cannot be written, or that is also an input or another output.

        corpus: as it was named. visible: those of its files that this machine can see. options: arguments of
        `fastw2v.train`.
        """
        if options["loss_plot"]:
            check_picture(options["loss_plot"], "plot")
        held_out = find_held_out(options["held_out"], corpus) if options["held_out"] else []
        sources = self.read_vocab, options["init_vectors"], options["continue_from"]
        inputs = [*visible, *filter(None, sources), *held_out]
        outputs = outputs_of(self.output, self.kind)
        make_directory(self.output, self.kind)
        others = [options["save_model"], self.save_vocab, options["loss_plot"], self.log_json]
        checkpoints: list[str] = []
        if options["checkpoint"]:
            from ..modelfile import checkpoint_paths

            checkpoints = checkpoint_paths(options["checkpoint"])
        check_plain([self.save_vocab, self.log_json])
        check_outside([*outputs, *others, *checkpoints], corpus, options["held_out"])
        check_outputs(outputs, inputs, self.overwrite)
        # The run that is resumed may have written these.
        check_outputs(others, [*inputs, *outputs], self.overwrite or options["resume"])
        for path in checkpoints:
            check_no_link(path)  # it would be taken for one file with two names
        check_distinct([*outputs, *others, *checkpoints])

    def run(self, files: list[str], options: dict[str, Any]) -> None:
        """Train and write the vectors. options: arguments of `fastw2v.train`."""
        from ..api import train as train_vectors
        from ..corpus.tokenizer import problem_of
        from ..corpus.vocabulary import Vocabulary
        from ..events import PhaseEnded
        from ..modelfile import checkpoint_paths
        from ..training.model import last_vectors
        from .progress import CommandReporter

        vocabulary = Vocabulary.load(self.read_vocab, problem_of) if self.read_vocab else None
        with ExitStack() as stack:
            reporter = CommandReporter(self.quiet, self.log_json, append=options["resume"])
            stack.enter_context(closing(reporter))
            if options["resume"] and not any(map(os.path.exists, checkpoint_paths(options["checkpoint"] or ""))):
                reporter.note(f"there is no checkpoint in {options['checkpoint']} yet: starting from the beginning")
            if self.dask is not None:
                from ..cluster.clients import connected

                worker_timeout = options.get("worker_timeout", TrainConfig.worker_timeout)
                cluster = connected(self.dask, options.get("threads"), worker_timeout, reporter.warn)
                options["client"] = stack.enter_context(cluster)
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("always", "no checkpoint", RuntimeWarning)  # whatever PYTHONWARNINGS says
            warnings.showwarning = lambda message, *where: reporter.warn(message)
            on_event = self._listener(reporter, options)
            try:
                vectors, problem = train_vectors(files, vocabulary=vocabulary, callback=on_event, **options), ""
            except RunError as error:
                if error.model is None:
                    raise
                problem = f"{error}; {self._rescue_model(error.model, options)}"
                vectors = last_vectors(error.model)
            start = time.perf_counter()
            self._write(vectors, options, problem)
            if problem:
                raise RunError(f"{problem}; the vectors are in {self.output}")
            reporter(PhaseEnded("write", time.perf_counter() - start))
            what = f"{len(vectors):,} words, fingerprint {vectors.fingerprint}"
            reporter.summary(f"wrote {self.output}: {what}", self._next_step(vectors.index_to_key))

    def _next_step(self, words: list[str]) -> str:
        """A command that asks the vectors that were written for a word, or "" where they cannot be read."""
        if self.kind in WRITTEN_ONLY or self.output in STANDARD_STREAMS:
            return ""
        word = next((word for word in words if len(word) > 3 and word.isalpha()), words[0])
        read_as, kind = format_of(self.output), "text" if self.kind == "glove" else self.kind
        named = "" if read_as == kind else f" --format {kind}"
        return f"fastw2v similar {shlex.quote(self.output)} {shlex.quote(word)}{named}"

    def _listener(self, reporter: CommandReporter, options: dict[str, Any]) -> Callback:
        """The callback for `fastw2v.train`, which shows the events and keeps `signals` up to date."""
        from ..events import (
            CheckpointFailed,
            CheckpointSaved,
            CorpusRead,
            Estimated,
            Evaluating,
            NewFile,
            PhaseEnded,
            Progress,
            Resumed,
        )
        from ..modelfile import checkpoint_paths
        from ..training.resources import check_disk, vector_file_bytes
        from ..vectors.formats import check_storable

        failed: CheckpointFailed | None = None  # the last save of the run
        needed = 0.0  # bytes of the output

        def on_event(event: Event) -> bool:
            nonlocal failed, needed
            reporter(event)
            match event:
                case PhaseEnded("compile"):
                    signals.end_in_good_order()
                case CorpusRead(vocabulary):
                    check_storable(vocabulary.words, self.kind, options["dim"])
                    if self.save_vocab:
                        vocabulary.save(self.save_vocab)
                    needed = vector_file_bytes(self.kind, len(vocabulary), options["dim"])
                case Estimated(files=files):
                    output = NewFile("the output", self.output, needed, needed)
                    check_disk([*files, output], "make room, or name another directory")
                case Progress() | Evaluating():
                    signals.waits = True
                case CheckpointSaved(n_words=n_words) | Resumed(n_words=n_words):
                    signals.consequence = f"{NOT_WRITTEN}; --resume continues from token {n_words:,}"
                case CheckpointFailed(write_to=write_to):
                    failed = event if write_to else None
                    if not any(map(os.path.exists, checkpoint_paths(options["checkpoint"]))):
                        signals.consequence = f"{NOT_WRITTEN}; there is no checkpoint in {options['checkpoint']}"
                case PhaseEnded("train"):
                    signals.waits = False
                    if signals.received and failed:
                        raise self._stopped_unsaved(failed, options)
                    if signals.received:
                        raise Stopped(signals.received)
            return signals.received > 0

        return on_event

    def _stopped_unsaved(self, failed: CheckpointFailed, options: dict[str, Any]) -> RunError:
        """Save the state of a stopped run elsewhere, as its checkpoint could not be written; the error that says so."""
        from ..modelfile import CHECKPOINT

        assert failed.write_to is not None, "it was the last save of the run"
        kept = rescue("checkpoint", {CHECKPOINT: failed.write_to}, options["checkpoint"], options.get("temp_dir"))
        return RunError(f"{reason_of(signals.received)}{NOT_WRITTEN}; {failed.message}; {kept}")

    def _rescue_model(self, model: TrainedModel, options: dict[str, Any]) -> str:
        """Save a model elsewhere that could not be written, and say where it is."""
        name = os.path.basename(options["save_model"])
        return rescue("model", {name: model.save}, options["checkpoint"], options.get("temp_dir"))

    def _write(self, vectors: Vectors, options: dict[str, Any], problem: str) -> None:
        """Write the vectors, if need be elsewhere. problem: what has failed before, if anything."""
        from ..training.resources import vector_file_bytes

        try:
            vectors.save(self.output, self.kind)
        except FAILURES as error:
            stem, suffix = os.path.splitext(os.path.basename(self.output))
            if self.output in STANDARD_STREAMS or is_device(self.output):
                stem, suffix = "vectors", SUFFIXES.get(self.kind, ".txt")
            # The native file takes a third of the room of a text.
            kinds = {stem + suffix: self.kind} | {f"{stem}.fw2v": "native"}
            attempts = {name: partial(vectors.save, kind=kind) for name, kind in kinds.items()}
            needed = format_bytes(vector_file_bytes(self.kind, len(vectors), vectors.vector_size))
            kept = rescue("vectors", attempts, options["checkpoint"], options.get("temp_dir"))
            problem = f"{problem}; {text_of(error)}" if problem else text_of(error)
            raise RunError(f"{problem}. The file takes about {needed}; {kept}") from error


def _limit_blas() -> None:
    """Give NumPy's libraries one thread, as full softmax has its own. They read this when they are loaded."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = "1"


@command()
def warmup() -> None:
    """Compile fastw2v's kernels (its inner loops) for this CPU now, for example when you build a container image."""
    _limit_blas()
    from ..kernels.cache import CACHE_DIRECTORY
    from ..training.warmup import compile_all, kernels_to_compile
    from .progress import CommandReporter

    n_kernels, start = len(kernels_to_compile()), time.perf_counter()
    with closing(CommandReporter(quiet=False, log_json=None)) as reporter:
        reporter.note(
            f"compiling {n_kernels} kernels for this CPU" if n_kernels else "the kernels are compiled already"
        )
        compile_all(reporter)
        reporter.note(f"done in {time.perf_counter() - start:.1f} s; the kernels are in {CACHE_DIRECTORY}")
