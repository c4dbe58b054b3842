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


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_main_command_and_python_code(tmp_path, monkeypatch):
    command = blocks("bash")[0]
    assert command.startswith("pip install .\n"), "which .ci/run does; here fastw2v is installed"
    got = subprocess.run(
        ["bash", "-e", "-c", command.removeprefix("pip install .\n")], cwd=tmp_path, capture_output=True, text=True,
        check=True, env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert "100% epoch 30/30" in got.stderr
    vectors = fastw2v.Vectors.load(tmp_path / "vecs.txt")
    near = {word for word, _ in vectors.most_similar("exception", topn=10)}
    assert near & {"handler", "raised", "exceptiongroup", "propagated", "occurred", "caught"}
    monkeypatch.chdir(tmp_path)
    assert len(blocks("python")) == 2
    for code in blocks("python"):
        exec(compile(code, "README.md", "exec"), {})


def test_test_command():
    assert blocks("bash")[1] == "pip install '.[test]'\npytest\n"


def test_files_exist():
    names = re.findall(r"\]\(([^)]*)\)", README)
    assert len(names) > 10
    for name in names:
        assert (ROOT / name).exists(), name


@pytest.mark.skipif(
    not (ROOT / "benchmarks" / "results" / "trainers-skipgram-ns.json").exists(), reason="no results yet"
)
def test_generated_parts_are_up_to_date():
    got = subprocess.run([sys.executable, ROOT / "benchmarks" / "update_readme.py", "--check"], capture_output=True,
                         text=True, check=False)  # fmt: skip
    assert got.returncode == 0, got.stdout + got.stderr
