"""What test_writes.py runs under strace: one write of a checkpoint, or of vectors, over an old one.

python writer.py checkpoint|vectors DIRECTORY   exit code: 0 written, 1 refused with a message on stderr
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from fastw2v import RunError, TrainConfig, Vectors, Vocabulary
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.vocabulary import Reading
from fastw2v.events import CheckpointFailed
from fastw2v.training.checkpoint import content_of
from fastw2v.training.checkpointer import Checkpointer
from fastw2v.training.matrices import new_matrices
from fastw2v.training.run import TrainingRun
from fastw2v.training.schedule import Position

TEMPORARY = "known_to"  # in place of mkstemp's random letters: strace must know the name
N_WORDS, DIM = 300, 20


def write(what, directory, mark):
    """Write a state that is told by `mark`. Raises RunError."""
    words = [f"w{i}" for i in range(N_WORDS)]
    if what == "vectors":
        Vectors(words, np.full((N_WORDS, DIM), mark, np.float32)).save(directory / "vectors.txt")
        return
    vocabulary = Vocabulary(words, np.arange(N_WORDS, 0, -1))
    corpus = Corpus(vocabulary, np.zeros(10, np.int32), n_tokens=10, reading=Reading(0, 10, N_WORDS))
    config = TrainConfig(dim=DIM)
    matrices = new_matrices(N_WORDS, config, threads=1)
    matrices.word_inputs[:] = matrices.word_outputs[:] = mark
    events = []
    content = content_of(TrainingRun(config, corpus, matrices, 1))
    checkpointer = Checkpointer(directory, 1, content, events.append)
    checkpointer.save(Position(n_words=mark))
    checkpointer.close()
    if isinstance(events[0], CheckpointFailed):
        raise RunError(events[0].message)


if __name__ == "__main__":
    tempfile._name_sequence = iter([TEMPORARY] * 100)
    try:
        write(sys.argv[1], Path(sys.argv[2]), 2)
    except RunError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
