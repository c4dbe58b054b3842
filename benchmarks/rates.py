"""Quality by the initial learning rate: each objective of fastw2v and of gensim, on texts of different size.

pip install '.[bench]'
python benchmarks/rates.py corpus.txt --analogies questions-words.txt --pairs wordsim353.txt

The last megabyte of each text is held out. An output that is there is completed: what it has is not trained again.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import click
from trainers import Settings, commit, cpu_name, fastw2v_command, gensim_command, measure, quality_of

HERE = Path(__file__).parent
OBJECTIVES = [*product(["skipgram", "cbow"], ["ns", "hs"])]


@click.command(help=__doc__)
@click.argument("corpus")
@click.option("--lr", "rates", multiple=True, type=float, default=(0.015, 0.025, 0.035, 0.05, 0.06), show_default=True)
@click.option("--megabytes", multiple=True, type=int, default=(100, 30), show_default=True, help="Of the corpus.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--gensim-seeds", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--analogies", help="questions-words.txt")
@click.option("--pairs", multiple=True, help="Word pairs with human similarity, tab separated.")
@click.option("-o", "--output", default=HERE / "results" / "rates.json", show_default="results/rates.json")
def main(
    corpus: str,
    rates: tuple[float, ...],
    megabytes: tuple[int, ...],
    seeds: int,
    gensim_seeds: int,
    threads: int,
    analogies: str | None,
    pairs: tuple[str, ...],
    output: str | Path,
) -> None:
    path = Path(output)
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"] if path.exists() else []
    done = {tuple(row[name] for name in ("megabytes", "model", "loss", "trainer", "lr", "seed")) for row in rows}
    about = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy", "gensim")},
        "settings": {"corpus": Path(corpus).name, "threads": threads, "seeds": seeds, "gensim_seeds": gensim_seeds},
    }
    seeds_of = {"fastw2v": range(1, seeds + 1), "gensim": range(1, gensim_seeds + 1)}
    for size, trainer in product(megabytes, seeds_of):
        with tempfile.TemporaryDirectory() as directory:
            text, held_out, vectors = (Path(directory) / name for name in ("text", "held-out", "vectors"))
            with open(corpus, "rb") as file:
                text.write_bytes(file.read((size - 1) * 10**6))
                held_out.write_bytes(file.read(10**6))
            for (model, loss), lr, seed in product(OBJECTIVES, rates, seeds_of[trainer]):
                if (size, model, loss, trainer, lr, seed) in done:
                    continue
                settings = Settings(str(text), model, loss, 100, 5, 5, 1e-3, 5, 5, threads)
                if trainer == "gensim":
                    measure(gensim_command(settings, seed, vectors, lr))
                    held_out_loss = None
                else:
                    more = ["--lr", str(lr), "--held-out", str(held_out), "--overwrite"]
                    measure(fastw2v_command(settings, seed, vectors, *more))
                    log = map(json.loads, Path(f"{vectors}.log").read_text().splitlines())
                    held_out_loss = [event["held_out_loss"] for event in log if "held_out_loss" in event][-1]
                quality = quality_of(vectors, analogies, pairs)
                run = {"lr": lr, "seed": seed, "held_out_loss": held_out_loss, "quality": quality}
                rows.append({"megabytes": size, "model": model, "loss": loss, "trainer": trainer, **run})
                path.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
                click.echo(json.dumps(rows[-1]))
    click.echo(table({"rows": rows}))


def table(result: dict[str, Any]) -> str:
    """In Markdown, a row for each objective and trainer on a text, a column for each learning rate."""
    groups: dict[tuple[Any, ...], dict[float, list[dict[str, Any]]]] = {}
    for row in result["rows"]:
        of_rates = groups.setdefault(tuple(row[name] for name in ("megabytes", "model", "loss", "trainer")), {})
        of_rates.setdefault(row["lr"], []).append(row)
    rates = sorted({row["lr"] for row in result["rows"]})
    lines = [
        f"| text, MB | objective | trainer | {' | '.join(f'lr {rate}' for rate in rates)} |",
        "|---:|---|---|" + "---:|" * len(rates),
    ]
    for (size, model, loss, trainer), of_rates in sorted(groups.items()):
        cells = [cell(of_rates[rate]) if rate in of_rates else "-" for rate in rates]
        lines.append(f"| {size} | {model} {loss} | {trainer} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(runs: list[dict[str, Any]]) -> str:
    """The quality of the runs, measure by measure, and their mean held-out loss."""
    means = [statistics.mean(run["quality"][measure] for run in runs) for measure in runs[0]["quality"]]
    losses = [run["held_out_loss"] for run in runs if run["held_out_loss"] is not None]
    loss = f" ({statistics.mean(losses):.3f})" if losses else ""
    return " / ".join(f"{mean:.1f}" for mean in means) + loss


if __name__ == "__main__":
    main()
