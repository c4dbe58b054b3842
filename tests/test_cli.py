"""The command line as a user meets it: results, progress, refusals, signals."""

import gzip
import json
import os
import pty
import subprocess
import sys

import pytest
from planted import TRAIN, planted_text, share_of_planted_neighbours

from fastw2v import Progress, Vectors, Vocabulary
from fastw2v.progress import _bar


def test_trains_and_tells(run, planted, tmp_path):
    code, out, err = run("train", planted, "-o", tmp_path / "v.txt", *TRAIN)
    assert (code, out) == (0, "")
    assert share_of_planted_neighbours(Vectors.load(tmp_path / "v.txt")) > 0.95
    assert "30,000 words; vocabulary 96 of 96 distinct, covering 30,000 words" in err
    assert "[########################] 100% epoch 3/3" in err
    assert f"wrote {tmp_path}/v.txt: 96 words" in err
    for phase in ("compile", "read", "train", "write"):
        assert f"{phase} " in err.splitlines()[-1]
    assert "90,000 words trained at" in err.splitlines()[-1]


def test_quiet_is_quiet(run, planted, tmp_path):
    assert run("train", planted, "-o", tmp_path / "v.txt", "--quiet", *TRAIN) == (0, "", "")


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
    assert "words that are not in the given vocabulary" in err
    assert Vectors.load_word2vec_format(tmp_path / "w", binary=True).index_to_key == vocabulary.words[:50]


def test_log(run, planted, tmp_path):
    assert run("train", planted, "-o", tmp_path / "v", "--log-json", tmp_path / "log", *TRAIN)[0] == 0
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert list(records[0]) == [
        "epoch",
        "words",
        "words_total",
        "predictions",
        "loss",
        "loss_error",
        "lr",
        "seconds",
        "words_per_second",
    ]
    slices = [record for record in records if "epoch" in record]
    assert slices[-1]["words"] == slices[-1]["words_total"] == 90_000
    assert {record["epoch"] for record in slices} == {1, 2, 3}
    epochs = [record for record in records if "epoch_ended" in record]
    assert [record["epoch_ended"] for record in epochs] == [1, 2, 3]
    assert records[-1] == epochs[-1]
    assert epochs[-1]["held_out_loss"] is None
    assert epochs[-1]["loss"] < epochs[0]["loss"]


def test_held_out_loss_and_its_curve(run, planted, tmp_path, monkeypatch):
    monkeypatch.setattr("fastw2v.training.lossplot.SECONDS_BETWEEN_PLOTS", 0)
    monkeypatch.setattr("fastw2v.training.lossplot.SHARE_OF_TIME", 1)
    (tmp_path / "held.txt").write_text(planted_text(seed=1, n_sentences=300))
    for suffix, start in ("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"):
        plot = tmp_path / f"loss.{suffix}"
        code, _, err = run(
            "train", planted, "-o", tmp_path / "v", "--overwrite", "--held-out", tmp_path / "held.txt", "--loss-plot",
            plot, *TRAIN,
        )  # fmt: skip
        assert code == 0
        assert [line.split()[1] for line in err.splitlines() if line.startswith("epoch")] == list("0123")
        assert "held-out text: 3,000 words, 0 not in the vocabulary" in err
        assert "last epoch: loss" in err.splitlines()[-2]
        assert "held-out loss" in err.splitlines()[-2]
        assert plot.read_bytes().startswith(start)
    drawn = (tmp_path / "loss.svg").read_text()
    for text in ("words seen", "loss of a prediction", "learning rate", "loss of held-out text", "mean of the epoch"):
        assert f"<!-- {text}" in drawn or text in drawn


def test_held_out_text_is_never_an_output(run, planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "a.txt").write_text(planted_text(seed=1))
    for held_out in ("held", "held/*.txt", "held/a.txt"):
        code, _, err = run("train", planted, "-o", "held/a.txt", "--overwrite", "--held-out", held_out, *TRAIN)
        assert code == 2
        assert "output held/a.txt is the same file as the input" in err
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


def test_the_bar_fits_the_terminal():
    progress = Progress(epoch=2, epochs=5, n_words=30, n_words_total=100, n_predictions=9, loss=2.5, loss_error=0.1,
                        learning_rate=0.02, seconds=3.0, words_per_second=5.5e6)  # fmt: skip
    wide = "[#######.................]  30% epoch 2/5  5.50 M words/s  loss 2.500  lr 0.02  ETA 0:00:07"
    assert _bar(progress) == wide
    assert len(_bar(progress, 80)) < 80
    assert _bar(progress, 80) == wide.replace("#######.................", "####........")
    assert _bar(progress, 40) == wide[27:][:39]


