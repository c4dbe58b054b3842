"""Write the generated parts of the READMEs and of docs/: the help text and the tables of benchmarks/results.

python benchmarks/update_readme.py          # rewrite them
python benchmarks/update_readme.py --check  # exit 1 if one is out of date
"""

from __future__ import annotations

import itertools
import json
import math
import re
import statistics
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import clusters
import gensim_scripts
import index
import kernels
import loss
import options
import rates
import reading
import resources
import scaling
import softmax
import steps
import trainers
import vectors
from click.testing import CliRunner

from fastw2v.cli import cli
from fastw2v.config import TrainConfig, base_type

HERE = Path(__file__).parent

COMPARED = "fastw2v", "gensim"
"""The trainers that have every objective but the full softmax."""


def help_text() -> str:
    """The help of every command, under a heading of its own."""
    parts = []
    for name in cli.commands:
        # The width and name of a terminal are not the page's.
        runner, width = CliRunner(), {"terminal_width": 80, "max_content_width": 80}
        shown = runner.invoke(cli, [name, "--help"], prog_name="fastw2v", **width)
        parts.append(f"## fastw2v {name}\n\n```text\n{shown.output}```")
    return "\n\n".join(parts)


def options_of_train() -> str:
    """The options of `TrainConfig`: default, allowed values and meaning."""
    lines = ["| option | default | allowed | meaning |", "|---|---|---|---|"]
    for item in fields(TrainConfig):
        allowed, kind = item.metadata["allowed"], base_type(item.name)
        if allowed.choices or allowed.low > -math.inf:
            values = str(allowed)
        else:
            values = "True or False" if kind is bool else "a path"
        lines.append(f"| `{item.name}` | `{item.default!r}` | {values} | {item.metadata['help']} |")
    return "\n".join(lines)


def trainers_text() -> str:
    result = load("trainers-skipgram-ns")
    chosen, timed = result["settings"], result["speed"]
    kept = "".join(f" {name} ran at commit {commit}." for name, commit in result["kept"].items())
    return (
        f"{trainers.table(result)}\n\n"
        f"Skip-gram, dim {chosen['dim']}, window {chosen['window']}, {chosen['negative']} negatives, sample "
        f"{chosen['sample']:g}, min-count {chosen['min_count']}, {chosen['epochs']} epochs of {chosen['corpus']} "
        f"({result['n_words'] / chosen['epochs'] / 1e6:.1f} M words each), {chosen['threads']} threads of an "
        f"{result['cpu']}; {timed['date']}, commit {timed['commit']}, numba {result['versions']['numba']}, gensim "
        f"{result['versions']['gensim']}. Speed counts the training alone; speed, time and memory are medians of "
        f"{len(timed['runs']['fastw2v'])} rounds of one epoch, in which the trainers took turns (word2vec.c and "
        "fastText ran once); the ratios to gensim are medians over the rounds. Quality: analogies solved "
        "among the 30,000 most frequent words, and Spearman's correlation with human ratings of similarity, in %, mean "
        "and standard deviation over seeds; a trainer without ± ran once with all epochs."
        f"{kept}"
    )


