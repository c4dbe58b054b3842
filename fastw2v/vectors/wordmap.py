"""A map of words in two dimensions: their places and clusters, and its picture, by matplotlib or as a page of HTML."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingExtra
from ..files.names import PathLike
from ..files.replace import replacing
from ..matrix import is_finite
from .pictures import MAP_METHODS, check_picture, printable
from .vectors import Vectors

MOST_WORDS, NEIGHBOURS = 20_000, 10
"""How many words a map may have, and how many neighbours it knows of each."""

_SMALLEST, _LARGEST = 8.0, 16.0
"""The sizes of the letters of a picture, in points."""

_MOST_ITERATIONS = 50  # of Lloyd's algorithm, converged or not
_COLOURS = ["#4269d0", "#e67e22", "#c0392b", "#2a9d8f", "#3ca951"]
_COLOURS += ["#b5179e", "#9c6b4e", "#6c7a89", "#8e6bd8", "#97940e"]
"""The colours of the clusters; further clusters begin again with the first."""

_Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels


@dataclass(frozen=True)
class WordMap:
    """Words, where they lie on the map, and which other words of the map are nearest to them."""

    words: list[str]  # n, the most important first
    places: NDArray[np.float64]  # (n, 2), from -1 to 1
    clusters: NDArray[np.int64]  # (n,), from 0 on
    neighbours: NDArray[np.int64]  # (n, m): for each word the indices in `words` of its m nearest words
    cosines: NDArray[np.float32]  # (n, m): the cosines of those
    method: str


def make_map(
    vectors: Vectors,
    words: Sequence[str] = (),
    n_words: int = 500,
    method: str = "pca",
    n_clusters: int = 8,
    seed: int = 1,
) -> WordMap:
    """Map `words`, or without words the first `n_words`, the most frequent.

    method: pca, the two directions of greatest variance of the vectors at length 1; tsne (van der Maaten and Hinton
    2008, by scikit-learn) or umap (McInnes et al. 2018, by umap-learn), which keep neighbours together. n_clusters: how
    many groups of words k-means makes of the vectors at length 1. Raises InputError, MissingExtra, UnknownWord.
    """
    chosen = list(dict.fromkeys(words)) or vectors.index_to_key[:n_words]
    if not 3 <= len(chosen) <= MOST_WORDS:
        raise InputError(f"a map of {len(chosen)} words: it must have 3 to {MOST_WORDS:,}")
    mapped = vectors.subset(chosen)
    if not is_finite(mapped.vectors):
        raise InputError("the vectors of the words of the map hold NaN or infinite numbers")
    unit = mapped.get_normed_vectors().astype(np.float64)
    places = _placed(unit, method, seed)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    places /= np.abs(places).max() or 1
    nearest = mapped.most_similar_batch(chosen, topn=min(NEIGHBOURS, len(chosen) - 1))
    clusters = clusters_of(unit, min(n_clusters, len(chosen)), seed)
    neighbours = np.array([[mapped.get_index(word) for word, _ in row] for row in nearest])
    cosines = np.array([[cosine for _, cosine in row] for row in nearest], np.float32)
    return WordMap(chosen, places, clusters, neighbours, cosines, method)


def _placed(unit: NDArray[np.float64], method: str, seed: int) -> NDArray[np.float64]:
    """The places of vectors at length 1, (n, dim), in two dimensions, (n, 2)."""
    if method == "pca":
        centred = unit - unit.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        axes *= np.sign(axes.sum(axis=1, keepdims=True) + 1e-300)  # the SVD's sign is arbitrary
        places = np.zeros((len(unit), 2))
        places[:, : len(axes)] = centred @ axes.T
        return places
    if method == "tsne":
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise MissingExtra("a map by t-SNE", "scikit-learn") from error
        tsne = TSNE(perplexity=min(30, (len(unit) - 1) / 3), metric="cosine", init="random", random_state=seed)
        return np.asarray(tsne.fit_transform(unit), np.float64)
    if method == "umap":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # UMAP misses TensorFlow, and can do without
            try:
                from umap import UMAP
            except ImportError as error:
                raise MissingExtra("a map by UMAP", "umap-learn") from error
            umap = UMAP(n_neighbors=min(15, len(unit) - 1), metric="cosine", random_state=seed, n_jobs=1)
            return np.asarray(umap.fit_transform(unit), np.float64)
    raise InputError(f"method is {method!r}: it must be one of {', '.join(MAP_METHODS)}")


def clusters_of(points: NDArray[np.float64], n_clusters: int, seed: int) -> NDArray[np.int64]:
    """The clusters of (n, dim) points, (n,) int from 0 on, by k-means++ (Arthur and Vassilvitskii 2007)."""
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(len(points))][None]
    squares = ((points - centres[0]) ** 2).sum(axis=1)  # of the distance to the nearest centre
    while len(centres) < n_clusters and (total := squares.sum()) > 0:
        centres = np.vstack([centres, points[rng.choice(len(points), p=squares / total)]])
        squares = np.minimum(squares, ((points - centres[-1]) ** 2).sum(axis=1))
    clusters = np.full(len(points), -1)
    for _ in range(_MOST_ITERATIONS):
        closest = (points @ centres.T - (centres**2).sum(axis=1) / 2).argmax(axis=1)
        if (closest == clusters).all():
            break
        clusters = closest
        for i in set(clusters.tolist()):
            centres[i] = points[clusters == i].mean(axis=0)
    return clusters


def save_map(path: PathLike, word_map: WordMap, title: str) -> None:
    """Draw the map to a .png, .svg, .pdf or .html file. Raises InputError, MissingExtra, RunError."""
    suffix = check_picture(path, "map")
    title, words = printable(title), [printable(word) for word in word_map.words]
    word_map = replace(word_map, words=words)
    with replacing(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
        if suffix == "html":
            file.write(page_of(word_map, title).encode())
        else:
            from matplotlib import rc_context

            with rc_context({"text.usetex": False}):  # whatever the user's matplotlibrc says: words are no TeX
                _draw(word_map, title).savefig(file, format=suffix)


def page_of(word_map: WordMap, title: str) -> str:
    """A page of HTML that needs nothing else, with pan, zoom, search, and neighbours on a click."""
    data: dict[str, Any] = {"words": word_map.words, "clusters": word_map.clusters.tolist(), "colours": _COLOURS}
    data |= {"places": word_map.places.round(5).tolist(), "neighbours": word_map.neighbours.tolist()}
    data["cosines"] = word_map.cosines.round(3).tolist()
    # A word may be "</script>", which would end the data.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    template = files("fastw2v.vectors").joinpath("wordmap.html").read_text("utf-8")
    escaped = title.replace("&", "&amp;").replace("<", "&lt;")
    return template.replace("{{TITLE}}", escaped).replace("{{DATA}}", text)


def _draw(word_map: WordMap, title: str) -> Any:
    """A matplotlib Figure of the map; words for whose labels there is no room have a dot only."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), dpi=120)
    canvas: Any = FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0.02, 0.03, 0.96, 0.93))
    colours = [_COLOURS[cluster % len(_COLOURS)] for cluster in word_map.clusters]
    # A few words need letters that can be read on a slide, hundreds need room.
    size = float(np.clip(40 / np.sqrt(len(word_map.words)), _SMALLEST, _LARGEST))
    axes.scatter(*word_map.places.T, s=size**2 / 7, c=colours, linewidths=0)
    axes.set(title=title.replace("$", r"\$"), xlim=(-1.08, 1.08), ylim=(-1.08, 1.08), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    canvas.draw()
    taken: list[_Box] = []
    n_hidden = 0
    for word, place, colour in zip(word_map.words, axes.transData.transform(word_map.places), colours, strict=True):
        label = axes.text(0, 0, word.replace("$", r"\$"), fontsize=size, color=colour, va="bottom")
        box = label.get_window_extent(canvas.get_renderer())
        spot = _free_spot(place, box.width, box.height, taken)
        if spot is None:
            label.remove()
            n_hidden += 1
        else:
            taken.append((*spot, spot[0] + box.width, spot[1] + box.height))
            label.set_position(axes.transData.inverted().transform(spot))  # in data units: a pdf has other pixels
    if n_hidden:
        axes.set_xlabel(f"{n_hidden} of {len(word_map.words)} words have a dot only", color="0.4", fontsize=8)
    return figure


def _free_spot(
    place: NDArray[np.float64], width: float, height: float, taken: list[_Box]
) -> tuple[float, float] | None:
    """(left, bottom) of a label beside the dot at `place` that overlaps no other label, in pixels; None if all do."""
    x, y = float(place[0]), float(place[1])
    beside, above = (x + 4, x - 4 - width), (y + 3, y - 3 - height)
    sides = [(left, y - height / 2) for left in beside] + [(x - width / 2, bottom) for bottom in above]
    for left, bottom in sides + [(left, bottom) for bottom in above for left in beside]:
        right, top = left + width, bottom + height
        if all(right < other[0] or other[2] < left or top < other[1] or other[3] < bottom for other in taken):
            return left, bottom
    return None
