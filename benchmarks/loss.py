"""The reported loss of each objective, epoch by epoch beside that of unseen text, and the time that it takes.

    python benchmarks/loss.py wiki8.txt

1 % of the sentences are kept out. The time is what the phase of training took beyond the training itself and the
evaluation of the sentences kept out, which a second run without them shows.
"""

from __future__ import annotations

import json
import time
from itertools import product
from pathlib import Path
from typing import Any

import click
from trainers import commit, cpu_name

import fastw2v

HERE = Path(__file__).parent
OBJECTIVES = [*product(["skipgram", "cbow"], ["ns", "hs"])]


def losses_of(corpus: str, options: dict[str, Any]) -> list[tuple[float, float]]:
    """The loss of the sample and of the sentences kept out, after each epoch."""
    found: list[tuple[float, float]] = []

    def keep(event: fastw2v.EpochEnded) -> None:
        found.append((event.loss, event.held_out_loss))

    fastw2v.train(corpus, held_out_share=0.01, callback=keep, **options)
    return found


def share_of_time(corpus: str, options: dict[str, Any]) -> float:
    """The share of the training phase that is not training: the loss of the sample, and this callback."""
    seconds = {}

    def keep(event: fastw2v.Progress | fastw2v.PhaseEnded) -> None:
        if isinstance(event, fastw2v.Progress):
            seconds["training"] = event.seconds
        elif event.name == "train":
            seconds["phase"] = event.seconds

    fastw2v.train(corpus, callback=keep, **options)
    return 1 - seconds["training"] / seconds["phase"]


@click.command()
@click.argument("corpus", type=click.Path(exists=True))
@click.option("--epochs", default=5)
def main(corpus: str, epochs: int) -> None:
    """Write results/loss.json."""
    rows = []
    for model, loss in OBJECTIVES:
        options = {"model": model, "loss": loss, "epochs": epochs}
        losses, share = losses_of(corpus, options), share_of_time(corpus, options)
        rows.append({"model": model, "loss": loss, "losses": losses, "share_of_time": share})
        click.echo(f"{model} {loss}: {losses}, {share:.1%}")
    about = {"cpu": cpu_name(), "commit": commit(), "date": time.strftime("%Y-%m-%d"), "corpus": Path(corpus).name}
    result = {**about, "rows": rows}
    (HERE / "results" / "loss.json").write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def table(result: dict[str, Any]) -> str:
    """The table of benchmarks/README.md: the loss of the sample / of the sentences kept out."""
    n_epochs = len(result["rows"][0]["losses"]) - 1
    lines = [
        f"| objective | untrained | {' | '.join(f'epoch {n}' for n in range(1, n_epochs + 1))} | time |",
        "|---|" + "--:|" * (n_epochs + 2),
    ]
    for row in result["rows"]:
        cells = [f"{sample:.3f} / {held_out:.3f}" for sample, held_out in row["losses"]]
        lines.append(f"| {row['model']} {row['loss']} | {' | '.join(cells)} | {row['share_of_time']:.1%} |")
    about = f"Of {result['corpus']}, {result['cpu']}, {result['date']}, commit {result['commit']}."
    return "\n".join([*lines, "", about])


if __name__ == "__main__":
    main()
