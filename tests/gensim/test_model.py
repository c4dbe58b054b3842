"""Word2Vec: what it learns, what it keeps, when callbacks are called, what it refuses."""

import copy
import logging
import pickle

import gensim.models
import numpy as np
import pytest
from planted import planted_text, share_of_planted_neighbours

import fastw2v
from fastw2v import InputError, TrainedModel
from fastw2v.gensim import CallbackAny2Vec, KeyedVectors, LineSentence, Word2Vec

SENTENCES = [line.split() for line in planted_text(n_sentences=400).splitlines()]
SMALL = {"vector_size": 12, "min_count": 1, "sample": 0, "workers": 1, "epochs": 2}
NEW = [["new", "t0w1", "word"], ["another", "new"]] * 10
KINDS = {
    "sg ns": {"sg": 1},
    "sg hs": {"sg": 1, "hs": 1, "negative": 0},
    "cbow ns": {},
    "cbow hs": {"hs": 1, "negative": 0},
    "sg both": {"sg": 1, "hs": 1},
    "cbow both": {"hs": 1},
}


@pytest.fixture(scope="module")
def trained():
    return Word2Vec(SENTENCES, **SMALL)


def parts(model):
    return [model.wv.vectors, *(getattr(model, name) for name in ("syn1neg", "syn1") if name in vars(model))]


