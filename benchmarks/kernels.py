"""The map of where the time goes: each kernel alone, on random words, beside what this machine can do.

    python benchmarks/kernels.py

Speeds of a probe compiled in the same run: multiply-adds/s of one core from registers, and bytes/s read from the first
and second cache and from memory. The multiply-adds are those of the formulas: three for each float of each pair of
an input and an output row (the logit, the step of either row). First one step of the training is checked against
tests/reference.py. Then each setting differs from the first one in one thing; medians of several rounds in turns.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numba
import numpy as np
from synthetic import speed, zipf_corpus
from trainers import commit, cpu_name

from fastw2v import TrainConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.kernels.jit import OPTIONS
from fastw2v.kernels.simd import LANES, add, load, multiply_add_rows, store, store_totals, zero_sums
from fastw2v.training.objective import objective_of, windows_of
from fastw2v.training.warmup import compile_kernels

HERE = Path(__file__).parent
SECONDS = 1.0


@dataclass(frozen=True)
class Setting:
    model: str = "skipgram"
    loss: str = "ns"
    update: str = "window"
    dim: int = 100
    shared_negatives: int = 3
    window: int = 5
    n_words: int = 70_000
    threads: int = 2

    def config(self) -> TrainConfig:
        chosen = asdict(self)
        return TrainConfig(epochs=1000, **{name: chosen[name] for name in chosen if name not in ("n_words", "threads")})


def settings() -> list[Setting]:
    """The first, and those that differ from it in one thing."""
    base = Setting()
    kinds = [
        base,
        replace(base, update="pair"),
        replace(base, model="cbow"),
        replace(base, loss="hs"),
        replace(base, model="cbow", loss="hs"),
    ]
    varied = [
        replace(base, **{name: value})
        for name, values in {
            "dim": (50, 128, 200, 300, 512),
            "shared_negatives": (7, 15),
            "window": (2, 10),
            "n_words": (1_000, 1_000_000),
            "threads": (1,),
        }.items()
        for value in values
    ]
    in_cache = [Setting(dim=dim, n_words=500, threads=1) for dim in (100, 300)]
    return kinds + varied + [replace(base, n_words=1_000_000, dim=300)] + in_cache


@numba.njit(**OPTIONS)
def _multiply_adds(rows: Any, out: Any, n: int) -> None:
    pair, six = (0, LANES), (0, LANES, 2 * LANES, 3 * LANES, 4 * LANES, 5 * LANES)
    sums = zero_sums(pair, six)
    for _ in range(n):
        sums = multiply_add_rows(sums, rows, pair, rows, six, 0)
    store_totals(out, 0, sums, six)


@numba.njit(**OPTIONS)
def _read(memory: Any, out: Any, n: int) -> None:
    a = b = c = d = load(memory, 0)
    for _ in range(n):
        for place in range(0, memory.size, 4 * LANES):
            a = add(a, load(memory, place))
            b = add(b, load(memory, place + LANES))
            c = add(c, load(memory, place + 2 * LANES))
            d = add(d, load(memory, place + 3 * LANES))
    store(out, 0, add(add(a, b), add(c, d)))


def probe() -> dict[str, float]:
    """What one core can do: 1e9 multiply-adds/s, and GB/s read from L1, L2 and memory; the best of five."""
    rows, out = np.zeros(6 * LANES, np.float32), np.zeros(4 * LANES, np.float32)

    def best(work: Any, amount: float) -> float:
        work()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return amount / min(times) / 1e9

    n = 10_000_000
    found = {"multiply_adds": best(lambda: _multiply_adds(rows, out, n), 12.0 * LANES * n)}
    for name, size, n in ("L1", 16 << 10, 100_000), ("L2", 512 << 10, 3000), ("memory", 1 << 30, 1):
        memory = np.ones(size // 4, np.float32)
        found[name] = best(lambda memory=memory, n=n: _read(memory, out, n), float(size) * n)
    return found


def outputs_of_prediction(corpus: Corpus, config: TrainConfig) -> float:
    """Mean number of output rows."""
    if config.loss == "ns":
        return 1.0 + config.n_drawn
    kept = corpus.vocabulary.counts * (windows_of(corpus.vocabulary, config).keep / 2.0**32)
    objective = objective_of(corpus.vocabulary, config)
    return float(np.diff(objective.paths.starts) @ kept / kept.sum())


def check_against_reference() -> None:
    """A step in every shape of tile; raises AssertionError."""
    sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "kernels")]
    from test_update import check

    for dim in (50, 100, 300):
        for n_negatives in (1, 5, 15):
            for contexts in ([7], [7, 9], [1, 2, 4, 5, 6]):
                check(dim, contexts, list(range(10, 10 + n_negatives)))


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "kernels.json"), show_default=True)
def main(rounds: int, output: str) -> None:
    check_against_reference()
    compile_kernels(2)
    peak = probe()
    click.echo(", ".join(f"{name} {value:.0f}" for name, value in peak.items()))
    corpora = {n_words: zipf_corpus(n_words) for n_words in {setting.n_words for setting in settings()}}
    speeds: dict[Setting, list[tuple[float, float]]] = {setting: [] for setting in settings()}
    for _ in range(rounds):
        for setting, found in speeds.items():
            found.append(speed(corpora[setting.n_words], setting.config(), setting.threads, SECONDS))
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "lanes": LANES,
        "rounds": rounds,
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy")},
        "peak": peak,
        "rows": [
            {
                **asdict(setting),
                "outputs": outputs_of_prediction(corpora[setting.n_words], setting.config()),
                "words_per_second": [words for words, _ in found],
                "predictions_per_second": [pairs for _, pairs in found],
            }
            for setting, found in speeds.items()
        ],
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def table(result: dict[str, Any]) -> str:
    """Medians in Markdown."""
    lines = [
        "| model | loss | update | dim | negatives drawn | window | words | threads | M words/s | M predictions/s | "
        "G multiply-adds/s | of the peak |",
        "|---" * 3 + "|---:" * 9 + "|",
    ]
    for row in result["rows"]:
        words, predictions = (statistics.median(row[f"{name}_per_second"]) / 1e6 for name in ("words", "predictions"))
        multiply_adds = predictions * 1e6 * row["outputs"] * 3 * row["dim"] / 1e9
        share = multiply_adds / row["threads"] / result["peak"]["multiply_adds"]
        drawn = f"{row['outputs'] - 1:.0f}" if row["loss"] == "ns" else "-"
        cells = [
            *(str(row[name]) for name in ("model", "loss", "update", "dim")),
            drawn,
            str(row["window"]),
            f"{row['n_words']:,}",
            str(row["threads"]),
            f"{words:.2f}",
            f"{predictions:.1f}",
            f"{multiply_adds:.1f}",
            f"{share:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
