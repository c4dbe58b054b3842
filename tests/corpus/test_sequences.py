"""Corpora from Python: the same as a file of the same words."""

import numpy as np
import pandas
import polars
import pytest
from corpora import ALL_WORDS, read, sentences_of

from fastw2v.corpus import sequences
from fastw2v.corpus.pruning import Pruning
from fastw2v.corpus.sequences import from_lines, from_sentences, from_walks
from fastw2v.corpus.vocabulary import Vocabulary
from fastw2v.errors import InputError

SENTENCES = [["a", "b", "a"], ["c"], [], ["b", "a", "two words"], ["b", "c"]]


@pytest.mark.parametrize("kind", [list, iter, tuple, lambda items: (item for item in items)])
def test_sentences(kind):
    corpus = from_sentences(kind(SENTENCES), ALL_WORDS)
    assert sentences_of(corpus) == [sentence for sentence in SENTENCES if sentence]
    assert corpus.vocabulary.words == ["a", "b", "c", "two words"]
    assert corpus.vocabulary.counts.tolist() == [3, 3, 2, 1]
    assert (corpus.n_tokens, corpus.reading.n_tokens, corpus.reading.n_types) == (9, 9, 4)


class Column(list):
    """An Arrow column, as far as it matters: what it gives one by one is not a str."""

    def __iter__(self):
        return map(object.__new__, [object] * len(self))

    def slice(self, first, n):
        return Column(self[first : first + n])

    def to_pylist(self):
        return [self[i] for i in range(len(self))]


@pytest.mark.parametrize("column", [Column, lambda items: pytest.importorskip("pyarrow").array(items)])
def test_arrow_columns(column, monkeypatch):
    monkeypatch.setattr(sequences, "ROWS_AT_A_TIME", 2)
    assert sentences_of(from_sentences(column(SENTENCES), ALL_WORDS)) == [item for item in SENTENCES if item]
    assert sentences_of(from_lines(column(["a b", "c a", "b"]), ALL_WORDS)) == [["a", "b"], ["c", "a"], ["b"]]
    with pytest.raises(InputError, match="the lines hold a NoneType"):
        from_lines(column(["a b", None]), ALL_WORDS)


def test_pandas_columns():
    table = pandas.DataFrame({"text": ["a b", "c a"], "words": [["a", "b"], ["c", "a"]]})
    assert sentences_of(from_lines(table["text"], ALL_WORDS)) == sentences_of(from_sentences(table["words"], ALL_WORDS))


def test_pruning_and_a_given_vocabulary():
    corpus = from_sentences(SENTENCES, Pruning(3))
    assert sentences_of(corpus) == [["a", "b", "a"], ["b", "a"], ["b"]]
    assert corpus.n_tokens == 6
    assert from_sentences(SENTENCES, Pruning(1, max_vocab=2)).vocabulary.words == ["a", "b"]
    vocabulary = Vocabulary(["c", "b", "x"], np.array([9, 5, 1]))
    corpus = from_sentences(SENTENCES, Pruning(vocabulary=vocabulary))
    assert sentences_of(corpus) == [["b"], ["c"], ["b"], ["b", "c"]]
    assert (corpus.n_tokens, corpus.reading.n_unknown) == (5, 4)


