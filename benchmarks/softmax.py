"""Why negative sampling: what a pair costs with full softmax, hierarchical softmax and negative sampling.

    pip install '.[bench]'
    python benchmarks/softmax.py corpus.txt --pairs wordsim353.txt

Speed: skip-gram on random words with a Zipf distribution, for vocabularies of growing size; the losses take turns for
several rounds. The speed of full softmax is also given as a share of that of its three matrix products alone, done by
NumPy on the same shapes in the same run. Quality: the three losses on a text where softmax can finish, the loss of
held-out text and the correlation with human similarity after each epoch, against the time of training.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
from synthetic import speed, zipf_corpus
from threadpoolctl import threadpool_limits
from trainers import commit, cpu_name

from fastw2v import EpochEnded, Progress, TrainConfig, Vectors
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import Event
from fastw2v.training.loop import LocalLoop
from fastw2v.training.matrices import matrix_bytes, new_matrices
from fastw2v.training.objective import objective_of, windows_of
from fastw2v.training.run import TrainingRun
from fastw2v.training.softmax import BATCH, BLOCK
from fastw2v.training.warmup import compile_kernels

HERE = Path(__file__).parent
LOSSES = ("softmax", "hs", "ns")
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
LARGEST_FOR_SOFTMAX = 100_000
EPOCHS = {"softmax": 3, "hs": 10, "ns": 10}


def products_per_second(n_words: int, dim: int, threads: int) -> float:
    """Predictions/s if there were nothing but the three matrix products of a batch, on blocks as training has them."""
    rng = np.random.default_rng(0)
    hidden, block = rng.random((BATCH, dim), np.float32), rng.random((min(BLOCK, n_words), dim), np.float32)
    logits = np.empty((BATCH, len(block)), np.float32)
    rows, step = np.empty_like(hidden), np.empty_like(block)
    times = []
    with threadpool_limits(threads, "blas"):
        for _ in range(50):
            start = time.perf_counter()
            np.matmul(hidden, block.T, out=logits)
            np.matmul(logits, block, out=rows)
            np.matmul(logits.T, hidden, out=step)
            times.append(time.perf_counter() - start)
    return BATCH / (statistics.median(times) * n_words / len(block))


def rows_and_memory(corpus: Corpus, config: TrainConfig) -> tuple[float, float]:
    """Output rows that a pair touches, and MB of matrices, tables and working memory."""
    n_words = len(corpus.vocabulary)
    memory = 2 * matrix_bytes(n_words, config.dim)
    if config.loss == "softmax":
        return n_words, (memory + 4 * BATCH * n_words) / 1e6
    objective = objective_of(corpus.vocabulary, config)
    tables = [*objective.negatives, *objective.paths]
    memory += sum(table.nbytes for table in tables if isinstance(table, np.ndarray))
    if config.loss == "ns":
        return config.negative + 1, memory / 1e6
    kept = corpus.vocabulary.counts * (windows_of(corpus.vocabulary, config).keep / 2.0**32)
    return float(np.diff(objective.paths.starts) @ kept / kept.sum()), memory / 1e6


def measure_speed(dim: int, threads: int, rounds: int) -> list[dict[str, Any]]:
    found = []
    for n_words in SIZES:
        corpus = zipf_corpus(n_words)
        losses = [loss for loss in LOSSES if loss != "softmax" or n_words <= LARGEST_FOR_SOFTMAX]
        speeds: dict[str, list[float]] = {loss: [] for loss in losses}
        products = []
        for _ in range(rounds):
            for loss in losses:
                config = TrainConfig(loss=loss, dim=dim, epochs=1000)
                speeds[loss].append(speed(corpus, config, threads, 2.0)[1])
            products.append(products_per_second(n_words, dim, threads))
        for loss in losses:
            rows, memory = rows_and_memory(corpus, TrainConfig(loss=loss, dim=dim))
            row = {"loss": loss, "n_words": n_words, "pairs_per_second": speeds[loss], "rows": rows, "mb": memory}
            if loss == "softmax":
                row["products_per_second"] = products
            found.append(row)
            click.echo(f"{n_words:9,} {loss:8} {statistics.median(speeds[loss]):12,.0f} pairs/s")
    return found


def similarity(vectors: Vectors, pairs: list[tuple[str, str, float]]) -> float:
    """Spearman's correlation of the cosine with human judgement over the pairs whose words are known, in %."""
    known = [(vectors.similarity(one, other), score) for one, other, score in pairs if {one, other} <= set(vectors)]
    ranks = np.argsort(np.argsort(np.array(known), axis=0, kind="stable"), axis=0)
    return 100 * float(np.corrcoef(ranks.T)[0, 1])


def quality_over_time(
    corpus: Corpus, held_out: Corpus, config: TrainConfig, threads: int, pairs: list[tuple[str, str, float]]
) -> list[dict[str, float]]:
    """After each epoch: seconds of training (evaluation not counted), loss of held-out text, similarity."""
    matrices = new_matrices(len(corpus.vocabulary), config, threads)
    curve: list[dict[str, float]] = []
    seconds = n_words = 0.0

    def note(event: Event) -> None:
        nonlocal seconds, n_words
        if isinstance(event, Progress):
            seconds += (event.n_words - n_words) / event.words_per_second
            n_words = event.n_words
        elif isinstance(event, EpochEnded) and event.epoch:
            score = similarity(Vectors(corpus.vocabulary.words, matrices.word_inputs), pairs)
            curve.append({"seconds": seconds, "loss": event.held_out_loss, "similarity": score})
            click.echo(
                f"{config.loss:8} epoch {event.epoch} {seconds:8.2f} s, loss {event.held_out_loss:.3f}, {score:.1f}"
            )

    run = TrainingRun(config, corpus, matrices, threads, note, held_out)
    run.train(LocalLoop(run, corpus))
    return curve


