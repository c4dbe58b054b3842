"""A map of words in two dimensions: places, clusters, and the picture, drawn by matplotlib or as one page of HTML."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra
from ..files import replacing

if TYPE_CHECKING:
    from .vectors import Vectors

FORMATS = ("png", "svg", "pdf", "html")
METHODS = ("pca", "tsne", "umap")
MOST_WORDS = 20_000
NEIGHBOURS = 10

_ROUNDS = 50
"""Of Lloyd's algorithm, at most."""

_COLOURS = [
    "#4269d0",
    "#e67e22",
    "#c0392b",
    "#2a9d8f",
    "#3ca951",
    "#b5179e",
    "#9c6b4e",
    "#6c7a89",
    "#8e6bd8",
    "#97940e",
]


@dataclass(frozen=True)
class WordMap:
    """words: the most important first. places: (n, 2), within -1 and 1. clusters: (n,) int, from 0 on.

    neighbours: for each word the places in `words` of its nearest words and their cosines, (n, m) each.
    """

    words: list[str]
    places: NDArray[np.float64]
    clusters: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    cosines: NDArray[np.float32]
    method: str


def make_map(
    vectors: Vectors,
    words: Sequence[str] = (),
    n_words: int = 500,
    method: str = "pca",
    n_clusters: int = 8,
    seed: int = 1,
) -> WordMap:
    """Map the words given, or the first `n_words`, the most frequent.

    method: pca, the two directions of greatest variance of the unit vectors; tsne (van der Maaten and Hinton 2008, by
    scikit-learn) or umap (McInnes et al. 2018, by umap-learn), which keep neighbours together. n_clusters: groups of
    words by k-means on the unit vectors. Raises InputError, MissingExtra, UnknownWord.
    """
    chosen = list(dict.fromkeys(words)) or vectors.index_to_key[:n_words]
    if not 3 <= len(chosen) <= MOST_WORDS:
        raise InputError(f"a map of {len(chosen)} words: allowed are 3 to {MOST_WORDS:,}")
    mapped = vectors.subset(chosen)
    unit = mapped.get_normed_vectors().astype(np.float64)
    places = _placed(unit, method, seed)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    places /= np.abs(places).max() or 1
    nearest = mapped.most_similar_batch(chosen, topn=min(NEIGHBOURS, len(chosen) - 1))
    return WordMap(
        chosen, places, clusters_of(unit, min(n_clusters, len(chosen)), seed),
        np.array([[mapped.get_index(word) for word, _ in row] for row in nearest]),
        np.array([[cosine for _, cosine in row] for row in nearest], np.float32), method,
    )  # fmt: skip


def _placed(unit: NDArray[np.float64], method: str, seed: int) -> NDArray[np.float64]:
    if method == "pca":
        centred = unit - unit.mean(axis=0)
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        places = np.zeros((len(unit), 2))
        axes = directions[:2] * np.sign(directions[:2].sum(axis=1, keepdims=True) + 1e-300)  # the same each time
        places[:, : len(axes)] = centred @ axes.T
        return places
    if method == "tsne":
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise MissingExtra("a map by t-SNE", "scikit-learn") from error
        made = TSNE(perplexity=min(30, (len(unit) - 1) / 3), metric="cosine", init="random", random_state=seed)
        return np.asarray(made.fit_transform(unit), np.float64)
    if method == "umap":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TensorFlow, which it can do without
            try:
                from umap import UMAP
            except ImportError as error:
                raise MissingExtra("a map by UMAP", "umap-learn") from error
            made = UMAP(n_neighbors=min(15, len(unit) - 1), metric="cosine", random_state=seed, n_jobs=1)
            return np.asarray(made.fit_transform(unit), np.float64)
    raise InputError(f"method is {method!r}: allowed are {', '.join(METHODS)}")


