"""fastw2v train as a user meets it: results, refusals, texts, memory."""

import gzip
import os
import re
import subprocess
import sys

import pytest
from planted import TRAIN, planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import Vectors, Vocabulary
from fastw2v.kernels.jit import MAX_THREADS


def test_trains_and_tells(run, planted, tmp_path):
    code, out, err = run("train", planted, "-o", tmp_path / "v.txt", *TRAIN)
    assert (code, out) == (0, "")
    assert share_of_planted_neighbours(Vectors.load(tmp_path / "v.txt")) > 0.95
    assert "30,000 tokens; vocabulary: 96 of 96 distinct words, covering 30,000 tokens" in err
    assert "[########################] 100% epoch 3/3" in err
    assert f"wrote {tmp_path}/v.txt: 96 words" in err
    *_, figures, advice = err.splitlines()
    for phase in ("compile", "read", "train", "write"):
        assert f"{phase} " in figures
    assert "90,000 tokens trained at" in figures
    assert advice.startswith(f"next: fastw2v similar {tmp_path}/v.txt t")


RUNS = [
    ["train", "--deterministic", "--tracks", 3],
    ["train", "--deterministic", "--model", "cbow", "--held-out-share", 0.1, "--patience", 1],
    ["train", "--deterministic", "--loss", "hs", "--update", "pair"],
    ["train", "--deterministic", "--loss", "softmax", "--max-vocab", 50],
    ["vocab"],
    ["phrases", "--threshold", 0.1, "--min-count", 1],
]


@pytest.mark.parametrize("arguments", RUNS, ids=str)
def test_the_number_of_threads_changes_no_byte(run, planted, tmp_path, arguments):
    command, *options = arguments
    told = []
    for threads in range(1, min(3, MAX_THREADS) + 1):
        output = tmp_path / f"{threads}.txt"
        given = [*options, *TRAIN] if command == "train" else options
        code, _, err = run(command, planted, "-o", output, "--threads", threads, *given)
        assert code == 0, err
        told.append((output.read_bytes(), re.findall("fingerprint (.*)", err)))
    assert told == told[:1] * len(told)
    if command == "train":
        [fingerprint] = told[0][1]
        assert f"fingerprint of the words and the vectors: {fingerprint}\n" in run("info", output)[1]


def test_quiet_is_quiet(run, planted, tmp_path):
    assert run("train", planted, "-o", tmp_path / "v.txt", "--quiet", *TRAIN) == (0, "", "")


@pytest.mark.filterwarnings("ignore:min_count has no effect")
def test_formats_and_vocabulary(run, planted, tmp_path):
    assert run("train", planted, "-o", tmp_path / "v.bin", "--save-vocab", tmp_path / "vocab", *TRAIN)[0] == 0
    vectors, vocabulary = Vectors.load(tmp_path / "v.bin"), Vocabulary.load(tmp_path / "vocab")
    assert vectors.index_to_key == vocabulary.words
    assert vocabulary.counts.sum() == 30_000
    small = tmp_path / "small"
    small.write_text(
        "".join(f"{word} {count}\n" for word, count in zip(vocabulary.words[:50], vocabulary.counts[:50], strict=True))
    )
    code, _, err = run("train", planted, "-o", tmp_path / "w", "--format", "binary", "--read-vocab", small, *TRAIN)
    assert code == 0
    assert "tokens that are not in the given vocabulary" in err
    assert Vectors.load_word2vec_format(tmp_path / "w", binary=True).index_to_key == vocabulary.words[:50]


def test_held_out_loss_and_its_curve(run, planted, tmp_path, monkeypatch):
    monkeypatch.setattr("fastw2v.vectors.lossplot.SECONDS_BETWEEN_PLOTS", 0)
    monkeypatch.setattr("fastw2v.vectors.lossplot.SHARE_OF_TIME", 1)
    (tmp_path / "held.txt").write_text(planted_text(seed=1, n_sentences=300))
    for suffix, start in ("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"):
        plot = tmp_path / f"loss.{suffix}"
        listening = "--held-out", tmp_path / "held.txt", "--loss-plot", plot
        code, _, err = run("train", planted, "-o", tmp_path / "v", "--overwrite", *listening, *TRAIN)
        assert code == 0
        assert [line.split()[1] for line in err.splitlines() if line.startswith("epoch")] == list("0123")
        assert "held-out text: 3,000 tokens, 0 not in the vocabulary" in err
        assert "last epoch: loss" in err.splitlines()[-3]
        assert "held-out loss" in err.splitlines()[-3]
        assert plot.read_bytes().startswith(start)
    drawn = (tmp_path / "loss.svg").read_text()
    for text in ("words seen", "loss of a prediction", "learning rate", "loss of held-out text", "loss of a sample"):
        assert f"<!-- {text}" in drawn or text in drawn


