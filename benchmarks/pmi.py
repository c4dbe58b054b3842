"""What negative sampling converges to: u.v against PMI(word, context) - log k, on the frequent words of a corpus.

    pip install '.[bench]'
    python benchmarks/pmi.py corpus.txt

Levy and Goldberg 2014, "Neural word embedding as implicit matrix factorization": for dim >= the number of words and
enough steps, skip-gram with k negatives drawn by count gives u.v = PMI(word, context) - log k. Pairs that were never
seen have no PMI; of the others, rare ones are noise, so only those seen often are looked at.
"""

from __future__ import annotations

import json
import time
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
from trainers import commit, cpu_name

from fastw2v import TrainConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.training.loop import LocalLoop
from fastw2v.training.matrices import new_matrices
from fastw2v.training.run import TrainingRun
from fastw2v.training.warmup import compile_kernels

HERE = Path(__file__).parent


@click.command(help=__doc__)
@click.argument("corpus")
@click.option("--words", default=500, show_default=True, help="The most frequent.")
@click.option("--dim", default=512, show_default=True)
@click.option("--window", default=2, show_default=True)
@click.option("--negative", default=5, show_default=True)
@click.option("--epochs", default=30, show_default=True)
@click.option("--lr", default=0.1, show_default=True)
@click.option("--seen", default=100, show_default=True, help="Least count of a pair that is looked at.")
@click.option("--threads", default=2, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "pmi.json"), show_default=True)
def main(
    corpus: str,
    words: int,
    dim: int,
    window: int,
    negative: int,
    epochs: int,
    lr: float,
    seen: int,
    threads: int,
    output: str,
) -> None:
    from matplotlib.figure import Figure

    compile_kernels(threads)
    read = Corpus.from_text(corpus, Pruning(max_vocab=words), threads=threads)
    config = TrainConfig(
        dim=dim, window=window, fixed_window=True, negative=negative, ns_exponent=1, sample=0, epochs=epochs, lr=lr
    )
    words = len(read.vocabulary)  # a small corpus has fewer
    matrices = new_matrices(words, config, threads)
    run = TrainingRun(config, read, matrices, threads)
    run.train(LocalLoop(run, read))
    got = (matrices.word_outputs @ matrices.word_inputs.T).astype(np.float64)

    # The kernel's own pairs: words that are left when the rare ones are dropped, within a sentence.
    pairs = np.zeros((words, words), np.int64)
    for distance in range(1, window + 1):
        left, right = read.ids[:-distance], read.ids[distance:]
        inside = (left >= 0) & (right >= 0)
        for between in range(1, distance):
            inside &= read.ids[between : len(read.ids) - distance + between] >= 0
        np.add.at(pairs, (left[inside], right[inside]), 1)
    pairs += pairs.T
    often = pairs >= seen
    share = pairs.sum(axis=0) / pairs.sum()
    expected = np.log(pairs / pairs.sum() / np.outer(share, share), where=often, out=np.zeros(pairs.shape))[often]
    expected -= np.log(negative)
    correlation = float(np.corrcoef(expected, got[often])[0, 1])
    slope, intercept = map(float, np.polyfit(expected, got[often], 1))
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy")},
        "settings": {
            "corpus": Path(corpus).name,
            "words": words,
            "dim": dim,
            "window": window,
            "negative": negative,
            "epochs": epochs,
            "lr": lr,
            "seen": seen,
        },
        "pairs": int(often.sum()),
        "correlation": correlation,
        "slope": slope,
        "intercept": intercept,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(f"{often.sum():,} pairs: correlation {correlation:.4f}, slope {slope:.3f}, intercept {intercept:.3f}")

    figure = Figure(figsize=(6, 5.5), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.hexbin(expected, got[often], gridsize=80, bins="log", cmap="Blues", mincnt=1)
    ends = [expected.min(), expected.max()]
    axes.plot(ends, ends, color="tab:orange", linewidth=1, label="u.v = PMI - log k")
    axes.set(xlabel="PMI(word, context) - log k", ylabel="u.v", title=f"{words} most frequent words, k = {negative}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(output).with_suffix(".png"))


if __name__ == "__main__":
    main()
