"""Neighbours through an index beside the exact search: recall and speed, on vectors of a million words.

    pip install '.[ann]'
    python benchmarks/index.py

The vectors are trained here for one epoch on a text of many scripts (see reading.py), which is made, seeded.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from reading import write_text
from trainers import commit, cpu_name

import fastw2v

HERE = Path(__file__).parent
N_QUERIES, TOPN = 1000, 10


def median_seconds(work: Callable[[], Any], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


@click.command()
@click.option("--rounds", default=3)
def main(rounds: int) -> None:
    """Write results/index.json."""
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "text")
        write_text(path, 20_000_000, 500_000)
        vectors = fastw2v.train(path, min_count=1, epochs=1, dim=100)
    queries = np.random.default_rng(1).choice(len(vectors) // 2, N_QUERIES, replace=False).tolist()
    exact = vectors.most_similar_batch(queries, topn=TOPN)
    rows = [
        {
            "search": "exact",
            "build": 0.0,
            "recall": 1.0,
            "one": median_seconds(lambda: vectors.most_similar(queries[0], topn=TOPN), 5 * rounds),
            "batch": median_seconds(lambda: vectors.most_similar_batch(queries, topn=TOPN), rounds),
        }
    ]
    start = time.perf_counter()
    built = vectors.index()
    build = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as directory:
        built.save(Path(directory) / "index")
        indexes = {n: vectors.index(path=Path(directory) / "index", expansion_search=n) for n in (64, 256, 1024)}
    for expansion, index in indexes.items():
        found = index.most_similar_batch(queries, topn=TOPN)
        shared = [len({word for word, _ in a} & {word for word, _ in b}) for a, b in zip(exact, found, strict=True)]
        rows.append(
            {
                "search": f"index, expansion_search {expansion}",
                "build": build,
                "recall": sum(shared) / (TOPN * N_QUERIES),
                "one": median_seconds(lambda index=index: index.most_similar(queries[0], topn=TOPN), 5 * rounds),
                "batch": median_seconds(lambda index=index: index.most_similar_batch(queries, topn=TOPN), rounds),
            }
        )
        click.echo(str(rows[-1]))
    about = {"cpu": cpu_name(), "commit": commit(), "n_words": len(vectors), "dim": vectors.vector_size}
    result = {**about, "n_queries": N_QUERIES, "rows": rows}
    (HERE / "results" / "index.json").write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def table(result: dict[str, Any]) -> str:
    """The table of benchmarks/README.md."""
    lines = [
        "| search | found of the 10 nearest | one query | 1,000 queries together | build |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in result["rows"]:
        build = f"{row['build']:.0f} s" if row["build"] else ""
        lines.append(
            f"| {row['search']} | {row['recall']:.1%} | {1e3 * row['one']:.2f} ms | {row['batch']:.2f} s | {build} |"
        )
    about = f"{result['n_words']:,} words x {result['dim']}, {result['cpu']}, commit {result['commit']}."
    return "\n".join([*lines, "", about])


if __name__ == "__main__":
    main()
