"""The documentation is true: its code runs, its options exist, its links lead somewhere, and the site can be built."""

import os
import re
import subprocess
import sys

import click
import pytest
from pages import LANGUAGES, PAGES, ROOT, anchors, blocks, code_and_output, shell_commands, without_blocks

import fastw2v
from fastw2v.cli import cli

RUNNABLE = [name for name, text in PAGES.items() if name != "README.md" and blocks("python", text)]

EXPECTED = {
    "docs/items.md": "100% of the nine nearest products are of the same kind",
    "docs/graphs.md": " of 34 members are nearest to the leader",
}
"""What a page prints exactly. Other numbers are those of the run: several threads share the rows."""

OPTIONS_OF_OTHERS = {"--nthreads", "--memory-limit", "--contact-address", "--check", "--strict"}
"""Options of Dask, of the scripts of this repository, of MkDocs."""


def options_of(command):
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


ALL_OPTIONS = set.union(*map(options_of, cli.commands.values())) | {"--help", "--version"}


@pytest.mark.parametrize("page", RUNNABLE)
def test_python_code_runs_and_prints_what_the_page_shows(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for code, output in code_and_output(PAGES[page]):
        exec(compile(code, page, "exec"), names)
        shown = capsys.readouterr().out
        if output:
            assert re.sub(r"\d+", "0", shown) == re.sub(r"\d+", "0", output)
            assert EXPECTED.get(page, "") in shown


@pytest.mark.parametrize("page", PAGES)
def test_blocks_have_a_language_that_is_tested(page):
    assert set(re.findall(r"^```(\w*)\n(?:.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)) <= set(LANGUAGES)
    for code in blocks("py", PAGES[page]):
        compile(code, page, "exec")


@pytest.mark.parametrize("page", [name for name, text in PAGES.items() if blocks("sh", text)])
def test_illustrated_commands_have_options_that_exist(page):
    for command in [command for block in blocks("sh", PAGES[page]) for command in shell_commands(block)]:
        if command[0] == "fastw2v":
            name, *arguments = command[1:]
            cli.commands[name].make_context(name, arguments)  # raises click.UsageError


def test_an_option_that_does_not_exist_is_found():
    [command] = shell_commands("fastw2v train a.txt -o b.txt --dims 3  # comment --size\n")
    with pytest.raises(click.UsageError, match="--dims"):
        cli.commands[command[1]].make_context("train", command[2:])
    assert shell_commands('python -c "a\nb" < x | fastw2v train -\nls') == [
        ["python", "-c", "a\nb"],
        ["x"],
        ["fastw2v", "train", "-"],
        ["ls"],
    ]


@pytest.mark.parametrize("page", PAGES)
def test_options_named_in_the_text_exist(page):
    for code in re.findall(r"`([^`\n]+)`", without_blocks(PAGES[page])):
        names = re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
        command = re.match(r"fastw2v (\w+)", code)
        if command and command[1].islower():
            assert set(names) <= options_of(cli.commands[command[1]]) | {"--help"}, code
        else:
            assert set(names) <= ALL_OPTIONS | OPTIONS_OF_OTHERS, code


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings_that_exist(page):
    home = (ROOT / page).parent
    for link in re.findall(r"\]\(([^)]*)\)", without_blocks(PAGES[page])):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (home / path).resolve() if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_promises_name_tests_that_exist():
    names = re.findall(r"\b((?:\w+/)?test_\w+)", PAGES["docs/reliability.md"])
    assert len(names) > 20
    assert not [name for name in names if not (ROOT / "tests" / f"{name}.py").exists()]


@pytest.mark.parametrize("script", ["benchmarks/update_readme.py", "docs/module_graph.py", "docs/pictures.py"])
def test_generated_parts_are_up_to_date(script):
    command = [sys.executable, ROOT / script, "--check"]
    got = subprocess.run(command, capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stdout + got.stderr


def test_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    got = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert got.returncode == 0, got.stderr
    assert "WARNING" not in got.stderr
    for page in PAGES:
        name = "" if page == "README.md" else page.replace("benchmarks/README", "benchmarks").removeprefix("docs/")
        if name not in ("SECURITY.md",):
            assert (tmp_path / name.lower().removesuffix(".md") / "index.html").exists(), page


def test_links_and_graphs_of_the_site():
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    from hooks import link_on_site, table_of

    links = {
        ("README.md", "docs/text.md"): "text.md",
        ("docs/text.md", "../benchmarks/README.md#a"): "benchmarks.md#a",
        ("CONTRIBUTING.md", "fastw2v/config.py"): "REPOSITORY/blob/main/fastw2v/config.py",
        ("benchmarks/README.md", "results/pmi.png"): "results/pmi.png",
        ("docs/text.md", "#top"): "#top",
        ("docs/text.md", "https://example.org/x.md"): "https://example.org/x.md",
    }
    for (source, link), expected in links.items():
        assert link_on_site(link, source, "REPOSITORY") == expected
    assert table_of("  a --> b\n  a --> c\n  d\n").split("\n")[2:] == ["| `a` | `b`, `c` |"]


def test_docstrings_become_lists():
    pytest.importorskip("griffe", reason="the extra docs is not installed")
    from docstrings import with_lists

    text = "What.\n\na: one\nand more.\nb, c: two.\nRaises X.\nnote: not a parameter"
    expected = "What.\n\n- `a`: one\n  and more.\n- `b`, `c`: two.\n\nRaises X.\nnote: not a parameter"
    assert with_lists(text, {"a", "b", "c"}) == expected


def test_citation_is_of_this_version():
    assert f"\nversion: {fastw2v.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
