"""What a stranger does wrong, on the command line and in Python, and the advice that each mistake gets."""

import gzip
import os
import shlex

import numpy as np
import pytest

import fastw2v

COMMANDS = {
    # the corpus
    "train corpsu.txt -o v.txt": "does not exist, and as a glob it matches nothing: check the spelling",
    "train -o v.txt": "Missing argument 'CORPUS...'",
    "train text.txt": "Missing option '-o'",
    "train 'no*.txt' -o v.txt": "does not exist, and as a glob it matches nothing",
    "train empty.txt -o v.txt": "the corpus holds no words: it is empty or all white space",
    "train rare.txt -o v.txt": "Lower --min-count or give more text",
    "train utf16.txt -o v.txt": "iconv -f UTF-16 -t UTF-8",
    "train latin1.txt -o v.txt": "iconv -f WINDOWS-1252 -t UTF-8",
    "train chinese.txt -o v.txt": "split it into words first, with jieba",
    "train punctuated.txt -o v.txt --min-count 20": "--strip-punctuation removes it",
    "train numbers.txt -o v.txt --digits drop": "the corpus holds no words",
    "train vectors.txt -o v.txt": "begins like a file of vectors (a line 'n dim', then rows of numbers): leave",
    "train vectors.fw2v -o v.txt": "is a file of vectors of fastw2v, which is not text",
    "train table.parquet -o v.txt": "is Parquet data, which is not text: extract the text first",
    "train pages.pdf -o v.txt": "is a PDF document, which is not text",
    "train cut.gz -o v.txt": "cut.gz is damaged or cut off near its byte",
    # where the vectors go
    "train text.txt -o text.txt": "output text.txt is the same file as the input text.txt: choose another name",
    "train text.txt -o old.txt": "output old.txt exists: give --overwrite",
    "train text.txt -o none/v.txt": "does not exist: create it first",
    "train text.txt -o v.parquet": "files that end in .parquet are not written: use .txt",
    "train text.txt -o v.kv": "files that end in .kv are not written",
    "train text.txt -o v.npz.gz": "only text and binary files can be compressed; leave out .gz",
    "train texts -o texts/v.txt": "lies in the corpus directory texts: the next run would read it as text",
    # other trainers' options
    "train text.txt -o v.txt --size 50": "Did you mean --dim?",
    "train text.txt -o v.txt -size 50": "Did you mean --dim?",
    "train text.txt -o v.txt --vector-size 50": "Did you mean --dim?",
    "train text.txt -o v.txt --workers 2": "Did you mean --threads?",
    "train text.txt -o v.txt --iter 5": "Did you mean --epochs?",
    "train text.txt -o v.txt --alpha 0.01": "Did you mean --lr?",
    "train text.txt -o v.txt --sg 1": "Did you mean --model (1: skipgram, 0: cbow)?",
    "train text.txt -o v.txt --hs 1": "Did you mean --loss (1: hs, 0: ns)?",
    "train text.txt -o v.txt -minCount 1": "Did you mean --min-count?",
    "train text.txt -o v.txt -ws 5": "Did you mean --window?",
    "train -train text.txt -output v.txt": "No such option",
    # values
    "train text.txt -o v.txt --dim 0": "dim is 0: it must be from 1 to 10,000",
    "train text.txt -o v.txt --dim big": "'big' is not a valid integer",
    "train text.txt -o v.txt --model glove": "'glove' is not one of 'skipgram', 'cbow'",
    "train text.txt -o v.txt --lr -1": "lr is -1.0: it must be from 1e-30 to",
    "train text.txt -o v.txt --held-out-share 2": "held_out_share is 2.0: it must be from 0 to 0.5",
    "train text.txt -o v.txt --patience 2": "patience needs held-out text: give held_out_share",
    "train text.txt -o v.txt --held-out none.txt": "held-out text: corpus none.txt does not exist",
    "train text.txt -o v.txt --held-out rare.txt --held-out-share 0.1": "are both held-out text: give one",
    "train text.txt -o v.txt --resume": "resume needs the directory of the checkpoint to resume from",
    "train text.txt -o v.txt --init-vectors vectors.txt --dim 3": "needs an explicit lr",
    "train text.txt -o v.txt --init-vectors vectors.txt --lr 0.01": "have 3 dimensions, and dim is 100: give dim 3",
    "train text.txt -o v.txt --freeze": "freeze needs vectors to keep as they are",
    "train text.txt -o v.txt --continue-from vectors.txt --lr 0.01": "is not a file of fastw2v's native format",
    "train text.txt -o v.txt --loss-plot loss.gif": "its name must end in .png, .svg or .pdf",
    # asking vectors
    "similar v.txt king": "cannot read vectors v.txt: No such file or directory",
    "similar text.txt king": "text.txt does not start with a line 'words dim'",
    "similar vectors.txt kin": "the word 'kin' has no vector; similarly spelled words are king",
    "similar vectors.txt KING": "the word 'KING' has no vector; similarly spelled words are king",
    "similar vectors.txt king -n 0": "0 is not in the range x>=1",
    "analogy vectors.txt king queen": "Missing argument 'C'",
    "evaluate vectors.txt": "nothing to evaluate: give --pairs FILE, --analogies FILE or both",
    "convert vectors.txt vectors.txt --overwrite": "is the same file as the input",
    "plot vectors.txt -o map.bmp": "its name must end in",
    "info none.txt": "cannot read vectors none.txt",
    "vocab": "Missing argument 'CORPUS...'",
    "phrases text.txt": "Missing option '-o'",
    "phrases text.txt -o p.txt --scoring pmi": "'pmi' is not one of 'default', 'word2phrase', 'npmi'",
    "similr vectors.txt king": "No such command 'similr'",
}

