"""fastw2v against its peers: speed and quality, same corpus, same settings, same threads, in turn, several rounds.

    pip install '.[bench]'
    python benchmarks/trainers.py corpus.txt --analogies questions-words.txt --pairs wordsim353.txt \
        --word2vec ~/word2vec/word2vec --fasttext ~/fastText/fasttext --pword2vec ~/pWord2Vec/pWord2Vec \
        --psgnscc ~/pSGNScc/pSGNScc --par-word2vec ~/HiPC_Word2Vec/PAR_Word2Vec_cpu

gensim comes from PyPI; the others run where the path to a binary that you built is given, and where they have the
objective. Every trainer is a process of its own that reads the corpus, trains and writes text vectors. Training words/s
counts the words of the vocabulary, all epochs, over the time between reading and writing; round r uses seed r. To
have a table of speeds in a quarter of an hour, while the machine stays as it is, run one epoch (--epochs 1 -o
speed.json), and join that to the quality after all epochs (--speed speed.json).
With cbow all start at word2vec.c's learning rate for it, 0.05, also gensim, whose own default is lower and worse.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Settings:
    corpus: str
    model: str
    loss: str
    dim: int
    window: int
    negative: int
    sample: float
    min_count: int
    epochs: int
    threads: int

    @property
    def lr(self) -> float:
        """word2vec.c's."""
        return 0.025 if self.model == "skipgram" else 0.05


@dataclass(frozen=True)
class Run:
    """One trainer's process."""

    train_seconds: float
    process_seconds: float
    peak_mb: float
    quality: dict[str, float]


def fastw2v_command(settings: Settings, seed: int, output: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "fastw2v",
        "train",
        settings.corpus,
        "-o",
        str(output),
        "--model",
        settings.model,
        "--loss",
        settings.loss,
        "--dim",
        str(settings.dim),
        "--window",
        str(settings.window),
        "--negative",
        str(settings.negative),
        "--sample",
        str(settings.sample),
        "--min-count",
        str(settings.min_count),
        "--epochs",
        str(settings.epochs),
        "--threads",
        str(settings.threads),
        "--seed",
        str(seed),
        "--log-json",
        f"{output}.log",
        *more,
    ]


def gensim_command(settings: Settings, seed: int, output: Path, lr: float | None = None) -> list[str]:
    given = {**asdict(settings), "lr": lr or settings.lr, "seed": seed, "output": str(output)}
    return [sys.executable, __file__, "--as-gensim", json.dumps(given)]


def word2vec_command(binary: str, settings: Settings, output: Path, *more: str) -> list[str]:
    """Of word2vec.c, and of pWord2Vec and its descendants, which have its options."""
    return [
        binary,
        "-train",
        settings.corpus,
        "-output",
        str(output),
        "-size",
        str(settings.dim),
        "-window",
        str(settings.window),
        "-negative",
        str(settings.negative if settings.loss == "ns" else 0),
        "-hs",
        str(int(settings.loss == "hs")),
        "-cbow",
        str(int(settings.model == "cbow")),
        "-sample",
        str(settings.sample),
        "-min-count",
        str(settings.min_count),
        "-iter",
        str(settings.epochs),
        "-threads",
        str(settings.threads),
        "-binary",
        "0",
        *more,
    ]


def batch_options(name: str, window: int) -> list[str]:
    """The sizes of batches that the authors of pWord2Vec and of its descendants chose, all for skip-gram ns."""
    of_windows = ["-batch-size", str(2 * window + 1)]
    return {
        "pWord2Vec": of_windows,
        "pSGNScc": [*of_windows, "-C", "8", "-T", "500000"],
        "PAR-Word2Vec": ["-batch-size", "24"],
    }[name]


def fasttext_command(binary: str, settings: Settings, output: Path) -> list[str]:
    return [
        binary,
        settings.model,
        "-loss",
        settings.loss,
        "-input",
        settings.corpus,
        "-output",
        str(output),
        "-dim",
        str(settings.dim),
        "-ws",
        str(settings.window),
        "-neg",
        str(settings.negative),
        "-t",
        str(settings.sample),
        "-minCount",
        str(settings.min_count),
        "-epoch",
        str(settings.epochs),
        "-thread",
        str(settings.threads),
        "-lr",
        str(settings.lr),
        "-maxn",
        "0",
    ]


