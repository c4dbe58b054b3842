"""Kernels compiled ahead of the work, or loaded from the cache."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..config import TrainConfig
from ..corpus.corpus import Corpus
from ..corpus.phrases import compile_kernels as compile_phrases
from ..corpus.preparation import Preparation
from ..corpus.tokenizer import Tokenizer
from ..corpus.vocabulary import Reading, Vocabulary
from ..corpus.words import WordCounter
from ..errors import InputError
from ..events import Callback, KernelCompiling, ignore
from ..kernels.cache import AWAITED, missing_kernels
from ..kernels.dictionary import mark_invalid
from ..kernels.forks import LOADING
from ..kernels.jit import MAX_THREADS
from ..kernels.statistics import STATISTICS
from ..kernels.tokenize import end_of_last_separator, renumber
from ..kernels.tracks import compile_loop, compile_tasks
from ..kernels.train import Job
from ..kernels.walk import Spans
from ..machine import available_threads
from ..vectors.vectors import Vectors
from .loop import LocalLoop
from .matrices import Matrices, new_matrices, row_layout, zeros
from .objective import blank_objective, objective_of, windows_of
from .run import TrainingRun
from .trainers import HogwildTrainer

HELPER = """
import json, os, sys, threading

def end_with_parent():
    os.read(0, 1)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
