"""What a checkpoint costs, and how true the estimate of memory is.

    python benchmarks/resources.py

Checkpoints of 1 M words x 300 are taken every half minute of a run, in turns with runs without them; what they cost is
the training that is missing, for each of them, as a share of the default interval. The estimate is what a process says
before it trains, with what it has then, over its peak; each setting in a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from trainers import commit, cpu_name

import fastw2v
from fastw2v.events import CheckpointSaved, Estimated

HERE = Path(__file__).parent
INTERVAL = 600.0
"""Seconds: the default of --checkpoint-every."""

ESTIMATES: list[dict[str, Any]] = [
    {"n_words": 1_000_000, "dim": 100, "threads": 2},
    {"n_words": 1_000_000, "dim": 100, "threads": 1, "model": "cbow"},
    {"n_words": 1_000_000, "dim": 100, "threads": 2, "loss": "hs"},
    {"n_words": 300_000, "dim": 300, "threads": 2},
    {"n_words": 300_000, "dim": 100, "threads": 2, "checkpoint": True},
    {"n_words": 10_000, "dim": 50, "threads": 2, "loss": "softmax", "lr": 0.001},
    {"n_words": 1_000_000, "dim": 10, "threads": 2},
    {"n_words": 300_000, "dim": 100, "threads": 1, "workers": 2},
    {"n_words": 300_000, "dim": 100, "threads": 1, "workers": 1, "checkpoint": True},
]


def walks_of(n_words: int, n_times: int) -> np.ndarray:
    """Every word once, and words of falling frequency, in walks of 50."""
    rng = np.random.default_rng(0)
    drawn = (rng.pareto(1, n_times * n_words) % n_words).astype(np.int64)
    labels = rng.permutation(np.concatenate([np.arange(n_words), drawn]))
    return labels[: len(labels) // 50 * 50].reshape(-1, 50)


def words_per_second(walks: np.ndarray, seconds: float, checkpoint: str | None) -> tuple[float, list[CheckpointSaved]]:
    """Of the clock on the wall, behind the first checkpoint, and the checkpoints after it."""
    seen: list[tuple[float, int]] = []
    saved: list[CheckpointSaved] = []

    def note(event: Any) -> bool:
        if isinstance(event, CheckpointSaved):
            saved.append(event)
        is_slice = isinstance(event, fastw2v.Progress)
        if is_slice and (checkpoint is None or saved):
            seen.append((time.monotonic(), event.n_words))
        return is_slice and bool(seen) and seen[-1][0] - seen[0][0] > seconds

    fastw2v.train(
        walks=walks,
        dim=300,
        min_count=1,
        epochs=1000,
        threads=2,
        callback=note,
        checkpoint=checkpoint,
        checkpoint_every=0.5,
    )
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]), saved


def checkpoint_costs(seconds: float, rounds: int) -> dict[str, Any]:
    walks = walks_of(1_000_000, 10)
    lost, stalls, waits = [], [], []
    for _ in range(rounds):
        plain, _ = words_per_second(walks, seconds, None)
        with tempfile.TemporaryDirectory() as directory:
            with_them, saved = words_per_second(walks, seconds, directory)
        later = saved[1:-1]  # the first came before the clock, the last one is the end's
        stalls += [event.stall for event in later]
        waits += [event.seconds for event in later]
        lost.append((1 - with_them / plain) * seconds / max(1, len(later)))
    return {"first_stall": saved[0].stall, "stalls": stalls, "seconds_to_disk": waits, "seconds_lost_for_each": lost}


def estimate_over_truth(options: dict[str, Any], output: str) -> float:
    """In this process. workers: of a cluster on this machine."""
    from fastw2v.cluster.clients import connected
    from fastw2v.training.warmup import compile_kernels

    walks, n_workers = walks_of(options.pop("n_words"), 3), options.pop("workers", 0)
    compile_kernels(options["threads"], fastw2v.TrainConfig(loss=options.get("loss", "ns")))
    found: list[int] = []

    def note(event: Any) -> None:
        if isinstance(event, Estimated):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            found.append(4096 * pages + sum(event.memory.values()))

    if options.pop("checkpoint", False):
        options["checkpoint"] = output + ".checkpoints"
    options |= {"min_count": 1, "sample": 0, "epochs": 2, "callback": note}
    if n_workers:
        np.savetxt(output, walks, fmt="%d")
        del walks
        with connected(f"local:{n_workers}", threads=1) as client:
            fastw2v.train(output, client=client, **options).save(output)
    else:
        fastw2v.train(walks=walks, **options).save(output)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return found[0] / (1024 * int(peak.split()[1]))


@click.command(help=__doc__)
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--estimate", hidden=True)
@click.option("-o", "--output", default=str(HERE / "results" / "resources.json"), show_default=True)
def main(seconds: float, rounds: int, estimate: str | None, output: str) -> None:
    if estimate:
        click.echo(estimate_over_truth(json.loads(estimate), output))
        return
    estimates = []
    for setting in ESTIMATES:
        with tempfile.TemporaryDirectory() as directory:
            command = [sys.executable, __file__, "--estimate", json.dumps(setting), "-o", f"{directory}/v.txt"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        estimates.append({**setting, "ratio": float(done.stdout)})
        click.echo(estimates[-1])
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "seconds": seconds,
        "rounds": rounds,
        "checkpoint": checkpoint_costs(seconds, rounds),
        "estimates": estimates,
    }
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(text(result))


def text(result: dict[str, Any]) -> str:
    """What was found, in words and a table."""
    found = result["checkpoint"]
    lost = statistics.median(found["seconds_lost_for_each"])
    lines = [
        f"A checkpoint of 1 M words x 300 (2.4 GB) stops the training for {min(found['stalls']):.2f} to "
        f"{max(found['stalls']):.2f} s while the matrices are copied ({found['first_stall']:.1f} s for the first one "
        f"of a run, whose memory is new). It is on disk after {min(found['seconds_to_disk']):.1f} to "
        f"{max(found['seconds_to_disk']):.1f} s and costs {lost:.1f} s of training: {lost / INTERVAL:.2%} at the "
        "default interval of 10 minutes.",
        "",
        "| words | options | estimated / true peak of memory |",
        "|---:|---|---:|",
    ]
    for row in result["estimates"]:
        options = ", ".join(f"{name} {value}" for name, value in row.items() if name not in ("n_words", "ratio"))
        lines.append(f"| {row['n_words']:,} | {options} | {row['ratio']:.2f} |")
    lines += ["", f"{result['cpu']}, {result['date']}, commit {result['commit']}: `python benchmarks/resources.py`."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