GOOD = [["a", "b", "c"]] * 20

CALLS = {
    "train()": "train needs one of corpus, sentences, lines and walks, found none",
    "train('corpsu.txt')": "does not exist, and as a glob it matches nothing: check the spelling",
    "train('the king and the queen of the land')": "to train on text itself, put it in a file, or from Python",
    "train(5)": "the corpus is of type int: it must be the name of a file or several, or lists of words",
    "train(None)": "train needs one of corpus",
    "train(sentences='a b c')": "sentences is the string 'a b c': give a list or another iterable",
    "train(sentences=['a b c'])": "sentence 1 is the string 'a b c', not a list of words: split it",
    "train(lines='a b c')": "lines is the string 'a b c'",
    "train(lines=[['a', 'b']])": "a line is a str; lists of words are sentences",
    "train(GOOD, lines=['a'])": "found sentences, lines",
    "train([['a', 3]])": "the sentences hold 3, of type int: words are str",
    "train([[1, 'a']])": "labels must be integers; for words give sentences",
    "train(walks=[[1.5, 2.0]])": "the walks hold 1.5, of type float: labels must be integers",
    "train(walks=np.zeros((2, 3)))": "walks are float64 (2, 3): they must be integers of shape (n, length)",
    "train(walks=(np.array([1, 2]), np.array([0, 5])))": "they must be integers that never fall, from 0 to 2",
    "train(GOOD, vector_size=5)": "there is no option vector_size: did you mean dim?",
    "train(GOOD, workers=2)": "did you mean threads?",
    "train(GOOD, alpha=0.1)": "did you mean lr?",
    "train(GOOD, sg=1)": "did you mean model (1: skipgram, 0: cbow)?",
    "train(GOOD, hs=1)": "did you mean loss (1: hs, 0: ns)?",
    "train(GOOD, size=5)": "did you mean dim?",
    "train(GOOD, iter=5)": "did you mean epochs?",
    "train(GOOD, dimm=5)": "did you mean dim?",
    "train(GOOD, dim='5')": "dim is '5': it must be of type int",
    "train(GOOD, dim=5.0)": "dim is 5.0: it must be of type int",
    "train(GOOD, lower='yes')": "lower is 'yes': it must be of type bool",
    "train(GOOD, digits='none')": "digits is 'none': it must be one of keep, zero, drop",
    "train(GOOD, progress=1)": "progress is 1: it must be of type bool",
    "train(GOOD, patience=3)": "patience needs held-out text",
    "train(GOOD, callback=3)": "callback is 3: it must be a function that takes an event",
    "train([['a', 'b']])": "no word of the corpus occurs 5 times",
    "Vectors(['a'], np.zeros((2, 3)))": "1 words need vectors of shape (1, dim)",
    "Vectors.load('none.txt')": "cannot read vectors none.txt",
    "V['King']": "the word 'King' has no vector; similarly spelled words are king",
    "V[7]": "index 7 is not one of 0 to 2",
    "V.most_similar('kin')": "similarly spelled words are king",
    "V.most_similar([])": "most_similar needs at least one positive or negative word",
    "V.most_similar('king', topn=-1)": "topn",
    "V.matrix_for(['king', 'nobody'])": "the word 'nobody' has no vector",
    "V.save('v.kv')": "files that end in .kv are not written",
    "V.save('v.txt', 'gensim')": "the format is 'gensim': it must be one of text, binary",
    "W[3]": "the word '3' has no vector",
    "Phrases.learn()": "phrases need exactly one of corpus (files), sentences and lines",
    "Phrases.learn(sentences=GOOD, min_cuont=3)": "there is no option min_cuont",
    "Phrases([])['a b']": "a sentence is a list of words",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with files of many kinds."""
    place = tmp_path_factory.mktemp("place")
    text = "the king and the queen of the land " * 30
    files = {
        "text.txt": text.encode(),
        "texts/a.txt": text.encode(),
        "empty.txt": b" \n",
        "rare.txt": b"one two three\n",
        "old.txt": b"old",
        "utf16.txt": text.encode("utf-16"),
        "latin1.txt": "caf\xe9 na\xefve ann\xe9e for\xeat h\xf4tel\n".encode("latin-1") * 10,
        "chinese.txt": "\u5143\u5bb5\u8282\u662f\u4e2d\u56fd\u7684\u4f20\u7edf\u8282\u65e5\u4e4b\u4e00 \n".encode() * 3,
        "punctuated.txt": b"yes, no. maybe! so? " * 5,
        "numbers.txt": b"1 2 3 4\n" * 10,
        "vectors.txt": b"3 3\nking 1.5 0 0\nqueen 1 0.5 0\nland 0 0 1\n",
        "table.parquet": b"PAR1\x15\x04\x15",
        "pages.pdf": b"%PDF-1.7\n",
        "cut.gz": gzip.compress(os.urandom(999))[:-9],
    }
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    fastw2v.Vectors.load(place / "vectors.txt").save(place / "vectors.fw2v")
    return place


def test_there_are_many():
    assert len(COMMANDS) + len(CALLS) >= 60


@pytest.mark.parametrize(("command", "advice"), COMMANDS.items())
def test_commands(run, place, monkeypatch, command, advice):
    monkeypatch.chdir(place)
    before = sorted(os.listdir())
    code, out, err = run(*shlex.split(command))
    assert code == 2, err
    assert out == ""
    assert advice in " ".join(err.split())
    assert "Traceback" not in err
    assert sorted(os.listdir()) == before, "nothing was written"


@pytest.mark.parametrize(("call", "advice"), CALLS.items())
def test_calls(place, monkeypatch, call, advice):
    monkeypatch.chdir(place)
    before = sorted(os.listdir())
    vectors = fastw2v.Vectors.load("vectors.txt")
    labels = fastw2v.Vectors(["10", "20"], np.eye(2, dtype=np.float32))
    names = {name: getattr(fastw2v, name) for name in fastw2v.__all__}
    with pytest.raises(fastw2v.InputError) as error:
        eval(call, names | {"np": np, "GOOD": GOOD, "V": vectors, "W": labels})
    assert advice in str(error.value)
    assert sorted(os.listdir()) == before, "nothing was written"
