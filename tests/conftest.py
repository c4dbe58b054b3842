"""Shared fixtures: a command line in this process, texts with structure planted in them."""

import os
import random
import sys
import warnings

import pytest

N_TOPICS = 8
WORDS_OF_TOPIC = 12

TRAIN = ["--dim", "20", "--min-count", "1", "--epochs", "3", "--sample", "0", "--lr", "0.05"]
"""Options that learn the planted structure in a moment."""


def planted_text(seed=0, n_sentences=3000):
    """Sentences of ten words, each from one topic: words of a topic share their contexts, and no others do."""
    rng = random.Random(seed)
    topics = [[f"t{topic}w{i}" for i in range(WORDS_OF_TOPIC)] for topic in range(N_TOPICS)]
    return "\n".join(" ".join(rng.choices(rng.choice(topics), k=10)) for _ in range(n_sentences)) + "\n"


def share_of_planted_neighbours(vectors):
    """Of the 5 nearest words of each word, the share that is of its own topic; 0.12 by chance."""
    hits = [
        near.split("w")[0] == word.split("w")[0] for word in vectors for near, _ in vectors.most_similar(word, topn=5)
    ]
    return sum(hits) / len(hits)


@pytest.fixture
def planted(tmp_path):
    path = tmp_path / "planted.txt"
    path.write_text(planted_text())
    return path


@pytest.fixture
def run(monkeypatch, capfd):
    """Run the command line here: run("train", ...) -> (exit code, stdout, stderr)."""
    from fastw2v import cli

    monkeypatch.setattr(cli.signals, "catch", lambda: None)  # pytest keeps its own Ctrl-C
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which main replaces

    environment = dict(os.environ)  # Numba's threads are set there

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fastw2v", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        os.environ.clear()
        os.environ.update(environment)
        out, err = capfd.readouterr()
        return stopped.value.code, out, err

    return run