def assert_equal(one, other):
    assert one.wv.index_to_key == other.wv.index_to_key
    for a, b in zip(parts(one), parts(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert str(one) == str(other)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_planted_structure_is_found(kind):
    model = Word2Vec(SENTENCES * 5, **{**SMALL, **kind, "vector_size": 20, "epochs": 5, "alpha": 0.05, "workers": 2})
    found = share_of_planted_neighbours(model.wv.current)
    assert found > 0.6
    names = {"syn1neg": "negative", "syn1": "hs"}
    assert {name for name in names if name in vars(model)} == {name for name, of in names.items() if getattr(model, of)}


def test_one_call_is_as_good_as_two():
    one = Word2Vec(SENTENCES, **SMALL)
    two = Word2Vec(**SMALL)
    two.build_vocab(SENTENCES)
    got = two.train(SENTENCES, total_examples=two.corpus_count, epochs=two.epochs)
    assert_equal(one, two)
    assert got == (2 * 4000, 2 * 4000)
    assert (two.corpus_count, two.corpus_total_words, two.train_count) == (400, 4000, 1)


def test_every_source_gives_the_same_model(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text(planted_text(n_sentences=400))
    sources = [
        {"sentences": iter(SENTENCES)},
        {"sentences": (words for words in SENTENCES)},
        {"sentences": LineSentence(path)},
        {"sentences": LineSentence(path, limit=1000)},
        {"corpus_file": path},
    ]
    expected = Word2Vec(SENTENCES, **SMALL)
    for source in sources:
        assert_equal(Word2Vec(**source, **SMALL), expected)


def test_it_is_the_training_of_fastw2v():
    """The same words, seed and rates give the bytes of `train`, whose learning rate ends at min_lr too."""
    options = {"model": "cbow", "dim": 12, "min_count": 1, "sample": 0, "threads": 1, "epochs": 2, "lr": 0.025}
    expected = fastw2v.train(sentences=SENTENCES, min_lr=0.0001, **options)
    got = Word2Vec(SENTENCES, **SMALL)
    assert got.wv.index_to_key == expected.index_to_key
    np.testing.assert_array_equal(got.wv.vectors, expected.vectors)


def test_pairs_may_be_trained_one_after_the_other(monkeypatch, tmp_path):
    monkeypatch.setattr(Word2Vec, "update", "pair")
    options = {"dim": 12, "min_count": 1, "sample": 0, "threads": 1, "epochs": 2, "save_model": tmp_path / "m.fw2v"}
    expected = fastw2v.train(sentences=SENTENCES, update="pair", min_lr=0.0001, **options)
    got = Word2Vec(SENTENCES, sg=1, **SMALL)
    np.testing.assert_array_equal(got.wv.vectors, expected.vectors)
    Word2Vec(SENTENCES, **SMALL)  # of CBOW, which has no pairs
    monkeypatch.undo()
    got.save(tmp_path / "ours")
    for name in ("m.fw2v", "ours"):
        assert Word2Vec.load(tmp_path / name).update == "pair"
    assert Word2Vec().update == "window"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_new_words_are_added_and_old_rows_stay(kind):
    model = Word2Vec(SENTENCES, **{**SMALL, **kind, "min_count": 5})
    before, words = [part.copy() for part in parts(model)], list(model.wv.index_to_key)
    model.build_vocab(NEW, update=True)
    assert model.wv.index_to_key == [*words, "new", "another", "word"]
    assert model.wv.get_vecattr("t0w1", "count") == sum(s.count("t0w1") for s in SENTENCES) + 10
    for was, part in zip(before, parts(model), strict=True):
        np.testing.assert_array_equal(part[: len(words)], was)
    assert all((part[len(words) :] == 0).all() for part in parts(model)[1:])
    model.train(NEW, total_examples=20, epochs=5)
    assert not (model.wv["new"] == 0).all()
    assert not (parts(model)[1][: len(words)] == before[1]).all()


def test_a_training_goes_on_where_the_vectors_are():
    """What the caller writes into the vectors is what the next training starts from."""
    model = Word2Vec(SENTENCES, **SMALL)
    array = model.wv.vectors
    model.train(SENTENCES, total_examples=1, epochs=1)
    assert model.wv.vectors is array, "nothing was copied"
    given = np.full(model.wv.vectors.shape, 0.25, np.float32)
    model.wv.vectors = given
    model.train(SENTENCES, total_examples=1, epochs=1, start_alpha=1e-6, end_alpha=1e-6)
    np.testing.assert_allclose(model.wv.vectors, given, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("workers", [1, 2])
def test_locked_vectors_stay(kind, workers):
    model = Word2Vec(**{**SMALL, **kind, "workers": workers})
    model.build_vocab(SENTENCES)
    model.wv.vectors_lockf = np.ones(len(model.wv), np.float32)
    model.wv.vectors_lockf[[0, 5]] = 0
    before = model.wv.vectors.copy()
    model.train(SENTENCES, total_examples=1, epochs=2)
    is_same = (model.wv.vectors == before).all(axis=1)
    assert np.flatnonzero(is_same).tolist() == [0, 5]


def test_a_lock_that_is_neither_open_nor_shut():
    model = Word2Vec(**SMALL)
    model.build_vocab(SENTENCES)
    for lock, message in ([0.5], "vectors_lockf holds 0.5: only 0 and 1"), ([1, 1], r"has the shape \(2,\)"):
        model.wv.vectors_lockf = np.array(lock)
        with pytest.raises(InputError, match=message):
            model.train(SENTENCES, total_examples=1, epochs=1)


class Diary(CallbackAny2Vec):
    def __init__(self):
        self.lines, self.losses, self.similarities = [], [], []

    def on_train_begin(self, model):
        self.lines.append("train")

    def on_epoch_begin(self, model):
        self.lines.append("epoch")

    def on_epoch_end(self, model):
        self.lines.append("epoch ends")
        self.losses.append(model.get_latest_training_loss())
        self.similarities.append(model.wv.similarity("t0w1", "t1w1"))

    def on_train_end(self, model):
        self.lines.append("train ends")


def test_callbacks_are_called_as_by_gensim():
    ours, theirs = Diary(), Diary()
    for kind, diary in (Word2Vec, ours), (gensim.models.Word2Vec, theirs):
        kind(SENTENCES, **SMALL, compute_loss=True, callbacks=[diary])
    assert ours.lines == theirs.lines == ["train", "epoch", "epoch ends", "epoch", "epoch ends", "train ends"]
    assert 0 < ours.losses[0] < ours.losses[1]
    assert ours.losses[1] == pytest.approx(theirs.losses[1], rel=0.2)
    assert len(set(ours.similarities)) == 2, "queries see the vectors of the moment"


def test_an_error_in_a_callback_ends_the_training():
    class Stop(CallbackAny2Vec):
        def on_epoch_end(self, model):
            raise StopIteration("enough")

    model = Word2Vec(**{**SMALL, "epochs": 1000})
    model.build_vocab(SENTENCES)
    before = model.wv.vectors.copy()
    with pytest.raises(StopIteration, match="enough"):
        model.train(SENTENCES, total_examples=1, epochs=1000, callbacks=[Stop()])
    assert (model.wv.vectors != before).any()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_saved_loaded_pickled_and_copied(kind, tmp_path):
    model = Word2Vec(SENTENCES, **SMALL, **kind)
    model.wv.set_vecattr("t0w0", "colour", "red")
    model.save(tmp_path / "model")
    others = [Word2Vec.load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    others.append(Word2Vec.load(tmp_path / "model", mmap="r"))
    assert b"fastw2v" in pickle.dumps(model)
    for other in others:
        assert_equal(other, model)
        assert other.wv.get_vecattr("t0w0", "colour") == "red"
        assert (other.corpus_count, other.min_alpha_yet_reached) == (400, model.min_alpha_yet_reached)
        other.train(SENTENCES, total_examples=1, epochs=1)
    for other in others[1:]:
        assert_equal(other, others[0])
    assert (model.wv.vectors != others[0].wv.vectors).any()


def test_options_alone_are_pickled_too():
    model = Word2Vec(window=7, sg=1)
    other = pickle.loads(pickle.dumps(model))
    assert (other.window, other.sg, len(other.wv)) == (7, 1, 0)
    assert repr(other) == "<Word2Vec<vocab=0, vector_size=100, alpha=0.025>>"


def test_models_of_the_command_line(tmp_path, trained):
    path = tmp_path / "m.fw2v"
    fastw2v.train(sentences=SENTENCES, save_model=path, dim=8, min_count=1, window=3, lr=0.03, threads=1)
    model = Word2Vec.load(path)
    assert (model.vector_size, model.window, model.sg, model.alpha, model.negative) == (8, 3, 1, 0.03, 5)
    model.train(SENTENCES, total_examples=1, epochs=1)
    trained.save(path)
    loaded = TrainedModel.load(path)
    np.testing.assert_array_equal(loaded.output_vectors, trained.syn1neg)
    further = fastw2v.train_model(sentences=NEW, continue_from=loaded, model="cbow", dim=12, lr=0.01, min_count=1)
    assert "new" in further.vocabulary.words


def test_what_cannot_be_loaded(tmp_path, trained):
    trained.wv.save(tmp_path / "kv")
    with pytest.raises(InputError, match="vectors only: KeyedVectors.load reads it") as caught:
        Word2Vec.load(tmp_path / "kv")
    assert isinstance(caught.value, AttributeError)
    with pytest.raises(AttributeError, match=r"load returns a new model: call Word2Vec.load\(path\)"):
        trained.load(tmp_path / "kv")
    assert len(KeyedVectors.load(tmp_path / "kv")) == len(trained.wv)
    with pytest.raises(InputError):
        Word2Vec().save(tmp_path / "empty")


def test_words_of_other_types():
    model = Word2Vec([[1, 2, 3], [2, 3, 4]] * 50, **SMALL)
    assert sorted(model.wv.index_to_key) == [1, 2, 3, 4]
    assert model.wv.most_similar(2, topn=1)[0][0] in {1, 3, 4}
    assert copy.deepcopy(model).wv.index_to_key == model.wv.index_to_key
    model.train([[1, 2]] * 9, total_examples=9, epochs=1)
    with pytest.raises(InputError, match="the vocabulary holds 2, a int: the words of a file are str"):
        model.train(corpus_file=__file__, total_words=1, epochs=1)


def test_names_of_gensim_3():
    with pytest.warns(DeprecationWarning, match="is called (vector_size|epochs) since gensim 4"):
        model = Word2Vec(size=30, iter=7)
    assert (model.vector_size, model.epochs) == (30, 7)
    with pytest.raises(TypeError, match="no argument 'siz'"):
        Word2Vec(siz=30)


def test_options_without_effect_are_warned_of():
    with pytest.warns(UserWarning, match="sorted_vocab=0 has no effect"):
        Word2Vec(sorted_vocab=0)
    with pytest.warns(UserWarning, match="null_word has no effect"):
        Word2Vec(null_word=1)


REFUSED = {
    "no sentences": (lambda: Word2Vec(SENTENCES, corpus_file="x"), TypeError, "either sentences"),
    "no file": (lambda: Word2Vec(corpus_file="/nowhere/at/all"), TypeError, "must be the path of a file"),
    "a number": (lambda: Word2Vec(3), TypeError, "an iterable of lists of words"),
    "numbers": (lambda: Word2Vec([3]), TypeError, "a sentence is of type int: it must be a list of words"),
    "no loss": (lambda: Word2Vec(SENTENCES, negative=0), ValueError, "hs and negative are both 0"),
    "no words": (lambda: Word2Vec([], **SMALL), RuntimeError, "no vocabulary to train on"),
    "rare words": (lambda: Word2Vec(SENTENCES, min_count=9999), RuntimeError, "no vocabulary to train on"),
    "no update": (lambda: Word2Vec().build_vocab(NEW, update=True), RuntimeError, "adds words to a vocabulary"),
    "a rate": (lambda: Word2Vec(SENTENCES, alpha=-1.0, min_alpha=-1.0, min_count=1), InputError, "lr is -1"),
    "score": (lambda: Word2Vec(SENTENCES, **SMALL).score(NEW), RuntimeError, "hs is 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_training_needs_its_arguments(trained):
    for options, message in ({"epochs": 1}, "total_examples"), ({"total_words": 1}, "epochs is None"):
        with pytest.raises(ValueError, match=message):
            trained.train(SENTENCES, **options)
    generator = (words for words in SENTENCES)
    list(generator)
    with pytest.raises(TypeError, match="the generator of sentences is empty or exhausted"):
        trained.train(generator, total_examples=1, epochs=1)


def test_vectors_that_do_not_belong_to_the_model(trained):
    model = copy.deepcopy(trained)
    model.wv["new word"] = np.ones(12)
    with pytest.raises(RuntimeError, match=r"syn1neg has the shape \(96, 12\), not \(97, 12\): call build_vocab first"):
        model.train(SENTENCES, total_examples=1, epochs=1)
    with pytest.raises(RuntimeError, match="needs syn1neg"):
        model.predict_output_word(["t0w1"])


def test_a_corpus_that_teaches_nothing(trained, caplog):
    model, diary = copy.deepcopy(trained), Diary()
    for sentences in ([["nobody", "knows"]], [["t0w1"], ["t0w2"]]):
        assert model.train(sentences, total_examples=1, epochs=2, callbacks=[diary])[1] == 4
        assert "nothing was learnt" in caplog.text
        assert diary.lines.count("epoch ends") == 2
        caplog.clear()
        diary.lines.clear()
    assert_equal(model, trained)


def test_warnings_of_the_log(caplog):
    with caplog.at_level(logging.INFO, "fastw2v"):
        model = Word2Vec(SENTENCES, **SMALL, hs=1)
        model.train(SENTENCES, total_examples=1, epochs=1, start_alpha=0.1)
        model.build_vocab(["a str", "another"], update=True)
        Word2Vec(callbacks=[Diary()])
    for text in (
        "vocabulary of 96 words, from 4000 words in 400 sentences",
        "Both hierarchical softmax and negative sampling are activated.",
        "Effective 'alpha' higher than previous training cycles",
        "The first one is the str 'a str', whose letters are taken for words",
        "without sentences, trim_rule and callbacks have no effect",
    ):
        assert text in caplog.text


def test_predictions(trained):
    words = trained.predict_output_word(["t0w1", "nobody", trained.wv.get_index("t0w2")], topn=96)
    chances = [chance for _, chance in words]
    assert sum(chances) == pytest.approx(1)
    assert chances == sorted(chances, reverse=True)
    theirs = gensim.models.Word2Vec(vector_size=12)
    theirs.wv.add_vectors(trained.wv.index_to_key, trained.wv.vectors)
    theirs.syn1neg = np.ascontiguousarray(trained.syn1neg)
    expected = dict(theirs.predict_output_word(["t0w1", "nobody", "t0w2"], topn=96))
    assert dict(words) == pytest.approx(expected, rel=1e-4)
    assert trained.predict_output_word(["nobody"]) is None


@pytest.mark.parametrize("sg", [0, 1])
def test_scores_are_gensims(sg):
    theirs = gensim.models.Word2Vec(SENTENCES, **SMALL, sg=sg, hs=1, negative=0)
    ours = Word2Vec(**SMALL, sg=sg, hs=1, negative=0)
    ours.build_vocab(SENTENCES)
    order = theirs.wv.index_to_key
    ours._set_words(order, np.array([theirs.wv.get_vecattr(word, "count") for word in order]))
    for word in order:  # one tree for both: which of two equal counts comes first is chance
        for name in ("code", "point"):
            theirs.wv.set_vecattr(word, name, ours.wv.get_vecattr(word, name).copy())  # it reads them without strides
    ours.wv.vectors, ours.syn1 = theirs.wv.vectors, theirs.syn1
    some = [*SENTENCES[:5], ["t0w1"], [], ["t0w1", "nobody", "t0w3"]]
    np.testing.assert_allclose(
        ours.score(some, len(some)), theirs.score(some, len(some)), rtol=0.03
    )  # its table is coarse


def test_a_subclass_may_change_the_sentences_of_a_job():
    """As fastnode2vec does, whose jobs turn the numbers of nodes into walks."""

    class Doubled(Word2Vec):
        def _do_train_job(self, sentences, alpha, inits):
            return super()._do_train_job([[*sentence, *sentence] for sentence in sentences], alpha, inits)

    plain, doubled = Word2Vec(**SMALL), Doubled(**SMALL)
    for model in (plain, doubled):
        model.build_vocab(SENTENCES)
    twice = [[*sentence, *sentence] for sentence in SENTENCES]
    plain.train(twice, total_examples=len(twice), epochs=1)
    doubled.train(iter(SENTENCES), total_examples=len(twice), epochs=1)
    np.testing.assert_array_equal(doubled.wv.vectors, plain.wv.vectors)


def test_what_a_user_sets_is_kept(tmp_path, caplog):
    model = Word2Vec(SENTENCES, **SMALL)
    model.corpus_name, model.steps, model.function = "news", [1, 2.5], len
    assert pickle.loads(pickle.dumps(model)).function is len
    model.save(tmp_path / "m")
    assert "and not function" in caplog.text
    loaded = Word2Vec.load(tmp_path / "m")
    assert (loaded.corpus_name, loaded.steps, hasattr(loaded, "function")) == ("news", [1, 2.5], False)


@pytest.mark.parametrize("key", [np.str_, np.int64], ids=str)
def test_words_of_numpy_can_be_saved(tmp_path, key):
    walks = [[key(n) for n in (1, 2, 3, 4)]] * 20
    model = Word2Vec(walks, **SMALL)
    model.save(tmp_path / "m")
    assert sorted(Word2Vec.load(tmp_path / "m").wv.index_to_key) == [key(n).item() for n in (1, 2, 3, 4)]


def test_words_that_no_file_keeps_are_pickled():
    model = Word2Vec([[("a", 1), None, b"c"]] * 20, **SMALL)
    copied = pickle.loads(pickle.dumps(model))
    assert copied.wv.get_vector(("a", 1)).tolist() == model.wv.get_vector(("a", 1)).tolist()


def test_a_learning_rate_that_is_lowered_by_hand(tmp_path):
    """As in many tutorials, whose last rate is 0 but for rounding."""
    model = Word2Vec(alpha=0.025, min_alpha=0.025, **{**SMALL, "epochs": 1})
    model.build_vocab(SENTENCES)
    for _ in range(10):
        model.train(SENTENCES, total_examples=model.corpus_count, epochs=1)
        model.alpha -= 0.0025
        model.min_alpha = model.alpha
    model.save(tmp_path / "m")
    assert Word2Vec.load(tmp_path / "m").alpha == model.alpha


def test_a_window_of_a_whole_basket():
    with pytest.warns(UserWarning, match="window is 100000: at most 1,000 words"):
        model = Word2Vec(SENTENCES, window=100_000, **SMALL)
    assert model.window == 100_000
    assert Word2Vec(SENTENCES, window=5.0, negative=5.0, **SMALL).window == 5


def test_a_sum_predicts_as_in_gensim():
    ours = Word2Vec(SENTENCES, cbow_mean=0, **SMALL)
    theirs = gensim.models.Word2Vec(SENTENCES, cbow_mean=0, **SMALL)
    theirs.wv.add_vectors(ours.wv.index_to_key, np.ascontiguousarray(ours.wv.vectors), replace=True)
    theirs.syn1neg = np.stack([ours.syn1neg[ours.wv.key_to_index[word]] for word in theirs.wv.index_to_key])
    context = ["t0w1", "t0w2", "t0w3"]
    expected = dict(theirs.predict_output_word(context, topn=96))
    assert dict(ours.predict_output_word(context, topn=96)) == pytest.approx(expected, rel=1e-4)


def test_lengths_are_known_anew_after_an_interrupt():
    class Stop(CallbackAny2Vec):
        def on_train_begin(self, model):
            model.wv.fill_norms()

        def on_epoch_end(self, model):
            model.wv.fill_norms()
            raise KeyboardInterrupt

    model = Word2Vec(**SMALL)
    model.build_vocab(SENTENCES)
    with pytest.raises(KeyboardInterrupt):
        model.train(SENTENCES, total_examples=model.corpus_count, epochs=2, callbacks=[Stop()])
    np.testing.assert_allclose(model.wv.norms, np.linalg.norm(model.wv.vectors, axis=1), rtol=1e-5)


def test_the_vectors_of_a_model_of_a_tree_can_be_saved(tmp_path):
    model = Word2Vec(SENTENCES, hs=1, negative=0, **SMALL)
    model.wv.save(tmp_path / "v")
    np.testing.assert_array_equal(KeyedVectors.load(tmp_path / "v").vectors, model.wv.vectors)


def test_locks_grow_with_the_vocabulary():
    model = Word2Vec(SENTENCES, **SMALL)
    model.wv.vectors_lockf = np.zeros(len(model.wv), np.float32)
    before = model.wv["t0w1"].copy()
    model.build_vocab(NEW, update=True)
    model.train(NEW, total_examples=len(NEW), epochs=1)
    assert (model.wv["t0w1"] == before).all()


def test_init_sims_is_deprecated(trained):
    with pytest.warns(DeprecationWarning, match="init_sims"):
        trained.init_sims()


def test_a_generator_is_refused_where_sentences_are_read_twice():
    class OwnJobs(Word2Vec):
        def _do_train_job(self, sentences, alpha, inits):
            return 0, 0

    for kind, options in (Word2Vec, {"max_vocab_size": 50}), (OwnJobs, {}):
        with pytest.raises(TypeError, match="generator, which can be read only once, but .*: give a list"):
            kind((sentence for sentence in SENTENCES), **SMALL, **options)
    with pytest.raises(RuntimeError, match=r"must pass its sentences on to super"):
        OwnJobs(SENTENCES, **SMALL)


def test_one_lock_for_all_words_is_saved(tmp_path, trained):
    model = copy.deepcopy(trained)
    model.wv.vectors_lockf = np.zeros(1, np.float32)
    model.save(tmp_path / "m")
    loaded = Word2Vec.load(tmp_path / "m")
    loaded.train(SENTENCES, total_examples=len(SENTENCES), epochs=1)
    np.testing.assert_array_equal(loaded.wv.vectors, trained.wv.vectors)