def test_a_closed_stderr_does_not_stop_the_run(planted, tmp_path):
    command = [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v", *TRAIN]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.wait() == 0
    assert len(Vectors.load(tmp_path / "v")) == 96


def test_bar_on_a_terminal(planted, tmp_path):
    main, side = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v", *TRAIN]
    process = subprocess.Popen([*command, "--epochs", "60"], stderr=side)
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(main)
    assert process.wait() == 0
    assert seen.count(b"\r\x1b[K[") > 1, "one line, drawn again"
    assert b"ETA" in seen


@pytest.mark.parametrize(("arguments", "message"), [
    (["missing.txt", "-o", "v"], "corpus missing.txt does not exist, as a path or as a glob: check the spelling"),
    (["empty.txt", "-o", "v"], "the corpus holds no words: it is empty or all white space"),
    (["one.txt", "-o", "v", "--min-count", "1"], "the vocabulary is one word, 'word', of 1 distinct ones found"),
    (["rare.txt", "-o", "v"], "no word of the corpus occurs min_count = 5 times: it has 3 words, 3 distinct"),
    (["good.txt", "-o", "none/v"], "does not exist: create it first"),
    (["good.txt", "-o", "."], "output . is a directory: name a file in it"),
    (["good.txt", "-o", "good.txt"], "output good.txt is the same file as the input good.txt: choose another name"),
    (["good.txt", "-o", "link.txt"], "output link.txt is the same file as the input good.txt"),
    (["good.txt", "-o", "hard.txt", "--overwrite"], "output hard.txt is the same file as the input good.txt"),
    (["good.txt", "-o", "old.txt"], "output old.txt exists: give --overwrite (overwrite=True) to replace it"),
    (["good.txt", "-o", "v", "--save-vocab", "v"], "v is named for two outputs: give each its own file"),
    (["good.txt", "-o", "v", "--log-json", "none/l"], "does not exist: create it first"),
    (["good.txt", "-o", "v", "--read-vocab", "none"], "cannot read vocabulary none: No such file"),
    (["good.txt", "-o", "v", "--dim", "0"], "dim is 0: it must be at least 1 and at most 10000"),
    (["good.txt", "-o", "v", "--lr", "nan"], "lr is nan: it must be above 0"),
    (["good.txt", "-o", "v", "--negative", "0"], "negative is 0: it must be at least 1"),
    (["good.txt", "-o", "v", "--dim", "ten"], "Invalid value for '--dim': 'ten' is not a valid integer"),
    (["good.txt", "-o", "v", "--update", "both"], "Invalid value for '--update'"),
    (["good.txt", "-o", "v", "--vector-size", "5"], "No such option"),
    (["good.txt"], "Missing option '-o'"),
    (["-o", "v"], "Missing argument 'CORPUS...'"),
    (["utf16.txt", "-o", "v"], "utf16.txt is UTF-16, UTF-32 or not text: convert it to UTF-8"),
    (["cut.gz", "-o", "v"], "cut.gz is damaged or cut off near its byte"),
    (["good.txt", "-o", "v", "--temp-dir", "none"], "cannot keep ids in none: No such file or directory"),
])  # fmt: skip
def test_refusals(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    files = {
        "empty.txt": b"", "one.txt": b"word word word", "rare.txt": b"a b c", "good.txt": b"a b c " * 100,
        "old.txt": b"old",
        "utf16.txt": "a b c".encode("utf-16"), "cut.gz": gzip.compress(os.urandom(999))[:-9],
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.txt").symlink_to("good.txt")
    (tmp_path / "hard.txt").hardlink_to("good.txt")
    before = sorted(os.listdir())
    code, out, err = run("train", *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before, "nothing was written"
    assert all((tmp_path / name).read_bytes() == content for name, content in files.items())


def test_divergence_keeps_the_old_file(run, planted, tmp_path):
    (tmp_path / "v").write_text("old")
    code, _, err = run(
        "train", planted, "-o", tmp_path / "v", "--overwrite", "--lr", "100", "--epochs", "50", "--min-count", "1"
    )
    assert code == 1
    assert "training diverged to NaN or infinity" in err
    assert (tmp_path / "v").read_text() == "old"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_disk_full_at_the_end(run, planted):
    code, _, err = run("train", planted, "-o", "/dev/full", *TRAIN)
    assert code == 1
    assert "fastw2v: cannot write /dev/full: No space left on device" in err


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


def test_lines_where_there_is_no_terminal(run, planted, tmp_path, monkeypatch):
    monkeypatch.setattr("fastw2v.progress.SECONDS_BETWEEN_LINES", 0)
    err = run("train", planted, "-o", tmp_path / "v", *TRAIN)[2]
    assert err.count("ETA") > 3
    assert "\r" not in err


def test_help_shows_an_example(run):
    code, out, _ = run("train", "--help")
    assert code == 0
    assert "fastw2v train corpus.txt -o vecs.txt" in out
    assert run("--version")[1].startswith("fastw2v, version ")


def test_warmup(run):
    assert run("warmup") == (0, "", "")