def draw(result: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=120, layout="constrained")
    speed, quality = figure.subplots(1, 2)
    names = {"softmax": "full softmax", "hs": "hierarchical softmax", "ns": "negative sampling, k = 5"}
    for loss in LOSSES:
        rows = [row for row in result["speed"] if row["loss"] == loss]
        speed.loglog(
            [row["n_words"] for row in rows],
            [1e6 / statistics.median(row["pairs_per_second"]) for row in rows],
            "o-",
            label=names[loss],
        )
        curve = result["quality"][loss]
        quality.semilogx(
            [point["seconds"] for point in curve], [point["similarity"] for point in curve], "o-", label=names[loss]
        )
    speed.set(title="time of a pair", xlabel="words in the vocabulary", ylabel="µs")
    quality.set(
        title=f"quality over time, {result['settings']['max_vocab']:,} words",
        xlabel="seconds of training",
        ylabel="correlation with human similarity, %",
    )
    speed.legend(frameon=False)
    for axes in (speed, quality):
        axes.grid(color="0.9", which="both" if axes is speed else "major", linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def table(result: dict[str, Any]) -> str:
    """Speed in Markdown, medians; slopes of the time of a pair over the vocabulary, on logarithmic axes."""
    lines = [
        "| words | softmax pairs/s | of its products | hs pairs/s | ns pairs/s | ns / softmax | output rows of a pair: "
        "softmax, hs, ns | MB: softmax, hs, ns |",
        "|---:" * 8 + "|",
    ]
    for n_words in SIZES:
        rows = {row["loss"]: row for row in result["speed"] if row["n_words"] == n_words}
        median = {loss: statistics.median(row["pairs_per_second"]) for loss, row in rows.items()}
        exact = rows.get("softmax")
        cells = [f"{n_words:,}", f"{median['softmax']:,.0f}" if exact else "-"]
        if exact:
            pairs = zip(exact["pairs_per_second"], exact["products_per_second"], strict=True)
            cells.append(f"{statistics.median(ours / theirs for ours, theirs in pairs):.0%}")
        else:
            cells.append("-")
        cells += [f"{median['hs'] / 1e6:.1f} M", f"{median['ns'] / 1e6:.1f} M"]
        cells.append(f"{median['ns'] / median['softmax']:,.0f} x" if exact else "-")
        for key, kind in ("rows", ",.3g"), ("mb", ",.0f"):
            values = [rows[loss][key] if loss in rows else None for loss in LOSSES]
            cells.append(", ".join("-" if value is None else number(value, kind) for value in values))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float, kind: str) -> str:
    return f"{value:,.0f}" if value >= 100 else format(value, kind)


def slope(result: dict[str, Any], loss: str) -> float:
    """Of log(time of a pair) over log(words), up to the largest vocabulary that softmax has."""
    rows = [row for row in result["speed"] if row["loss"] == loss and row["n_words"] <= LARGEST_FOR_SOFTMAX]
    times = [-np.log(statistics.median(row["pairs_per_second"])) for row in rows]
    return float(np.polyfit(np.log([row["n_words"] for row in rows]), times, 1)[0])


@click.command(help=__doc__)
@click.argument("corpus")
@click.option("--pairs", "pairs_file", required=True, help="Word pairs with human similarity, tab separated.")
@click.option("--megabytes", default=12, show_default=True, help="Of the corpus, for quality.")
@click.option("--max-vocab", default=5_000, show_default=True, help="For quality.")
@click.option("--dim", default=100, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "softmax.json"), show_default=True)
def main(
    corpus: str, pairs_file: str, megabytes: int, max_vocab: int, dim: int, threads: int, rounds: int, output: str
) -> None:
    for loss in ("ns", "softmax"):
        compile_kernels(threads, TrainConfig(loss=loss))
    lines = [line.split("\t") for line in Path(pairs_file).read_text().splitlines() if not line.startswith("#")]
    pairs = [(one.lower(), other.lower(), float(score)) for one, other, score in lines]
    with tempfile.TemporaryDirectory() as directory, open(corpus, "rb") as file:
        text, held_out = Path(directory) / "text", Path(directory) / "held_out"
        text.write_bytes(file.read(megabytes * 10**6))
        held_out.write_bytes(file.read(10**6))
        read = Corpus.from_text(text, Pruning(max_vocab=max_vocab), threads=threads)
        read_held_out = Corpus.from_text(held_out, Pruning(vocabulary=read.vocabulary), threads=threads)
        quality = {
            loss: quality_over_time(read, read_held_out, TrainConfig(loss=loss, dim=dim, epochs=epochs), threads, pairs)
            for loss, epochs in EPOCHS.items()
        }
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy")},
        "settings": {
            "corpus": Path(corpus).name,
            "megabytes": megabytes,
            "max_vocab": max_vocab,
            "dim": dim,
            "threads": threads,
            "rounds": rounds,
        },
        "quality": quality,
        "speed": measure_speed(dim, threads, rounds),
    }
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    draw(result, path.with_suffix(".png"))
    click.echo(table(result))


if __name__ == "__main__":
    main()
