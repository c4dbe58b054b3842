"""The command line as a user meets it: results, progress, refusals, signals."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from conftest import planted_text, share_of_planted_neighbours

from fastw2v import Progress, Vectors, Vocabulary
from fastw2v.progress import _bar

TRAIN = ["--dim", "20", "--min-count", "1", "--epochs", "3", "--sample", "0", "--lr", "0.05"]


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
    assert records[-1]["words"] == records[-1]["words_total"] == 90_000
    assert {record["epoch"] for record in records} == {1, 2, 3}


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
    assert "12,000,000 words; vocabulary 10,000 of 10,000 distinct" in err
    assert "dropped 1 tokens of more than 1,000 bytes" in err
    assert long_mb < short_mb + 30


def start(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "fastw2v", "train", *map(str, arguments)], stderr=subprocess.PIPE,
                            text=True, **options)  # fmt: skip


def send_and_wait(process, sent):
    """(exit code, stderr, seconds from the signal to the end)"""
    process.send_signal(sent)
    sent_at = time.monotonic()
    _, err = process.communicate()
    return process.returncode, err, time.monotonic() - sent_at


@pytest.mark.parametrize(("sent", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (15, 143, "terminated")])
def test_signal_while_training(planted, tmp_path, sent, code, word):
    (tmp_path / "v").write_text("old")
    room = tmp_path / "room"
    room.mkdir()
    process = start(planted, "-o", tmp_path / "v", "--overwrite", "--epochs", "100000", "--min-count", "1",
                    "--temp-dir", room, "--log-json", tmp_path / "log")  # fmt: skip
    while not (tmp_path / "log").exists():
        time.sleep(0.05)
    got, err, seconds = send_and_wait(process, sent)
    assert got == code
    assert err.splitlines()[-1] == f"fastw2v: {word}: the vectors were not written"
    assert "Traceback" not in err
    assert seconds < 2
    assert (tmp_path / "v").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["log", "planted.txt", "room", "v"]
    assert os.listdir(room) == []


@pytest.mark.parametrize("moment", [0.7, 2.5])
def test_interrupt_while_compiling(planted, tmp_path, moment):
    process = start(planted, "-o", tmp_path / "v", env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cold")})
    time.sleep(moment)
    code, err, seconds = send_and_wait(process, signal.SIGINT)
    assert code == 130
    assert err.splitlines()[-1] == "fastw2v: interrupted: the vectors were not written"
    assert "Traceback" not in err
    assert seconds < 2
    assert not (tmp_path / "v").exists()


@pytest.mark.deep
@pytest.mark.parametrize("cache", ["warm", "cold"])
def test_interrupt_at_any_moment(tmp_path, cache):
    path = tmp_path / "c.txt"
    path.write_text(planted_text(n_sentences=300_000))
    for moment in [0.3 + 0.3 * i for i in range(16)]:
        (tmp_path / "v").unlink(missing_ok=True)
        environment = {"NUMBA_CACHE_DIR": str(tmp_path / f"cold{moment}")} if cache == "cold" else {}
        process = start(path, "-o", tmp_path / "v", "--epochs", "2", "--dim", "300", env={**os.environ, **environment})
        time.sleep(moment)
        code, err, seconds = send_and_wait(process, signal.SIGINT)
        assert "Traceback" not in err, (moment, err)
        assert seconds < 2, moment
        is_done = "words trained" in err
        assert code in ((0, -signal.SIGINT) if is_done else (130,)), (moment, err)
        assert (tmp_path / "v").exists() == is_done
        assert {name for name in os.listdir(tmp_path) if not name.startswith("cold")} <= {"c.txt", "v"}


@pytest.mark.deep
def test_a_cache_that_cannot_be_written(planted, tmp_path):
    (tmp_path / "file").write_text("")
    process = start(
        planted, "-o", tmp_path / "v", *TRAIN, env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file")}
    )
    _, err = process.communicate()
    assert process.returncode == 0
    assert err.count("warning: cannot keep compiled kernels in") == 1
    assert len(Vectors.load(tmp_path / "v")) == 96


def shell(script, directory):
    """Run a bash script where `train` is the command on a small corpus to `$1 ...`."""
    command = f"{sys.executable} -m fastw2v train c.txt --quiet --threads 1 {' '.join(TRAIN)}"
    return subprocess.run(["bash", "-c", f"train() {{ {command} \"$@\"; }}; {script}"], cwd=directory, text=True,
                          capture_output=True, check=False)  # fmt: skip


@pytest.fixture
def small(tmp_path):
    (tmp_path / "c.txt").write_text(planted_text(n_sentences=100))
    return tmp_path


def test_stdout_is_written_where_it_stands(small):
    assert (
        shell("echo before > all; train -o - >> all; train -o - > one; cat one > two; train -o v", small).returncode
        == 0
    )
    assert (small / "all").read_bytes() == b"before\n" + (small / "one").read_bytes()
    assert (small / "one").read_bytes() == (small / "v").read_bytes()


def test_a_reader_that_leaves_early(small):
    got = shell("train -o - | head -1; echo ${PIPESTATUS[0]}", small)
    assert (got.stdout, got.stderr) == ("96 20\n0\n", "")


def test_a_short_write_is_an_error(small):
    got = shell("ulimit -f 8; train -o - > out", small)
    assert got.returncode == 1
    assert "cannot write -: File too large" in got.stderr
    got = shell("ulimit -f 8; train -o out2", small)
    assert got.returncode == 1
    assert not (small / "out2").exists()


def test_closed_standard_streams(small):
    got = shell("train - -o v <&-", small)
    assert (got.returncode, got.stderr) == (2, "fastw2v: the corpus is stdin (-), which is closed\n")
    got = shell("train -o - >&-", small)
    assert (got.returncode, got.stderr) == (2, "fastw2v: the output is -, which is closed\n")
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
    assert "is the same file as the input" in got.stderr
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


def test_a_log_that_cannot_be_written_does_not_stop_the_run(run, planted, tmp_path):
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--log-json", "/dev/full", *TRAIN)
    assert code == 0
    assert err.count("warning: cannot write the log /dev/full: No space left on device; going on without it") == 1


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
