"""The commands that work on vectors: similar, analogy, evaluate, convert, plot and info."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
from click import Choice, IntRange

from ..errors import InputError, UnknownWord
from ..files.checks import check_output, check_outputs
from ..files.replace import all_locked, stdout_may_end
from ..vectors.names import check_input, format_of, format_to_write, make_directory, outputs_of
from ..vectors.pictures import MAP_METHODS, check_picture
from .options import FORMAT, Function, command, flag, option
from .results import check_stdout, show
from .stopping import say, signals

if TYPE_CHECKING:
    from ..vectors.vectors import Vectors

_METHOD = "How to place the words; tsne needs scikit-learn, umap needs umap-learn."

SYNTACTIC = "gram"
"""The beginning of the names of the syntactic sections of word2vec's questions."""


def _vectors_argument(function: Function) -> Function:
    """Add the argument VECS and its format."""
    of_vecs = option("--format kind", "Format of VECS (default: by its extension).", FORMAT)
    return click.argument("vecs", metavar="VECS")(of_vecs(function))


def _checkpoint_in(path: str) -> str:
    """The path of the checkpoint in a directory; any other path as it is. Raises InputError if there is none."""
    if not os.path.isdir(path):
        return path
    from ..modelfile import CHECKPOINT

    if not os.path.exists(checkpoint := os.path.join(path, CHECKPOINT)):
        raise InputError(f"{path} is a directory without a checkpoint: name a file of vectors")
    return checkpoint


def _load(vecs: str, kind: str | None, limit: int | None = None, verify: bool = False) -> Vectors:
    """The vectors of a command, read; of a directory, those of its checkpoint. From then on signals wait for us."""
    vecs = _checkpoint_in(vecs)
    check_input(vecs, kind or format_of(vecs))  # before NumPy is loaded
    from ..vectors.vectors import Vectors

    vectors = Vectors.load(vecs, kind, limit, verify=verify)
    signals.end_in_good_order()
    return vectors


@command()
@_vectors_argument
@click.argument("words", nargs=-1)
@option("-n --topn", "Number of neighbours.", IntRange(1), default=10)
@flag("--json as_json", "Print a JSON object for each query.")
def similar(vecs: str, kind: str | None, words: tuple[str, ...], topn: int, as_json: bool) -> None:
    """Print the words nearest to WORDS, each with its cosine after a tab. Several WORDS are averaged.

    Without WORDS, each line of stdin is a query, which is printed as the first column. On a terminal, you are prompted.

    \b
    fastw2v similar vecs.txt king -n 5
    fastw2v similar vecs.txt < queries.txt > neighbours.tsv
    """
    check_stdout()
    if not words and vecs == "-":
        raise InputError("stdin cannot hold both the vectors and the words: name the words, or a file of vectors")
    vectors = _load(vecs, kind)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # bytes that are no text: an unknown word
    if words:
        _print_neighbours(vectors.most_similar(list(words), topn=topn), json_query=list(words) if as_json else None)
        return
    for query in filter(None, map(str.split, iter(_read_line, ""))):
        try:
            neighbours = vectors.most_similar(query, topn=topn)
        except UnknownWord as error:
            say(str(error))
            if as_json:
                show(json.dumps({"query": query, "error": str(error)}, ensure_ascii=False))
            continue
        _print_neighbours(neighbours, f"{' '.join(query)}\t", query if as_json else None)


def _read_line() -> str:
    """A line of stdin, empty at its end. A terminal shows a prompt for it."""
    if sys.stdin is None:
        raise InputError("stdin is closed: name the words")
    if sys.stdin.isatty():
        click.echo("words (Ctrl-D to end): ", nl=False, err=True)
    return sys.stdin.readline()


def _print_neighbours(
    neighbours: Iterable[tuple[str, float]], first_column: str = "", json_query: list[str] | None = None
) -> None:
    """Print lines of words and cosines, or an object with the query."""
    if json_query is not None:
        found = [{"word": word, "cosine": round(cosine, 6)} for word, cosine in neighbours]
        show(json.dumps({"query": json_query, "neighbours": found}, ensure_ascii=False))
        return
    for word, cosine in neighbours:
        show(f"{first_column}{word}\t{cosine:.4f}")


@command()
@_vectors_argument
@click.argument("a")
@click.argument("b")
@click.argument("c")
@option("-n --topn", "Number of answers.", IntRange(1), default=10)
def analogy(vecs: str, kind: str | None, a: str, b: str, c: str, topn: int) -> None:
    """Answer "A is to B as C is to ...": the words nearest to B - A + C.

    \b
    fastw2v analogy vecs.txt man king woman
    """
    check_stdout()
    _print_neighbours(_load(vecs, kind).most_similar([b, c], [a], topn=topn))


