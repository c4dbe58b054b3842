"""What the time of a step goes to: the parts of skip-gram with negative sampling, one after the other.

    python benchmarks/steps.py

The kernel runs on one thread in versions that end after each of its parts, and a part takes what its version takes
longer than the one before. All this with few words, whose vectors stay in the second cache; what the whole takes longer
with many words is the waiting for memory. So the parts add up to the whole. The versions take turns, and the fastest
round of each counts.
"""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import click
import numba
import numpy as np
from synthetic import zipf_corpus
from trainers import commit, cpu_name

from fastw2v import TrainConfig, Vocabulary
from fastw2v.kernels.jit import OPTIONS, as_function, in_parallel, inlined
from fastw2v.kernels.layout import prefetch_row
from fastw2v.kernels.negatives import first_turn, next_turn, restore_negative, set_centre, set_draw, set_draws
from fastw2v.kernels.simd import HAS_32_REGISTERS, LANES, add, slots, store
from fastw2v.kernels.statistics import N_PREDICTIONS, STATISTICS
from fastw2v.kernels.train import Job, train_span
from fastw2v.kernels.update import (
    Operands,
    _coefficients_of,
    _multiply,
    _take_coefficients,
    _tile_rows,
    new_scratch,
    take_logits,
    tiles_of,
)
from fastw2v.kernels.walk import Spans, gather_contexts
from fastw2v.training.matrices import new_matrices
from fastw2v.training.objective import objective_of, windows_of
from fastw2v.training.schedule import Schedule
from fastw2v.training.trainers import HogwildTrainer

HERE = Path(__file__).parent
MANY, FEW = 70_000, 256
"""The words of the two vocabularies. The vectors of the few take 230 KB at dim 100, 620 KB at dim 300."""

N_IDS = 500_000
WALK, DRAWS, PRODUCTS, TOTALS, SIGMOID = range(5)
PARTS = {
    "walk": "sentences and windows; gathering the rows of the contexts",
    "draws": "drawing negatives (a draw serves 8 windows); putting the centre word's row before theirs",
    "products": "the logits: products of contexts and outputs, lane by lane",
    "totals": "the logits: the sums over lanes",
    "sigmoid": "the sigmoid, and what follows from it for each pair of rows",
    "step": "updating the rows of both sides",
    "memory": "waiting for memory: the extra time of all parts with 70,000 words",
}
"""The parts of a step in their order, and what each of them does."""


TILE = (0,) * 4
"""That of the kernel: the centre word and its negatives."""


@inlined
def _of_four(sums: Any, first: int) -> Any:
    return add(add(sums[first], sums[first + 1]), add(sums[first + 2], sums[first + 3]))


@inlined
def _take_products(scratch: Any, inputs: Any, outputs: Any, operands: Operands) -> None:
    """Do what `take_logits` does, but keep only one sum of all products, lane by lane."""
    rows, n, n_slots = scratch.contexts, operands.n_contexts, slots(TILE)
    n_in_fours = n // 4 * 4 if HAS_32_REGISTERS else 0
    for tile in range(operands.n_tiles):
        output_rows = _tile_rows(scratch, operands.first_tile + tile)
        place = _coefficients_of(scratch, operands, tile, 0)
        for i in range(0, n_in_fours, 4):
            sums = _multiply(inputs, (rows[i], rows[i + 1], rows[i + 2], rows[i + 3]), outputs, output_rows)
            half = add(_of_four(sums, 0), _of_four(sums, 4))
            store(scratch.coefficients, place + i * n_slots, add(half, add(_of_four(sums, 8), _of_four(sums, 12))))
        for i in range(n_in_fours, n - 1, 2):
            sums_of_pair = _multiply(inputs, (rows[i], rows[i + 1]), outputs, output_rows)
            store(scratch.coefficients, place + i * n_slots, add(_of_four(sums_of_pair, 0), _of_four(sums_of_pair, 4)))
        if n % 2 == 1:
            sums_of_last = _multiply(inputs, (rows[n - 1],), outputs, output_rows)
            store(scratch.coefficients, place + (n - 1) * n_slots, _of_four(sums_of_last, 0))


@cache
def beginning_of_piece(last: int) -> Any:
    """Return a kernel like those of `piece_kernel` that leaves out what comes after the part `last`."""

    def walk_piece(
        piece: Any,
        n_windows: int,
        first_step: int,
        inputs: Any,
        outputs: Any,
        windows: Any,
        negatives: Any,
        paths: Any,
        own: Any,
        learn: bool,
        rate: float,
        statistics: Any,
    ) -> None:
        stride = outputs.shape[1]
        n_tiles = tiles_of(1 + negatives.n, TILE)
        scratch = new_scratch(2 * windows.window, n_tiles * len(TILE), negatives.n_draws, stride, TILE)
        n_predictions = used = tile = turn = np.int64(0)
        if last >= DRAWS:
            tile, turn = first_turn(first_step, n_tiles, negatives)
            used = set_draws(scratch, first_step, n_tiles, negatives, piece.outputs, outputs, rate)
        for i in range(n_windows):
            n_contexts = gather_contexts(scratch, piece, i, inputs, windows.is_frozen, own.first_spare)
            n_predictions += n_contexts
            if last >= DRAWS:
                centre = np.int64(piece.centres[i])
                prefetch_row(outputs, np.int64(piece.output_rows[centre + 1]))
                prefetch_row(inputs, np.int64(piece.input_rows[centre + windows.window + 2]))
                place = tile * len(TILE)
                row = np.int64(piece.output_rows[centre])
                silenced, silenced_rate = set_centre(scratch, place, negatives, row * stride)
                operands = Operands(0, n_contexts, tile, n_tiles)
                if last == PRODUCTS:
                    _take_products(scratch, inputs, outputs, operands)
                if last >= TOTALS:
                    take_logits(scratch, inputs, outputs, operands)
                if last == SIGMOID:
                    _take_coefficients(scratch, operands)
                restore_negative(scratch, place, negatives, silenced, silenced_rate)
                if turn == negatives.n_turns - 1:
                    used = set_draw(scratch, tile, negatives, piece.outputs, used, outputs, rate)
                tile, turn = next_turn(tile, turn, n_tiles, negatives)
        statistics[N_PREDICTIONS] += n_predictions

    return numba.njit(**OPTIONS)(walk_piece)


