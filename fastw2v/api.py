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
"""What `train` takes as its first argument."""


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

    corpus: a path, glob or directory, or several; plain text or gz, bz2, xz, zst; `-` is stdin. A line is a sentence.
    Lists of words are taken as sentences, lists and arrays of integers as walks.
    sentences: lists of words, from any iterable, also a generator: it is iterated over once.
    lines: strings of words between white space, from any iterable.
    walks: sequences of integers: any iterable or Series of them; an array, (n, length), in which a negative number
    ends a walk; or a tuple (labels, offsets), walk i being labels[offsets[i] : offsets[i + 1]]. The words are the
    decimals, "17" for 17.
    vocabulary: use these words and counts instead of those of the corpus, whatever min_count; max_vocab applies.
    init_vectors: Vectors, or a file of them, to start from; words without one start from random vectors as usual.
    continue_from: a `TrainedModel`, or a file that save_model wrote: start from its input and output vectors, keep all
    of its words, and add the words and counts of this corpus. This, and init_vectors without freeze, need an explicit
    lr.
    freeze: do not change the input vectors, which are those returned, of the words that start from given vectors.
    Their output vectors learn, with continue_from too.
    save_model: a file, of suffix .fw2v, for both matrices, the words and their counts; it is a file of vectors too.
    checkpoint: a directory for the state of the run. It is written every `checkpoint_every` minutes, after long epochs,
    at the end, and when the callback stops the run; the previous one is kept. One that fails is a RuntimeWarning.
    resume: resume from the checkpoint, with the same corpus and options (except threads, temp_dir, worker_timeout,
    force_softmax, vectors), or begin if there is none yet. One thread gives the bytes of an uninterrupted run, several
    the same schedule.
    held_out: files of text that is not trained on; for lists and walks there is held_out_share. After each epoch, and
    before the first, the mean loss of its predictions is reported; they are drawn like those of the corpus
    (subsampling, windows), the same each time.
    loss_plot: a .png, .svg or .pdf file for the loss curve, which is updated while training.
    client: a `distributed.Client`. The workers of its Dask cluster read the corpus, which all must see under the same
    paths or URLs, and train replicas of the model, each with its own number of threads or with `threads`.
    callback: called with each event of `fastw2v.events`, or if its parameter is annotated, as in
    `def show(event: fastw2v.Progress)`, with events of that class only. `Progress` comes after each slice, usually
    three times a second. If it returns True at a `Progress`, `Evaluating` or `Waiting`, the training ends and returns
    its vectors.
    progress: show a bar and what the command line shows. The same lines go to `logging.getLogger("fastw2v")`, always.
    options: the fields of `TrainConfig`: dim, window, negative, min_count, epochs, lr, threads, seed, ...

    Raises InputError for what can be refused before the work, RunError (DivergedError) for what fails in it; where
    only the model could not be written, the error has the `model` and its `vectors`.
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
    """Train as `train` does, with the same arguments, and return the model: both matrices, the words and the options.

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
