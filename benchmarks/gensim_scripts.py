"""Scripts and packages written for gensim, with gensim's classes and with fastw2v's: time, and quality.

    pip install '.[bench]' node2vec pecanpy fastnode2vec karateclub
    python benchmarks/gensim_scripts.py wiki8.txt --pairs EN-WS-353-ALL.txt

Each measurement is a process of its own, and they take turns. The time of a text is that of `Word2Vec(...)`, from
reading to trained vectors, with gensim's defaults but for `sg` and `workers=2`. The time of a package is that of its
call of Word2Vec; fastnode2vec makes its walks meanwhile. A graph has 2,000 nodes in 20 groups; the quality of its
vectors is the share of the 10 nearest nodes that belong to the same group. With "pair", `Word2Vec.update` is "pair".
Before a package is measured, one run that does not count leaves the kernels in the cache.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import click
from numpy_1 import restore_names
from trainers import commit, cpu_name

HERE = Path(__file__).parent

TEXTS = ("corpus_file", "LineSentence", "list")
PACKAGES = ("node2vec", "pecanpy", "fastnode2vec", "karateclub")
N_NODES, N_GROUPS = 2_000, 20
TRAINERS = ("fastw2v", "pair", "gensim")
"""Who trains; "pair" is fastw2v with pairs one after the other, for packages only."""


def train_on_text(kind: str, corpus: str, sg: int, pairs: str) -> dict[str, Any]:
    """Train in this process, with the `Word2Vec` that gensim's name stands for; return the seconds and the quality."""
    from gensim.models.word2vec import LineSentence, Word2Vec

    sentences = LineSentence(corpus)
    if kind == "list":
        sentences = list(sentences)
    start = time.perf_counter()
    if kind == "corpus_file":
        model = Word2Vec(corpus_file=corpus, sg=sg, workers=2)
    else:
        model = Word2Vec(sentences, sg=sg, workers=2)
    seconds = time.perf_counter() - start
    quality = 100 * model.wv.evaluate_word_pairs(pairs)[1][0]
    return {"seconds": seconds, "quality": quality}


