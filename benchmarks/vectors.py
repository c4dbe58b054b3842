"""Everything but training beside gensim: queries, evaluation, files, phrases, corpora from Python.

    python benchmarks/vectors.py wiki8.txt vecs.txt --analogies questions-words.txt [--word2phrase PATH]

Queries and our own format are timed on random vectors of 1 M words x 300, text and binary files on 200,000 x 100, the
evaluation on `vecs.txt`. Both sides take turns; medians.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.phrases import Phrases as GensimPhrases
from gensim.models.word2vec import LineSentence
from trainers import commit, cpu_name, measure

from fastw2v import Vectors
from fastw2v.corpus.phrases import Phrases
from fastw2v.corpus.sequences import from_lines, from_sentences, from_walks

HERE = Path(__file__).parent
N_WORDS, DIM = 1_000_000, 300
BATCH = 1000
BATCH_OF_GENSIM = 20
"""gensim answers one query after the other: so many of the batch are enough to know its time."""


def gensim_phrases(corpus: str, output: str) -> None:
    text = LineSentence(corpus)
    frozen = GensimPhrases(text, min_count=5, threshold=10).freeze()
    with open(output, "w", encoding="utf-8") as out:
        for sentence in frozen[text]:
            out.write(" ".join(sentence) + "\n")


def timed(work: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], float]:
    """A function that does the work and returns its seconds."""

    def run() -> float:
        start = time.perf_counter()
        work(*arguments, **options)
        return time.perf_counter() - start

    return run


class Table:
    """Rows of what was timed: seconds, or with `amount` a rate."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.rows = rounds, []

    def add(
        self,
        what: str,
        ours: Callable[[], float],
        theirs: Callable[[], float] | None,
        peer: str = "gensim",
        amount: float = 0,
        unit: str = "s",
    ) -> None:
        """`ours` and `theirs` return seconds."""
        found: list[list[float]] = [[], []]
        for _ in range(self.rounds):
            found[0].append(ours())
            if theirs:
                found[1].append(theirs())
        self.rows.append(
            {
                "what": what,
                "peer": peer if theirs else "",
                "amount": amount,
                "unit": unit,
                "ours": found[0],
                "theirs": found[1],
            }
        )
        click.echo(line(self.rows[-1]))


