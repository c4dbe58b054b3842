"""The whole job of training, step by step: check, read, start, train, finish."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..corpus.corpus import Corpus
from ..corpus.paths import about_held_out_text, check_outside, find_held_out
from ..corpus.pruning import Pruning
from ..corpus.split import split
from ..errors import InputError, RunError
from ..events import Callback, CorpusRead, NewFile, Resumed
from ..files.checks import check_unicode
from ..files.replace import all_locked
from ..modelfile import BEST, CHECKPOINT, checkpoint_paths
from ..vectors.lossplot import LossPlot
from . import checkpoint
from .backend import Backend, phase, text_options
from .checkpoint import Checkpoint
from .checkpointer import Checkpointer
from .matrices import new_matrices, row_layout
from .model import TrainedModel, check_model_output
from .objective import windows_of
from .patience import Patience
from .request import Request
from .resources import check_disk, check_memory, estimate_memory, model_file_bytes
from .run import TrainingCorpus, TrainingRun
from .softmax import refuse_absurd
from .start import Start


def train_model(request: Request, backend: Backend) -> TrainedModel:
    """Check the request, read the corpus, start from what it names, train, and finish by saving the model.

    Raises InputError for what can be refused before the work, RunError (DivergedError) for what fails in it.
    """
    checked = check(request, backend)
    with checked.locked_outputs():
        backend.prepare(has_vocabulary=request.vocabulary is not None)
        texts = read(checked, backend)
        try:
            with phase("train", checked.callback), start(checked, texts, backend.threads) as run:
                backend.train(run)
        finally:
            if checked.loss_plot:
                checked.loss_plot.draw()
        return finish(checked, run)


@dataclass
class CheckedRequest:
    """A request that was checked.

    start: what training starts from, None for random vectors. checkpoint: what to resume from, or None. Both become
    None when the training begins, which needs their memory. held_out: the files of held-out text, or None.
    """

    request: Request
    start: Start | None
    checkpoint: Checkpoint | None
    held_out: list[str] | None
    loss_plot: LossPlot | None

    @property
    def callback(self) -> Callback:
        """The callback of the request, behind the loss plot."""
        return self.loss_plot or self.request.callback

    @contextlib.contextmanager
    def locked_outputs(self) -> Iterator[None]:
        """Keep other runs from the checkpoint and the model meanwhile."""
        directory, model = self.request.checkpoint, self.request.save_model
        with all_locked([None if directory is None else os.path.join(directory, CHECKPOINT), model]):
            yield


def check(request: Request, backend: Backend) -> CheckedRequest:
    """Load or open what the request names. Raises InputError for what cannot work."""
    checkpoints = checkpoint_paths(request.checkpoint) if request.checkpoint else []
    check_outside([request.save_model, request.loss_plot, *checkpoints], request.source.corpus, request.held_out)
    start, earlier = Start.of(request), _checkpoint_of(request)
    if request.save_model is not None:
        origins = [
            name for name in (request.init_vectors, request.continue_from) if isinstance(name, str | os.PathLike)
        ]
        check_model_output(request.save_model, request.config, [*backend.files, *origins])
    held_out = None if request.held_out is None else find_held_out(request.held_out, backend.files)
    path = request.loss_plot
    plot = None if path is None else LossPlot(path, request.config, request.callback)
    return CheckedRequest(request, start, earlier, held_out, plot)


def _checkpoint_of(request: Request) -> Checkpoint | None:
    """The checkpoint to resume from, None for a run from the beginning."""
    if not request.checkpoint_every > 0:
        raise InputError(f"checkpoint_every is {request.checkpoint_every} minutes: it must be above 0")
    if request.checkpoint is None:
        if request.resume:
            raise InputError("resume needs the directory of the checkpoint to resume from: give checkpoint")
        return None
    checkpoint.check_directory(request.checkpoint, request.resume)
    earlier = checkpoint.load(request.checkpoint) if request.resume else None
    if earlier:
        earlier.check_options(request.config)
    return earlier


@dataclass(frozen=True)
class TextsRead:
    """The texts that were read. rows: of each word among the vectors to start from, or -1; empty without them."""

    corpus: TrainingCorpus
    held_out: Corpus | None
    rows: NDArray[np.int64]

    @property
    def has_start(self) -> NDArray[np.bool_]:
        """Which words start from given vectors."""
        return self.rows >= 0


def read(checked: CheckedRequest, backend: Backend) -> TextsRead:
    """Read the corpus and the held-out text, and check that there is room to train on them."""
    request, config, start = checked.request, checked.request.config, checked.start
    earlier = start.vocabulary if start else None
    held_out = None
    with phase("read", checked.callback):
        corpus = backend.read(Pruning(config.min_count, config.max_vocab, request.vocabulary, earlier))
        if checked.held_out is not None:
            with about_held_out_text():
                pruning, options = Pruning(vocabulary=corpus.vocabulary), text_options(config, backend.threads)
                held_out = Corpus.from_text(checked.held_out, pruning, **options)
        if config.held_out_share:
            assert isinstance(corpus, Corpus), "a cluster refuses it"
            corpus, held_out = split(corpus, config.held_out_share, config.seed, config.temp_dir)
    vocabulary = corpus.vocabulary
    if config.loss == "softmax":
        n_held_out, windows = held_out.n_tokens if held_out else 0, windows_of(vocabulary, config)
        refuse_absurd(vocabulary, corpus.n_tokens, n_held_out, windows, config, backend.threads)
    texts = TextsRead(corpus, held_out, start.rows(vocabulary) if start else np.empty(0, np.int64))
    n_started = int(np.count_nonzero(texts.has_start))
    about_held_out = held_out.reading if held_out else None
    checked.callback(CorpusRead(vocabulary, corpus.n_tokens, corpus.reading, about_held_out, n_started))
    _check_resources(checked, texts, backend)
    return texts


def _check_resources(checked: CheckedRequest, texts: TextsRead, backend: Backend) -> None:
    """Tell what the training needs. Raises InputError for what there is no room for, or what could not be written."""
    request, config, vocabulary = checked.request, checked.request.config, texts.corpus.vocabulary
    has_frozen = bool(checked.start and checked.start.is_frozen)
    layout = row_layout(len(vocabulary), config, backend.threads, has_frozen)
    has_checkpoints = request.checkpoint is not None
    n_unmapped = os.path.getsize(checked.checkpoint.path) if checked.checkpoint else 0
    estimated = estimate_memory(
        layout, config, vocabulary, has_checkpoints, backend.gathers_rows, n_unmapped, checked.loss_plot is not None
    )
    estimated = replace(estimated, files=_new_files(checked, model_file_bytes(len(vocabulary), config.dim)))
    checked.callback(estimated)
    check_memory(estimated)
    another = "copy it to another disk and name the copy" if checked.checkpoint else "name another one"
    check_disk(estimated.files, f"make room in the directory, or {another}")
    if request.checkpoint is not None or request.save_model is not None:
        check_unicode(vocabulary.words)


def _new_files(checked: CheckedRequest, n_bytes: float) -> tuple[NewFile, ...]:
    """The checkpoints and the model that the run will write, of `n_bytes` each."""
    files, request, earlier = [], checked.request, checked.checkpoint
    if request.checkpoint is not None:
        n_more = 2 - checkpoint.n_checkpoints(request.checkpoint)
        if earlier and earlier.position.epoch == request.config.epochs:  # it will not be saved again
            n_more = 0
        path = os.path.join(request.checkpoint, CHECKPOINT)
        files.append(NewFile("two checkpoints", path, n_bytes, n_more * n_bytes))
        if request.config.patience and not os.path.exists(path := os.path.join(request.checkpoint, BEST)):
            files.append(NewFile("the best vectors", path, n_bytes, n_bytes))
    if request.save_model is not None:
        files.append(NewFile("the model", os.fspath(request.save_model), n_bytes, n_bytes))
    return tuple(files)


def start(checked: CheckedRequest, texts: TextsRead, threads: int) -> TrainingRun:
    """A run at its beginning: from random vectors, from given ones, or from a checkpoint."""
    directory, config, corpus = checked.request.checkpoint, checked.request.config, texts.corpus
    is_frozen = texts.has_start if checked.start and checked.start.is_frozen else None
    matrices = new_matrices(len(corpus.vocabulary), config, threads, is_frozen)
    run = TrainingRun(config, corpus, matrices, threads, checked.callback, texts.held_out)
    if checked.start:
        checked.start.fill(matrices, texts.rows)
        if directory is not None:
            run.origin = checked.start.origin(matrices, texts.rows)
    if checked.checkpoint:
        _resume(run, checked.checkpoint)
    checked.checkpoint = checked.start = None
    content = None
    if directory is not None:
        seconds, content = 60 * checked.request.checkpoint_every, checkpoint.content_of(run)
        run.checkpointer = Checkpointer(directory, seconds, content, checked.callback)
    if config.patience:
        run.patience = Patience(config.patience, matrices, content, directory or "")
        if run.resumed_from:
            run.patience.resume()
    return run


def _resume(run: TrainingRun, earlier: Checkpoint) -> None:
    earlier.check_run(run)
    earlier.fill(run.matrices)
    earlier.make_current()
    run.position = run.resumed_from = earlier.position
    run.callback(Resumed(earlier.path, run.position.n_words, earlier.warning))


def finish(checked: CheckedRequest, run: TrainingRun) -> TrainedModel:
    """The model that the run has trained, saved if the request says so."""
    matrices = run.matrices
    model = TrainedModel(run.config, run.corpus.vocabulary, matrices.word_inputs, matrices.word_outputs)
    if checked.request.save_model is not None:
        try:
            model.save(checked.request.save_model)
        except RunError as error:
            error.model = model
            raise
        except MemoryError as error:
            failed = RunError(f"too little memory to write the model {os.fspath(checked.request.save_model)}")
            failed.model = model
            raise failed from error
    return model
