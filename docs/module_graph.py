"""The graph of fastw2v's modules, read from their syntax trees; draws it into CONTRIBUTING.md.

    python docs/module_graph.py            write the drawings anew
    python docs/module_graph.py --check    exit with 1 if they are not those of today

tests/test_structure.py takes the same graph to see that no modules import each other in a circle.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "fastw2v"
PAGE = ROOT / "CONTRIBUTING.md"

Graph = dict[str, set[str]]
"""For each module, by its name without `fastw2v.`, the modules that it imports; the package's own file is `""`."""


def name_of(path: Path, package: Path) -> str:
    """`training.run` for fastw2v/training/run.py; a folder's own file has the folder's name."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_graph(package: Path = PACKAGE) -> Graph:
    """All imports between the modules, wherever they stand: late ones and those for types included."""
    paths = {name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    return {name: set(imports_of(path, package, set(paths))) - {name} for name, path in paths.items()}


def imports_of(path: Path, package: Path, known: set[str]) -> Iterator[str]:
    """The modules of the package, among `known`, that a file imports."""
    folder = [package.name, *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*folder[: len(folder) + 1 - node.level], *filter(None, [node.module])])
            base = base if node.level else str(node.module)
            names = [f"{base}.{alias.name}" for alias in node.names]  # which may be modules, or what `base` defines
        else:
            continue
        for name in names:
            if name.split(".")[0] == package.name:
                inner = name.removeprefix(package.name).removeprefix(".")
                yield from [module for module in (inner, inner.rpartition(".")[0]) if module in known][:1]


def reachable(graph: Graph, start: str) -> set[str]:
    """All that a module imports, directly or by way of others; itself only if it is in a circle."""
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def circles(graph: Graph) -> list[list[str]]:
    """Groups of modules that import each other in a circle."""
    below = {name: reachable(graph, name) for name in graph}
    groups = {tuple(sorted(other for other in below[name] if name in below[other])) for name in graph}
    return [list(group) for group in sorted(groups) if group]


def reduced(graph: Graph) -> Graph:
    """The graph without the arrows that a longer way implies, so that it can be drawn."""
    below = {name: reachable(graph, name) for name in graph}
    return {name: {o for o in others if not any(o in below[p] for p in others - {o})} for name, others in graph.items()}


def room_of(name: str) -> str:
    """The folder of a module, or the module itself where it stands in none."""
    return name.partition(".")[0]


def graph_of_rooms(graph: Graph) -> Graph:
    """The same graph of folders; a module that stands in none is one of its own."""
    rooms: Graph = {room_of(name): set() for name in graph}
    for name, others in graph.items():
        rooms[room_of(name)] |= {room_of(other) for other in others} - {room_of(name)}
    return rooms


def mermaid(graph: Graph) -> str:
    """A drawing that GitHub renders: an arrow points to what is imported."""
    shown = reduced(graph)
    arrows = [f"  {name} --> {other}" for name in sorted(shown) for other in sorted(shown[name])]
    alone = [f"  {name}" for name in sorted(shown) if not shown[name] and not any(name in o for o in shown.values())]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, *alone, "```"])


def drawings() -> str:
    """All drawings: the rooms, then the modules of each room."""
    graph = module_graph()
    rooms = {name: others - {""} for name, others in graph_of_rooms(graph).items() if name not in ("", "__main__")}
    parts = ["Between the folders:", mermaid(rooms)]
    for room in sorted(name for name in rooms if (PACKAGE / name).is_dir()):
        inside = {name for name in graph if room_of(name) == room and "." in name}
        inner = {name.partition(".")[2]: {o.partition(".")[2] for o in graph[name] & inside} for name in sorted(inside)}
        parts += [f"Inside `{room}/`:", mermaid(inner)]
    return "\n\n".join(parts)


def main() -> None:
    text = PAGE.read_text("utf-8")
    pattern = r"(<!-- modules: generated by docs/module_graph.py -->\n).*?(<!-- /modules -->)"
    written = re.sub(pattern, lambda match: f"{match[1]}{drawings()}\n{match[2]}", text, flags=re.DOTALL)
    if "--check" in sys.argv:
        if written != text:
            sys.exit("CONTRIBUTING.md: the graph of modules is not that of today: python docs/module_graph.py")
    else:
        PAGE.write_text(written, "utf-8")


if __name__ == "__main__":
    main()