sys.path[:], *arguments = json.loads(sys.argv[1])
from fastw2v.training.warmup import compile_others
compile_others(*arguments)
"""

HELPER_SECONDS = 120.0
"""The other process is not waited for any longer: it takes 5 s on an idle machine, and could be stopped or hang."""

Options = dict[str, Any]
"""The options that decide which kernels a run needs: model, loss, update and deterministic; `lower` stands for all that
prepare text."""


class Piece(NamedTuple):
    """Some kernels by their names in the cache, and a function that compiles them or loads them from the cache."""

    kernels: list[str]
    compile: Callable[[], object]


def compile_kernels(threads: int = 1, config: TrainConfig | None = None, callback: Callback = ignore) -> None:
    """Compile everything that `train` needs with these options, or load it from the cache, by training on a few words.

    Done before the work, so that a failure shows at once and no time is counted twice. More threads than Numba can
    start count as that many. If another process still compiles what writes vectors, that is not waited for.
    """
    options = _options_of(config or TrainConfig())
    with LOADING, _compiling([options], False, callback):
        for piece in _own_pieces([options]):
            piece.compile()
        others = _other_pieces([options], False)
        _compile_from_the_end(others[:-1])  # what writes vectors, the last one, can wait
        _train(options, min(threads, MAX_THREADS))
        for piece in others:
            if not any(AWAITED.get(name, bool)() for name in missing_kernels(piece.kernels)):
                piece.compile()


def compile_all(callback: Callback = ignore) -> None:
    """Compile all kernels of fastw2v, or load them from the cache."""
    every = _all_options()
    with LOADING, _compiling(every, True, callback):
        own, others = _own_pieces(every), _other_pieces(every, True)
        for piece in own:
            piece.compile()
        _compile_from_the_end(others)
        for piece in others:
            piece.compile()


def kernels_to_compile(config: TrainConfig | None = None) -> list[str]:
    """Return the names of the kernels that a run with these options, or anything, needs and the cache lacks."""
    return _missing([_options_of(config)], False) if config else _missing(_all_options(), True)


def compile_others(every: list[Options], has_all: bool) -> None:
    """Compile what another process leaves for last: all but the kernels that train, and with `has_all` these too."""
    for piece in _other_pieces(every, has_all):
        piece.compile()
    if has_all:
        _compile_from_the_end(_own_pieces(every))


def _compile_from_the_end(pieces: list[Piece]) -> None:
    """Compile the pieces that another process, which takes them from the first one on, has not begun."""
    rest = pieces
    while len(rest := [piece for piece in rest if missing_kernels(piece.kernels)]) > 1:
        piece = rest.pop()  # for good: a full disk may not keep it
        for name in piece.kernels:
            AWAITED.pop(name, None)
        piece.compile()


def _options_of(config: TrainConfig) -> Options:
    is_prepared = config.lower or config.strip_punctuation or config.digits != TrainConfig.digits
    options = {name: getattr(config, name) for name in ("model", "loss", "update", "deterministic")}
    return {**options, "lower": is_prepared}


def _all_options() -> list[Options]:
    kinds = [("skipgram", "window"), ("skipgram", "pair"), ("cbow", "window")]
    every = [*product(kinds, ["ns", "hs"]), (kinds[0], "softmax")]
    others = {"deterministic": True, "lower": True}
    return [{"model": model, "update": update, "loss": loss, **others} for (model, update), loss in every]


def _missing(every: list[Options], has_all: bool) -> list[str]:
    pieces = _own_pieces(every) + _other_pieces(every, has_all)
    return missing_kernels(name for piece in pieces for name in piece.kernels)


@contextmanager
def _compiling(every: list[Options], has_all: bool, callback: Callback) -> Iterator[None]:
    """Let another process compile a part into the same cache, if it is not there yet, and report what is compiled.

    Compiling holds Python's lock, so a thread would not help. If the process fails, all is compiled here.
    """
    n_kernels = len(_missing(every, has_all))
    if n_kernels:
        _check_working_directory()
    reported: list[str] = []
    is_over = False

    def report() -> None:
        missing = _missing(every, has_all)
        if missing and reported[-1:] != missing[:1] and not is_over:
            reported.append(missing[0])
            callback(KernelCompiling(missing[0], n_kernels - len(missing) + 1, n_kernels))

    report()
    others = missing_kernels(name for piece in _other_pieces(every, has_all) for name in piece.kernels)
    process = _start_helper(every, has_all) if others else None

    end = time.monotonic() + HELPER_SECONDS

    def is_working() -> bool:
        report()
        return process is not None and process.poll() is None and time.monotonic() < end

    AWAITED.update(dict.fromkeys(others if process else [], is_working))
    yield
    is_over = True


def _check_working_directory() -> None:
    """Raise InputError if it was removed: Numba asks where it is."""
    try:
        os.getcwd()
    except FileNotFoundError:
        message = "the working directory was removed, and Numba can compile only where there is one: change to another"
        raise InputError(message) from None


def _start_helper(every: list[Options], has_all: bool) -> subprocess.Popen[bytes] | None:
    is_python = os.path.basename(sys.executable or "").startswith("python")  # not a program that embeds it
    if not is_python or available_threads() < 2:
        return None
    nowhere = subprocess.DEVNULL
    path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others too
    # Isolated (-I), it imports nothing from the working directory, unless this process does so itself.
    command = [sys.executable, "-I", "-c", HELPER, json.dumps([path, every, has_all])]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)
    except OSError:  # the user may start no more processes
        return None
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:  # waits for it and closes the pipe
        process.kill()


def _smallest_training(options: Options) -> tuple[TrainConfig, Corpus]:
    ids = np.array([0, 1, 0, -1], np.int32)
    ids.flags.writeable = False
    corpus = Corpus(Vocabulary(["a", "b"], np.array([4, 2])), ids, n_tokens=3, reading=Reading(6, 3, 2, 0, 0, 0))
    return replace(TrainConfig(**options), dim=1, epochs=1, min_count=1, sample=0), corpus  # type: ignore[arg-type]


def _train(options: Options, threads: int) -> None:
    config, corpus = _smallest_training(options)
    run = TrainingRun(config, corpus, new_matrices(2, config, threads), threads)
    run.train(LocalLoop(run, corpus))


def _smallest_job(options: Options, learn: bool = True) -> Job:
    """Return what trains on the smallest corpus, or takes its loss, with tables that no kernel has filled."""
    config, corpus = _smallest_training(options)
    matrices = Matrices.empty(row_layout(2, config, threads=1, has_frozen=False), config.dim, zeros)
    windows, objective = windows_of(corpus.vocabulary, config), blank_objective(2, config)
    spans = Spans(np.zeros(1, np.int64), np.zeros(1, np.float32), len(corpus.ids))
    trainer = HogwildTrainer(matrices, windows, objective, config, threads=1)
    return trainer.job(corpus.ids, spans, 0, np.zeros((1, STATISTICS)), learn)


def _own_pieces(every: list[Options]) -> list[Piece]:
    """Return the kernels that train, which take longest."""
    pieces = {}
    for options in every:
        if options["loss"] == "softmax":
            names = "gather_predictions", "take_means", "take_exponentials", "add_steps"
            pieces["softmax"] = Piece([f"softmax.{name}" for name in names], partial(_train, options, 1))
        else:
            for job in (_smallest_job(options), _smallest_job(options, learn=False)):
                name = f"train.{job.kernel.py_func.__qualname__}"
                pieces[name] = Piece([name], job.compile_kernel)
    return list(pieces.values())


def _other_pieces(every: list[Options], has_all: bool) -> list[Piece]:
    """Return what else a training run needs, in the order of its need, or with `has_all` all that fastw2v has."""
    of_text = ["tokenize.end_of_last_separator", "tokenize.find_tokens", "dictionary.look_up", "dictionary.rehash"]
    pieces = {"matrices": Piece(["random.fill_uniform"], _make_matrices), "tokens": Piece(of_text, _tokenize)}
    if has_all or any(options["lower"] for options in every):
        pieces["preparation"] = Piece(["preparation.prepare"], _prepare)
    for options in every:
        config, corpus = _smallest_training(options)
        make_tables = partial(objective_of, corpus.vocabulary, config)
        if config.loss == "hs":
            pieces["hs"] = Piece(
                [f"huffman.{name}" for name in ("build_tree", "path_lengths", "fill_paths")], make_tables
            )
        if config.loss == "ns":
            pieces["ns"] = Piece(["alias.build_alias_table"], make_tables)
        if config.loss != "softmax":
            job = _smallest_job(options)
            pieces["span"] = Piece(["train.train_span"], job.compile_span)
            pieces["loop"] = Piece(["train.train_spans"], job.compile_loop)
            if options["deterministic"]:
                pieces["tasks"] = Piece(["tracks.run_tasks"], partial(compile_tasks, job))
                pieces["tracks"] = Piece(["tracks.train_tracks"], partial(compile_loop, job))
    pieces["counting"] = Piece(["dictionary.mark_invalid", "tokenize.renumber"], _count)
    pieces["writing"] = Piece(["numbers.format_rows"], partial(_save, os.devnull))
    if has_all:
        of_files = [f"numbers.{name}" for name in ("format_binary_rows", "parse_rows", "parse_binary_rows")]
        pieces["files"] = Piece([*of_files, "dictionary.merge"], _use_files)
        of_phrases = "count_pairs", "rehash", "fill_table", "locate_pairs", "merge_pairs", "count_ids", "length_of_text"
        pieces["phrases"] = Piece([f"phrases.{name}" for name in (*of_phrases, "write_words")], compile_phrases)
    return list(pieces.values())


def _make_matrices() -> None:
    new_matrices(2, TrainConfig(dim=1), threads=1)


def _tokenize() -> None:
    text = np.array(bytearray(b"a b a\n"))  # writable, like the blocks of a file: else another type to Numba
    end_of_last_separator(text)
    Tokenizer(n_words=1).encode(text)


def _prepare() -> None:
    Preparation(lower=True).apply(np.array(bytearray(b"A\n")))


def _count() -> None:
    mark_invalid(np.zeros(1, np.uint8), np.ones(1, np.int64), np.empty(1, np.bool_))
    renumber(np.zeros(1, np.int32), np.zeros(1, np.int32))


def _save(path: str) -> None:
    Vectors(["a", "b"], np.zeros((2, 1), np.float32)).save(path)


def _use_files() -> None:
    WordCounter().absorb(WordCounter.of([b"a"]))
    with tempfile.TemporaryDirectory() as directory:
        for name in ("v.txt", "v.bin"):
            path = os.path.join(directory, name)
            _save(path)
            Vectors.load(path)
