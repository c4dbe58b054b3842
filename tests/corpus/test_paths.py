"""Every way to name a corpus, and what may be wrong with the names."""

import contextlib
import os

import pytest
from corpora import read, sentences_of

from fastw2v.corpus import paths
from fastw2v.corpus.paths import find_files
from fastw2v.errors import InputError


def test_paths_globs_and_directories(tmp_path):
    for name in ("b/2.txt", "b/1.txt", "b/.hidden", "b/deep/3.txt", "a.txt", "[odd].txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.stem} x\n")

    def names(*corpus):
        return [path.removeprefix(f"{tmp_path}/") for path in find_files([str(tmp_path / part) for part in corpus])]

    assert names("a.txt", "b") == ["a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt"]
    assert names("b/*.txt") == ["b/1.txt", "b/2.txt"]
    assert names("**/*.txt") == ["[odd].txt", "a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt"]
    assert names("[odd].txt") == ["[odd].txt"]
    assert names("[ab]*") == ["a.txt", "b/1.txt", "b/2.txt", "b/deep/3.txt"], "as the shell's, which names a directory"
    assert names("**") == names(".")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "b").symlink_to(tmp_path / "b")
    assert names("linked") == ["linked/b/1.txt", "linked/b/2.txt", "linked/b/deep/3.txt"]
    assert find_files(tmp_path / "a.txt") == [str(tmp_path / "a.txt")]
    assert sentences_of(read(tmp_path / "b")) == [["1", "x"], ["2", "x"], ["3", "x"]]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("missing.txt", r"corpus .*missing.txt does not exist"),
        ("*.nothing", r"corpus .*\*.nothing does not exist, and as a glob it matches nothing"),
        ("empty", r"corpus directory .*empty holds no files"),
        ("e*", r"corpus glob .*e\* matches no files, only .*empty: check the pattern"),
    ],
)
def test_corpus_that_is_not_there(tmp_path, corpus, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find_files(str(tmp_path / corpus))


def test_links_that_lead_in_circles(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    for path in ("t.txt", "a/t.txt", "a/b/t.txt"):
        (tmp_path / path).write_text("x")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "self").symlink_to(".")
    monkeypatch.chdir(tmp_path)
    below = ["a/b/t.txt", "a/t.txt"]
    patterns = (
        "**",
        "**/*.txt",
        "**/**/*.txt",
        "**/t.txt",
        "./**/*.txt",
        f"{tmp_path}/**/*.txt",
        f"file://{tmp_path}/**",
    )
    for pattern in patterns:
        found = [os.path.relpath(path) for path in find_files(pattern)]
        assert found == [*below, "t.txt"], pattern
    assert find_files("a/**/b/*") == ["a/b/t.txt"]
    assert find_files("[a]/**") == find_files("a/**/*.txt") != below, "what is above is there through the link, once"
    assert len(find_files("a/**")) == 3


@pytest.mark.parametrize("corpus", ["d", "d/*.txt", "**/*.txt", ["d/a.txt", "d"]])
@pytest.mark.parametrize("target", ["none", "b.txt", "/proc/1/cwd/none"])
def test_links_that_lead_nowhere(tmp_path, monkeypatch, corpus, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_text("a")
    (tmp_path / "d/.#a.txt").symlink_to("user@host.1")  # hidden: an editor's lock
    assert find_files(corpus)
    (tmp_path / "d/b.txt").symlink_to(target)
    with pytest.raises(InputError, match=f"corpus d/b.txt is a symbolic link to {target}, which does not exist or"):
        find_files(corpus)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("corpus", ["d", "d/*"])
def test_pipes_that_a_directory_or_a_glob_finds(tmp_path, monkeypatch, corpus):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.txt").write_text("a")
    os.mkfifo(tmp_path / "d/b.txt")
    with pytest.raises(InputError, match="corpus d/b.txt is a pipe, a socket or a device: remove it, or name the"):
        find_files(corpus)
    assert find_files(["d/a.txt", "d/b.txt"]) == ["d/a.txt", "d/b.txt"], "a pipe that is named is read"


def test_no_corpus_or_stdin_twice():
    with pytest.raises(InputError, match="no corpus given"):
        find_files([])
    with pytest.raises(InputError, match="read only once"):
        find_files(["-", "-"])


@pytest.mark.parametrize("corpus", [[["some", "words"]], 5, [None]])
def test_a_corpus_that_is_no_path(corpus):
    with pytest.raises(InputError, match="a corpus is one or more paths"):
        find_files(corpus)


def test_unreadable_corpus(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("a b")
    monkeypatch.setattr("os.access", lambda *arguments: False)  # root may read anything
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        find_files(path)


@pytest.mark.parametrize("pattern", ["**/*.txt", "open/*/*.txt", "*/secret/*.txt", "open/secret/**"])
def test_a_glob_passes_no_directory_over_that_it_cannot_list(tmp_path, monkeypatch, pattern):
    for name in ("open", "open/secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.txt").write_text("a b")
    find_files(tmp_path / pattern)
    monkeypatch.setattr("os.access", lambda path, mode: "secret" not in str(path))  # root may read anything
    with pytest.raises(InputError, match="secret.* cannot be read: permission denied"):
        find_files(tmp_path / pattern)


OUTPUTS = ["v.txt", "d/v.txt", "d/.v.txt", "d/new/v.txt", "d/.new/v.txt", "d/deep/v.txt", "e/v.txt", "link.txt"]
OUTPUTS += ["d/new/a/v.txt", "d/out.txt", "linked/v.txt", ".h/v.txt", "d/v.fw2v", "[a]/v.txt"]
NAMES = [
    "a.txt",
    "d",
    "d/a.txt",
    "*.txt",
    "*/*.txt",
    "**/*.txt",
    "**",
    "d/**",
    "d/**/*",
    "d/*/*",
    "*/**",
    "d/*/*/v*",
    ".",
]
NAMES += [".h", ".h/*", ".*/*", "linked", "linked/*", "d/../*.txt", "{here}/d", "{here}/**/v*", "{here}/[de]/*.txt"]
NAMES += [
    "*",
    "[d]",
    "d/n*",
    "[d]/[n]*",
    "d/[!a]*",
    "[[]a]/*",
    "d/deep/**/**/v*.txt",
    "*.fw2v",
    "*/?.fw2v",
    "e/*",
    "d/**/deep/**",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_output_is_refused_where_the_next_run_would_read_it(tmp_path, monkeypatch, name):
    here = tmp_path / "here"
    for directory in ("d/deep", "e", ".h", "[a]", "outside"):
        (here / directory).mkdir(parents=True)
    monkeypatch.chdir(here)
    for file in (
        "a.txt",
        "d/a.txt",
        "d/deep/a.txt",
        "e/a.txt",
        ".h/a.txt",
        "[a]/a.txt",
        "m.fw2v",
        "d/m.fw2v",
        "d/deep/v0.txt",
    ):
        (here / file).write_text("a b")
    (here / "linked").symlink_to("d")
    (here / "link.txt").symlink_to("e/target.txt")
    (here / "e/target.txt").write_text("a b")
    (here / "d/out.txt").symlink_to("../outside/out")
    (here / "outside/out").write_text("a b")
    (here / "d/new2/new").mkdir(parents=True)
    (here / "d/new2/new/v0.txt").write_text("a b")
    name = name.format(here=here)
    for output in OUTPUTS:
        is_there = os.path.exists(output)
        before = {os.path.realpath(file) for file in find_files(name)}
        is_refused = False
        with contextlib.suppress(InputError):
            is_refused = True
            paths.check_outside([output, None, "-"], name)
            is_refused = False
        if not is_there:
            new = not os.path.isdir(os.path.dirname(output) or ".")
            os.makedirs(os.path.dirname(output) or ".", exist_ok=True)
            (here / output).write_text("a b")
        after = {os.path.realpath(file) for file in find_files(name)}
        is_read = os.path.realpath(output) in after and name != output and not os.path.isfile(name)
        assert (is_refused, output) == (is_read, output), "as `find_files` finds it"
        if not is_there:
            (here / output).unlink()
            if new:
                os.removedirs(os.path.dirname(output))
            assert {os.path.realpath(file) for file in find_files(name)} == before


def test_outputs_beside_the_corpus_and_odd_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a b")
    outputs = ["v.txt", "", "a\0b", "/dev/null", "none/v", None, "-"]
    paths.check_outside(outputs, ["a.txt", "-", "s3://bucket/*", "not/here/*.txt", "not/here"], "a.txt")
    paths.check_outside(outputs, None)
    with pytest.raises(InputError, match=r"^held-out text: output v.txt lies in the corpus directory \.: the next run"):
        paths.check_outside(outputs, "a.txt", ".")