def test_held_out_text_is_never_an_output(run, planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "a.txt").write_text(planted_text(seed=1))
    for held_out, message in (
        ("held", "held-out text: output held/a.txt lies in the corpus directory held: "),
        ("held/*.txt", "held-out text: output held/a.txt matches the corpus glob held/*.txt: "),
        ("held/a.txt", "output held/a.txt is the same file as the input"),
    ):
        code, _, err = run("train", planted, "-o", "held/a.txt", "--overwrite", "--held-out", held_out, *TRAIN)
        assert code == 2
        assert message in err
    code, _, err = run("train", planted, "-o", "v", "--held-out", "nothing.txt", *TRAIN)
    assert code == 2
    assert "held-out text: corpus nothing.txt does not exist" in err
    code, _, err = run("train", "-", "-o", "v", "--held-out", "-", *TRAIN)
    assert code == 2
    assert "held-out text: stdin (-) is the corpus already" in err


def test_a_plot_that_cannot_be_drawn(run, planted, tmp_path, monkeypatch):
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--loss-plot", tmp_path / "loss.gif", *TRAIN)
    assert code == 2
    assert "loss.gif: its name must end in .png, .svg or .pdf" in err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--loss-plot", tmp_path / "loss.png", *TRAIN)
    assert code == 2
    assert "a plot needs the package matplotlib: pip install 'matplotlib'" in err
    assert not (tmp_path / "v").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
@pytest.mark.filterwarnings("always")
def test_a_plot_without_room_does_not_stop_the_run(run, planted, tmp_path):
    (tmp_path / "loss.png").symlink_to("/dev/full")
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--loss-plot", tmp_path / "loss.png", *TRAIN)
    assert code == 0
    assert "warning: the loss could not be drawn: cannot write" in err
    assert len(Vectors.load(tmp_path / "v")) == 96


def test_stdin_to_stdout(planted, tmp_path):
    command = [sys.executable, "-m", "fastw2v", "train", "-", "-o", "-", "--threads", "1", *TRAIN]
    piped = subprocess.run(command, input=gzip.compress(planted.read_bytes()), capture_output=True, check=True)
    (tmp_path / "v").write_bytes(piped.stdout)
    assert share_of_planted_neighbours(Vectors.load(tmp_path / "v")) > 0.95
    with (tmp_path / "redirected").open("wb") as file:
        subprocess.run(command, input=planted.read_bytes(), stdout=file, stderr=subprocess.PIPE, check=True)
    assert (tmp_path / "redirected").read_bytes() == piped.stdout