def train_with_package(package: str) -> dict[str, Any]:
    """Embed a graph in this process; return the seconds of training and the quality."""
    import networkx as nx
    import numpy as np

    graph = nx.planted_partition_graph(N_GROUPS, N_NODES // N_GROUPS, 0.15, 0.003, seed=0)
    if package == "node2vec":
        from node2vec import Node2Vec

        walker = Node2Vec(graph, dimensions=64, walk_length=30, num_walks=50, workers=1, quiet=True)
        start = time.perf_counter()
        wv = walker.fit(window=10, min_count=1, workers=2).wv
        seconds = time.perf_counter() - start
        matrix = np.array([wv[str(node)] for node in graph])
    elif package == "pecanpy":
        restore_names()  # nptyping, which pecanpy imports, wants NumPy 1
        from gensim.models import Word2Vec
        from pecanpy import pecanpy

        adjacency = nx.to_numpy_array(graph)
        walker = pecanpy.DenseOTF.from_mat(adjacency, [str(node) for node in graph], p=1, q=1, workers=2)
        walks = walker.simulate_walks(num_walks=50, walk_length=30)
        start = time.perf_counter()  # what `pecanpy.cli.learn_embeddings` does
        wv = Word2Vec(walks, vector_size=64, window=10, sg=1, min_count=0, workers=2, epochs=1).wv
        seconds = time.perf_counter() - start
        matrix = np.array([wv[str(node)] for node in graph])
    elif package == "fastnode2vec":
        from fastnode2vec import Graph, Node2Vec

        edges = [(str(a), str(b)) for a, b in graph.edges]
        n2v = Node2Vec(Graph(edges, directed=False, weighted=False), 64, 30, window=10, p=1.0, q=1.0, workers=2)
        start = time.perf_counter()
        n2v.train(epochs=50, verbose=False)
        seconds = time.perf_counter() - start
        matrix = np.array([n2v.wv[str(node)] for node in graph])
    else:
        from karateclub.node_embedding.neighbourhood import deepwalk

        class Timed(deepwalk.Word2Vec):  # type: ignore[misc,name-defined]
            def __init__(self, *args: Any, **options: Any) -> None:
                start = time.perf_counter()
                super().__init__(*args, **options)
                self.seconds = time.perf_counter() - start
                trained.append(self)

        trained: list[Timed] = []
        deepwalk.Word2Vec = Timed
        model = deepwalk.DeepWalk(walk_number=50, walk_length=30, dimensions=64, workers=2, window_size=10)
        model.fit(graph)
        seconds = trained[0].seconds
        matrix = model.get_embedding()
    return {"seconds": seconds, "quality": 100 * share_of_own_group(matrix)}


def share_of_own_group(matrix: Any) -> float:
    """The share of the 10 nearest nodes of each node that are of its own group."""
    import numpy as np

    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    nearest = np.argsort(-cosines, axis=1)[:, :10]
    group = np.arange(len(matrix)) // (N_NODES // N_GROUPS)
    return float((group[nearest] == group[:, None]).mean())


def as_child(request: dict[str, Any]) -> None:
    """Do one measurement and print it."""
    warnings.simplefilter("ignore")
    if request["trainer"] != "gensim":
        from fastw2v.gensim import Word2Vec, replace_gensim

        replace_gensim()
        Word2Vec.update = "pair" if request["trainer"] == "pair" else "window"
    if request["what"] in PACKAGES:
        found = train_with_package(request["what"])
    else:
        found = train_on_text(request["what"], request["corpus"], request["sg"], request["pairs"])
    print(json.dumps(found))


def measured(request: dict[str, Any]) -> dict[str, Any]:
    got = subprocess.run([sys.executable, __file__, json.dumps(request)], capture_output=True, text=True, check=False)
    if got.returncode:
        sys.exit(got.stderr)
    found: dict[str, Any] = json.loads(got.stdout.splitlines()[-1])
    return found


@click.command()
@click.argument("corpus", type=click.Path(exists=True))
@click.option("--pairs", required=True, help="Word pairs with human ratings of similarity, tab separated.")
@click.option("--rounds", default=1)
@click.option(
    "--only", multiple=True, help="Measure only these (corpus_file, node2vec, ...), and keep the other results."
)
def main(corpus: str, pairs: str, rounds: int, only: tuple[str, ...]) -> None:
    """Write results/gensim-scripts.json."""
    cases = [(what, sg) for sg in (1, 0) for what in TEXTS] + [(package, 1) for package in PACKAGES]
    output = HERE / "results" / "gensim-scripts.json"
    rows = json.loads(output.read_text())["rows"] if only and output.exists() else []
    for what, sg in cases:
        if only and what not in only:
            continue
        rows = [row for row in rows if (row["what"], row["sg"]) != (what, sg)]
        trainers = [trainer for trainer in TRAINERS if trainer != "pair" or what in PACKAGES]
        row: dict[str, Any] = {"what": what, "sg": sg, "commit": commit(), "date": time.strftime("%Y-%m-%d")}
        row |= {trainer: [] for trainer in trainers}
        for number in range(rounds):
            for trainer in trainers:
                request = {"trainer": trainer, "what": what, "sg": sg, "corpus": corpus, "pairs": pairs}
                if number == 0 and trainer != "gensim" and what in PACKAGES:
                    measured(request)  # which leaves the kernels in the cache
                row[trainer].append(measured(request))
        rows.append(row)
        click.echo(lines_of(row))
    about = {"cpu": cpu_name(), "corpus": Path(corpus).name}
    rows.sort(key=lambda row: cases.index((row["what"], row["sg"])))
    output.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


def lines_of(row: dict[str, Any]) -> str:
    """The lines of the table for one row of the results: one for each of our trainers."""
    lines = []
    for trainer in [name for name in TRAINERS if name in row and name != "gensim"]:
        ours, theirs = ([run["seconds"] for run in row[name]] for name in (trainer, "gensim"))
        ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
        qualities = [statistics.mean(run["quality"] for run in row[name]) for name in (trainer, "gensim")]
        what = row["what"] if row["what"] in PACKAGES else f"{'skip-gram' if row['sg'] else 'CBOW'}, {row['what']}"
        what += ', `Word2Vec.update = "pair"`' if trainer == "pair" else ""
        seconds = f"{statistics.median(ours):.1f} | {statistics.median(theirs):.1f}"
        lines.append(f"| {what} | {seconds} | {ratio:.1f} | {qualities[0]:.1f} | {qualities[1]:.1f} |")
    return "\n".join(lines)


def table(result: dict[str, Any]) -> str:
    """The table of docs/gensim.md."""
    lines = [
        "| what is trained | fastw2v, s | gensim, s | times as fast | quality | gensim's |",
        "|---|--:|--:|--:|--:|--:|",
        *map(lines_of, result["rows"]),
    ]
    dates, commits = (" and ".join(dict.fromkeys(row[name] for row in result["rows"])) for name in ("date", "commit"))
    about = f"Text is {result['corpus']}; 2 threads of an {result['cpu']}, {dates}, commits {commits}."
    return "\n".join([*lines, "", about])


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        as_child(json.loads(sys.argv[1]))
    else:
        main()
