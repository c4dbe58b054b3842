"""The command `plan`, which predicts a run on a cluster."""

import math
from typing import Any

import click
from click import FloatRange, IntRange

from .options import command, option
from .results import check_stdout, show


class FiniteRange(FloatRange):
    """A range of numbers that does not hold NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail("nan is not a number", param, ctx)
        return number


@command()
@option("--nodes", "Number of machines, each with one worker.", IntRange(1, 10_000), default=8)
@option("--threads", "Threads on each machine.", IntRange(1, 4096), default=16)
@option("--words n_tokens", "Tokens (running words) in the corpus.", IntRange(1, 10**15), default=10_000_000_000)
@option("--vocab n_words", "Distinct words in the vocabulary.", IntRange(2, 10**9), default=1_000_000)
@option("--dim", "How many numbers a vector has.", IntRange(1, 10_000), default=300)
@option("--epochs", "Passes over the corpus.", IntRange(1, 1_000_000), default=5)
@option("--gigabits", "Bandwidth between the machines, in gigabits per second.", FiniteRange(1e-6, 1e6), default=10.0)
@option(
    "--words-per-second", "Speed of one machine, as measured in a short run (default: estimated).", FiniteRange(1, 1e12)
)
def plan(nodes: int, gigabits: float, **sizes: Any) -> None:
    """Predict the time, memory and traffic of training skip-gram on a cluster, before you have one.

    A node is a machine with one worker. waiting is the share of the time that exchanges of vectors take; exchange is
    the time of one exchange of all vectors; round is the time from one such exchange to the next; sent/round is what
    each node sends in a round. memory (of the model) and corpus are those of each node.

    \b
    fastw2v plan --nodes 8 --words 10000000000 --vocab 1000000 --dim 300 --gigabits 25
    """
    check_stdout()
    from ..cluster.plan import PlannedRun, plan_run

    run = PlannedRun(bandwidth=gigabits * 1e9 / 8, **sizes)
    show("nodes  M words/s    hours  waiting  exchange    round  sent/round  memory  corpus")
    for n_nodes in sorted({1, *(2**i for i in range(14) if 2**i < nodes), nodes}):
        planned = plan_run(run, n_nodes)
        show(
            f"{n_nodes:5}  {planned.words_per_second / 1e6:9,.1f}  {planned.seconds / 3600:7,.2f}  "
            f"{planned.waiting:7.0%}  {planned.exchange:6.2f} s  {planned.round:6.1f} s  "
            f"{planned.bytes_of_round / 1e9:7.2f} GB  {planned.memory / 1e9:3.0f} GB  {planned.corpus / 1e9:3.0f} GB"
        )
