"""fastw2v plan."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--nodes", default=8, show_default=True, type=click.IntRange(1, 10_000), help="Machines, one worker each."
)
@click.option("--threads", default=16, show_default=True, type=click.IntRange(1, 4096), help="Of each.")
@click.option("--words", default=10_000_000_000, show_default=True, type=click.IntRange(1), help="Of the corpus.")
@click.option("--vocab", default=1_000_000, show_default=True, type=click.IntRange(2), help="Distinct ones.")
@click.option("--dim", default=300, show_default=True, type=click.IntRange(1))
@click.option("--epochs", default=5, show_default=True, type=click.IntRange(1))
@click.option("--gigabits", default=10.0, show_default=True, type=click.FloatRange(0, min_open=True),
              help="A second, between machines.")  # fmt: skip
@click.option("--words-per-second", type=click.FloatRange(0, min_open=True),
              help="Of one machine, as a short run there tells; else an estimate.")  # fmt: skip
def plan(
    nodes: int, threads: int, words: int, vocab: int, dim: int, epochs: int, gigabits: float,
    words_per_second: float | None,
) -> None:  # fmt: skip
    """Predict time, memory and traffic of skip-gram on a cluster, before there is one.

    \b
    fastw2v plan --nodes 8 --words 10000000000 --vocab 1000000 --dim 300 --gigabits 25
    """
    from ..training.plan import plan_run

    numbers = sorted({1, *(2**i for i in range(14) if 2**i < nodes), nodes})
    click.echo("nodes  M words/s    hours  waiting  exchange    round  sent in it  memory    ids")
    for n in numbers:
        one = plan_run(n, vocab, dim, words, epochs, threads, gigabits * 1e9 / 8, words_per_second)
        click.echo(
            f"{n:5}  {one.words_per_second / 1e6:9,.1f}  {one.seconds / 3600:7,.2f}  {one.waiting:7.0%}  "
            f"{one.exchange:6.2f} s  {one.round:6.1f} s  {one.bytes_of_round / 1e9:7.2f} GB  "
            f"{one.memory / 1e9:3.0f} GB  {one.corpus / 1e9:3.0f} GB"
        )
