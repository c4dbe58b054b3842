"""Names of pictures: refused before anything is loaded, and told what they may end in."""

import os
import subprocess
import sys

import pytest

from fastw2v import InputError, MissingExtra
from fastw2v.vectors.pictures import check_picture, printable


def test_suffixes():
    assert check_picture("d.x/a.PNG", "plot") == "png"
    for suffix in ("png", "svg", "pdf"):
        assert check_picture(f"a.{suffix}", "plot") == check_picture(f"a.{suffix}", "map") == suffix
    assert check_picture("a.html", "map") == "html"


@pytest.mark.parametrize(
    ("path", "what", "message"),
    [
        ("a.gif", "plot", "plot a.gif: its name must end in .png, .svg or .pdf"),
        ("a.html", "plot", "plot a.html: its name must end in .png, .svg or .pdf"),
        ("d.png/a", "map", "map d.png/a: its name must end in .png, .svg, .pdf or .html"),
    ],
)
def test_bad_names(path, what, message):
    with pytest.raises(InputError) as refused:
        check_picture(path, what)
    assert str(refused.value) == message


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert check_picture("a.html", "map") == "html"
    for what, message in ("plot", "a plot needs the package matplotlib"), ("map", "a picture needs the package"):
        with pytest.raises(MissingExtra, match=message):
            check_picture("a.png", what)


def test_a_bad_name_is_refused_before_numpy_is_loaded():
    code = """
import sys
from fastw2v import InputError
from fastw2v.vectors.pictures import check_picture, printable
try:
    check_picture("a.gif", "plot")
except InputError:
    print(sorted({"numpy", "numba", "matplotlib", "fastw2v.events"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_characters_that_no_picture_can_hold():
    assert (
        printable("\ufeffa\udcff\0b\x1b\uffff\t日本\U0001f600") == "\\ufeffa\\udcff\\x00b\\x1b\\uffff\t日本\U0001f600"
    )


@pytest.mark.parametrize("backend", ["bogus", "module://matplotlib_inline.backend_inline"])
def test_pictures_need_no_backend(tmp_path, backend):
    pytest.importorskip("matplotlib")
    code = f"""
import os, sys
from fastw2v.vectors.lossplot import LossCurve, draw_loss
curve = LossCurve()
curve.add(1, 2, 3)
for suffix in "png", "svg", "pdf":
    draw_loss(sys.argv[1] + "." + suffix, curve, "")
assert os.environ["MPLBACKEND"] == {backend!r}
"""
    environment = {**os.environ, "MPLBACKEND": backend}
    subprocess.run([sys.executable, "-c", code, tmp_path / "l"], env=environment, check=True)
    assert len(list(tmp_path.iterdir())) == 3