def test_the_same_corpus_as_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sequences, "IDS_AT_A_TIME", 64)
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{i}" for i in rng.integers(0, 50, rng.integers(0, 20))) for _ in range(500)]
    path = tmp_path / "t.txt"
    path.write_text("\n".join(lines) + "\n")
    pruning = Pruning(2)
    expected = read(path, pruning)
    options = {"invalid_utf8": "replace", "threads": 2, "temp_dir": None}
    walks = np.full((500, 20), -1)
    for row, line in zip(walks, lines, strict=True):
        words = [int(word[1:]) for word in line.split()]
        row[: len(words)] = words
    flat = walks[walks >= 0]
    offsets = np.append(0, np.cumsum((walks >= 0).sum(axis=1)))
    for got in (
        from_sentences((line.split() for line in lines), pruning),
        from_lines(iter(lines), pruning, **options),
    ):
        assert got.vocabulary.words == expected.vocabulary.words
        np.testing.assert_array_equal(got.ids, expected.ids)
    for same_walks in (walks, walks.astype(np.int32), (flat, offsets)):
        got = from_walks(same_walks, pruning)
        assert sentences_of(got) == [[word[1:] for word in sentence] for sentence in sentences_of(expected)]
    monkeypatch.setattr(sequences, "MOST_LABEL", 0)
    sparse = from_walks(np.where(walks >= 0, walks * 10**12, -1), pruning)
    assert sparse.n_tokens == expected.n_tokens
    assert sparse.vocabulary.counts.tolist() == sorted(expected.vocabulary.counts.tolist(), reverse=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: from_sentences(["the cat sat"]),
            "sentence 1 is the string 'the cat sat', not a list of words: split it",
        ),
        (lambda: from_sentences("the cat"), "sentences is the string 'the cat'"),
        (lambda: from_sentences(3), "sentences is of type int: it must be a list or another iterable"),
        (lambda: from_sentences([["a"], None]), "sentence 2 is of type NoneType: it must be a list of words"),
        (lambda: from_sentences([["a", 5]]), "hold 5, of type int: words are str"),
        (lambda: from_sentences([]), "holds no words"),
        (lambda: from_sentences([["a", "b"]]), "no word of the corpus occurs 5 times"),
        (lambda: from_walks(np.zeros((2, 3))), r"walks are float64 \(2, 3\)"),
        (lambda: from_walks([[1, 2]]), "no word of the corpus occurs 5 times"),
        (lambda: from_walks(np.full((2, 3), -1)), "are empty or hold only negative numbers"),
        (lambda: from_walks((np.arange(4), np.array([0, 3, 2]))), "do not divide 4 labels"),
        (lambda: from_walks((np.arange(4), np.array([0, 5]))), "do not divide 4 labels"),
        (lambda: from_lines([["a", "b"]]), "the lines hold a list: a line is a str"),
    ],
)
def test_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_unsigned_walks():
    for kind in (np.uint8, np.uint32, np.uint64):
        walks = np.array([[1, 2, 3], [3, 2, 1]], kind)
        assert sentences_of(from_walks(walks, ALL_WORDS)) == [["1", "2", "3"], ["3", "2", "1"]]
        flat = from_walks((walks.ravel(), np.array([0, 2, 6], kind)), ALL_WORDS)
        assert sentences_of(flat) == [["1", "2"], list("3321")]
    with pytest.raises(InputError, match="the walks hold 9223372036854775808"):
        from_walks(np.array([[2**63, 1]], np.uint64))
    with pytest.raises(InputError, match="do not divide"):
        from_walks((np.arange(9), np.array([0, 5, 3, 9], np.uint32)))
    for walks in ((np.arange(3),), (np.arange(3), np.arange(2), 1), ([[1], [2, 3]], [0, 1])):
        with pytest.raises(InputError, match="walks are"):
            from_walks(walks)


@pytest.mark.parametrize("most_label", [sequences.MOST_LABEL, 0])
@pytest.mark.parametrize("padding", [-1, -7, -100, np.iinfo(np.int64).min])
def test_any_negative_number_is_padding(padding, most_label, monkeypatch):
    monkeypatch.setattr(sequences, "MOST_LABEL", most_label)
    walks = np.array([[1, 0, padding, padding], [2, 3, 1, 0], [padding, padding, padding, 5], [0, padding, 3, 3]])
    expected = [["1", "0"], ["2", "3", "1", "0"], ["5"], ["0"], ["3", "3"]]
    for same_walks in (walks, (walks.ravel(), np.arange(0, 17, 4))):
        corpus = from_walks(same_walks, ALL_WORDS)
        assert sentences_of(corpus) == expected
        assert corpus.n_tokens == corpus.reading.n_tokens == 10
        assert set(corpus.vocabulary.words) == set("01235")