def random_vectors(n: int, dim: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(1)
    return [f"w{i}" for i in range(n)], rng.standard_normal((n, dim), np.float32)


def gensim_of(words: list[str], matrix: np.ndarray) -> KeyedVectors:
    made = KeyedVectors(matrix.shape[1])
    made.add_vectors(words, matrix)
    made.fill_norms()
    return made


def time_queries(table: Table, directory: str) -> None:
    words, matrix = random_vectors(N_WORDS, DIM)
    ours, theirs = Vectors(words, matrix), gensim_of(words, matrix)
    assert [word for word, _ in ours.most_similar("w7")] == [word for word, _ in theirs.most_similar("w7")]
    size = f"{N_WORDS:,} x {DIM}"
    asked = [f"w{i}" for i in range(BATCH)]
    table.add(f"10 nearest of a word, {size}", timed(ours.most_similar, "w7"), timed(theirs.most_similar, "w7"))
    some = timed(lambda: [theirs.most_similar(word) for word in asked[:BATCH_OF_GENSIM]])
    table.add(
        f"10 nearest of {BATCH:,} words, {size}",
        timed(ours.most_similar_batch, asked),
        lambda: BATCH / BATCH_OF_GENSIM * some(),
    )
    native, saved = os.path.join(directory, "v.fw2v"), os.path.join(directory, "v.kv")
    ours.save(native)
    theirs.save(saved)
    table.add(
        f"open our own format (gensim: mmap='r'), {size}",
        timed(Vectors.load, native),
        timed(KeyedVectors.load, saved, mmap="r"),
    )
    table.add(
        "open it and answer a first query",
        timed(lambda: Vectors.load(native).most_similar("w7")),
        timed(lambda: KeyedVectors.load(saved, mmap="r").most_similar("w7")),
    )


def time_files(table: Table, directory: str) -> None:
    words, matrix = random_vectors(200_000, 100)
    ours, theirs = Vectors(words, matrix), gensim_of(words, matrix)
    for kind, binary in (("text", False), ("binary", True)):
        mine, other = (os.path.join(directory, f"{name}.{kind}") for name in ("ours", "theirs"))
        table.add(
            f"write {kind}, 200,000 x 100",
            timed(ours.save_word2vec_format, mine, binary=binary),
            timed(theirs.save_word2vec_format, other, binary=binary),
        )
        table.add(
            f"read {kind}, 200,000 x 100",
            timed(Vectors.load_word2vec_format, mine, binary=binary),
            timed(KeyedVectors.load_word2vec_format, mine, binary=binary),
        )


def time_evaluation(table: Table, vectors: str, analogies: str) -> None:
    ours = Vectors.load(vectors)
    theirs = KeyedVectors.load_word2vec_format(vectors)
    found = [made.evaluate_word_analogies(analogies, restrict_vocab=30_000)[0] for made in (ours, theirs)]
    assert abs(found[0] - found[1]) < 1e-3, found  # but for ties
    table.add(
        f"analogies among 30,000 words ({found[0]:.1%} solved)",
        timed(ours.evaluate_word_analogies, analogies, restrict_vocab=30_000),
        timed(theirs.evaluate_word_analogies, analogies, restrict_vocab=30_000),
    )


def time_phrases(table: Table, corpus: str, directory: str, word2phrase: str | None) -> None:
    megabytes = os.path.getsize(corpus) / 1e6
    output = os.path.join(directory, "phrases.txt")
    Phrases.learn(__file__, output=output, threads=2)  # compile what is timed
    table.add(
        "phrases, 2 threads, text to text",
        timed(Phrases.learn, corpus, output=output, threads=2),
        timed(gensim_phrases, corpus, output),
        "gensim",
        megabytes,
        "MB/s",
    )
    if word2phrase:
        theirs = [word2phrase, "-train", corpus, "-output", output, "-min-count", "5"]
        for threads in ("2", "1"):
            ours = [
                sys.executable,
                "-m",
                "fastw2v",
                "phrases",
                corpus,
                "-o",
                output,
                "--overwrite",
                "--threads",
                threads,
            ]
            table.add(
                f"phrases, {threads} threads, whole process",
                lambda ours=ours: measure(ours)[2],
                lambda: measure(theirs)[2],
                "word2phrase",
                megabytes,
                "MB/s",
            )


def time_sequences(table: Table, corpus: str) -> None:
    with open(corpus, encoding="utf-8") as file:
        lines = file.readlines(30_000_000)
    sentences = [line.split() for line in lines]
    n_tokens = sum(map(len, sentences)) / 1e6
    theirs = timed(lambda: Word2Vec(min_count=5).build_vocab(sentences))
    table.add(
        "lists of str, read", timed(from_sentences, sentences), theirs, "gensim's build_vocab", n_tokens, "M tokens/s"
    )
    table.add("lines of str, read", timed(from_lines, lines, threads=2), None, amount=n_tokens, unit="M tokens/s")
    walks = np.random.default_rng(0).integers(0, 100_000, (100_000, 80))
    table.add(
        "walks of an int64 array, read", timed(from_walks, walks), None, amount=walks.size / 1e6, unit="M tokens/s"
    )


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True))
@click.argument("vectors", type=click.Path(exists=True))
@click.option("--analogies", required=True, type=click.Path(exists=True))
@click.option("--word2phrase", type=click.Path(exists=True))
@click.option("--rounds", default=3, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "vectors.json"), show_default=True)
def main(corpus: str, vectors: str, analogies: str, word2phrase: str | None, rounds: int, output: str) -> None:
    made = Table(rounds)
    with tempfile.TemporaryDirectory() as directory:
        from_sentences([["a", "b"] * 5])  # compile what is timed
        from_lines(["a b"] * 5, threads=2)
        time_sequences(made, corpus)
        time_phrases(made, corpus, directory, word2phrase)
        time_evaluation(made, vectors, analogies)
        time_files(made, directory)
        time_queries(made, directory)
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "rounds": rounds,
        "corpus": os.path.basename(corpus),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy", "gensim")},
        "rows": made.rows,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def line(row: dict[str, Any]) -> str:
    """A row in Markdown: medians, and the ratio of speeds."""

    def cell(times: list[float]) -> str:
        middle = statistics.median(times)
        value = row["amount"] / middle if row["amount"] else middle
        return f"{value:.3g} {row['unit']}"

    ours = cell(row["ours"])
    if not row["theirs"]:
        return f"| {row['what']} | {ours} | - | - |"
    ratio = statistics.median(theirs / mine for mine, theirs in zip(row["ours"], row["theirs"], strict=True))
    times = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
    return f"| {row['what']} | {ours} | {cell(row['theirs'])} ({row['peer']}) | {times} |"


def table(result: dict[str, Any]) -> str:
    return "\n".join(["| what | fastw2v | peer | ratio |", "|---|---:|---:|---:|", *map(line, result["rows"])])


if __name__ == "__main__":
    main()
