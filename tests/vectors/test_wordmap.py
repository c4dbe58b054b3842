"""Places and clusters of planted groups, pictures that open, a page that says what it holds."""

import json
import re
import sys
import xml.dom.minidom

import numpy as np
import pytest

from fastw2v import InputError, MissingExtra, UnknownWord, Vectors
from fastw2v.vectors import wordmap


@pytest.fixture
def groups():
    """Three groups of 20 words around three axes."""
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(3, 10), 20, axis=0)
    return Vectors([f"g{i // 20}_{i % 20}" for i in range(60)], centres + rng.normal(size=(60, 10), scale=0.1))


def group_of(word):
    return word.split("_")[0]


def test_groups_stay_together(groups):
    word_map = wordmap.make_map(groups, n_clusters=3)
    clusters = {}
    for word, cluster in zip(word_map.words, word_map.clusters, strict=True):
        clusters.setdefault(group_of(word), set()).add(int(cluster))
    assert sorted(len(found) for found in clusters.values()) == [1, 1, 1]
    assert len(set.union(*clusters.values())) == 3
    middles = {g: word_map.places[[group_of(word) == g for word in word_map.words]].mean(axis=0) for g in clusters}
    for word, place in zip(word_map.words, word_map.places, strict=True):
        nearest = min(middles, key=lambda g: np.linalg.norm(middles[g] - place))
        assert nearest == group_of(word)
    assert np.abs(word_map.places).max() == pytest.approx(1)
    for i, word in enumerate(word_map.words):
        expected = [other for other, _ in groups.most_similar(word)]
        assert [word_map.words[j] for j in word_map.neighbours[i]] == expected


def test_words_that_are_named(groups):
    word_map = wordmap.make_map(groups, ["g1_3", "g0_1", "g2_2", "g0_1"])
    assert word_map.words == ["g1_3", "g0_1", "g2_2"]
    with pytest.raises(UnknownWord):
        wordmap.make_map(groups, ["g1_3", "x", "y"])
    with pytest.raises(InputError, match="a map of 2 words: it must have 3 to"):
        wordmap.make_map(groups, ["g1_3", "g0_1"])
    with pytest.raises(InputError, match="method is 'x'"):
        wordmap.make_map(groups, method="x")


def test_equal_vectors_and_one_dimension():
    word_map = wordmap.make_map(Vectors(["a", "b", "c", "d"], np.ones((4, 1))))
    assert np.isfinite(word_map.places).all()
    assert (word_map.clusters >= 0).all()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_pictures(groups, tmp_path, suffix):
    path = tmp_path / f"map.{suffix}"
    words = ["$x$", "日本", *groups.index_to_key[2:]]
    wordmap.save_map(path, wordmap.make_map(Vectors(words, groups.vectors)), "a $title")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("suffix", ["html", "png", "svg", "pdf"])
def test_words_of_any_characters(groups, tmp_path, suffix):
    path = tmp_path / f"map.{suffix}"
    words = ["half \ud83d", "zero\0", "escape\x1b[1m", "\uffff", "a\nb", "--c-->", *groups.index_to_key[6:]]
    wordmap.save_map(path, wordmap.make_map(Vectors(words, groups.vectors)), "\udcff\x01")
    if suffix == "svg":
        xml.dom.minidom.parse(str(path))
    if suffix == "html":
        assert all(text in path.read_text("utf-8") for text in (r"half \\ud83d", r"zero\\x00", r"<title>\udcff\x01<"))


def test_words_are_no_tex(groups, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    with matplotlib.rc_context({"text.usetex": True}):
        wordmap.save_map(tmp_path / "m.png", wordmap.make_map(groups), "a_b")
    assert (tmp_path / "m.png").stat().st_size > 1000


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_that_are_not_finite(groups, bad):
    vectors = groups.vectors.copy()
    vectors[20, 0] = bad
    with pytest.raises(InputError, match="the words of the map hold NaN or infinite numbers"):
        wordmap.make_map(Vectors(groups.index_to_key, vectors))


def test_labels_do_not_overlap():
    rng = np.random.default_rng(0)
    taken = []
    for place in rng.uniform(0, 200, (200, 2)):
        spot = wordmap._free_spot(place, 30, 10, taken)
        if spot:
            taken.append((*spot, spot[0] + 30, spot[1] + 10))
    assert len(taken) > 20
    for i, a in enumerate(taken):
        for b in taken[:i]:
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def test_a_page_holds_its_data_and_no_script_of_a_word(groups, tmp_path):
    words = ["</script><script>alert(1)</script>", *groups.index_to_key[1:]]
    path = tmp_path / "map.html"
    wordmap.save_map(path, wordmap.make_map(Vectors(words, groups.vectors)), "<b>title & more")
    page = path.read_text()
    assert "<title>&lt;b>title &amp; more</title>" in page
    assert page.count("<script") == 2
    assert not re.search(r"https?://", page)
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page, re.DOTALL)[1])
    assert data["words"] == words
    assert len(data["places"]) == len(data["neighbours"]) == 60


def test_command_line(run, groups, tmp_path):
    groups.save(tmp_path / "v.txt")
    assert run("plot", tmp_path / "v.txt", "-o", tmp_path / "m.html", "-n", 30) == (0, "", "")
    assert run("plot", tmp_path / "v.txt", "g0_0", "g1_1", "g2_2", "-o", tmp_path / "m.png")[0] == 0
    code, _, err = run("plot", tmp_path / "v.txt", "-o", tmp_path / "m.gif")
    assert (code, "must end in .png, .svg, .pdf or .html" in err) == (2, True)
    assert run("plot", tmp_path / "v.txt", "-o", tmp_path / "m.png")[0] == 2


@pytest.mark.parametrize(("method", "library"), [("tsne", "sklearn"), ("umap", "umap")])
def test_other_methods_keep_groups_together(groups, method, library):
    pytest.importorskip(library)
    word_map = wordmap.make_map(groups, method=method)
    distances = np.linalg.norm(word_map.places[:, None] - word_map.places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    hits = [group_of(word_map.words[i]) == group_of(word_map.words[j]) for i, j in enumerate(nearest)]
    assert np.mean(hits) > 0.9


@pytest.mark.parametrize(
    ("method", "library", "package"), [("tsne", "sklearn", "scikit-learn"), ("umap", "umap", "umap-learn")]
)
def test_missing_libraries(groups, method, library, package, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.manifold", None)
    with pytest.raises(MissingExtra, match=f"pip install '?{package}"):
        wordmap.make_map(groups, method=method)