@pytest.mark.parametrize("first", [2**53 - 25, 2**53 + 1, 2**62, 2**63 - 51])
def test_large_labels_stay_apart(first):
    labels = np.arange(first, first + 50, dtype=np.uint64).reshape(5, 10)
    for walks in (labels, (labels.ravel(), np.arange(0, 51, 10)), labels.astype(np.int64)):
        assert sentences_of(from_walks(walks, ALL_WORDS)) == [list(map(str, walk)) for walk in labels.tolist()]


def test_half_a_surrogate_pair_is_invalid_text():
    corpus = from_lines(["a \ud800", "a b"], ALL_WORDS)
    assert corpus.reading.n_invalid == 1
    assert set(corpus.vocabulary.words) == {"a", "b", "\ufffd\ufffd\ufffd"}


def test_a_vocabulary_that_is_too_small_is_refused_before_anything_is_read():
    def sentences():
        raise AssertionError("a sentence was read")
        yield

    with pytest.raises(InputError, match="the given vocabulary has 1"):
        from_sentences(sentences(), Pruning(vocabulary=Vocabulary(["a"], np.array([1]))))


def test_none_is_no_word():
    with pytest.raises(InputError, match="the sentences hold None, of type NoneType: words are str"):
        from_sentences([["a", None], [None, "a"]], Pruning(min_count=1))


def test_masked_walks_are_refused():
    walks = np.ma.array([[1, 2], [3, 4]], mask=[[0, 0], [0, 1]])
    for given in (walks, (walks.ravel(), np.array([0, 2, 4]))):
        with pytest.raises(InputError, match=r"a masked array: give it with its padding as -1, as in walks.filled"):
            from_walks(given, Pruning(min_count=1))


@pytest.mark.parametrize("offsets", [[1, 4], [0, 3]])
def test_offsets_that_leave_labels_out_are_refused(offsets):
    with pytest.raises(InputError, match="do not divide 4 labels: they must be integers that never fall, from 0 to 4"):
        from_walks((np.array([1, 2, 3, 4]), np.array(offsets)), Pruning(min_count=1))


RAGGED = [[1, 2, 3], [4], [], [5, -1, 6]]


def test_ragged_walks():
    expected = from_walks((np.array([1, 2, 3, 4, 5, -1, 6]), np.array([0, 3, 4, 4, 7])), ALL_WORDS)
    frame = pandas.DataFrame({"user": np.repeat([0, 1, 3], [3, 1, 3]), "item": [1, 2, 3, 4, 5, -1, 6]})
    for walks in (
        RAGGED,
        iter(RAGGED),
        map(tuple, RAGGED),
        [np.array(row, np.int32) for row in RAGGED],
        pandas.Series(RAGGED),
        polars.Series(RAGGED),
    ):
        got = from_walks(walks, ALL_WORDS)
        assert got.vocabulary.words == expected.vocabulary.words
        assert np.array_equal(got.ids, expected.ids)
    by_user = from_walks(frame.groupby("user")["item"], ALL_WORDS)
    assert by_user.vocabulary.words == expected.vocabulary.words
    assert np.array_equal(by_user.ids, expected.ids)


@pytest.mark.parametrize(
    ("walks", "message"),
    [
        ([[1.5, 2]], r"the walks hold 1.5, of type float: labels must be integers; for words give sentences"),
        ([["a"]], "the walks hold 'a', of type str: labels must be integers"),
        ([[1, None]], "the walks hold None, of type NoneType"),
        ([1, 2], "the walks hold something that is not a sequence of integers"),
        ([], "the walks are empty or hold only negative numbers"),
        ([[], []], "the walks are empty or hold only negative numbers"),
    ],
)
def test_what_are_no_walks(walks, message):
    with pytest.raises(InputError, match=message):
        from_walks(walks, ALL_WORDS)


def test_many_ragged_walks(monkeypatch):
    rows = [[*range(n % 5)] for n in range(1000)]
    whole = from_walks(rows, ALL_WORDS)
    monkeypatch.setattr(sequences, "ROWS_AT_A_TIME", 7)
    assert np.array_equal(from_walks(rows, ALL_WORDS).ids, whole.ids)
