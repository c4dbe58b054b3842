"""fastw2v against itself: what options do to speed and quality, on texts of different size, mean over seeds.

pip install '.[bench]'
python benchmarks/options.py corpus.txt --try '--negative 5' --try '--negative 15' --pairs wordsim353.txt -o out.json
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from trainers import commit, cpu_name, display_name, measure, quality_cell, quality_of


@click.command(help=__doc__)
@click.argument("corpus")
@click.option("--try", "options", multiple=True, required=True, help="Options of `fastw2v train` to compare.")
@click.option("--megabytes", multiple=True, type=int, default=(100,), show_default=True, help="Of the corpus.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--analogies", help="questions-words.txt")
@click.option("--pairs", multiple=True, help="Word pairs with human similarity, tab separated.")
@click.option("-o", "--output", required=True)
def main(
    corpus: str,
    options: tuple[str, ...],
    megabytes: tuple[int, ...],
    seeds: int,
    threads: int,
    analogies: str | None,
    pairs: tuple[str, ...],
    output: str,
) -> None:
    rows = []
    for size in megabytes:
        with tempfile.TemporaryDirectory() as directory:
            text, vectors, log = (Path(directory) / name for name in ("text", "vectors", "log"))
            with open(corpus, "rb") as file:
                text.write_bytes(file.read(size * 10**6))
            for chosen in options:
                runs = []
                for seed in range(1, seeds + 1):
                    measure(
                        [
                            sys.executable,
                            "-m",
                            "fastw2v",
                            "train",
                            str(text),
                            "-o",
                            str(vectors),
                            "--overwrite",
                            "--threads",
                            str(threads),
                            "--seed",
                            str(seed),
                            "--log-json",
                            str(log),
                            *chosen.split(),
                        ]
                    )
                    last = json.loads(log.read_text().splitlines()[-1])
                    runs.append(
                        {
                            "words_per_second": last["words"] / last["seconds"],
                            "quality": quality_of(vectors, analogies, pairs),
                        }
                    )
                rows.append({"megabytes": size, "options": chosen, "runs": runs})
                click.echo(table({"rows": rows[-1:]}).splitlines()[-1])
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy", "gensim")},
        "settings": {"corpus": Path(corpus).name, "threads": threads, "seeds": seeds},
        "rows": rows,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")


def table(result: dict[str, Any]) -> str:
    """Medians of the speed, mean ± standard deviation of the quality, in Markdown."""
    measures = list(result["rows"][0]["runs"][0]["quality"])
    lines = [
        f"| text, MB | options | M words/s | {' | '.join(map(display_name, measures))} |",
        "|---:|---|---:|" + "---:|" * len(measures),
    ]
    for row in result["rows"]:
        speed = statistics.median(run["words_per_second"] for run in row["runs"]) / 1e6
        quality = [quality_cell([run["quality"][measure] for run in row["runs"]]) for measure in measures]
        lines.append(f"| {row['megabytes']} | {row['options']} | {speed:.2f} | {' | '.join(quality)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