def summary_text() -> str:
    """The README's table: the speed of each trainer at its defaults, and two measures of quality."""
    result = load("trainers-skipgram-ns")
    chosen, timed = result["settings"], result["speed"]
    rows = [row.strip("| ").split(" | ") for row in trainers.table(result).splitlines()[2:] if "--" not in row]
    lines = [
        "| trainer | million words/s | times gensim | analogies solved, % | WordSim-353 |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, speed, ratio, _, _, analogies, similarity, _ in sorted(rows, key=lambda row: -float(row[1])):
        lines.append(f"| {name} | {speed} | {ratio} | {analogies} | {similarity} |")
    return (
        "\n".join(lines) + f"\n\nSkip-gram with {chosen['negative']} negatives, {chosen['dim']} dimensions, "
        f"{chosen['epochs']} epochs of {chosen['corpus']} (100 MB of Wikipedia), {chosen['threads']} threads of an "
        f"{result['cpu']}, {timed['date']}. Times gensim: the median of the ratios of "
        f'{len(timed["runs"]["gensim"])} rounds of one epoch. Analogies: questions such as "man is to king as woman is '
        "to ...\". WordSim-353: Spearman's correlation with human ratings of similarity, in %. "
        "[Benchmarks](benchmarks/README.md) says how this was measured, and where fastw2v loses."
    )


def load(name: str) -> Any:
    return json.loads((HERE / "results" / f"{name}.json").read_text())


def joined_tables(of: str, names: dict[str, str], trainers_kept: tuple[str, ...] = ()) -> str:
    """The tables of several results of `trainers.py` as one, with a first column that is headed `of`."""
    lines: list[str] = []
    for label, name in names.items():
        header, ruler, *rows = trainers.table(load(name)).splitlines()
        lines = lines or [header.replace("| trainer |", f"| {of} | trainer |"), f"|---{ruler}"]
        lines += [f"| {label} {row}" for row in rows if not trainers_kept or row.split(" | ")[0][2:] in trainers_kept]
    return "\n".join(lines)


def objectives_text() -> str:
    """Every objective beside gensim, and how far full softmax is away."""
    pairs = itertools.product(("skipgram", "cbow"), ("ns", "hs"))
    names = {f"{model} {loss}": f"trainers-{model}-{loss}" for model, loss in pairs}
    earlier = {name: [label for label, of in names.items() if name in load(of)["kept"]] for name in COMPARED}
    listed = " and ".join(f"{name} ({', '.join(labels)})" for name, labels in earlier.items() if labels)
    speeds = {
        row["loss"]: statistics.median(row["pairs_per_second"])
        for row in load("softmax")["speed"]
        if row["n_words"] == 30_000
    }
    return (
        joined_tables("objective", names, COMPARED)
        + f"\n\nSettings as in the table of trainers in the benchmarks; the quality of {listed} was measured at an "
        "earlier commit with the same kernels. Full softmax over 30,000 words trains "
        f"{speeds['softmax']:,.0f} pairs a second, negative sampling {speeds['ns'] / 1e6:.0f} M: "
        f"{speeds['ns'] / speeds['softmax']:,.0f} times as many."
    )


def settings_text() -> str:
    """Skip-gram with negative sampling, one setting changed at a time."""
    names = {
        "15 negatives": "trainers-negatives-15",
        "dim 300": "trainers-dim-300",
        "window 8": "trainers-window-8",
    }
    return f"{joined_tables('setting', names)}\n\nEverything else as above; quality without ± is that of one run."


def softmax_text() -> str:
    result = load("softmax")
    chosen = result["settings"]
    slopes = {loss: softmax.slope(result, loss) for loss in ("softmax", "hs", "ns")}
    quality = "; ".join(
        f"{loss} {curve[-1]['similarity']:.1f} after {curve[-1]['seconds']:,.1f} s ({len(curve)} epochs, held-out loss "
        f"{curve[0]['loss']:.3f} to {curve[-1]['loss']:.3f})"
        for loss, curve in result["quality"].items()
    )
    return (
        f"{softmax.table(result)}\n\n"
        f"Skip-gram, dim {chosen['dim']}, {chosen['threads']} threads of an {result['cpu']}, {result['date']}, commit "
        f"{result['commit']}; medians of {chosen['rounds']} rounds. Time of a pair grows as words ** "
        f"{slopes['softmax']:.2f} with softmax, ** {slopes['hs']:.2f} with hs (whose path grows as the logarithm) and "
        f"** {slopes['ns']:.2f} with ns (on 1,000 words the threads write to the same rows, with 1 M they wait for "
        "memory).\n\n"
        "![time of a pair, and quality over time](results/softmax.png)\n\n"
        f"Correlation with human similarity, in %, on the first {chosen['megabytes']} MB of {chosen['corpus']} with "
        f"{chosen['max_vocab']:,} words: {quality}."
    )


def options_text(name: str) -> str:
    result = load(name)
    chosen = result["settings"]
    return (
        f"{options.table(result)}\n\nOf {chosen['corpus']}, {chosen['threads']} threads of an {result['cpu']}, "
        f"{chosen['seeds']} seeds, {result['date']}, commit {result['commit']}."
    )


def pmi_text() -> str:
    result = load("pmi")
    chosen = result["settings"]
    return (
        f"{result['pairs']:,} pairs of the {chosen['words']} most frequent words of {chosen['corpus']}, seen "
        f"{chosen['seen']} times or more: correlation {result['correlation']:.3f}, slope {result['slope']:.2f}, "
        f"intercept {result['intercept']:.2f} (dim {chosen['dim']}, window {chosen['window']}, "
        f"k = {chosen['negative']}, {chosen['epochs']} epochs; commit {result['commit']}).\n\n"
        "![u.v against PMI - log k](results/pmi.png)"
    )


def kernels_text() -> str:
    result = load("kernels")
    peak = result["peak"]
    return (
        f"{kernels.table(result)}\n\n{result['cpu']}, {result['lanes']} lanes; {result['date']}, commit "
        f"{result['commit']}, medians of {result['rounds']} rounds. What one core can do, by a "
        f"probe in the same run: {peak['multiply_adds']:.0f} G multiply-adds/s, reading {peak['L1']:.0f} GB/s from "
        f"L1, {peak['L2']:.0f} from L2, {peak['memory']:.0f} from "
        "memory."
    )


def rates_text() -> str:
    result = load("rates")
    chosen = result["settings"]
    return (
        f"{rates.table(result)}\n\nThe first 100 and 30 MB of {chosen['corpus']} without the last megabyte, dim 100, "
        f"5 epochs, {chosen['threads']} threads: analogies / WordSim-353 / SimLex-999 in % (and the loss of the held-"
        f"out megabyte); means of {chosen['seeds']} seeds, {chosen['gensim_seeds']} for gensim; {result['date']}, "
        f"commit {result['commit']}."
    )


def steps_text() -> str:
    result = load("steps")
    return (
        f"{steps.table(result)}\n\nOne thread of an {result['cpu']}, {result['lanes']} lanes; {result['date']}, commit "
        f"{result['commit']}, the fastest of {result['rounds']} rounds in turns."
    )


def scaling_text() -> str:
    result = load("scaling")
    return (
        f"{scaling.table(result)}\n\nOne epoch of {result['corpus']}, {result['cores']} cores of an {result['cpu']}; "
        f"{result['date']}, commit {result['commit']}."
    )


def vectors_text() -> str:
    result = load("vectors")
    return (
        f"{vectors.table(result)}\n\n{result['cpu']}, {result['date']}, commit {result['commit']}, gensim "
        f"{result['versions']['gensim']}; medians of {result['rounds']} rounds, text is {result['corpus']}."
    )


def faults_text() -> str:
    """The figures of the attacks, as `FAULTS_REPORT=benchmarks/results/faults.json .ci/faults` left them."""
    found = load("faults")
    lines = []
    for name, figures in found.items():
        told = ", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in figures.items())
        lines.append(f"| {name} | {told} |")
    return "\n".join(["| attack | figures |", "|---|---|", *lines])


def plan_text() -> str:
    options = "--nodes 64 --threads 16 --words 100000000000 --vocab 1000000 --dim 300 --epochs 5 --gigabits 25"
    shown = CliRunner().invoke(cli, ["plan", *options.split()], prog_name="fastw2v")
    return f"```text\n{shown.output}```"


PARTS = {
    "help": help_text,
    "summary": summary_text,
    "options": options_of_train,
    "trainers": trainers_text,
    "objectives": objectives_text,
    "settings": settings_text,
    "softmax": softmax_text,
    "negatives": lambda: options_text("negatives"),
    "cbow-gradient": lambda: options_text("cbow-gradient"),
    "pmi": pmi_text,
    "kernels": kernels_text,
    "steps": steps_text,
    "scaling": scaling_text,
    "rates": rates_text,
    "reading": lambda: reading.table(load("reading")),
    "loss": lambda: loss.table(load("loss")),
    "gensim-scripts": lambda: gensim_scripts.table(load("gensim-scripts")),
    "index": lambda: index.table(load("index")),
    "vectors": vectors_text,
    "faults": faults_text,
    "clusters": lambda: clusters.text(load("clusters")),
    "plan": plan_text,
    "resources": lambda: resources.text(load("resources")),
}


def main() -> None:
    is_stale = False
    root = HERE.parent
    for readme in (root / "README.md", HERE / "README.md", *sorted((root / "docs").glob("*.md"))):
        old = new = readme.read_text()
        for name, generate in PARTS.items():
            pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)"
            if re.search(pattern, new, re.DOTALL):
                text = generate()
                new = re.sub(pattern, lambda found, text=text: f"{found[1]}{text}\n{found[2]}", new, flags=re.DOTALL)
        if new != old and "--check" in sys.argv:
            print(f"{readme} is out of date: run python benchmarks/update_readme.py")
            is_stale = True
        elif new != old:
            readme.write_text(new)
    sys.exit(is_stale)


if __name__ == "__main__":
    main()
