"""What the command line does with vectors."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from fastw2v import Vectors, modelfile
from fastw2v.modelfile import ModelFile


@pytest.fixture
def vecs(tmp_path):
    """A circle of words, wK at the angle K degrees."""
    angles = np.radians(np.arange(0, 360, 10))
    vectors = Vectors([f"w{i}" for i in range(0, 360, 10)], np.stack([np.cos(angles), np.sin(angles)], axis=1))
    path = tmp_path / "vecs.txt"
    vectors.save(path)
    return path


def test_similar(run, vecs):
    code, out, err = run("similar", vecs, "w100", "-n", 2)
    assert (code, err) == (0, "")
    assert sorted(line.split("\t")[0] for line in out.splitlines()) == ["w110", "w90"]
    assert out.splitlines()[0].split("\t")[1] == f"{np.cos(np.radians(10)):.4f}"
    assert run("similar", vecs, "w100", "w120", "-n", 1)[1].startswith("w110\t")


def test_unknown_word(run, vecs):
    code, out, err = run("similar", vecs, "w1000")
    assert (code, out) == (2, "")
    assert err.startswith("fastw2v: the word 'w1000' has no vector; similarly spelled words are w100")


def test_similar_reads_words_from_stdin(vecs):
    command, lines = [sys.executable, "-m", "fastw2v", "similar", vecs, "-n", "1"], "w0 w20\n\nno\nw0 w40\n"
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [["w0 w20", "w10"], ["w0 w40", "w20"]]
    assert done.stderr.startswith("fastw2v: the word 'no' has no vector")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_words_on_stdin_are_utf_8_whatever_the_locale_says(tmp_path, encoding):
    (tmp_path / "v.txt").write_text("2 1\nKönig 1\nKönigin 1\n", encoding="utf-8")
    command = [sys.executable, "-m", "fastw2v", "similar", tmp_path / "v.txt"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, input="König\n".encode(), capture_output=True, env=environment, check=True)
    assert done.stdout.decode(encoding).startswith("König\tKönigin\t")


def test_a_reader_that_leaves_early_is_no_error(vecs):
    command = f"{sys.executable} -m fastw2v similar {vecs} w0 -n 30 | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_analogy(run, vecs):
    code, out, _ = run("analogy", vecs, "w0", "w90", "w20", "-n", 1)
    assert code == 0
    assert out.startswith("w1")
    assert out.count("\n") == 1


def test_evaluate(run, vecs, tmp_path):
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("".join(f"w0\tw{i}\t{180 - i}\n" for i in range(10, 180, 10)) + "w0\tx\t5\n")
    questions.write_text(": places\nw0 w90 w10 w70\n: gram1\nw0 w10 w20 w30\nw0 w10 w20 x\n")
    code, out, _ = run("evaluate", vecs, "--pairs", pairs, "--analogies", questions)
    assert code == 0
    assert "36 words x 2" in out
    assert next(line.split() for line in out.splitlines() if line.startswith("pairs.tsv"))[2:] == ["1.000", "5.6%"]
    for name in ("places", "gram1", "semantic", "syntactic", "all"):
        assert f"\n{name} " in out
    code, out, _ = run("evaluate", vecs, "--pairs", pairs, "--analogies", questions, "--json")
    found = json.loads(out)
    assert found["pairs"][0]["spearman"] == pytest.approx(1)
    assert [score["asked"] for score in found["analogies"]["sections"]] == [1, 1, 1, 1, 2]
    code, _, err = run("evaluate", vecs)
    assert (code, err) == (2, "fastw2v: nothing to evaluate: give --pairs FILE, --analogies FILE or both\n")


@pytest.mark.parametrize("name", ["o.bin", "o.npz", "o.fw2v", "o.txt.gz", "o.vec"])
def test_convert(run, vecs, tmp_path, name):
    assert run("convert", vecs, tmp_path / name) == (0, "", "")
    got = Vectors.load(tmp_path / name)
    np.testing.assert_array_equal(got.vectors, Vectors.load(vecs).vectors)
    code, _, err = run("convert", vecs, tmp_path / name)
    assert code == 2
    assert "exists: give --overwrite" in err
    code, out, _ = run("info", tmp_path / name)
    assert code == 0
    assert "36 words x 2" in out
    assert "first words: w0 w10 w20" in out


def test_convert_to_tensorboard_and_glove(run, vecs, tmp_path):
    assert run("convert", vecs, tmp_path / "vectors.tsv", "--limit", 5)[0] == 0
    assert (tmp_path / "metadata.tsv").read_text() == "w0\nw10\nw20\nw30\nw40\n"
    assert run("convert", vecs, tmp_path / "vectors.tsv")[0] == 2
    assert run("convert", vecs, tmp_path / "g.txt", "--to", "glove")[0] == 0
    assert (tmp_path / "g.txt").read_text().startswith("w0 1 0\n")
    code, _, err = run("convert", vecs, vecs, "--overwrite")
    assert code == 2
    assert "is the same file as the input" in err


def test_info_finds_damage(run, vecs, tmp_path):
    Vectors.load(vecs).save(tmp_path / "v.fw2v")
    data = bytearray((tmp_path / "v.fw2v").read_bytes())
    data[-100] ^= 255
    (tmp_path / "v.fw2v").write_bytes(data)
    code, _, err = run("info", tmp_path / "v.fw2v")
    assert code == 2
    assert "is damaged" in err


def test_whatever_reads_all_of_a_file_finds_damage(run, vecs, tmp_path, monkeypatch):
    monkeypatch.setattr(modelfile, "CHECKED_WHOLE", 0)
    (tmp_path / "a.txt").write_text(": s\nw0 w10 w20 w30\n")
    (tmp_path / "c.txt").write_text("w0 w10 w20\n" * 50)
    path = tmp_path / "v.fw2v"
    vectors = Vectors.load(vecs)
    about = {"model": "skipgram", "loss": "ns"}
    parts = {"counts": np.arange(36, 0, -1), "output_vectors": vectors.vectors, "training": about}
    modelfile.write(path, ModelFile(vectors.index_to_key, vectors.vectors, **parts))
    whole = path.read_bytes()
    training = "train", tmp_path / "c.txt", "-o", tmp_path / "o.txt", "--dim", 2, "--min-count", 1, "--lr", 0.01
    commands = [
        ("info", path),
        ("convert", path, tmp_path / "o.txt"),
        ("convert", path, tmp_path / "o.txt", "--limit", 3),
        ("evaluate", path, "--analogies", tmp_path / "a.txt"),
        (*training, "--init-vectors", path),
        (*training, "--continue-from", path),
    ]
    for place, message in (whole.index(b"w0\n"), "words"), (-70, "output_vectors"):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        for command in commands:
            code, _, err = run(*command)
            assert (code, f"the checksum of its {message} does not match" in err) == (2, True), (command, err)
            assert not (tmp_path / "o.txt").exists()
        assert run("similar", path, "w10")[0] == 0, "a mapped file is not read"


def test_correlations_that_are_not_defined(run, vecs, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("w0\tw10\t1\nw0\tw20\t2\n")
    code, out, _ = run("evaluate", vecs, "--pairs", pairs)
    assert code == 0
    assert out.splitlines()[-1].split() == ["pairs.tsv", "-", "-", "0.0%"]
    assert json.loads(run("evaluate", vecs, "--pairs", pairs, "--json")[1])["pairs"][0]["pearson"] is None
    pairs.write_text("w0\tw10\tnan\n")
    assert "holds the score 'NAN': scores are finite numbers" in run("evaluate", vecs, "--pairs", pairs)[2]


def test_similar_without_stdin_or_with_bytes_that_are_no_text(vecs):
    command = f"{sys.executable} -m fastw2v similar"
    for end, code, message in (
        (f"{vecs} <&-", 2, "stdin is closed: name the words"),
        (f"- < {vecs}", 2, "stdin cannot hold both the vectors and the words"),
        (rf"{vecs} -n 1 < <(printf '\xff\nw0 w20\n')", 0, "has no vector"),
    ):
        done = subprocess.run(["bash", "-c", f"{command} {end}"], capture_output=True, text=True, check=False)
        assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


def test_info_of_stdin_and_of_zeros(tmp_path):
    (tmp_path / "v.txt").write_text("2 2\na 0 0\nb 3 4\n")
    command = f"{sys.executable} -m fastw2v info - < {tmp_path / 'v.txt'}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[::2] == ["-: text, 2 words x 2", "norms of the vectors: 0 to 5, mean 2.5"]


def test_a_model_is_not_converted_in_silence(run, planted, tmp_path):
    run("train", planted, "-o", tmp_path / "v.txt", "--save-model", tmp_path / "m.fw2v", "--epochs", 1)
    code, _, err = run("convert", tmp_path / "m.fw2v", tmp_path / "v.npz")
    assert (code, "its output vectors, which --continue-from needs, are not in" in err) == (0, True)


def test_inputs_that_cannot_be_are_refused_before_numpy_is_loaded(vecs, tmp_path):
    for arguments in (
        ("convert", "missing.txt", "o.txt"),
        ("convert", "v.tsv", "o.txt"),
        ("convert", vecs, tmp_path / "nowhere" / "o.txt"),
        ("convert", vecs, vecs, "--overwrite"),
        ("info", "missing.fw2v"),
        ("plot", "missing.txt", "-o", tmp_path / "o.html"),
        ("similar", "missing.txt", "a"),
    ):
        code = f"""if True:
            import sys
            from fastw2v import cli
            sys.argv = ["fastw2v", *{[str(argument) for argument in arguments]}]
            try: cli.main()
            except SystemExit as stopped: print(stopped.code, "numpy" in sys.modules)"""
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout == "2 False\n", arguments
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["v\udcff.txt", "v$\\x$.txt"])
@pytest.mark.parametrize("suffix", ["html", "png"])
def test_a_map_of_a_file_with_any_name(run, vecs, tmp_path, name, suffix):
    (tmp_path / name).write_bytes(vecs.read_bytes())
    assert run("plot", tmp_path / name, "-o", tmp_path / f"m.{suffix}")[0] == 0


def test_info_of_the_largest_numbers(run, tmp_path):
    Vectors(["a", "b"], np.full((2, 2), 2e38)).save(tmp_path / "v.txt")
    assert "norms of the vectors: 2.828e+38 to 2.828e+38, mean 2.828e+38\n" in run("info", tmp_path / "v.txt")[1]


def test_queries_of_stdin_are_a_column(vecs):
    command = [sys.executable, "-m", "fastw2v", "similar", vecs, "-n", "1"]
    done = subprocess.run(command, input="w0 w20\nw100\n", capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["w0 w20", "w100"]
    assert rows[0][1] == "w10"
    done = subprocess.run([*command, "--json"], input="w0 w20\nno\n", capture_output=True, text=True, check=True)
    found, unknown = map(json.loads, done.stdout.splitlines())
    assert found["query"] == ["w0", "w20"]
    assert found["neighbours"][0]["word"] == "w10"
    assert unknown["query"] == ["no"]
    assert unknown["error"].startswith("the word 'no' has no vector")


def test_similar_as_json(run, vecs):
    code, out, _ = run("similar", vecs, "w0", "w20", "-n", "1", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["query"] == ["w0", "w20"]
    assert found["neighbours"] == [{"word": "w10", "cosine": 1.0}]


def test_the_directory_of_checkpoints_is_vectors_too(run, planted, tmp_path):
    run("train", planted, "-o", tmp_path / "v.txt", "--checkpoint", tmp_path / "c", "--min-count", "1", "--epochs", "1")
    code, out, _ = run("similar", tmp_path / "c", "t0w0", "-n", "1")
    assert code == 0
    assert out == run("similar", tmp_path / "v.txt", "t0w0", "-n", "1")[1]


def test_convert_to_a_directory_and_to_safetensors(run, vecs, tmp_path):
    assert run("convert", vecs, tmp_path / "model", "--format", "model2vec")[0] == 0
    assert sorted(os.listdir(tmp_path / "model")) == ["config.json", "model.safetensors", "tokenizer.json"]
    code, _, err = run("convert", vecs, tmp_path / "model", "--to", "model2vec")
    assert code == 2
    assert "exists: give --overwrite" in err
    assert run("convert", vecs, tmp_path / "v.safetensors")[0] == 0
    assert np.array_equal(Vectors.load(tmp_path / "v.safetensors").vectors, Vectors.load(vecs).vectors)