REFUSED = [
    ("missing.txt -o v", "corpus missing.txt does not exist, and as a glob it matches nothing: check the spelling"),
    ("empty.txt -o v", "the corpus holds no words: it is empty or all white space"),
    ("one.txt -o v --min-count 1", "the vocabulary is one word, 'word', of 1 distinct words found"),
    ("rare.txt -o v", "no word of the corpus occurs 5 times (min_count): of 3 tokens and 3 distinct words"),
    ("good.txt -o none/v", "does not exist: create it first"),
    ("good.txt -o .", "output . is a directory: name a file in it"),
    ("good.txt -o good.txt", "output good.txt is the same file as the input good.txt: choose another name"),
    ("good.txt -o link.txt", "output link.txt is the same file as the input good.txt"),
    ("good.txt -o hard.txt --overwrite", "output hard.txt is the same file as the input good.txt"),
    (
        "g* -o g",
        "output g matches the corpus glob g*: the next run would read it as text; choose another name or place",
    ),
    ("in -o in/v", "output in/v lies in the corpus directory in: the next run would read it as text; choose a place"),
    ("in -o v --checkpoint in/ck", "output in/ck/checkpoint.fw2v lies in the corpus directory in: "),
    ("in -o v --checkpoint in", "output in/checkpoint.fw2v lies in the corpus directory in: "),
    ("in -o v --save-vocab in/w", "output in/w lies in the corpus directory in: "),
    ("in -o v --log-json in/w", "output in/w lies in the corpus directory in: "),
    ("in -o v --save-model in/w.fw2v", "output in/w.fw2v lies in the corpus directory in: "),
    ("in -o v --loss-plot in/w.png", "output in/w.png lies in the corpus directory in: "),
    ("in -o v.tsv --dask local:1 --log-json in/w", "output in/w lies in the corpus directory in: "),
    ("good.txt -o old.txt", "output old.txt exists: give --overwrite (overwrite=True) to replace it"),
    ("good.txt -o v --save-vocab v", "v is given as two outputs: give each its own file"),
    ("good.txt -o v --log-json none/l", "does not exist: create it first"),
    ("good.txt -o v --read-vocab none", "cannot read vocabulary none: No such file"),
    ("good.txt -o v --dim 0", "dim is 0: it must be from 1 to 10,000"),
    ("good.txt -o v --lr nan", "lr is nan: it must be from 1e-30 to"),
    ("good.txt -o v --negative 0", "negative is 0: it must be from 1 to"),
    ("good.txt -o v --dim ten", "Invalid value for '--dim': 'ten' is not a valid integer"),
    ("good.txt -o v --update both", "Invalid value for '--update'"),
    ("good.txt -o v --vector-size 5", "No such option '--vector-size'. Did you mean --dim?"),
    ("good.txt", "Missing option '-o'"),
    ("-o v", "Missing argument 'CORPUS...'"),
    ("utf16.txt -o v", "utf16.txt is UTF-16, UTF-32 or not text: convert it to UTF-8"),
    ("cut.gz -o v", "cut.gz is damaged or cut off near its byte"),
    ("good.txt -o v --temp-dir none", "cannot keep the encoded corpus in none: No such file or directory"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_refusals(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    files = {
        "empty.txt": b"",
        "one.txt": b"word word word",
        "rare.txt": b"a b c",
        "good.txt": b"a b c " * 100,
        "old.txt": b"old",
        "utf16.txt": "a b c".encode("utf-16"),
        "cut.gz": gzip.compress(os.urandom(999))[:-9],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(files["good.txt"])
    (tmp_path / "link.txt").symlink_to("good.txt")
    (tmp_path / "hard.txt").hardlink_to("good.txt")
    before = sorted(os.listdir())
    code, out, err = run("train", *arguments.split())
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before, "nothing was written"
    assert os.listdir("in") == ["a.txt"]
    assert all((tmp_path / name).read_bytes() == content for name, content in files.items())


@pytest.fixture
def items(planted, tmp_path):
    """A model of the planted words and two that only some formats hold."""
    sentences = [["two words", "", *line.split()] for line in planted.read_text().splitlines()]
    path = tmp_path / "items.fw2v"
    fastw2v.train_model(sentences=sentences, dim=20, min_count=1, epochs=1, threads=1).save(path)
    return path


CONTINUED = ["--lr", "0.001", "--dim", "20", "--min-count", "1", "--epochs", "1", "--threads", "1"]

NOT_STORABLE = [
    ("v.txt", "is empty or holds white space, so no word2vec file can hold it: rename it, or use another format, such"),
    ("v.bin", "is empty or holds white space, so no word2vec file can hold it: rename it, or use another format, such"),
    ("v.tsv", "is empty or holds a tab or a line end: a file of words cannot hold it; use another format, such as"),
]


@pytest.mark.parametrize(("output", "message"), NOT_STORABLE)
def test_words_that_the_format_cannot_hold_are_refused_before_training(
    run, planted, items, tmp_path, monkeypatch, output, message
):
    monkeypatch.setattr("fastw2v.training.train.start", lambda *arguments: pytest.fail("it trains"))
    before = sorted(tmp_path.iterdir())
    command = ["train", planted, "-o", tmp_path / output, "--continue-from", items, *CONTINUED]
    code, _, err = run(*command, "--save-vocab", tmp_path / "w", "--save-model", tmp_path / "m.fw2v")
    assert code == 2
    assert message in err
    assert sorted(tmp_path.iterdir()) == before


def test_words_that_the_format_can_hold_are_written(run, planted, items, tmp_path):
    command = ["train", planted, "--continue-from", items, *CONTINUED, "--checkpoint", tmp_path / "c"]
    for output in "v.fw2v", "v.npz":
        assert run(*command, "-o", tmp_path / output, "--resume")[0] == 0
        assert {"two words", ""} < set(Vectors.load(tmp_path / output).index_to_key)
    code, _, err = run(*command, "-o", tmp_path / "v.txt", "--resume")
    assert code == 2
    assert "so no word2vec file can hold it" in err


def test_a_word_that_is_too_long_for_npz_is_refused_before_training(run, planted, tmp_path, monkeypatch):
    monkeypatch.setattr("fastw2v.training.train.start", lambda *arguments: pytest.fail("it trains"))
    (tmp_path / "t.txt").write_text(planted.read_text() + "x" * 1000 + "\n")
    code, _, err = run("train", tmp_path / "t.txt", "-o", tmp_path / "v.npz", *TRAIN)
    assert code == 2
    assert "the longest word has 1000 letters, and npz would reserve as many for every word: use another format" in err
    assert not (tmp_path / "v.npz").exists()


def test_divergence_keeps_the_old_file(run, planted, tmp_path):
    (tmp_path / "v").write_text("old")
    code, _, err = run(
        "train", planted, "-o", tmp_path / "v", "--overwrite", "--lr", "100", "--epochs", "50", "--min-count", "1"
    )
    assert code == 1
    assert "training diverged to NaN or infinity" in err
    assert (tmp_path / "v").read_text() == "old"


def test_odd_texts_train(run, tmp_path):
    text = planted_text()
    odd = {
        "crlf": text.replace("\n", "\r\n").encode(),
        "bom": b"\xef\xbb\xbf" + text.encode(),
        "nul": text.encode().replace(b" ", b"\x00", 1000),
        "invalid": text.encode() + b"caf\xe9 \xff\xfe\n" * 3,
        "separators": text.replace(" ", "\u3000\u00a0\u2028").encode(),
    }
    for name, content in odd.items():
        (tmp_path / name).write_bytes(content)
        code, _, err = run("train", tmp_path / name, "-o", tmp_path / f"{name}.vec", *TRAIN)
        assert code == 0, err
        vectors = Vectors.load(tmp_path / f"{name}.vec")
        planted_words = [word for word in vectors if word.startswith("t")]
        assert len(planted_words) == 96
        assert share_of_planted_neighbours(Vectors(planted_words, vectors[planted_words])) > 0.95
        (tmp_path / f"{name}.vec").read_text("utf-8")
        assert ("were not valid UTF-8" in err) == (name == "invalid")


def test_warmup(run):
    run("warmup")
    code, out, err = run("warmup")
    assert (code, out) == (0, "")
    assert re.fullmatch(r"the kernels are compiled already\ndone in [\d.]+ s; the kernels are in .+\n", err), err


def peak_mb(path, *options):
    """(peak memory of a training in MB, its stderr)"""
    code = (
        "import resource; from fastw2v.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    command = [sys.executable, "-c", code, "train", path, "-o", os.devnull, *options]
    got = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(got.stdout), got.stderr


def test_a_line_of_100_mb_takes_the_memory_of_short_lines(tmp_path):
    words = [f"w{i}" for i in range(10_000)]
    long, short = tmp_path / "long", tmp_path / "short"
    long.write_text("y" * 30_000_000 + " " + (" ".join(words) + " ") * 1200)
    short.write_text(("\n".join(map(" ".join, zip(*[iter(words)] * 10, strict=True))) + "\n") * 1200)
    assert long.stat().st_size > 100_000_000
    options = ("--dim", "8", "--epochs", "1")
    long_mb, err = peak_mb(long, *options)
    short_mb, _ = peak_mb(short, *options)
    assert "read 100." in err
    assert "12,000,000 tokens; vocabulary: 10,000 of 10,000 distinct words" in err
    assert "dropped 1 tokens of more than 1,000 bytes" in err
    assert long_mb < short_mb + 30


def test_text_is_prepared(run, tmp_path):
    (tmp_path / "t.txt").write_text("The king, the Queen (1984)! " * 100)
    how = ["--lower", "--strip-punctuation", "--digits", "zero"]
    assert run("train", tmp_path / "t.txt", "-o", tmp_path / "v.txt", *how, *TRAIN)[0] == 0
    assert set(Vectors.load(tmp_path / "v.txt").index_to_key) == {"the", "king", "queen", "0000"}
    code, _, err = run("train", tmp_path / "t.txt", "-o", tmp_path / "w.txt", *TRAIN)
    assert code == 0
    assert "hint: 40% of the words end in punctuation, such as 'king,': --strip-punctuation removes it" in err
    assert "hint: 20% of the words also occur in lower case, such as 'The': --lower makes them one word" in err


def test_a_share_is_kept_out_and_ends_the_run(run, planted, tmp_path):
    how = ["--held-out-share", "0.2", "--patience", "1", "--lr", "0.3", "--dim", "20", "--min-count", "1"]
    code, _, err = run("train", planted, "-o", tmp_path / "v.txt", "--epochs", "20", *how)
    assert code == 0
    assert "held-out text: 6," in err or "held-out text: 5," in err
    assert "with the lowest held-out loss" in err


def test_a_run_that_is_complete(run, planted, tmp_path):
    job = ["train", planted, "-o", tmp_path / "v.txt", "--checkpoint", tmp_path / "c", "--resume", *TRAIN]
    assert run(*job)[0] == 0
    before = (tmp_path / "v.txt").stat().st_mtime_ns
    code, _, err = run(*job)
    assert code == 0
    assert f"the run in {tmp_path}/c is complete, and {tmp_path}/v.txt is there: nothing to do (--overwrite" in err
    assert (tmp_path / "v.txt").stat().st_mtime_ns == before
    code, _, err = run(*job, "--window", "3")
    assert code == 2
    assert "a run with window 5; this run has 3" in err
    code, _, err = run(*job, "--overwrite")
    assert code == 0
    assert "nothing was left to train" in err
    (tmp_path / "v.txt").unlink()
    assert run(*job)[0] == 0
    assert (tmp_path / "v.txt").exists()
