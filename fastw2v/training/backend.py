"""Where a run reads its corpus and trains: the seam between one process and a cluster, and the side of one process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.paths import find_files
from ..corpus.pruning import Pruning
from ..corpus.sequences import from_lines, from_sentences, from_walks
from ..errors import InputError
from ..events import BytesRead, Callback, PhaseEnded, PhaseStarted
from ..kernels.jit import MAX_THREADS
from ..machine import available_threads
from .loop import LocalLoop
from .request import Source
from .resources import check_room_for_ids
from .run import TrainingCorpus, TrainingRun
from .warmup import compile_kernels, kernels_to_compile


class Backend(Protocol):
    """Reads the corpus of a run and trains on it. Creating one checks what can be refused at once.

    files: those of the corpus, none where it comes from Python. threads: of this process, for held-out text too.
    gathers_rows: whether the model is trained elsewhere, and its rows are gathered here.
    """

    files: list[str]
    threads: int
    gathers_rows: bool

    def prepare(self, has_vocabulary: bool) -> None:
        """Compile, connect, and see that the corpus can be read. Raises InputError."""

    def read(self, pruning: Pruning) -> TrainingCorpus:
        """Read the corpus once. Raises InputError for what cannot be read, or leaves too few words."""

    def train(self, run: TrainingRun) -> None:
        """Train the run to its end."""


@contextmanager
def phase(name: str, callback: Callback, note: str = "") -> Iterator[None]:
    """Tell the beginning of a phase, and its end if it succeeds."""
    callback(PhaseStarted(name, note))
    start = time.perf_counter()
    yield
    callback(PhaseEnded(name, time.perf_counter() - start))


def text_options(config: TrainConfig, threads: int) -> dict[str, Any]:
    """The options of `Corpus.from_text` for this process."""
    names = "lower", "strip_punctuation", "digits", "invalid_utf8", "temp_dir"
    return {name: getattr(config, name) for name in names} | {"threads": threads}


def compile_here(config: TrainConfig, threads: int, callback: Callback) -> None:
    """Compile the kernels of a loss in this process, or load them from the cache, as the phase `compile`."""
    is_cold = kernels_to_compile(config)
    note = "compiling the kernels for this CPU, which is done once: this may take half a minute" if is_cold else ""
    with phase("compile", callback, note):
        compile_kernels(threads, config, callback)


class LocalBackend:
    """The `Backend` of one process: any corpus, any loss."""

    gathers_rows = False

    def __init__(self, config: TrainConfig, source: Source, callback: Callback) -> None:
        self._config, self._source, self._callback = config, source, callback
        self.threads = config.threads or min(available_threads(), MAX_THREADS)
        if self.threads > MAX_THREADS:
            advice = f"set the environment variable NUMBA_NUM_THREADS={self.threads} before Python starts"
            raise InputError(f"threads is {self.threads}: Numba starts at most {MAX_THREADS} in this process; {advice}")
        self.files = [] if source.corpus is None else find_files(source.corpus)

    def prepare(self, has_vocabulary: bool) -> None:
        """Compile the kernels, and see that there is room for the ids of the corpus."""
        compile_here(self._config, self.threads, self._callback)
        if not has_vocabulary:  # which would leave out an unknown part of the text
            check_room_for_ids(self.files, self._config.temp_dir)

    def read(self, pruning: Pruning) -> Corpus:
        """Read the files, or the source in their place."""
        source = self._source
        if source.sentences is not None:
            return from_sentences(source.sentences, pruning, self._config.temp_dir)
        if source.walks is not None:
            return from_walks(source.walks, pruning, self._config.temp_dir)
        options = text_options(self._config, self.threads)
        options["on_bytes"] = lambda n_bytes: self._callback(BytesRead(n_bytes))
        if source.lines is not None:
            return from_lines(source.lines, pruning, **options)
        return Corpus.from_text(self.files, pruning, **options)

    def train(self, run: TrainingRun) -> None:
        """Train slice by slice on the corpus that was read."""
        assert isinstance(run.corpus, Corpus), "it came from `read`"
        run.train(LocalLoop(run, run.corpus))
