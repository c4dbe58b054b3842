"""A Dask cluster against one process: speed, quality, ways to combine replicas, and what many nodes would do.

    pip install '.[bench,dask]'
    python benchmarks/clusters.py wiki8.txt --analogies questions-words.txt --pairs wordsim353.txt

Speed: one epoch of several copies of the corpus, as a cluster is for large ones, with the vocabulary of one; 1 and 2
threads of one process and 1 and 2 workers of one thread take turns. Quality: 5 epochs of the corpus itself, some seeds,
on 2, 4 and 8 workers, which share the cores of this machine: their quality does not need speed.
Combiners: the replicas' tasks one after the other in this process, with other ways to combine their rows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from trainers import commit, cpu_name

HERE = Path(__file__).parent
Changes = list[np.ndarray]


def train(corpus: str, *options: str, epochs: int, output: str) -> dict[str, Any]:
    """A process of its own: words/s of its training, and what its rounds cost."""
    log = output + ".log"
    command = [
        sys.executable,
        "-m",
        "fastw2v",
        "train",
        corpus,
        "-o",
        output,
        "--epochs",
        str(epochs),
        "--log-json",
        log,
        "--overwrite",
        "--threads",
        "1",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(output).parent, env=environment)
    speed = next(line for line in done.stderr.splitlines() if " tokens trained at " in line)
    rounds = [json.loads(line) for line in Path(log).read_text().splitlines() if "round_seconds" in line]
    seconds = sum(one["round_seconds"] for one in rounds)
    return {
        "words_per_second": float(speed.split(" trained at ")[1].split()[0].replace(",", "")),
        "waited": sum(one["waited"] * one["round_seconds"] for one in rounds) / max(1e-9, seconds),
        "rounds": len(rounds),
        "beats": statistics.median(r["beats"] for r in rounds) if rounds else 0,
        "round_seconds": statistics.median(r["round_seconds"] for r in rounds) if rounds else 0.0,
        "bytes": statistics.median(r["bytes_sent_by_each"] for r in rounds) if rounds else 0,
    }


def quality(vectors: Any, analogies: str, pairs: str) -> dict[str, float]:
    """In %."""
    return {
        "analogies": 100 * vectors.evaluate_word_analogies(analogies, restrict_vocab=30_000)[0],
        "pairs": 100 * vectors.evaluate_word_pairs(pairs)[1][0],
    }


SPEED_OF = {
    "1 thread": ["--threads", "1"],
    "1 worker": ["--dask", "local:1"],
    "2 threads": ["--threads", "2"],
    "2 workers": ["--dask", "local:2"],
}
QUALITY_OF = {
    "1 thread": ["--threads", "1"],
    "2 threads": ["--threads", "2"],
    **{f"{n} workers": ["--dask", f"local:{n}"] for n in (2, 4, 8)},
}


def measure_speed(corpus: str, copies: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SPEED_OF}
    least = str(5 * copies)  # the vocabulary of one copy
    with tempfile.TemporaryDirectory() as room:
        text = Path(room, "copies.txt")
        with text.open("wb") as file:
            for _ in range(copies):
                file.write(Path(corpus).read_bytes())
        for _ in range(rounds):
            for name, options in SPEED_OF.items():
                found[name].append(train(str(text), *options, "--min-count", least, epochs=1, output=f"{room}/v.fw2v"))
                click.echo(f"{name}: {found[name][-1]}")
    return found


def measure_quality(corpus: str, seeds: int, analogies: str, pairs: str) -> dict[str, list[dict[str, Any]]]:
    from fastw2v import Vectors

    found: dict[str, list[dict[str, Any]]] = {name: [] for name in QUALITY_OF}
    with tempfile.TemporaryDirectory() as room:
        for seed in range(1, seeds + 1):
            for name, options in QUALITY_OF.items():
                output = f"{room}/v.fw2v"
                run = train(corpus, *options, "--seed", str(seed), epochs=5, output=output)
                found[name].append({**run, **quality(Vectors.load(output), analogies, pairs)})
                click.echo(f"{name}: {found[name][-1]}")
    return found


CONSTANTS = """
import json, sys, time
from distributed import Client, LocalCluster
import fastw2v
from fastw2v.cluster.protocol import tasks_of_exchange
from fastw2v.events import RoundEnded

def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])

if __name__ == "__main__":
    # Without the encryption of local:2, as clusters of several machines usually are.
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        def waiting(**options):
            rounds = []
            def note(event):
                if isinstance(event, RoundEnded):
                    rounds.append((event.waited * event.seconds, event.n_beats))
            n_words = len(fastw2v.train(sys.argv[1], client=client, callback=note, **options))
            seconds, beats = zip(*rounds[2:])
            return sum(seconds) / len(seconds), sum(beats) / len(beats), n_words
        client.gather([client.submit(abs, i) for i in range(-10, 0)])
        start = time.perf_counter()
        client.gather([client.submit(abs, i) for i in range(3000)])
        task = (time.perf_counter() - start) / 3000
        small, beats, _ = waiting(max_vocab=1000, dim=8, epochs=6)
        exchange = small / beats - tasks_of_exchange(2) * task
        large, beats, n_words = waiting(epochs=6)
        model = 8 * n_words * 100
        of_byte = (large - beats * (exchange + tasks_of_exchange(2) * task)) / (model * (1 + 0.05 * (beats - 1)))
        before = max(client.run(peak).values())
        waiting(dim=300, epochs=3)
        memory = (max(client.run(peak).values()) - before) / (8 * n_words * 300)
        print(json.dumps({"task": task, "exchange": exchange, "byte": of_byte, "memory": memory}))
