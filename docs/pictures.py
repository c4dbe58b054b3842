"""The pictures of docs/how-it-works.md, drawn from the results of the benchmarks.

    python docs/pictures.py            draw those that are out of date
    python docs/pictures.py --check    exit with 1 if one was drawn from other results than those of today

Each picture holds a checksum of the results that it was drawn from.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
PARTS = {
    "walk": "windows",
    "draws": "negatives",
    "products": "products",
    "totals": "sums",
    "sigmoid": "sigmoid",
    "step": "updating the rows",
    "memory": "waiting for memory",
}
"""The parts of a step in benchmarks/results/steps.json, and what the picture calls them."""


def nanoseconds_of_parts(row: dict[str, Any]) -> dict[str, float]:
    """What each part adds to a prediction, as benchmarks/steps.py computes it."""
    sys.path.insert(0, str(RESULTS.parent))
    import steps

    found: dict[str, float] = steps.nanoseconds_of_parts(row)
    return found


def draw_step(result: dict[str, Any], figure: Any) -> None:
    """Bars of the parts of a prediction, one for each dimension."""
    axes = figure.subplots()
    for place, row in enumerate(result["rows"]):
        parts, left = nanoseconds_of_parts(row), 0.0
        for number, (name, label) in enumerate(PARTS.items()):
            width, color = parts[name], f"C{number}"
            axes.barh(place, width, left=left, color=color, label=label if place == 0 else None)
            if width > 0.06 * sum(parts.values()):
                axes.text(left + width / 2, place, f"{width:.0f}", ha="center", va="center", color="white")
            left += width
    axes.set_yticks(range(len(result["rows"])), [f"{row['dim']} numbers" for row in result["rows"]])
    axes.invert_yaxis()
    axes.set_xlabel(f"nanoseconds for a prediction, one thread of an {result['cpu']}")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.45, 1.0), frameon=False)


def draw_kernels(result: dict[str, Any], figure: Any) -> None:
    """The multiply-adds per second of each dimension, and of a step for each pair, beside the peak of the machine."""
    axes = figure.subplots()
    rows = [
        row
        for row in result["rows"]
        if (row["model"], row["loss"], row["threads"], row["n_words"]) == ("skipgram", "ns", 2, 70_000)
        and (row["shared_negatives"], row["window"]) == (3, 5)
    ]
    rows.sort(key=lambda row: (row["update"] == "window", row["dim"]))
    for place, row in enumerate(rows):
        predictions = statistics.median(row["predictions_per_second"])
        speed = 3 * predictions * row["outputs"] * row["dim"] / 1e9
        axes.bar(place, speed, color="C0" if row["update"] == "window" else "C1")
        axes.text(place, speed + 3, f"{speed:.0f}", ha="center")
    names = [("a pair\nat a time\n" if row["update"] == "pair" else "") + str(row["dim"]) for row in rows]
    axes.set_xticks(range(len(rows)), names)
    axes.axhline(2 * result["peak"]["multiply_adds"], color="gray", linestyle="--")
    axes.text(len(rows) - 0.5, 2 * result["peak"]["multiply_adds"] - 3, "peak of both cores", ha="right", va="top")
    axes.set_xlabel("numbers in a vector")
    axes.set_ylabel("billion multiply-adds a second")
    axes.set_title(f"2 threads of an {result['cpu']}", fontsize="medium")


PICTURES: dict[str, tuple[str, Callable[[dict[str, Any], Any], None], tuple[float, float]]] = {
    "step": ("steps", draw_step, (7.5, 2.6)),
    "kernels": ("kernels", draw_kernels, (7.5, 3.6)),
}
"""For each picture the results that it shows, the function that draws it, and its size in inches."""


def checksum_of(results: str) -> str:
    """The checksum of a file of results."""
    return hashlib.sha256((RESULTS / f"{results}.json").read_bytes()).hexdigest()


def is_current(name: str) -> bool:
    """Whether a picture exists and was drawn from the results of today."""
    path, results = HERE / f"{name}.png", PICTURES[name][0]
    return path.exists() and checksum_of(results).encode() in path.read_bytes()


def draw(name: str) -> None:
    from matplotlib.figure import Figure

    results, fill, size = PICTURES[name]
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    fill(json.loads((RESULTS / f"{results}.json").read_text()), figure)
    figure.savefig(HERE / f"{name}.png", metadata={"Source": checksum_of(results), "Software": None})


def main() -> None:
    stale = [name for name in PICTURES if not is_current(name)]
    if "--check" in sys.argv:
        sys.exit(f"docs: {', '.join(stale)} are out of date: run python docs/pictures.py" if stale else 0)
    for name in stale:
        draw(name)


if __name__ == "__main__":
    main()
