"""What the command line does with text: vocab and phrases."""

import gzip
import tarfile

import pytest

from fastw2v import Vectors


def test_vocab(run, tmp_path):
    text = tmp_path / "t.txt"
    text.write_text("b a b\nc b a\n")
    assert run("vocab", text, "--min-count", 1)[:2] == (0, "b 3\na 2\nc 1\n")
    assert run("vocab", text, "-o", tmp_path / "v.txt", "--min-count", 2)[0] == 0
    assert (tmp_path / "v.txt").read_text() == "b 3\na 2\n"


def test_phrases_and_vocab_say_what_they_change(run, tmp_path):
    text = tmp_path / "t.txt"
    text.write_bytes(b"a b \xff " + b"x" * 2000 + b"\n")
    for command in (("vocab", text, "--min-count", 1), ("phrases", text, "-o", "-")):
        code, _, err = run(*command)
        assert code == 0
        assert "dropped 1 tokens of more than" in err
        assert "1 tokens were not valid UTF-8" in err
    text.write_text("one one\n")
    assert run("vocab", text, "--min-count", 1)[:2] == (0, "one 2\n")
    assert run("phrases", text, "-o", "-")[:2] == (0, "one one\n")
    code, _, err = run("phrases", text, "-o", tmp_path / "p.txt", "--list", tmp_path / "p.txt")
    assert (code, "is given as two outputs" in err) == (2, True)
    assert "threshold is nan" in run("phrases", text, "-o", "-", "--threshold", "nan")[2]


def test_phrases_with_connectors_and_a_list(run, tmp_path):
    text, listed = tmp_path / "t.txt", tmp_path / "list"
    text.write_text("statue of liberty now\n" * 20 + "x y\n" * 20)
    common = "phrases", text, "-o", tmp_path / "p.txt", "--scoring", "npmi", "--list", listed, "--overwrite"
    assert run(*common, "--connector-words", "english", "--delimiter", "+")[0] == 0
    assert (tmp_path / "p.txt").read_text().startswith("statue+of+liberty now\n")
    scores = {line.split()[0]: float(line.split()[1]) for line in listed.read_text().splitlines()}
    assert {"statue+of+liberty", "x+y"} <= set(scores)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    (tmp_path / "connectors").write_text("of\n")
    assert run(*common, "--connector-words", tmp_path / "connectors", "--threshold", "0.9")[0] == 0
    assert (tmp_path / "p.txt").read_text().startswith("statue_of_liberty now\n")
    assert run(*common, "--threshold", "0.9")[0] == 0
    assert (tmp_path / "p.txt").read_text().startswith("statue_of liberty_now\n")


def test_files_that_phrases_refuses(run, tmp_path):
    text, connectors = tmp_path / "t.txt", tmp_path / "connectors"
    text.write_text("a b\n")
    connectors.write_bytes(b"of \xff\n")
    for name, message in (
        ("none", f"cannot read {tmp_path}/none: No such file"),
        ("connectors", "is not UTF-8 at byte 3"),
    ):
        code, out, err = run("phrases", text, "-o", "-", "--connector-words", tmp_path / name)
        assert (code, out, message in err) == (2, "", True)
    code, _, err = run("phrases", text, "-o", connectors, "--connector-words", connectors, "--overwrite")
    assert (code, "is the same file as the input" in err) == (2, True)


def test_archives_are_refused_by_every_command(run, tmp_path):
    text, archive, twice = tmp_path / "t.txt", tmp_path / "a.txt", tmp_path / "b.gz.gz"
    text.write_text("a b\n" * 100)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(text, "t.txt")
    twice.write_bytes(gzip.compress(gzip.compress(text.read_bytes())))
    for name in "train", "vocab", "phrases":
        for path, message in (archive, "is a tar archive, "), (twice, "is compressed twice"):
            code, out, err = run(name, text, path, "-o", tmp_path / "o", "--min-count", 1)
            assert (code, out) == (2, "")
            assert f"fastw2v: {path} {message}" in err
            assert not (tmp_path / "o").exists()