@command()
@_vectors_argument
@option(
    "--pairs FILE",
    "File of lines 'word<tab>word<tab>similarity'; may be given several times.",
    multiple=True,
)
@option("--analogies FILE", "File of analogies, such as word2vec's questions-words.txt.")
@option("--restrict-vocab", "Use only the first (most frequent) words, up to this many.", IntRange(1), default=300_000)
@flag("--case-sensitive", "Distinguish upper and lower case.")
@flag("--json as_json", "Print one JSON object.")
def evaluate(
    vecs: str, kind: str | None, pairs: tuple[str, ...], analogies: str | None, as_json: bool, **options: Any
) -> None:
    """Judge VECS by human ratings of similarity (--pairs) and by analogies.

    Pairs and analogies with unknown words are left out; the share of such pairs is shown.

    \b
    fastw2v evaluate vecs.txt --pairs wordsim353.tsv --analogies questions-words.txt
    """
    if not pairs and not analogies:
        raise InputError("nothing to evaluate: give --pairs FILE, --analogies FILE or both")
    check_stdout()
    vectors = _load(vecs, kind, verify=True)
    options["case_insensitive"] = not options.pop("case_sensitive")
    correlations = [_correlations(path, *vectors.evaluate_word_pairs(path, **options)) for path in pairs]
    report = {"words": len(vectors), "dim": vectors.vector_size, "pairs": correlations, "analogies": None}
    if analogies:
        _, sections = vectors.evaluate_word_analogies(analogies, **options)
        report["analogies"] = {"file": analogies, "sections": _scores(sections)}
    show(json.dumps(report, indent=1) if as_json else "\n".join(_table(report)))


def _correlations(path: str, pearson: Any, spearman: Any, unknown_percent: float) -> dict[str, Any]:
    """The entry of a file of pairs; None stands for NaN, the correlation of too few pairs, which JSON lacks."""
    names = "pearson", "pearson_p", "spearman", "spearman_p"
    values = [value if math.isfinite(value) else None for value in (*pearson, *spearman)]
    return {"file": path, **dict(zip(names, values, strict=True)), "unknown_percent": unknown_percent}


