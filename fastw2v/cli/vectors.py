"""fastw2v similar, analogy, evaluate, convert, plot, info: what is done with vectors."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError, UnknownWord
from ..files import check_output, check_outputs
from ..vectors.names import CHECKPOINT, FORMATS, format_of, outputs_of
from .stopping import say, signals

if TYPE_CHECKING:
    from ..vectors.vectors import Vectors

SYNTACTIC = "gram"
"""How the syntactic sections of word2vec's questions begin."""


def _vectors_argument(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option(
        "--format", "kind", type=click.Choice(FORMATS), help="Of VECS; default: by the end of its name."
    )(command)
    return click.argument("vecs", metavar="VECS")(command)


def _load(vecs: str, kind: str | None, limit: int | None = None) -> Vectors:
    from ..vectors.vectors import Vectors

    loaded = Vectors.load(vecs, kind, limit)
    signals.end_in_good_order()
    return loaded


@click.command()
@_vectors_argument
@click.argument("words", nargs=-1)
@click.option("-n", "--topn", default=10, show_default=True, type=click.IntRange(1), help="How many neighbours.")
def similar(vecs: str, kind: str | None, words: tuple[str, ...], topn: int) -> None:
    """Print the words nearest to WORDS (several are summed), each with its cosine.

    Without WORDS lines of words are read from stdin, with a prompt on a terminal.

    \b
    fastw2v similar vecs.txt king -n 5
    """
    if not words and vecs == "-":
        raise InputError("stdin cannot hold both the vectors and the words: name the words, or a file of vectors")
    vectors = _load(vecs, kind)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # a line that is not text is an unknown word
    if words:
        _print_neighbours(vectors.most_similar(list(words), topn=topn))
        return
    while (line := _ask()) is not None:
        try:
            if line.split():
                _print_neighbours(vectors.most_similar(line.split(), topn=topn))
        except UnknownWord as error:
            say(str(error))


def _ask() -> str | None:
    """A line of stdin; None at its end."""
    if sys.stdin is None:
        raise InputError("stdin is closed: name the words")
    if sys.stdin.isatty():
        click.echo("words (Ctrl-D ends): ", nl=False, err=True)
    return sys.stdin.readline() or None


def _print_neighbours(neighbours: Any) -> None:
    for word, cosine in neighbours:
        click.echo(f"{word}\t{cosine:.4f}")
    sys.stdout.flush()


@click.command()
@_vectors_argument
@click.argument("a")
@click.argument("b")
@click.argument("c")
@click.option("-n", "--topn", default=10, show_default=True, type=click.IntRange(1), help="How many answers.")
def analogy(vecs: str, kind: str | None, a: str, b: str, c: str, topn: int) -> None:
    """Answer "A is to B as C is to ...": the words nearest to B - A + C.

    \b
    fastw2v analogy vecs.txt man king woman
    """
    _print_neighbours(_load(vecs, kind).most_similar([b, c], [a], topn=topn))


@click.command()
@_vectors_argument
@click.option("--pairs", multiple=True, metavar="FILE", help="Lines of two words and their similarity, between tabs.")
@click.option("--analogies", metavar="FILE", help="word2vec's questions-words.txt, or another file of its kind.")
@click.option("--restrict-vocab", default=300_000, show_default=True, type=click.IntRange(1),
              help="Look only at the first so many words.")  # fmt: skip
@click.option("--case-sensitive", is_flag=True, help="Take words as they are written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    vecs: str, kind: str | None, pairs: tuple[str, ...], analogies: str | None, restrict_vocab: int,
    case_sensitive: bool, as_json: bool,
) -> None:  # fmt: skip
    """Judge VECS by human similarity (--pairs) and by analogies.

    Pairs and questions with unknown words are left out, and their share is told.

    \b
    fastw2v evaluate vecs.txt --pairs wordsim353.tsv --analogies questions-words.txt
    """
    if not pairs and not analogies:
        raise InputError("name something to judge by: --pairs FILE, --analogies FILE or both")
    vectors = _load(vecs, kind)
    found: dict[str, Any] = {"words": len(vectors), "dim": vectors.vector_size, "pairs": [], "analogies": None}
    for path in pairs:
        pearson, spearman, unknown = vectors.evaluate_word_pairs(
            path, restrict_vocab=restrict_vocab, case_insensitive=not case_sensitive
        )
        found["pairs"].append({
            "file": path, "pearson": _known(pearson[0]), "pearson_p": _known(pearson[1]),
            "spearman": _known(spearman[0]), "spearman_p": _known(spearman[1]), "unknown_percent": unknown,
        })  # fmt: skip
    if analogies:
        _, sections = vectors.evaluate_word_analogies(
            analogies, restrict_vocab=restrict_vocab, case_insensitive=not case_sensitive
        )
        found["analogies"] = {"file": analogies, "sections": _scores(sections)}
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(_report(found)))