def test_outputs_that_the_next_run_would_read(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("a b\n")
    for arguments in ("vocab *.txt -o v.txt", "phrases . -o v.txt", "phrases *.txt -o v --list v.txt"):
        code, _, err = run(*arguments.split())
        assert (code, "output v.txt " in err, "the next run would read it as text" in err) == (2, True, True)
    assert run("vocab", "*.txt", "-o", "v", "--min-count", 1)[0] == 0


@pytest.mark.filterwarnings("always:min_count has no effect")
def test_the_vocabulary_of_a_text_is_read_back(run, tmp_path):
    """Its first word begins with U+FEFF, which readers of a file take for a byte order mark."""
    text, counts = tmp_path / "t.txt", tmp_path / "counts"
    text.write_text("q \ufeffking \ufeffking z king\n" * 50)
    assert run("vocab", text, "-o", counts)[0] == 0
    options = "--read-vocab", counts, "--save-vocab", tmp_path / "again", "--dim", 2, "--quiet", "--threads", 1
    assert run("train", text, "-o", tmp_path / "v", *options) == (0, "", "")
    assert (tmp_path / "again").read_bytes() == counts.read_bytes()
    assert Vectors.load(tmp_path / "v").index_to_key == ["\ufeffking", "king", "q", "z"]
    code, _, err = run("train", text, "-o", tmp_path / "v", "--overwrite", *options, "--min-count", 100)
    assert (code, err.count("warning: min_count has no effect with a given vocabulary")) == (0, 1)
    counts.write_text(f"a 3\n{'b' * 4001} 2\n")
    code, _, err = run("train", text, "-o", tmp_path / "w", *options, "--overwrite")
    assert code == 2
    assert f"vocabulary {counts}, line 2: the word '{'b' * 40}'... has 4,001 bytes: words of a text have up to" in err


def test_byte_order_marks_of_phrases(run, tmp_path):
    text, connectors, listed = (tmp_path / name for name in ("t.txt", "of.txt", "list.txt"))
    text.write_text("x y\n\ufeffqueen of z\n" * 20)
    connectors.write_text("\ufeffof\n")  # as some editors begin a file
    options = "--connector-words", connectors, "--list", listed, "--scoring", "npmi"
    assert run("phrases", text, "-o", tmp_path / "p.txt", *options, "--threshold", 0)[0] == 0
    assert (tmp_path / "p.txt").read_text().startswith("x_y\n\ufeffqueen_of_z\n")
    assert {line.split()[0] for line in listed.read_text("utf-8-sig").splitlines()} == {"x_y", "\ufeffqueen_of_z"}


@pytest.mark.parametrize("scheme", ["file://", "local://"])
def test_a_file_by_its_url_is_a_path(run, tmp_path, scheme):
    (tmp_path / "c.txt").write_text("a b\n" * 9)
    code, _, err = run("vocab", f"{scheme}{tmp_path}/c.txt", "-o", tmp_path / "c.txt", "--overwrite")
    assert code == 2
    assert "is the same file as the input" in err
    code, _, err = run("vocab", f"{scheme}{tmp_path}", "-o", tmp_path / "v.txt")
    assert code == 2
    assert "lies in the corpus directory" in err


def test_names_of_compressed_files(run, tmp_path):
    """What is written is plain text, so its name must not end like theirs."""
    (tmp_path / "c.txt").write_text("a b\n" * 9)
    for arguments in (["vocab", "-o", "v.gz"], ["phrases", "-o", "p", "--list", "l.gz"]):
        code, _, err = run(*arguments, tmp_path / "c.txt")
        message = f"output {arguments[-1]} would not be compressed: leave out .gz, or write to -"
        assert (code, err.count(message)) == (2, 1)
    assert list(tmp_path.iterdir()) == [tmp_path / "c.txt"]