def _scores(sections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scores of each section, then of the semantic ones, of the syntactic ones and of all together."""
    *scores, total = [_score(section["section"], [section]) for section in sections]
    semantic = [section for section in sections[:-1] if not section["section"].startswith(SYNTACTIC)]
    syntactic = [section for section in sections[:-1] if section["section"].startswith(SYNTACTIC)]
    return [*scores, _score("semantic", semantic), _score("syntactic", syntactic), {**total, "section": "all"}]


def _score(name: str, sections: list[dict[str, Any]]) -> dict[str, Any]:
    n_correct = sum(len(section["correct"]) for section in sections)
    n_incorrect = sum(len(section["incorrect"]) for section in sections)
    return {"section": name, "correct": n_correct, "asked": n_correct + n_incorrect}


def _table(report: dict[str, Any]) -> list[str]:
    lines = [f"{report['words']:,} words x {report['dim']}"]
    if report["pairs"]:
        names = [os.path.basename(pairs["file"]) for pairs in report["pairs"]]
        width = max(map(len, names))
        lines += ["", f"{'pairs':{width}}  Pearson  Spearman  unknown"]
        for name, pairs in zip(names, report["pairs"], strict=True):
            pearson, spearman = ("-" if r is None else f"{r:.3f}" for r in (pairs["pearson"], pairs["spearman"]))
            lines.append(f"{name:{width}}  {pearson:>7}  {spearman:>8}  {pairs['unknown_percent']:6.1f}%")
    if report["analogies"]:
        scores = report["analogies"]["sections"]
        width = max(len(score["section"]) for score in scores)
        lines += ["", f"{'analogies':{width}}  correct    asked  solved"]
        for score in scores:
            solved = f"{score['correct'] / score['asked']:6.1%}" if score["asked"] else "     -"
            lines.append(f"{score['section']:{width}}  {score['correct']:7,}  {score['asked']:7,}  {solved}")
    return lines


@command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@option("--from source_kind", "Format of IN (default: by its extension).", FORMAT)
@option("--to --format target_kind", "Format of OUT (default: by its extension).", FORMAT)
@option("--limit", "Convert only the first (usually most frequent) words, up to this many.", IntRange(1))
@flag("--overwrite", "Replace files that exist.")
def convert(
    source: str, target: str, source_kind: str | None, target_kind: str | None, limit: int | None, overwrite: bool
) -> None:
    """Write the vectors of IN in another format.

    The extension of a name sets the format: .bin is word2vec's binary format, .npz NumPy's, and .fw2v fastw2v's own,
    which opens instantly. A name that ends in .tsv means the two files of TensorBoard's projector, vectors.tsv and
    metadata.tsv; .safetensors means that file and a second one with the words. With --to model2vec, OUT is a directory
    that Model2Vec and sentence-transformers load. Most other names mean word2vec's text format; GloVe's, which has
    no header line, is recognised. Names that belong to other formats, such as .csv, are refused. Text and binary
    files may end in .gz.

    \b
    fastw2v convert glove.6B.100d.txt glove.fw2v
    fastw2v convert vecs.txt projector/vectors.tsv --limit 10000
    fastw2v convert vecs.txt model --to model2vec
    """
    signals.consequence = ": the vectors were not written"
    source = _checkpoint_in(source)
    target_kind = target_kind or format_to_write(target)
    outputs = outputs_of(target, target_kind)
    make_directory(target, target_kind)
    check_outputs(outputs, [source], overwrite)
    source_kind = source_kind or format_of(source)
    with all_locked(outputs, overwrite):
        signals.expect(outputs)
        with stdout_may_end():
            _load(source, source_kind, limit, verify=True).save(target, target_kind)

    from .. import modelfile

    if source_kind == "native" and modelfile.holds_model(source):
        say(f"{source} is a model: its output vectors, which --continue-from needs, are not in {target}")


@command()
@_vectors_argument
@click.argument("words", nargs=-1)
@option("-o --output FILE", "Output file: .png, .svg, .pdf, or .html to explore in a browser.", required=True)
@option("-n --n-words", "Number of the most frequent words to show if no WORDS are named.", IntRange(3), default=500)
@option("--method", _METHOD, Choice(MAP_METHODS), default="pca")
@option("--clusters n_clusters", "Number of clusters, found by k-means and shown as colours.", IntRange(1), default=8)
@option("--seed", "Random seed of the clusters, tsne and umap.", IntRange(0, 2**32 - 1), default=1)
@flag("--overwrite", "Replace a file that exists.")
def plot(
    vecs: str, kind: str | None, words: tuple[str, ...], output: str, method: str, overwrite: bool, **options: Any
) -> None:
    """Draw a map of WORDS, or of the most frequent words.

    An .html file is a page to drag, zoom and search, without a network; a click on a word shows its neighbours.

    \b
    fastw2v plot vecs.txt -o map.html -n 2000 --method tsne
    fastw2v plot vecs.txt red green blue one two three -o map.png
    """
    signals.consequence = ": the map was not written"
    check_output(output, [vecs], overwrite)
    check_picture(output, "map")
    with all_locked([output], overwrite):
        signals.expect([output])
        vectors = _load(vecs, kind)

        from ..vectors.wordmap import make_map, save_map

        word_map = make_map(vectors, words, method=method, **options)
        save_map(output, word_map, f"{os.path.basename(vecs)}: {method}")


@command()
@click.argument("file")
@option("--format kind", "Format of FILE (default: by its extension).", FORMAT)
@option("-n n_words", "Number of words to show.", IntRange(0), default=10)
def info(file: str, kind: str | None, n_words: int) -> None:
    """Describe FILE: vectors, a model, or a checkpoint (or its directory). All of it is read and checked.

    \b
    fastw2v info vecs.txt
    fastw2v info checkpoints/
    """
    check_stdout()
    file = _checkpoint_in(file)
    kind = kind or format_of(file)
    vectors = _load(file, kind, verify=True)

    import numpy as np

    from .. import modelfile

    training = modelfile.read(file).training if kind == "native" else None
    norms = np.where(vectors.vectors.any(axis=1), vectors.norms, 0)
    size = f", {os.path.getsize(file):,} bytes" if os.path.isfile(file) else ""
    show(f"{file}: {kind}, {len(vectors):,} words x {vectors.vector_size}{size}")
    show(f"fingerprint of the words and the vectors: {vectors.fingerprint}")
    show(f"norms of the vectors: {norms.min():.4g} to {norms.max():.4g}, mean {norms.mean(dtype=float):.4g}")
    counts = vectors.counts
    if counts is not None:
        show(f"counts: {int(counts.sum()):,} in all, {counts.min():,} to {counts.max():,}")
    if isinstance(training, dict):
        show(_describe_training(training))
    if n_words:
        show(f"first words: {' '.join(vectors.index_to_key[:n_words])}")


def _describe_training(training: dict[str, Any]) -> str:
    """What the header of a model or checkpoint tells about its run."""
    from ..training.checkpoint import is_of_checkpoint

    if not is_of_checkpoint(training):
        return f"model: {training.get('model')}, {training.get('loss')}; --continue-from trains it further"
    position, config, n_tokens = training["position"], training["config"], training["corpus"]["n_tokens"]
    share, n_epochs = position["n_words"] / (config["epochs"] * n_tokens), position["n_words"] // n_tokens
    early = " (stopped early)" if position["epoch"] == config["epochs"] > n_epochs else ""
    options = ", ".join(f"{name} {value}" for name, value in config.items() if value is not None)
    return (
        f"checkpoint: {n_epochs} of {config['epochs']} epochs done{early}, {position['n_words']:,} tokens "
        f"({share:.1%}) in {position['seconds']:,.0f} s of training\noptions: {options}"
    )
