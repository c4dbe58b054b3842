"""What test_writes.py runs under strace: one write of a checkpoint, or of vectors, over an old one.

python writer.py checkpoint|vectors DIRECTORY   exit code: 0 written, 1 refused with a message on stderr
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from fastw2v import RunError, TrainConfig, Vectors, Vocabulary
from fastw2v.corpus.corpus import Corpus, Reading
from fastw2v.training.checkpoint import Checkpointer, CheckpointFailed, Position
from fastw2v.training.model import Model

TEMPORARY = "known_to"  # in place of mkstemp's random letters: strace must know the name
N_WORDS, DIM = 300, 20


def write(what, directory, mark):
    """Write a state that is told by `mark`. Raises RunError."""
    words = [f"w{i}" for i in range(N_WORDS)]
    matrix = np.full((N_WORDS, DIM), mark, np.float32)
    if what == "vectors":
        Vectors(words, matrix).save(directory / "vectors.txt")
        return
    vocabulary = Vocabulary(words, np.arange(N_WORDS, 0, -1))
    corpus = Corpus(vocabulary, np.zeros(10, np.int32), 10, Reading(0, 10, N_WORDS, 0, 0, 0))
    failed = []

    def on_event(event):
        if isinstance(event, CheckpointFailed):
            failed.append(event)

    checkpointer = Checkpointer(directory, 1, Model(matrix, matrix, DIM), corpus, TrainConfig(dim=DIM), on_event)
    checkpointer.save(Position(n_words=mark))
    checkpointer.close()
    if failed:
        raise RunError(failed[0].message)


if __name__ == "__main__":
    tempfile._name_sequence = iter([TEMPORARY] * 100)
    try:
        write(sys.argv[1], Path(sys.argv[2]), 2)
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