def clusters_of(points: NDArray[np.float64], n_clusters: int, seed: int) -> NDArray[np.int64]:
    """k-means: Lloyd's algorithm from the centres of k-means++ (Arthur and Vassilvitskii 2007). (n,) int, from 0 on."""
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(len(points))][None]
    nearest = np.full(len(points), np.inf)  # the square of the distance to the nearest centre
    while len(centres) < n_clusters:
        nearest = np.minimum(nearest, ((points - centres[-1]) ** 2).sum(axis=1))
        total = nearest.sum()
        if total == 0:
            break
        centres = np.vstack([centres, points[rng.choice(len(points), p=nearest / total)]])
    clusters = np.full(len(points), -1)
    for _ in range(_ROUNDS):
        closest = (points @ centres.T - (centres**2).sum(axis=1) / 2).argmax(axis=1)
        if (closest == clusters).all():
            break
        clusters = closest
        for i in range(len(centres)):
            if (clusters == i).any():
                centres[i] = points[clusters == i].mean(axis=0)
    return clusters


def save_map(path: str | os.PathLike[str], made: WordMap, title: str) -> None:
    """Draw the map to a .png, .svg, .pdf or .html file. Raises InputError, MissingExtra, RunError."""
    title = title.encode(errors="backslashreplace").decode()  # a file's name may hold any bytes
    suffix = check_map(path)
    if suffix == "html":
        with replacing(path) as file:
            file.write(page_of(made, title).encode())
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
            _draw(path, suffix, made, title)


def check_map(path: str | os.PathLike[str]) -> str:
    """The kind of file. Raises InputError for one that cannot be drawn, MissingExtra where matplotlib is missing."""
    suffix = os.path.splitext(os.fspath(path))[1][1:].lower()
    if suffix not in FORMATS:
        raise InputError(f"map {os.fspath(path)}: its name must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}")
    if suffix != "html":
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise MissingExtra("a picture", "matplotlib") from None
    return suffix


def page_of(made: WordMap, title: str) -> str:
    """One page of HTML that needs nothing else: pan, zoom, search, neighbours on a click."""
    data = {
        "words": made.words,
        "places": made.places.round(5).tolist(),
        "clusters": made.clusters.tolist(),
        "neighbours": made.neighbours.tolist(),
        "cosines": made.cosines.round(3).tolist(),
        "colours": _COLOURS,
        "title": title,
    }
    # A word may be "</script>".
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    template = files("fastw2v.vectors").joinpath("wordmap.html").read_text("utf-8")
    escaped = title.replace("&", "&amp;").replace("<", "&lt;")
    return template.replace("{{TITLE}}", escaped).replace("{{DATA}}", text)


def _draw(path: str | os.PathLike[str], kind: str, made: WordMap, title: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), dpi=120)
    canvas: Any = FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0.02, 0.03, 0.96, 0.93))
    colours = [_COLOURS[cluster % len(_COLOURS)] for cluster in made.clusters]
    axes.scatter(*made.places.T, s=9, c=colours, linewidths=0)
    axes.set(title=title.replace("$", r"\$"), xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    canvas.draw()
    taken: list[tuple[float, float, float, float]] = []
    n_hidden = 0
    for word, place, colour in zip(made.words, axes.transData.transform(made.places), colours, strict=True):
        label = axes.text(0, 0, word.replace("$", r"\$"), fontsize=8, color=colour, va="bottom")
        box = label.get_window_extent(canvas.get_renderer())
        spot = _free_spot(place, box.width, box.height, taken)
        if spot is None:
            label.remove()
            n_hidden += 1
        else:
            taken.append((*spot, spot[0] + box.width, spot[1] + box.height))
            label.set_position(axes.transData.inverted().transform(spot))  # in data units: a pdf has other pixels
    if n_hidden:
        axes.set_xlabel(f"{n_hidden} of {len(made.words)} words have a dot only", color="0.4", fontsize=8)
    with replacing(path) as file:
        figure.savefig(file, format=kind)


def _free_spot(
    place: NDArray[np.float64], width: float, height: float, taken: list[tuple[float, float, float, float]]
) -> tuple[float, float] | None:  # fmt: skip
    """The lower left corner for a label beside a dot that overlaps no other label, in pixels, or None."""
    x, y = float(place[0]), float(place[1])
    beside, above = (x + 4, x - 4 - width), (y + 3, y - 3 - height)
    for left, bottom in (
        *((left, y - height / 2) for left in beside),
        *((x - width / 2, bottom) for bottom in above),
        *((left, bottom) for bottom in above for left in beside),
    ):
        if all(
            left + width < other[0] or other[2] < left or bottom + height < other[1] or other[3] < bottom
            for other in taken
        ):
            return left, bottom
    return None
