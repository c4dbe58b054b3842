"""How time and memory grow: with threads, also more than there are cores, and with the corpus.

    python benchmarks/scaling.py corpus.txt --threads 1 --threads 2 --threads 8 --megabytes 10 --megabytes 1000

Every run is one epoch of `fastw2v train` in a process of its own. A corpus of N MB is the first N MB of the text, or
the text again and again. Threads take turns for several rounds. Words/s counts the training alone.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from trainers import commit, cpu_name, measure

HERE = Path(__file__).parent
MB = 1_000_000


def train(corpus: str, directory: str, threads: int, options: str = "") -> dict[str, float]:
    """Words trained, seconds of training and of the process, its peak of memory in MB."""
    log, output = Path(directory) / "log", Path(directory) / "vectors.txt"
    _, _, seconds, peak = measure(
        [
            sys.executable,
            "-m",
            "fastw2v",
            "train",
            corpus,
            "-o",
            str(output),
            "--epochs",
            "1",
            "--threads",
            str(threads),
            "--log-json",
            str(log),
            "--overwrite",
            *options.split(),
        ]
    )
    last = json.loads(log.read_text().splitlines()[-1])
    return {"words": last["words"], "train_seconds": last["seconds"], "process_seconds": seconds, "peak_mb": peak}


def resized(corpus: Path, megabytes: int, directory: str) -> str:
    """A file of so many MB, cut at a line's end."""
    path = Path(directory) / "corpus.txt"
    text = corpus.read_bytes()
    with path.open("wb") as file:
        for _ in range(megabytes * MB // len(text)):
            file.write(text)
        rest = text[: megabytes * MB % len(text)]
        file.write(rest[: rest.rfind(b"\n") + 1])
    return str(path)


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--threads", "all_threads", multiple=True, type=int, default=(1, 2), show_default=True)
@click.option("--megabytes", multiple=True, type=int, default=(10, 100), show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "scaling.json"), show_default=True)
def main(corpus: Path, all_threads: tuple[int, ...], megabytes: tuple[int, ...], rounds: int, output: str) -> None:
    measure([sys.executable, "-m", "fastw2v", "warmup"])
    cores = len(os.sched_getaffinity(0))
    kinds = {"skipgram ns": "", "cbow ns": "--model cbow", "skipgram hs": "--loss hs"}
    by_threads: list[dict[str, Any]] = [
        {"kind": kind, "threads": threads, "runs": []} for kind in kinds for threads in all_threads
    ]
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(rounds):
            for row in by_threads:
                row["runs"].append(train(str(corpus), directory, row["threads"], kinds[row["kind"]]))
        by_size = [
            {"megabytes": size, **train(resized(corpus, size, directory), directory, cores)} for size in megabytes
        ]
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "cores": cores,
        "corpus": corpus.name,
        "threads": by_threads,
        "sizes": by_size,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def table(result: dict[str, Any]) -> str:
    """Two tables in Markdown."""
    rows = result["threads"]
    all_threads = sorted({row["threads"] for row in rows})
    lines = [
        f"| M words/s with threads | {' | '.join(map(str, all_threads))} |",
        "|---" + "|---:" * len(all_threads) + "|",
    ]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        speeds = {
            row["threads"]: statistics.median(run["words"] / run["train_seconds"] for run in row["runs"]) / 1e6
            for row in rows
            if row["kind"] == kind
        }
        lines.append(f"| {kind} | {' | '.join(f'{speeds[threads]:.2f}' for threads in all_threads)} |")
    lines += [
        "",
        "| MB of text | M words | M words/s | whole process, s | s per 100 M words | peak MB |",
        "|---:" * 6 + "|",
    ]
    for row in result["sizes"]:
        words, seconds = row["words"] / 1e6, row["process_seconds"]
        lines.append(
            f"| {row['megabytes']:,} | {words:.1f} | {words / row['train_seconds']:.2f} | {seconds:.1f} | "
            f"{seconds / words * 100:.1f} | {row['peak_mb']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
