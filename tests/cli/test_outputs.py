"""Outputs and streams of the command line: what may be written, what stays as it was, streams that end."""

import re
import subprocess
import sys

import numpy as np
import pytest
from planted import TRAIN, planted_text

from fastw2v import Vectors
from fastw2v.files.locks import locked


def shell(script, directory):
    """Run a bash script where `train` is the command on a small corpus, and `fastw2v` the program."""
    command, arguments = f"{sys.executable} -m fastw2v", f"c.txt --quiet --threads 1 {' '.join(TRAIN)}"
    script = f'fastw2v() {{ {command} "$@"; }}; train() {{ fastw2v train {arguments} "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", script], cwd=directory, text=True, capture_output=True, check=False)


@pytest.fixture
def small(tmp_path):
    (tmp_path / "c.txt").write_text(planted_text(n_sentences=100))
    return tmp_path


def test_stdout_is_written_where_it_stands(small):
    done = shell("echo before > all; train -o - >> all; train -o - > one; cat one > two; train -o v", small)
    assert done.returncode == 0
    assert (small / "all").read_bytes() == b"before\n" + (small / "one").read_bytes()
    assert (small / "one").read_bytes() == (small / "v").read_bytes()


def test_a_reader_that_has_enough(small):
    """What can be written again ends without a word."""
    (small / "many.txt").write_text("".join(f"a b word{i}\n" for i in range(20_000)))
    shell("train --dim 2000 -o big.fw2v", small)
    phrases = "phrases many.txt -o - --min-count 1 --threshold 1 --list l.txt"
    for command in ("convert big.fw2v - --to text", "vocab many.txt -o - --min-count 1", phrases):
        got = shell(f"fastw2v {command} | head -c 1 > first; echo ${{PIPESTATUS[0]}}", small)
        assert got.stdout == "0\n", got.stderr
        assert "reader" not in got.stderr
    assert (small / "l.txt").exists()


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_a_reader_that_ends_before_it_has_the_vectors(small, output):
    """Nothing else has them, so they are kept."""
    got = shell(f"train --dim 2000 -o {output} --temp-dir . | head -1; echo ${{PIPESTATUS[0]}}", small)
    assert got.stdout == "96 2000\n1\n"
    [line] = got.stderr.splitlines()
    assert line.startswith(
        f"fastw2v: cannot write {output}: its reader closed it before everything was written. The file takes "
    )
    path = small / re.search(r"the vectors went to (\S+) instead", line)[1]
    assert Vectors.load(path).vectors.shape == (96, 2000)


def test_a_reader_of_a_pipe_that_dies(small):
    """What it should have made is not there."""
    shell("train --dim 2000 -o big.fw2v", small)
    for command in ("train --dim 2000 -o >(head -1)", "fastw2v convert big.fw2v >(head -1) --to text"):
        got = shell(f"{command}; echo $?", small)
        assert got.stdout.endswith("1\n")
        assert "its reader closed it before everything was written" in got.stderr


def test_a_short_write_is_an_error(small):
    got = shell("ulimit -f 8; train -o - > out", small)
    assert got.returncode == 1
    assert "cannot write -: File too large: ulimit -f allows 0.0 MB, raise that limit" in got.stderr
    got = shell("ulimit -f 8; train -o out2", small)
    assert got.returncode == 2
    assert "no room for the output: a file of about" in got.stderr
    assert not (small / "out2").exists()


def test_closed_standard_streams(small):
    got = shell("train - -o v <&-", small)
    assert (got.returncode, got.stderr) == (
        2,
        "fastw2v: the corpus is stdin (-), which is closed: pipe text in, or name a file\n",
    )
    got = shell("train -o - >&-", small)
    assert (got.returncode, got.stderr) == (2, "fastw2v: output - is closed: name a file, or leave the stream open\n")
    assert shell("train -o v 2>&-", small).returncode == 0
    assert len(Vectors.load(small / "v")) == 96


@pytest.mark.parametrize(
    "arguments", ["'g/*' -o g/c.txt", "g -o g/c.txt", "g -o v --log-json g/c.txt", "- -o g/c.txt < g/c.txt"]
)
def test_an_input_behind_a_glob_is_never_an_output(small, arguments):
    (small / "g").mkdir()
    (small / "c.txt").rename(small / "g" / "c.txt")
    before = (small / "g" / "c.txt").read_bytes()
    got = shell(f"{sys.executable} -m fastw2v train {arguments} --overwrite", small)
    assert got.returncode == 2
    assert "is the same file as the input" in got.stderr or "the next run would read it" in got.stderr
    assert (small / "g" / "c.txt").read_bytes() == before


