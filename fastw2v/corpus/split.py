"""A random share of the sentences of a corpus, kept out of it."""

import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .corpus import Corpus
from .idfile import IDS_AT_A_TIME, map_ids, temporary_file, write_ids
from .vocabulary import Reading

LONGEST = 1_000
"""Sentences of more tokens are cut into pieces of this length, so that a text of one line can be divided too."""


def split(corpus: Corpus, share: float, seed: int, temp_dir: str | None = None) -> tuple[Corpus, Corpus]:
    """Return the corpus without a random share of its sentences, and those sentences, in the same vocabulary.

    The draws depend on the seed alone. Raises InputError if one of the two holds no sentence.
    """
    with temporary_file(temp_dir) as rest, temporary_file(temp_dir) as kept_out:
        parts = [_Part(), _Part()]
        for pieces in _divided(corpus.ids, share, np.random.default_rng([seed, len(corpus.ids)])):
            for part, file, ids in zip(parts, (rest, kept_out), pieces, strict=True):
                part.add(ids)
                write_ids(file, ids)
        for part, what in zip(parts, ("to train on", "out of training"), strict=True):
            if part.n_tokens == 0:
                raise InputError(
                    f"a held-out share of {share:g} leaves no sentence {what}: give another share, or a held-out file"
                )
        trained, held_out = (
            replace(corpus, ids=map_ids(file), n_tokens=part.n_tokens, checksum=part.checksum)
            for part, file in zip(parts, (rest, kept_out), strict=True)
        )
    return trained, replace(held_out, reading=Reading(0, held_out.n_tokens, len(corpus.vocabulary)))


class _Part:
    """What is known of one of the two parts."""

    n_tokens = checksum = 0

    def add(self, ids: NDArray[np.int32]) -> None:
        self.n_tokens += int(np.count_nonzero(ids >= 0))
        self.checksum = zlib.crc32(ids.data, self.checksum)


def _divided(
    ids: NDArray[np.int32], share: float, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Yield the ids that stay and those that are kept out, piece by piece, each sentence with its end, -1."""
    length, is_out = 0, False  # of the sentence so far, and whether its last piece is kept out
    for first in range(0, len(ids), IDS_AT_A_TIME):
        piece = ids[first : first + IDS_AT_A_TIME]
        places = np.arange(len(piece))
        is_end = piece < 0
        # The place in its sentence of each token; the first sentence of the piece may have begun before it.
        last_end = np.maximum.accumulate(np.where(is_end, places, -1 - length))
        place = places - last_end - 1
        begins = ~is_end & (place % LONGEST == 0)
        draws = np.append(is_out, rng.random(int(begins.sum())) < share)
        out = draws[np.cumsum(begins)]
        before = np.append(is_out, out[:-1])
        # Where a long sentence passes from one part to the other, it ends in the part that it leaves.
        cuts = np.flatnonzero(begins & (place > 0) & (out != before))
        with_cuts = np.insert(piece, cuts, np.int32(-1))
        out_with_cuts = np.insert(out, cuts, before[cuts])
        yield with_cuts[~out_with_cuts], with_cuts[out_with_cuts]
        length, is_out = (0 if is_end[-1] else int(place[-1]) + 1), bool(out[-1])