def job_of(ids: np.ndarray, counts: np.ndarray, config: TrainConfig) -> Job:
    """The training of all ids, of words with these counts, on one thread."""
    ids.flags.writeable = False
    vocabulary = Vocabulary([str(word) for word in range(len(counts))], counts)
    matrices, objective = new_matrices(len(counts), config, 1), objective_of(vocabulary, config)
    trainer = HogwildTrainer(matrices, windows_of(vocabulary, config), objective, config, 1)
    schedule = Schedule.of(len(ids), config)
    rates = np.full(schedule.n_spans, 0.01, np.float32)
    spans = Spans(schedule.order(0), rates, schedule.span_length)
    return trainer.job(ids, spans, 0, np.zeros((schedule.n_spans, STATISTICS)))


def jobs(config: TrainConfig) -> dict[str, Any]:
    """For each part, what runs the kernel up to it: a function that returns the statistics."""
    corpus = zipf_corpus(MANY)
    kept = corpus.ids[:N_IDS]
    keep = corpus.vocabulary.keep_probability(1e-3, "word2vec")
    kept = kept[(kept < 0) | (np.random.default_rng(0).random(len(kept)) < keep[kept])].copy()
    few = np.where(kept < 0, -1, kept % FEW).astype(np.int32)
    counts = corpus.vocabulary.counts
    counts_of_few = np.bincount(np.arange(MANY) % FEW, counts, FEW).astype(np.int64)
    whole, real = job_of(few, counts_of_few, config), job_of(kept, counts, config)

    def run(job: Job, last: int | None = None) -> np.ndarray:
        job.statistics[:] = 0
        with in_parallel(1):
            if last is None:
                job.run()
            else:
                some = job if last > WALK else job._replace(negatives=job.negatives._replace(n=0))
                beginning = as_function(beginning_of_piece(last), *job.arguments_of_kernel())
                for i in range(len(job.spans.numbers)):
                    train_span(beginning, *some[:2], i, *some[2:-1], job.statistics[i], 0)
        return job.statistics.sum(axis=0)

    return {
        "walk": lambda: run(whole, WALK),
        "draws": lambda: run(whole, DRAWS),
        "products": lambda: run(whole, PRODUCTS),
        "totals": lambda: run(whole, TOTALS),
        "sigmoid": lambda: run(whole, SIGMOID),
        "step": lambda: run(whole),
        "memory": lambda: run(real),
    }


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "steps.json"), show_default=True)
def main(rounds: int, output: str) -> None:
    rows = []
    for dim in (100, 300):
        work = jobs(TrainConfig(dim=dim, sample=0))
        n_predictions = {name: run()[N_PREDICTIONS] for name, run in work.items()}
        assert np.ptp(list(n_predictions.values())) < 1e-3 * n_predictions["step"], (
            "the same work but for random windows"
        )
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(rounds):
            for name, run in work.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
        rows.append({"dim": dim, "predictions": n_predictions["step"], "seconds_to_the_end_of": seconds})
        click.echo(f"dim {dim} done")
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "lanes": LANES,
        "rounds": rounds,
        "rows": rows,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def nanoseconds_of_parts(row: dict[str, Any]) -> dict[str, float]:
    """The nanoseconds of each part for a prediction."""
    until = [min(row["seconds_to_the_end_of"][name]) for name in PARTS]
    parts = np.diff(until, prepend=0.0) / row["predictions"] * 1e9
    return dict(zip(PARTS, parts.tolist(), strict=True))


def table(result: dict[str, Any]) -> str:
    """In Markdown: nanoseconds for a prediction, and shares of the whole."""
    columns = {row["dim"]: nanoseconds_of_parts(row) for row in result["rows"]}
    lines = ["| part | | " + " | ".join(f"dim {dim}, nanoseconds | share" for dim in columns) + " |"]
    lines.append("|---|---|" + "---:|---:|" * len(columns))
    for name, what in PARTS.items():
        cells = [f"{parts[name]:.2f} | {parts[name] / sum(parts.values()):.0%}" for parts in columns.values()]
        lines.append(f"| {name} | {what} | {' | '.join(cells)} |")
    cells = [f"{sum(parts.values()):.2f} | 100%" for parts in columns.values()]
    lines.append(f"| whole | a prediction: one context with its 4 outputs | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