def test_outputs_that_could_not_be_written_are_refused_first(small):
    (small / "dangling").symlink_to(small / "none" / "v")
    for name, message in [
        ("''", "an output has an empty name"),
        ("dangling", "none does not exist: create it first"),
        ("/proc/v", "output /proc/v cannot be written in its directory"),
        ("x" * 300, "cannot be written in its directory: File name too long"),
    ]:
        got = shell(f"train -o {name}", small)
        assert got.returncode == 2
        assert message in got.stderr
    long = "y" * 250
    assert shell(f"train -o {long}", small).returncode == 0
    assert len(Vectors.load(small / long)) == 96


def test_a_refused_run_leaves_an_old_log(small):
    (small / "log").write_text("old")
    (small / "c.txt").write_text("")
    assert shell("train -o v --log-json log --overwrite", small).returncode == 2
    assert (small / "log").read_text() == "old"


@pytest.mark.parametrize("option", ["-o", "--log-json", "--save-vocab", "--loss-plot"])
def test_every_output_of_a_run_is_its_own(run, planted, tmp_path, option):
    others = ["-o", tmp_path / "v"] * (option != "-o")
    with locked(tmp_path / "x.svg"):
        code, _, err = run("train", planted, option, tmp_path / "x.svg", *others, *TRAIN)
    assert code == 2
    assert err == f"fastw2v: output {tmp_path}/x.svg is being written by another run: wait for it, or name another\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["planted.txt"]


COMMANDS = [
    "train planted.txt -o",
    "train planted.txt --format tensorboard -o",
    "convert v.fw2v",
    "vocab planted.txt -o",
    "phrases planted.txt -o",
    "phrases planted.txt -o p.txt --list",
    "plot v.fw2v -o",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_waits_for_no_output_of_another_run(run, planted, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Vectors(["a", "b", "c"], np.eye(3)).save("v.fw2v")
    output, held = "x.svg", "x.metadata.svg" if "tensorboard" in command else "x.svg"
    for name in (output, held):
        (tmp_path / name).write_text("old")
    files = sorted(tmp_path.iterdir())
    with locked(held):
        code, _, err = run(*command.split(), output, "--overwrite")
    assert code == 2
    assert err == f"fastw2v: output {held} is being written by another run: wait for it, or name another\n"
    assert (tmp_path / held).read_text() == "old"
    assert sorted(tmp_path.iterdir()) == files


LIMITED = {
    "convert v.fw2v v.txt": "cannot write v.txt: File too large: ulimit -f allows 0.0 MB, raise that limit",
    "vocab c.txt -o w": "ulimit -f allows files of 0.0 MB, with 0.0 MB of the encoded corpus written",
    "phrases c.txt -o p": "ulimit -f allows files of 0.0 MB, with 0.0 MB of the encoded corpus written",
    "similar v.fw2v w1 -n 2000 > s": "cannot write to stdout: File too large: ulimit -f allows 0.0 MB",
}


@pytest.mark.parametrize(("command", "message"), LIMITED.items())
def test_a_limit_of_files_is_named(small, command, message):
    Vectors([f"w{i}" for i in range(2000)], np.ones((2000, 2))).save(small / "v.fw2v")
    got = shell(f"ulimit -f 4; {sys.executable} -m fastw2v {command}", small)
    assert got.returncode == 1
    assert message in got.stderr


@pytest.mark.parametrize(
    "arguments", ["train c.txt -o x", "train c.txt -o v --temp-dir x", "vocab c.txt -o x", "phrases c.txt -o x"]
)
def test_a_working_directory_that_is_gone(small, run, monkeypatch, arguments):
    (small / "gone").mkdir()
    monkeypatch.chdir(small / "gone")
    (small / "gone").rmdir()
    names = {name: small / name for name in ("c.txt", "v")}
    code, _, err = run(*(names.get(part, part) for part in arguments.split()))
    assert code == 2
    assert err.startswith("fastw2v: 'x")
    assert "is a relative path, but the working directory is gone: go to one that exists, or give absolute" in err
