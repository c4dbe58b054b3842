"""Models and vectors on disk: what a file keeps, and files that are damaged."""

import json

import numpy as np
import pytest

from fastw2v import InputError, Vectors, modelfile
from fastw2v.gensim import storage
from fastw2v.gensim.stored import Stored
from fastw2v.modelfile import ModelFile

MATRIX = np.arange(6, dtype=np.float32).reshape(3, 2)


def same(one, other):
    assert list(one.keys) == list(other.keys)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert one.vectors.dtype == other.vectors.dtype
    assert one.expandos.keys() == other.expandos.keys()
    for name, values in one.expandos.items():
        assert values.tolist() == other.expandos[name].tolist()
        assert values.dtype == other.expandos[name].dtype
    for name in ("output_vectors", "node_vectors"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.attributes == other.attributes


STORED = {
    "vectors": Stored(["a", "b", "c"], MATRIX),
    "integers": Stored([5, 3, 1], MATRIX),
    "half": Stored(["a", "b", "c"], MATRIX.astype(np.float16)),
    "attributes": Stored(
        ["a", "b", "c"], MATRIX, {"count": np.array([3, 2, 1]), "x": np.array([1, "y", None], object), "f": np.ones(3)}
    ),
    "odd counts": Stored(["a", "b", "c"], MATRIX, {"count": np.array([-1.5, 2, 1])}),
    "a model": Stored(["a", "b", "c"], MATRIX, {}, MATRIX + 1, MATRIX + 2, {"window": 5, "comment": None}),
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
def test_there_and_back(stored, tmp_path):
    storage.save(tmp_path / "x.y", stored)
    same(storage.load(tmp_path / "x.y"), stored)
    same(storage.load(tmp_path / "x.y", mmap="r"), stored)
    assert storage.load(tmp_path / "x.y").vectors.flags.writeable


def test_any_native_file(tmp_path):
    Vectors(["a", "b", "c"], MATRIX, np.array([3, 2, 1])).save(tmp_path / "v.fw2v")
    got = storage.load(tmp_path / "v.fw2v")
    assert (got.keys, got.attributes, got.expandos["count"].tolist()) == (["a", "b", "c"], None, [3, 2, 1])


@pytest.mark.parametrize("about", [3, {"dtype": "nonsense"}, {"expandos": {"x": 3}}, {"keys": "int"}])
def test_a_header_that_makes_no_sense(tmp_path, about):
    content = ModelFile(["a", "b", "c"], MATRIX, training=json.loads(json.dumps({"gensim": about})))
    modelfile.write(tmp_path / "x", content)
    with pytest.raises(InputError, match="it does not say what its keys and attributes are"):
        storage.load(tmp_path / "x")


def test_other_files(tmp_path):
    for data in (b"", b"text", b"3 2\na 1 2\n"):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(InputError):
            storage.load(tmp_path / "x")
