"""Whether deterministic runs give the same bytes: on any number of threads, killed and resumed.

    python benchmarks/reproducibility.py TEXT

For each objective and seed, the text is trained on 1, 2, 3, 4 and 16 threads. Then a run with checkpoints is killed
(SIGKILL) at random times, and resumed each time on another number of threads, until it is complete. The SHA-256 of all
files of vectors must be the same. NUMBA_NUM_THREADS is raised, so that there are as many threads on any machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
from trainers import commit, cpu_name

HERE = Path(__file__).parent
THREADS = 1, 2, 3, 4, 16
OBJECTIVES = {
    f"{model}, {loss}": ["--model", model, "--loss", loss] for model in ("skipgram", "cbow") for loss in ("ns", "hs")
}


def command(text: str, output: Path, threads: int, seed: int, options: list[str]) -> list[str]:
    fixed = ["--deterministic", "--quiet", "--overwrite", "--threads", str(threads), "--seed", str(seed)]
    return [sys.executable, "-m", "fastw2v", "train", text, "-o", str(output), *fixed, *options]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def kill_and_resume(text: str, room: Path, seed: int, options: list[str], n_kills: int, seconds: float) -> int:
    """Train with checkpoints, killed at most `n_kills` times, `seconds` being a whole run; return how often it was."""
    rng = random.Random(seed)
    killed = 0
    while True:
        resumed = ["--checkpoint", str(room / "c"), "--checkpoint-every", "0.0001", "--resume"]
        process = subprocess.Popen(command(text, room / "v.bin", rng.choice(THREADS), seed, [*options, *resumed]))
        try:
            if process.wait(rng.uniform(0.3, 1.0) * seconds if killed < n_kills else None) != 0:
                raise RuntimeError("the run failed")
            return killed
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1


@click.command(help=__doc__)
@click.argument("text")
@click.option("--seeds", default=5, show_default=True)
@click.option("--kills", default=20, show_default=True, help="Kills of each interrupted run, at most.")
@click.option("--epochs", default=5, show_default=True)
@click.option("-o", "--output", default=str(HERE / "results" / "reproducibility.json"), show_default=True)
def main(text: str, seeds: int, kills: int, epochs: int, output: str) -> None:
    os.environ["NUMBA_NUM_THREADS"] = str(max(THREADS))
    rows = []
    for name, options in OBJECTIVES.items():
        for seed in range(1, seeds + 1):
            with tempfile.TemporaryDirectory() as directory:
                room, given, digests = Path(directory), [*options, "--epochs", str(epochs)], []
                for threads in THREADS:
                    start = time.perf_counter()
                    subprocess.run(command(text, room / "v.bin", threads, seed, given), check=True)
                    seconds = time.perf_counter() - start
                    digests.append(digest(room / "v.bin"))
                n_killed = kill_and_resume(text, room, seed, given, kills, seconds)
                digests.append(digest(room / "v.bin"))
            rows.append({"objective": name, "seed": seed, "kills": n_killed, "digests": digests})
            print(f"{name}, seed {seed}: {len(set(digests))} kind of bytes, killed {n_killed} times", flush=True)
    n_different = sum(len(set(row["digests"])) - 1 for row in rows)
    about = {"commit": commit(), "cpu": cpu_name(), "threads": THREADS, "differences": n_different, "rows": rows}
    Path(output).write_text(json.dumps(about) + "\n")
    print(f"{n_different} differences")


if __name__ == "__main__":
    main()
