"""Corpora by gensim's names against gensim's own."""

import bz2
import gzip
import io
import lzma

import pytest
from gensim import utils
from gensim.models import word2vec

from fastw2v import gensim as ours
from fastw2v.gensim.corpora import Source, files_of
from fastw2v.gensim.vocabulary import Chosen

TEXT = "one two  three\n\nfour\tfive\r\n" + " ".join(map(str, range(25))) + "\nlast é 日本"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(TEXT, encoding="utf-8", newline="")
    return file


@pytest.mark.parametrize("options", [{}, {"max_sentence_length": 10}, {"limit": 3}])
def test_lines(path, tmp_path, options):
    (tmp_path / "t.bz2").write_bytes(bz2.compress(path.read_bytes()))
    (tmp_path / "t.gz").write_bytes(gzip.compress(path.read_bytes()))
    (tmp_path / "t.xz").write_bytes(lzma.compress(path.read_bytes()))
    for name in ("text.txt", "t.bz2", "t.gz", "t.xz"):
        sentences = ours.LineSentence(str(tmp_path / name), **options)
        expected = list(word2vec.LineSentence(str(tmp_path / name), **options))
        assert list(sentences) == list(sentences) == expected
    assert list(ours.LineSentence(io.BytesIO(path.read_bytes()), **options)) == expected
    assert list(ours.LineSentence(io.StringIO(TEXT), **options)) == expected


@pytest.mark.parametrize("longest", [3, 7, 10_000])
@pytest.mark.parametrize("text", [TEXT, "", "  ", "a b", "word " * 30_000])
def test_one_long_line(path, longest, text):
    path.write_text(text)
    got = list(ours.Text8Corpus(str(path), longest))
    assert got == list(word2vec.Text8Corpus(str(path), longest))


def test_directories(path, tmp_path):
    (tmp_path / "another.bz2").write_bytes(bz2.compress(b"a b\nc"))
    for source in (tmp_path, path):
        sentences, expected = ours.PathLineSentences(str(source)), word2vec.PathLineSentences(str(source))
        assert list(sentences) == list(expected)
        assert len(files_of(sentences)) == len(expected.input_files)
    with pytest.raises(ValueError, match="is neither a file nor a directory"):
        ours.PathLineSentences(tmp_path / "nothing")


@pytest.mark.parametrize("options", [{}, {"deacc": True}, {"min_len": 1, "max_len": 4}])
def test_preprocessing(options):
    text = "It's a TEST, of été_d'hiver & 日本 _private x1y2 42 antidisestablishmentarianism"
    assert ours.simple_preprocess(text, **options) == utils.simple_preprocess(text, **options)
    assert ours.simple_preprocess(text.encode(), **options) == utils.simple_preprocess(text, **options)


def test_files_are_read_whole_where_all_lines_count(path):
    assert files_of(ours.LineSentence(path)) == [path]
    assert files_of(ours.LineSentence(path, limit=1)) == []
    assert files_of(ours.LineSentence(io.StringIO(TEXT))) == []
    assert files_of([["a"]]) == []


@pytest.mark.parametrize("how", ["file", "lines", "lists"])
def test_texts(path, how):
    given = {
        "file": {"corpus_file": path},
        "lines": {"sentences": ours.LineSentence(path)},
        "lists": {"sentences": [line.split() for line in TEXT.split("\n")]},
    }
    text = Source(**given[how]).read(Chosen(choose_words=list), 1)
    assert text.n_words == text.corpus.n_tokens == 33
    assert text.n_sentences == (5 if how == "lists" else 4)


def test_a_text_without_words(path):
    path.write_text("\n")
    for source in (Source(corpus_file=path), Source([[], []])):
        text = source.read(Chosen(choose_words=list), 1)
        assert (text.n_words, len(text.corpus.ids), len(text.corpus.vocabulary)) == (0, 0, 0)


def test_a_subclass_may_change_the_lines(tmp_path):
    class Lower(ours.LineSentence):
        def __iter__(self):
            for sentence in super().__iter__():
                yield [word.lower() for word in sentence]

    path = tmp_path / "t.txt"
    path.write_text("A B C\n" * 10)
    model = ours.Word2Vec(Lower(path), min_count=1, vector_size=4, workers=1)
    assert sorted(model.wv.index_to_key) == ["a", "b", "c"]
    assert ours.Word2Vec(ours.LineSentence(path, max_sentence_length=2), min_count=1, vector_size=4).corpus_count == 20
