"""Scripts as people write them: with gensim's imports and with ours, their results agree in kind and shape."""

import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from gensim_imports import stand_in, with_our_imports
from planted import planted_text

pytestmark = pytest.mark.gensim

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.py"))


@pytest.fixture
def corpora(tmp_path, monkeypatch):
    """The files that scripts read, in the working directory."""
    monkeypatch.chdir(tmp_path)
    text = planted_text(n_sentences=300)
    Path("corpus.txt").write_text(text)
    Path("text8").write_text(text.replace("\n", " "))
    Path("texts").mkdir()
    for number in range(2):
        Path(f"texts/{number}.txt").write_text(planted_text(number, n_sentences=50))
    news = ["the mayor of new york was there", "new york is large", "in new york machine learning is new"]
    Path("news.txt").write_text("\n".join(news * 5) + "\n")
    words = sorted(set(text.split()))
    matrix = np.random.default_rng(0).normal(size=(len(words), 20)).astype(np.float32)
    rows = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, matrix, strict=True)]
    Path("glove.txt").write_text("".join(rows))
    Path("given.txt").write_text(f"{len(words)} 20\n" + "".join(rows))
    raw = [word.encode() + b" " + row.tobytes() for word, row in zip(words, matrix, strict=True)]
    Path("news.bin").write_bytes(f"{len(words)} 20\n".encode() + b"".join(raw))


def run(source, name):
    """The public variables of a script after its run."""
    variables = {"__name__": name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # files that are left open, and what gensim warns of
        exec(compile(source, name, "exec"), variables)
    kinds = types.ModuleType | types.FunctionType | type
    return {key: value for key, value in variables.items() if not (key.startswith("_") or isinstance(value, kinds))}


def outline(value):
    """What kind of value it is, and its shape: numbers, words and models may differ."""
    match value:
        case np.ndarray():
            return "array", value.dtype.kind, value.shape
        case bool() | np.bool_():
            return "bool"
        case int() | np.integer() | float() | np.floating():
            return "number"
        case str():
            return "str"
        case list() | tuple():
            return "several", len(value), {str(outline(item)) for item in value}
        case dict():
            return "dict", {str(outline(key)) for key in value}, {str(outline(item)) for item in value.values()}
        case _:
            return type(value).__name__


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs_as_with_gensim(path, corpora):
    source = path.read_text("utf-8")
    stand_in()
    expected, got = run(source, path.stem), run(with_our_imports(source), path.stem)
    exact = expected.pop("EXACT", [])
    assert got.pop("EXACT", []) == exact
    assert {key: outline(value) for key, value in got.items()} == {
        key: outline(value) for key, value in expected.items()
    }
    assert {key: got[key] for key in exact} == {key: expected[key] for key in exact}


def test_there_are_twenty_scripts():
    assert len(SCRIPTS) == 20
