"""What MkDocs does to the pages of this repository: pages from files outside docs/, and links between them.

The README is the site's home page; benchmarks/README.md, CONTRIBUTING.md and CHANGELOG.md are pages too. Their text is
taken from where it stands. Links are written for readers of the repository. Here, a link to a file that is a page leads
to that page, and a link to any other file of the repository leads to the repository. Graphs, which GitHub draws, become
tables: to draw them, the site would need a script from another site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent

PAGES = {
    "index.md": "README.md",
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
}
"""The pages whose text stands outside docs/, and where."""

PICTURES = "benchmarks/results"
"""The folder outside docs/ whose pictures the site shows, as results/."""

_GRAPH = re.compile(r"^```mermaid\nflowchart TD\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
_NOT_HERE = re.compile(r"<!-- not on the site -->.*?<!-- /not on the site -->", re.DOTALL)
_CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that stand outside docs/."""
    for page, source in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for picture in sorted((ROOT / PICTURES).glob("*.png")):
        files.append(File.generated(config, f"results/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the graphs of a page, and its links outside blocks of code."""
    own = PAGES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    markdown = _GRAPH.sub(lambda graph: table_of(graph[1]), _NOT_HERE.sub("", markdown))
    parts = _CODE.split(markdown)
    for i in range(0, len(parts), 2):
        parts[i] = _LINK.sub(lambda link: link_on_site(link[0], own, str(config.repo_url)), parts[i])
    return "".join(parts)


def table_of(arrows: str) -> str:
    """Return a table with a row for each node from which arrows `a --> b` lead."""
    targets: dict[str, list[str]] = {}
    for arrow in arrows.split("\n"):
        source, _, target = arrow.strip().partition(" --> ")
        if target:
            targets.setdefault(source, []).append(f"`{target}`")
    rows = [f"| `{source}` | {', '.join(found)} |" for source, found in targets.items()]
    return "\n".join(["| Module | Imports |", "|---|---|", *rows])


def link_on_site(link: str, source: str, repository: str) -> str:
    """Return where a link of the file `source` leads on the site, relative to docs/, or in the repository."""
    path, hash_mark, anchor = link.partition("#")
    if not path or ":" in path:
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    pages: dict[str, Any] = {where: page for page, where in PAGES.items()}
    if target in pages:
        return pages[target] + hash_mark + anchor
    if target.startswith(f"{PICTURES}/"):
        return "results/" + posixpath.basename(target)
    if target.startswith("docs/") and target.endswith((".md", ".png")):
        return target.removeprefix("docs/") + hash_mark + anchor
    return f"{repository}/blob/main/{target}{hash_mark}{anchor}"