def as_gensim(settings: dict[str, Any]) -> None:
    """The gensim process: its fastest way, `corpus_file`."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        sg=int(settings["model"] == "skipgram"),
        hs=int(settings["loss"] == "hs"),
        alpha=settings["lr"],
        vector_size=settings["dim"],
        window=settings["window"],
        negative=settings["negative"] if settings["loss"] == "ns" else 0,
        sample=settings["sample"],
        min_count=settings["min_count"],
        workers=settings["threads"],
        seed=settings["seed"],
    )
    model.build_vocab(corpus_file=settings["corpus"])
    start = time.perf_counter()
    model.train(
        corpus_file=settings["corpus"],
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings["epochs"],
    )
    print("train seconds", time.perf_counter() - start)
    model.wv.save_word2vec_format(settings["output"])


def measure(command: list[str]) -> tuple[str, list[tuple[float, str]], float, float]:
    """Run a process: (output, its lines with their times, seconds, peak MB)."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    pieces: list[tuple[float, str]] = []
    while piece := os.read(process.stdout.fileno(), 65536):
        pieces.append((time.perf_counter() - start, piece.decode(errors="replace")))
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    output = "".join(piece for _, piece in pieces)
    if status:
        raise click.ClickException(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return output, pieces, seconds, usage.ru_maxrss / 1024


def train_seconds(output: str, pieces: list[tuple[float, str]], vectors: Path) -> float:
    """From fastw2v's log, from our gensim process, or between a C program's first and last progress line."""
    log = Path(f"{vectors}.log")
    if log.exists():
        return float(json.loads(log.read_text().splitlines()[-1])["seconds"])
    if found := re.search(r"train seconds ([\d.]+)", output):
        return float(found[1])
    times = [seconds for seconds, piece in pieces if "Progress" in piece]
    return times[-1] - times[0]


def quality_of(vectors: Path, analogies: str | None, pairs: tuple[str, ...]) -> dict[str, float]:
    """Analogy accuracy (3CosAdd, 30,000 most frequent words) and Spearman's rho, in %, all judged by gensim."""
    from gensim.models import KeyedVectors

    loaded = KeyedVectors.load_word2vec_format(str(vectors))
    quality = {}
    if analogies:
        quality["analogies"] = 100 * loaded.evaluate_word_analogies(analogies, restrict_vocab=30_000)[0]
    for file in pairs:
        quality[Path(file).stem] = 100 * float(loaded.evaluate_word_pairs(file)[1][0])
    return quality


def cpu_name() -> str:
    try:
        return re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[1]  # type: ignore[index]
    except (OSError, TypeError):
        return platform.processor()


def commit() -> str:
    found = subprocess.run(
        ["git", "-C", HERE, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


@click.command(help=__doc__)
@click.argument("corpus", required=False)
@click.option("--model", type=click.Choice(["skipgram", "cbow"]), default="skipgram", show_default=True)
@click.option("--loss", type=click.Choice(["ns", "hs"]), default="ns", show_default=True)
@click.option("--also", multiple=True, help="Options of another fastw2v row, for example '--update pair'.")
@click.option("--dim", default=100, show_default=True)
@click.option("--window", default=5, show_default=True)
@click.option("--negative", default=5, show_default=True)
@click.option("--sample", default=1e-3, show_default=True)
@click.option("--min-count", default=5, show_default=True)
@click.option("--epochs", default=5, show_default=True)
@click.option("--threads", default=len(os.sched_getaffinity(0)), show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--once", multiple=True, help="A trainer to run in the first round only (the slow ones).")
@click.option("--keep", multiple=True, help="A trainer whose runs stay those of the output's last result.")
@click.option("--analogies", help="questions-words.txt")
@click.option("--pairs", multiple=True, help="Word pairs with human similarity, tab separated.")
@click.option("--word2vec", help="Binary of word2vec.c.")
@click.option("--fasttext", help="Binary of fastText.")
@click.option("--pword2vec", help="Binary of pWord2Vec (IntelLabs/pWord2Vec).")
@click.option("--psgnscc", help="Binary of pSGNScc (vasupsu/pWord2Vec).")
@click.option("--par-word2vec", help="Binary of PAR-Word2Vec for CPUs (mipiace/HiPC_Word2Vec).")
@click.option("--speed", help="An earlier result, with fewer epochs, whose speeds and memory the table shows.")
@click.option("-o", "--output", help="Default: results/trainers-MODEL-LOSS.json.")
@click.option("--as-gensim", "gensim_settings", hidden=True)
def main(
    corpus: str,
    also: tuple[str, ...],
    rounds: int,
    once: tuple[str, ...],
    keep: tuple[str, ...],
    analogies: str | None,
    pairs: tuple[str, ...],
    word2vec: str | None,
    fasttext: str | None,
    pword2vec: str | None,
    psgnscc: str | None,
    par_word2vec: str | None,
    speed: str | None,
    output: str | None,
    gensim_settings: str | None,
    **chosen: Any,
) -> None:
    if gensim_settings:
        as_gensim(json.loads(gensim_settings))
        return
    if not corpus:
        raise click.UsageError("name a corpus: a text file")
    settings = Settings(corpus, **chosen)
    path = Path(output or HERE / "results" / f"trainers-{settings.model}-{settings.loss}.json")
    last = json.loads(path.read_text()) if keep else {}
    trainers: dict[str, Callable[[int, Path], list[str]]] = {
        "fastw2v": lambda seed, out: fastw2v_command(settings, seed, out),
        **{
            f"fastw2v {options}": lambda seed, out, options=options: fastw2v_command(
                settings, seed, out, *options.split()
            )
            for options in also
        },
        "gensim": lambda seed, out: gensim_command(settings, seed, out),
    }
    for name, binary in (("pWord2Vec", pword2vec), ("pSGNScc", psgnscc), ("PAR-Word2Vec", par_word2vec)):
        if binary and (settings.model, settings.loss) == ("skipgram", "ns"):
            trainers[name] = lambda seed, out, name=name, binary=binary: word2vec_command(
                binary, settings, out, *batch_options(name, settings.window)
            )
    if word2vec:
        trainers["word2vec.c"] = lambda seed, out: word2vec_command(word2vec, settings, out)
    if fasttext:
        trainers["fastText"] = lambda seed, out: fasttext_command(fasttext, settings, out.with_suffix(""))
    runs: dict[str, list[Run]] = {name: [] for name in trainers}
    n_words = 0
    measure([sys.executable, "-m", "fastw2v", "warmup"])
    for seed in range(1, rounds + 1):
        for name, command in trainers.items():
            if name in once and seed > 1:
                continue
            with tempfile.TemporaryDirectory() as directory:
                vectors = Path(directory) / "vectors.vec"
                text, pieces, seconds, peak = measure(command(seed, vectors))
                run = Run(train_seconds(text, pieces, vectors), seconds, peak, quality_of(vectors, analogies, pairs))
                if Path(f"{vectors}.log").exists():
                    n_words = json.loads(Path(f"{vectors}.log").read_text().splitlines()[0])["words_total"]
            runs[name].append(run)
            rate = n_words / run.train_seconds / 1e6
            click.echo(f"round {seed}  {name:24} {rate:6.2f} M words/s  {seconds:7.1f} s  {run.quality}")
    result = {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "cpu": cpu_name(),
        "versions": {name: version(name) for name in ("fastw2v", "numba", "numpy", "gensim")},
        "settings": {**asdict(settings), "corpus": Path(corpus).name},
        "n_words": n_words,
        "runs": {name: [asdict(run) for run in trainer_runs] for name, trainer_runs in runs.items()}
        | {name: last["runs"][name] for name in keep},
        "kept": {name: last.get("kept", {}).get(name, last["commit"]) for name in keep},
    }
    if speed:
        result["speed"] = json.loads(Path(speed).read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    click.echo(table(result))


def table(result: dict[str, Any]) -> str:
    """The results in Markdown: medians; ratios to gensim are medians of the rounds' own ratios."""
    timed, measures = result.get("speed", result), list(result["runs"]["gensim"][0]["quality"])
    heads = ["trainer", "M words/s", "times gensim", "whole process, s", "peak MB", *map(display_name, measures)]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for name, own in timed["runs"].items():
        pairs = list(zip(own, timed["runs"]["gensim"], strict=False))
        ratio = statistics.median(theirs["train_seconds"] / ours["train_seconds"] for ours, theirs in pairs)
        speed = timed["n_words"] / statistics.median(run["train_seconds"] for run in own) / 1e6
        judged = result["runs"].get(name, [])
        quality = [quality_cell([run["quality"][measure] for run in judged]) for measure in measures]
        seconds = statistics.median(run["process_seconds"] for run in own)
        peak = statistics.median(run["peak_mb"] for run in own)
        cells = [name, f"{speed:.2f}", f"{ratio:.1f}", f"{seconds:.1f}", f"{peak:.0f}", *quality]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def display_name(measure: str) -> str:
    """The name of a measure of quality in tables; the names in results are those of files."""
    return {"EN-WS-353-ALL": "WordSim-353", "EN-SIMLEX-999": "SimLex-999"}.get(measure, measure)


def quality_cell(values: list[float]) -> str:
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
