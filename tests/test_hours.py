"""The first hour of five people, written down: four notebooks and a script for a shell."""

import os
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

HOURS = Path(__file__).parent / "hours"
NOTEBOOKS = sorted(HOURS.glob("*.py"))


def notebook_of(path):
    """The cells of a script in the percent format."""
    cells = []
    for text in path.read_text().split("# %%")[1:]:
        first, _, code = text.partition("\n")
        is_markdown = "[markdown]" in first
        cells.append((nbformat.v4.new_markdown_cell if is_markdown else nbformat.v4.new_code_cell)(code.strip()))
    return nbformat.v4.new_notebook(cells=cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, tmp_path):
    book = notebook_of(path)
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    if path.stem != "nlp_beginner":
        return
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    bars = [
        output["data"]["text/plain"]
        for cell in book.cells
        for output in cell.get("outputs", [])
        if output.output_type == "display_data"
    ]
    assert "hint: " in printed
    assert "--strip-punctuation" in printed
    assert any("100% epoch 20/20" in bar for bar in bars)
    assert len(bars) < 20, "a bar is redrawn in its place"
    assert "<Vectors: " in str(book.cells)


def test_server(tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", HOURS / "server.sh"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("\t")[0] for line in lines if "\t" in line][-4:] == ["list", "list", "tuple dict", "tuple dict"]
