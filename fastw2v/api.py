"""The Python call: `train`, in this process or on a cluster."""

import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any, Unpack

from .config import TrainConfig, TrainOptions, check_flags
from .corpus.paths import Texts
from .corpus.sequences import Walks
from .corpus.vocabulary import Vocabulary
from .events import Callback, for_every_event, ignore
from .files.names import PathLike
from .reporting.reporter import reporting
from .training import train as training
from .training.backend import Backend, LocalBackend
from .training.model import TrainedModel, last_vectors
from .training.request import Request, Source
from .vectors.vectors import Vectors

Corpus = Texts | Iterable[Sequence[str]] | Walks
"""The first argument of `train`."""


def train(
    corpus: Corpus | None = None,
    *,
    sentences: Iterable[Sequence[str]] | None = None,
    lines: Iterable[str] | None = None,
    walks: Walks | None = None,
    vocabulary: Vocabulary | None = None,
    init_vectors: Vectors | PathLike | None = None,
    continue_from: TrainedModel | PathLike | None = None,
    freeze: bool = False,
    save_model: PathLike | None = None,
    checkpoint: PathLike | None = None,
    checkpoint_every: float = 10.0,
    resume: bool = False,
    held_out: Texts | None = None,
    loss_plot: PathLike | None = None,
    client: Any = None,
    callback: Callback = ignore,
    progress: bool = False,
    **options: Unpack[TrainOptions],
) -> Vectors:
    """Train word vectors on text files, or on one of sentences, lines and walks.

    corpus: a path, glob, directory or URL, or several of them; the text may be plain or gz, bz2, xz, zst; `-` is stdin.
    A line is a sentence. An iterable of lists of words is taken as sentences, lists and arrays of integers as walks.
    sentences: lists of words, from any iterable, which is read only once, so a generator will do.
    lines: strings of words separated by white space, from any iterable.
    walks: sequences of integers: any iterable or Series of them; an array of shape (n, length), in which a negative
    number ends a walk; or a tuple (labels, offsets), where walk i is labels[offsets[i] : offsets[i + 1]]. The words are
    the integers written as decimals, "17" for 17.
    vocabulary: use these words and counts instead of those of the corpus. min_count does not apply, max_vocab does.
    init_vectors: `Vectors` to start from, or a file of them. Words without one start at random as usual.
    continue_from: a `TrainedModel`, or a file that save_model wrote, to train further. The run starts from its input
    and output vectors, keeps all of its words, and adds the words and counts of this corpus. Both continue_from and
    init_vectors without freeze need an explicit lr.
    freeze: keep the given input vectors unchanged. The output vectors are still trained, even with continue_from.
    save_model: a file with the extension .fw2v for the whole model: both matrices, the words and their counts. It is a
    file of vectors, too.
    checkpoint: a directory for the state of the run. It is written every `checkpoint_every` minutes, after long epochs,
    at the end, and when the callback stops the run; the previous one is kept. If one cannot be written, a
    RuntimeWarning says so, and the run continues.
    checkpoint_every: the minutes between two checkpoints.
    resume: resume from the checkpoint, with the same corpus and options (except threads, temp_dir, worker_timeout,
    force_softmax and vectors); start fresh if there is none yet. With one thread, the result is bit-identical to that
    of an uninterrupted run; with several threads, it differs only as two uninterrupted runs differ.
    held_out: files of text that is not trained on (lists and walks have held_out_share instead). The mean loss of its
    predictions is reported before the first epoch and after every epoch. The predictions are drawn as in training
    (subsampling, windows), the same each time.
    loss_plot: a .png, .svg or .pdf file for the loss curve, which is updated during the training.
    client: a `distributed.Client`. The workers of its Dask cluster read the corpus (all of them must see it under the
    same paths or URLs) and train copies of the model. Each uses its own number of threads, or `threads` if given.
    callback: a function that is called with each event of `fastw2v.events`. If its parameter is annotated, as in
    `def show(event: fastw2v.Progress)`, it is called with events of that class only. `Progress` usually comes three
    times a second. If the callback returns True at a `Progress`, `Evaluating` or `Waiting`, the training ends there and
    returns its vectors.
    progress: show a bar and the messages of the command line. They always go to `logging.getLogger("fastw2v")`, too.
    options: the fields of `TrainConfig`: dim, window, negative, min_count, epochs, lr, threads, seed, ...

    Returns the vectors. Raises InputError for input that cannot be used, in most cases before any work, and RunError
    (or DivergedError) if the work fails.
    If only the model could not be written, the error has the `model` and its `vectors`.
    """
    arguments = dict(locals())  # each by its name
    del arguments["options"]
    return last_vectors(train_model(**arguments, **options))


def _with_options(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of `train` with all options, which `help` and notebooks show."""
    *named, _ = inspect.signature(function).parameters.values()
    types = TrainOptions.__annotations__
    options = [
        inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=item.default, annotation=types[item.name])
        for item in fields(TrainConfig)
    ]
    return inspect.Signature([*named, *options], return_annotation=Vectors)


train.__signature__ = _with_options(train)  # type: ignore[attr-defined]


class TrainArguments(TrainOptions, total=False):
    """The keyword arguments of `train`."""

    sentences: Iterable[Sequence[str]] | None
    lines: Iterable[str] | None
    walks: Walks | None
    vocabulary: Vocabulary | None
    init_vectors: Vectors | PathLike | None
    continue_from: TrainedModel | PathLike | None
    freeze: bool
    save_model: PathLike | None
    checkpoint: PathLike | None
    checkpoint_every: float
    resume: bool
    held_out: Texts | None
    loss_plot: PathLike | None
    client: Any
    callback: Callback
    progress: bool


def train_model(corpus: Corpus | None = None, **given: Unpack[TrainArguments]) -> TrainedModel:
    """Train as `train` does, with the same arguments, and return the whole model: matrices, words and options.

    It can be saved, turned into `Vectors`, and trained further: `train_model(more, continue_from=model, lr=...)`.
    """
    arguments: dict[str, Any] = {**given}
    client, progress = arguments.pop("client", None), arguments.pop("progress", False)
    check_flags(progress=progress)
    source = Source.of(corpus=corpus, **{name: arguments.pop(name, None) for name in ("sentences", "lines", "walks")})
    of_request = {item.name for item in fields(Request)} - {"source", "config"}
    request_fields = {name: arguments.pop(name) for name in of_request & arguments.keys()}
    request = Request(source, TrainConfig.from_options(arguments, [*TrainArguments.__annotations__]), **request_fields)
    backend: Backend
    for reason in request.without_effect(client is not None):
        warnings.warn(reason, UserWarning, stacklevel=2)
    with reporting(for_every_event(request.callback), progress) as callback:
        request = replace(request, callback=callback)
        if client is None:
            backend = LocalBackend(request.config, source, callback)
        else:
            from .cluster.backend import ClusterBackend  # which most runs do without

            backend = ClusterBackend(client, request.config, source, callback)
        return training.train_model(request, backend)