"""


def measure_constants(corpus: str) -> dict[str, float]:
    """Seconds of a task, of an exchange of next to nothing, of a byte of the model; memory of a worker in models."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryDirectory() as room:  # and a file: this script's name is that of a package
        script = Path(room, "constants.py")
        script.write_text(CONSTANTS)
        done = subprocess.run(
            [sys.executable, script, corpus], capture_output=True, text=True, check=True, cwd=room, env=environment
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def model_combiner(changes: Changes) -> np.ndarray:
    """GraphWord2Vec (Maleki et al. 2021): of each further change what is orthogonal to those before."""
    total = changes[0].copy()
    for change in changes[1:]:
        along = np.einsum("ij,ij->i", total, change) / np.maximum(np.einsum("ij,ij->i", total, total), 1e-30)
        total += change - along[:, None] * total
    return total


def touched_mean(changes: Changes) -> np.ndarray:
    n_touched = sum((change != 0).any(axis=1).astype(np.float32) for change in changes)
    return sum(changes) / np.maximum(n_touched, 1)[:, None]


def combiners() -> dict[str, tuple[Callable[..., np.ndarray], Callable[[int], float]]]:
    """What combines the rows, and what the learning rate is multiplied by, for n replicas."""
    from fastw2v.cluster.combine import combine

    def mean(changes: Changes) -> np.ndarray:
        return sum(changes) / len(changes)

    def total(changes: Changes) -> np.ndarray:
        return sum(changes)

    return {
        "mean": (mean, lambda n: 1.0),
        "mean, rate x n": (mean, float),
        "mean of those that touched the row": (touched_mean, lambda n: 1.0),
        "sum": (total, lambda n: 1.0),
        "sum, rate / sqrt(n)": (total, lambda n: n**-0.5),
        "sum, rate / n": (total, lambda n: 1 / n),
        "model combiner": (model_combiner, lambda n: 1.0),
        "model combiner, rate x sqrt(n)": (model_combiner, lambda n: n**0.5),
        "adaptive sum": (combine, lambda n: 1.0),
        "adaptive sum, rate x sqrt(n)": (combine, lambda n: n**0.5),
    }


def at_once(task: Callable[..., Any], *arguments: Any, at: str) -> Any:
    """`submit` of a round whose tasks are carried out in this process."""
    return task(*arguments)


def compare_combiners(corpus: str, replicas: list[int], analogies: str, pairs: str) -> list[dict[str, Any]]:
    """One round of 4 beats in each of 5 epochs, the tasks of the replicas one after the other."""
    from fastw2v import TrainConfig, Vectors
    from fastw2v.cluster import replica
    from fastw2v.cluster.protocol import Share, submit_round
    from fastw2v.cluster.replica import Job, Work
    from fastw2v.cluster.rounds import Deal, ShardedSpans
    from fastw2v.corpus.corpus import Corpus
    from fastw2v.corpus.shards import EncodedShard
    from fastw2v.training.matrices import new_matrices
    from fastw2v.training.schedule import Schedule

    config = TrainConfig()
    text = Corpus.from_text(corpus, threads=2)
    schedule = Schedule.of(text.n_ids, config)
    spans = ShardedSpans.of([text.n_ids], schedule)
    shard = EncodedShard(0, text.ids, text.n_tokens, 0)
    job = Job(config, text.vocabulary.counts, span_length=schedule.span_length)
    found = []
    for n in replicas:
        for name, (combine, rate) in combiners().items():
            replica.combine = combine
            block = job.copy_of_block(job.by_frequency(new_matrices(job.n_words, config, 2)), 0)
            for epoch in range(config.epochs):
                deal = Deal.of(spans, np.zeros(spans.n, np.bool_), [0], n, (config.seed, epoch))
                n_spans = -(-deal.n_left // 4)
                beats = []
                for beat in range(4):
                    first = epoch * spans.n + beat * n * n_spans
                    parts = deal.take(n_spans)
                    rates = [schedule.learning_rates(first + n * np.arange(len(part))) for part in parts]
                    works = [
                        Work(epoch, 2, spans.pieces(part, np.float32(rate(n)) * own))
                        for part, own in zip(parts, rates, strict=True)
                    ]
                    beats.append([Share(work, [shard]) for work in works])
                [block] = submit_round(at_once, job, [block], [""] * n, beats).blocks
            is_finite = bool(np.isfinite(block.inputs).all())
            row: dict[str, Any] = {"replicas": n, "combiner": name, "diverged": not is_finite}
            if is_finite:
                row |= quality(Vectors(text.vocabulary.words, block.inputs, text.vocabulary.counts), analogies, pairs)
            found.append(row)
            click.echo(row)
    return found


@click.command(help=__doc__)
@click.argument("corpus", type=click.Path(exists=True, resolve_path=True))
@click.option("--analogies", required=True, type=click.Path(exists=True, resolve_path=True))
@click.option("--pairs", required=True, type=click.Path(exists=True, resolve_path=True))
@click.option("--copies", default=5, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option(
    "--part", type=click.Choice(["speed", "quality", "combiners", "constants"]), multiple=True, help="Default: all."
)
@click.option("-o", "--output", default=str(HERE / "results" / "clusters.json"), show_default=True)
def main(
    corpus: str, analogies: str, pairs: str, copies: int, rounds: int, seeds: int, part: tuple[str, ...], output: str
) -> None:
    old = json.loads(Path(output).read_text()) if Path(output).exists() else {}
    result = {**old, "corpus": Path(corpus).name, "cpu": cpu_name(), "copies": copies}
    about = {"commit": commit(), "date": time.strftime("%Y-%m-%d")}
    if not part or "speed" in part:
        result["speed"] = {**about, "runs": measure_speed(corpus, copies, rounds)}
    if not part or "quality" in part:
        result["quality"] = {**about, "runs": measure_quality(corpus, seeds, analogies, pairs)}
    if not part or "combiners" in part:
        result["combiners"] = {**about, "rows": compare_combiners(corpus, [2, 8], analogies, pairs)}
    if not part or "constants" in part:
        result["constants"] = {**about, **measure_constants(corpus)}
    Path(output).write_text(json.dumps(result, indent=1) + "\n")
    click.echo(text(result))


def text(result: dict[str, Any]) -> str:
    """Tables of what was measured."""
    lines = [
        f"{result['copies']} copies of {result['corpus']}, one epoch, medians of "
        f"{len(result['speed']['runs']['1 thread'])} rounds, in turns:",
        "",
        "| | M words/s | share of threads' speed | waiting | rounds | beats | s per round | MB sent per round |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    runs = result["speed"]["runs"]
    for name, found in runs.items():
        middle = {key: statistics.median(run[key] for run in found) for key in found[0]}
        threads = name.replace("workers", "threads").replace("worker", "thread")
        ratio = statistics.median(
            a["words_per_second"] / b["words_per_second"] for a, b in zip(found, runs[threads], strict=True)
        )
        of_rounds = (
            f"{ratio:.0%} | {middle['waited']:.0%} | {middle['rounds']:.0f} | {middle['beats']:.0f} | "
            f"{middle['round_seconds']:.1f} | {middle['bytes'] / 1e6:.0f} |"
        )
        told = of_rounds if "worker" in name else "| | | | | |"
        lines.append(f"| {name} | {middle['words_per_second'] / 1e6:.2f} | {told}")
    lines += [
        "",
        f"Quality in %, 5 epochs of {result['corpus']}, mean and standard deviation of "
        f"{len(result['quality']['runs']['1 thread'])} seeds; each worker has one thread, all share 2 cores:",
        "",
        "| | analogies | WordSim-353 | rounds | waiting |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, found in result["quality"]["runs"].items():
        scores = [
            f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}"
            for values in ([run[key] for run in found] for key in ("analogies", "pairs"))
        ]
        rounds = f"{statistics.median(run['rounds'] for run in found):.0f}" if "workers" in name else ""
        waited = f"{statistics.median(run['waited'] for run in found):.0%}" if "workers" in name else ""
        lines.append(f"| {name} | {' | '.join(scores)} | {rounds} | {waited} |")
    lines += [
        "",
        "Ways to combine n replicas, with one epoch as one round of 4 beats, one seed:",
        "",
        "| replicas | rows combined by | analogies | WordSim-353 |",
        "|---:|---|---:|---:|",
    ]
    for row in result["combiners"]["rows"]:
        scores = ["diverged", ""] if row["diverged"] else [f"{row['analogies']:.1f}", f"{row['pairs']:.1f}"]
        lines.append(f"| {row['replicas']} | {row['combiner']} | {' | '.join(scores)} |")
    constants = result["constants"]
    lines += [
        "",
        f"An exchange costs {constants['exchange']:.3f} s whatever its size, {constants['task'] * 1e3:.1f} ms for each "
        f"task and {constants['byte'] * 1e9:.1f} ns for each byte of the model. A worker's memory grows by "
        f"{constants['memory']:.1f} models at most.",
    ]
    names = "speed", "quality", "combiners", "constants"
    parts = ", ".join(f"{part} at commit {result[part]['commit']}" for part in names)
    lines += ["", f"{result['cpu']}, {result['speed']['date']}; {parts}."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
