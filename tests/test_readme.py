"""The README is short and true: its commands run, on a text and vectors that the pages of docs/ use too."""

import os
import subprocess
import sys
from pathlib import Path

from pages import PAGES, blocks, console_commands

import fastw2v

README = PAGES["README.md"]


def test_main_command_and_everything_that_uses_its_vectors(tmp_path, monkeypatch):
    command = blocks("bash", README)[0]
    assert command.startswith("pip install .\n"), "which .ci/run does; here fastw2v is installed"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shell = ["bash", "-e", "-c", command.removeprefix("pip install .\n")]
    got = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    assert "100% epoch 30/30" in got.stderr
    vectors = fastw2v.Vectors.load(tmp_path / "vecs.txt")
    near = {word for word, _ in vectors.most_similar("exception", topn=10)}
    assert near & {"handler", "raised", "exceptiongroup", "propagated", "occurred", "caught"}
    monkeypatch.chdir(tmp_path)
    [code] = blocks("python", README)
    exec(compile(code, "README.md", "exec"), {})
    commands = [command for page in PAGES.values() for command in console_commands(page)]
    assert len(commands) > 10
    for command, output in dict(commands).items():
        got = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=environment)
        assert (got.returncode, got.stderr) == (0, ""), command
        assert len(got.stdout.splitlines()) == len(output.splitlines()), command


def test_test_command():
    assert blocks("bash", README)[1] == "pip install '.[test]'\npytest -n 2\n"


def test_readme_is_short():
    assert len(README.splitlines()) <= 150
