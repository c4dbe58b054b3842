"""Every way to name a corpus, and what may be wrong with the names."""

import pytest
from corpora import read, sentences_of

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
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "linked" / "up").symlink_to(tmp_path / "linked")
    assert names("linked") == ["linked/b/1.txt", "linked/b/2.txt", "linked/b/deep/3.txt"]
    assert find_files(tmp_path / "a.txt") == [str(tmp_path / "a.txt")]
    assert sentences_of(read(tmp_path / "b")) == [["1", "x"], ["2", "x"], ["3", "x"]]


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ("missing.txt", r"corpus .*missing.txt does not exist"),
        ("*.nothing", r"corpus .*\*.nothing does not exist, as a path or as a glob"),
        ("empty", r"corpus directory .*empty holds no files"),
    ],
)
def test_corpus_that_is_not_there(tmp_path, corpus, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        find_files(str(tmp_path / corpus))


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


def test_no_corpus_or_stdin_twice():
    with pytest.raises(InputError, match="no corpus given"):
        find_files([])
    with pytest.raises(InputError, match="read only once"):
        find_files(["-", "-"])


@pytest.mark.parametrize("corpus", [[["some", "words"]], 5, [None]])
def test_a_corpus_that_is_no_path(corpus):
    with pytest.raises(InputError, match="a corpus is a path or several"):
        find_files(corpus)


def test_unreadable_corpus(tmp_path, monkeypatch):
    path = tmp_path / "c.txt"
    path.write_text("a b")
    monkeypatch.setattr("os.access", lambda *arguments: False)  # root may read anything
    with pytest.raises(InputError, match="cannot be read: permission denied"):
        find_files(path)