def _known(value: float) -> float | None:
    """JSON has no NaN, which the correlation of too few pairs is."""
    return value if math.isfinite(value) else None


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _scores(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Correct and asked of each section, then of the semantic, the syntactic and all together."""
    *own, total = [{"section": section["section"], "correct": len(section["correct"]),
                    "asked": len(section["correct"]) + len(section["incorrect"])} for section in sections]  # fmt: skip
    sums = []
    for name, is_syntactic in ("semantic", False), ("syntactic", True):
        chosen = [score for score in own if score["section"].startswith(SYNTACTIC) == is_syntactic]
        sums.append({"section": name, **{key: sum(score[key] for score in chosen) for key in ("correct", "asked")}})
    return [*own, *sums, {**total, "section": "all"}]


def _report(found: dict[str, Any]) -> list[str]:
    lines = [f"{found['words']:,} words x {found['dim']}"]
    if found["pairs"]:
        width = max(len(os.path.basename(pair["file"])) for pair in found["pairs"])
        lines += ["", f"{'pairs':{width}}  Pearson  Spearman  unknown"]
        for pair in found["pairs"]:
            pearson, spearman = _cell(pair["pearson"]), _cell(pair["spearman"])
            name = os.path.basename(pair["file"])
            lines.append(f"{name:{width}}  {pearson:>7}  {spearman:>8}  {pair['unknown_percent']:6.1f}%")
    if found["analogies"]:
        scores = found["analogies"]["sections"]
        width = max(len(score["section"]) for score in scores)
        lines += ["", f"{'analogies':{width}}  correct    asked  solved"]
        lines += [f"{score['section']:{width}}  {score['correct']:7,}  {score['asked']:7,}  "
                  + (f"{score['correct'] / score['asked']:6.1%}" if score["asked"] else "     -")
                  for score in scores]  # fmt: skip
    return lines


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option(
    "--from", "source_kind", type=click.Choice(FORMATS), help="Format of IN; default: by the end of its name."
)
@click.option("--to", "target_kind", type=click.Choice(FORMATS), help="Format of OUT; default: by the end of its name.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many words.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def convert(
    source: str, target: str, source_kind: str | None, target_kind: str | None, limit: int | None, overwrite: bool
) -> None:  # fmt: skip
    """Write the vectors of IN in another format.

    .txt, .vec and all other names are word2vec's text (with .gz behind it compressed), or GloVe's, which has no first
    line; .bin is word2vec's binary; .npz NumPy's; .fw2v our own, which opens at once; vectors.tsv and, beside it,
    metadata.tsv are TensorBoard's projector's.

    \b
    fastw2v convert glove.6B.100d.txt glove.fw2v
    fastw2v convert vecs.txt projector/vectors.tsv --limit 10000
    """
    signals.consequence = ": the vectors were not written"
    kind = target_kind or format_of(target)
    check_outputs(outputs_of(target, kind), [source], overwrite)
    vectors = _load(source, source_kind, limit)
    vectors.save(target, kind)
    if vectors.is_model:
        say(f"{source} is a model: its output vectors, which --continue-from needs, are not in {target}")


@click.command()
@_vectors_argument
@click.argument("words", nargs=-1)
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="The picture: .png, .svg, .pdf, or .html to explore."
)
@click.option("-n", "--n-words", default=500, show_default=True, type=click.IntRange(3),
              help="How many of the most frequent words, where no WORDS are named.")  # fmt: skip
@click.option("--method", type=click.Choice(["pca", "tsne", "umap"]), default="pca", show_default=True,
              help="How words get their places; tsne needs scikit-learn, umap needs umap-learn.")  # fmt: skip
@click.option("--clusters", default=8, show_default=True, type=click.IntRange(1), help="Groups in colours, by k-means.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="Of the clusters, tsne and umap.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def plot(
    vecs: str, kind: str | None, words: tuple[str, ...], output: str, n_words: int, method: str, clusters: int,
    seed: int, overwrite: bool,
) -> None:  # fmt: skip
    """Draw a map of WORDS, or of the most frequent words.

    A page of HTML can be moved, zoomed and searched, and shows a word's neighbours on a click; it needs no network.

    \b
    fastw2v plot vecs.txt -o map.html -n 2000 --method tsne
    fastw2v plot vecs.txt red green blue one two three -o map.png
    """
    from ..vectors.wordmap import check_map, make_map, save_map

    signals.consequence = ": the map was not written"
    check_output(output, [vecs], overwrite)
    check_map(output)
    vectors = _load(vecs, kind)
    save_map(output, make_map(vectors, words, n_words, method, clusters, seed), f"{os.path.basename(vecs)}: {method}")


def _describe(about: dict[str, Any]) -> str:
    from ..training.checkpoint import is_of_checkpoint

    made_by = f"{about.get('model')}, {about.get('loss')}"
    if not is_of_checkpoint(about):
        return f"model: {made_by}; --continue-from goes on with it"
    position, config, corpus = about["position"], about["config"], about["corpus"]
    share = position["n_words"] / (config["epochs"] * corpus["n_tokens"])
    options = ", ".join(f"{name} {value}" for name, value in config.items() if value is not None)
    return (
        f"checkpoint: {position['epoch']} of {config['epochs']} epochs done, {position['n_words']:,} words "
        f"({share:.1%}) in {position['seconds']:,.0f} s of training\noptions: {options}"
    )


@click.command()
@click.argument("file")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: by the end of its name.")
@click.option("-n", default=10, show_default=True, type=click.IntRange(0), help="How many words to show.")
def info(file: str, kind: str | None, n: int) -> None:
    """Describe a FILE of vectors, a model or a checkpoint (or its directory), after reading and checking all of it.

    \b
    fastw2v info vecs.txt
    fastw2v info checkpoints/
    """
    import numpy as np

    from ..vectors import containers
    from ..vectors.vectors import Vectors

    if os.path.isdir(file):
        file = os.path.join(file, CHECKPOINT)
    kind = kind or format_of(file)
    about = None
    if kind == "native":
        content = containers.load_native(file, verify=True)
        vectors, about = Vectors.of(content), content.training
    else:
        vectors = _load(file, kind)
    norms = np.where(vectors.vectors.any(axis=1), vectors.norms, 0)
    size = f", {os.path.getsize(file):,} bytes" if os.path.isfile(file) else ""
    click.echo(f"{file}: {kind}, {len(vectors):,} words x {vectors.vector_size}{size}")
    click.echo(f"lengths of the vectors: {norms.min():.4g} to {norms.max():.4g}, mean {norms.mean():.4g}")
    if vectors.counts is not None:
        click.echo(
            f"counts: {int(vectors.counts.sum()):,} in all, {vectors.counts.min():,} to {vectors.counts.max():,}"
        )
    if isinstance(about, dict):
        click.echo(_describe(about))
    if n:
        click.echo(f"first words: {' '.join(vectors.index_to_key[:n])}")
