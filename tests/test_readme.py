"""The README is true: its commands run, its code works, its generated parts are those of today."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastw2v

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_main_command_and_python_code(tmp_path, monkeypatch):
    command = blocks("bash")[0]
    assert command.startswith("pip install .\n"), "which .ci/run does; here fastw2v is installed"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-e", "-c", command.removeprefix("pip install .\n")]
    got = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    assert "100% epoch 30/30" in got.stderr
    vectors = fastw2v.Vectors.load(tmp_path / "vecs.txt")
    near = {word for word, _ in vectors.most_similar("exception", topn=10)}
    assert near & {"handler", "raised", "exceptiongroup", "propagated", "occurred", "caught"}
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 3
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), {})
    for command, output in re.findall(r"\$ ([^\n]*)\n((?:[^$`][^\n]*\n)*)", "".join(blocks("console"))):
        got = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=environment)
        assert (got.returncode, got.stderr) == (0, ""), command
        assert len(got.stdout.splitlines()) == len(output.splitlines()), command


def test_test_command():
    assert blocks("bash")[1] == "pip install '.[test]'\npytest -n 2\n"


@pytest.mark.parametrize("page", ["items", "graphs", "text", "loss"])
def test_pages_with_code(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / f"{page}.md").read_text()
    [code], [output] = blocks("python", text), blocks("text", text)
    exec(compile(code, page, "exec"), {})
    # The last digits are those of the run: several threads share the rows.
    expected, got = (re.sub(r"\d", "0", lines).split("\n") for lines in (output, capsys.readouterr().out))
    assert len(got) == len(expected)
    if page == "items":
        assert got[-2] == expected[-2], "all of the nine nearest are of the same kind"
    elif page == "graphs":
        assert got[0] == expected[0], "of 34 members more than 9"
    else:
        assert got == expected


def test_files_exist():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for name in re.findall(r"\]\(([^)]*)\)", page.read_text()):
            if not name.startswith("https://"):
                assert (page.parent / name.split("#")[0]).exists(), (page, name)


def test_promises_name_tests_that_exist():
    names = re.findall(r"\b((?:\w+/)?test_\w+)", (ROOT / "docs" / "reliability.md").read_text())
    assert len(names) > 20
    assert not [name for name in names if not (ROOT / "tests" / f"{name}.py").exists()]


@pytest.mark.parametrize("script", ["benchmarks/update_readme.py", "docs/module_graph.py"])
def test_generated_parts_are_up_to_date(script):
    command = [sys.executable, ROOT / script, "--check"]
    got = subprocess.run(command, capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stdout + got.stderr
