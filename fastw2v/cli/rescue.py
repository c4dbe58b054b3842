"""The result of a run that could not be written where it should: saved elsewhere, and what its checkpoint has."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping

from ..errors import Fastw2vError, text_of

FAILURES = Fastw2vError, OSError, MemoryError
"""What the writing of a result may raise. Whatever it is, the result is worth more."""

Attempts = Mapping[str, Callable[[str], None]]
"""Names of files, the best first, and for each a function that writes the result to a path of that name."""


def rescue(what: str, attempts: Attempts, checkpoint: str | None, temp_dir: str | None) -> str:
    """Save a result somewhere else, unless the checkpoint holds the finished run; say where it is, and what to do.

    what: "vectors", "model" or "checkpoint". checkpoint: the directory of the run's checkpoint, or None. temp_dir: a
    place to try before the usual temporary directory.
    """
    is_finished, state = (False, "") if checkpoint is None else _state_of(checkpoint, what)
    if is_finished:
        return state
    parts = [_save_elsewhere(what, attempts, checkpoint if what == "checkpoint" else None, temp_dir), state]
    return "; ".join(filter(None, parts))


def _save_elsewhere(what: str, attempts: Attempts, home: str | None, temp_dir: str | None) -> str:
    """Save a result where there is a place; say where. home: the directory where --resume looks for it, or None."""
    reasons = []
    for place in _places(temp_dir):
        for name, write in attempts.items():
            try:
                path = _save_below(place, name, write)
            except FAILURES as error:
                reasons.append(text_of(error))
                continue
            if home is not None:
                return f"the {what} went to {path} instead: copy that file to {home}, then run again with --resume"
            is_native = path.endswith(".fw2v")
            advice = "copy that file to where it should be" + (", or convert it with `fastw2v convert`" * is_native)
            return f"the {what} went to {path} instead: {advice}"
    return f"the {what} could not be saved elsewhere either ({'; '.join(reasons) or 'no place was found'})"


def _places(temp_dir: str | None) -> list[str]:
    """The directories where a result may go, each once."""
    places = [temp_dir] if temp_dir else []
    for find in (tempfile.gettempdir, os.getcwd):
        with contextlib.suppress(OSError):  # there is none, or it is gone
            places.append(find())
    return list(dict.fromkeys(places))


def _save_below(place: str, name: str, write: Callable[[str], None]) -> str:
    """Write a file in a new directory, where it overwrites nothing; return its path. What fails leaves nothing."""
    directory = tempfile.mkdtemp(prefix="fastw2v-", dir=place)
    path = os.path.join(directory, name)
    try:
        write(path)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return path


def _state_of(directory: str, what: str) -> tuple[bool, str]:
    """Whether a checkpoint holds the finished run, and what there is, in words. It is read to its last byte."""
    from ..training.checkpoint import load

    try:
        checkpoint = load(directory)
    except FAILURES as error:
        return False, str(error) or f"the checkpoint in {directory} cannot be read: out of memory"
    if checkpoint is None:
        return False, f"there is no checkpoint in {directory}"
    n_words = checkpoint.position.n_words
    n_words_total = checkpoint.about["config"]["epochs"] * checkpoint.about["corpus"]["n_tokens"]
    if n_words >= n_words_total:
        result = "vectors" if what == "checkpoint" else what
        return True, f"{checkpoint.path} holds the finished run: run again with --resume to write the {result}"
    share = f"after {n_words:,} of {n_words_total:,} tokens"
    return False, f"{checkpoint.path} holds an earlier state, {share}: --resume trains the rest from there"
