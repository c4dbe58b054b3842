"""Files of NumPy's: they open in NumPy, and nothing damaged or hostile is believed."""

import io
import zipfile

import numpy as np
import pytest
from vector_samples import some_vectors

from fastw2v import InputError, Vectors


def test_npz_opens_in_numpy(tmp_path):
    vectors = some_vectors()
    vectors.save(tmp_path / "v.npz")
    with np.load(tmp_path / "v.npz") as arrays:
        assert arrays["words"].tolist() == vectors.index_to_key
        np.testing.assert_array_equal(arrays["vectors"], vectors.vectors)
        assert arrays["counts"].tolist() == vectors.counts.tolist()


def test_npz_that_would_run_or_grow(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array([object()], object), vectors=np.ones((1, 2)))
    with pytest.raises(InputError, match="is damaged, or not an npz file"):
        Vectors.load(path)
    zeros = io.BytesIO()
    np.save(zeros, np.zeros((5000, 1000), np.float32))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.npy", zeros.getvalue())
    with pytest.raises(InputError, match="would grow from"):
        Vectors.load(path)
    np.savez(path, words=np.array(["a", "b"]), vectors=np.ones((3, 2)))
    with pytest.raises(InputError, match="there should be n words and n x dim floats"):
        Vectors.load(path)
    np.savez(path, words=np.array(["a"]), vectors=np.full((1, 2), np.nan))
    with pytest.raises(InputError, match="NaN"):
        Vectors.load(path)


def test_damaged_npz_is_refused(tmp_path):
    def written(**members):
        with zipfile.ZipFile(tmp_path / "v.npz", "w") as archive:
            for name, data in members.items():
                archive.writestr(f"{name}.npy", data)

    good = io.BytesIO()
    np.save(good, np.eye(2, dtype=np.float32))
    for words in (b"no array", b"\x93NUMPY\x01\x00\x04\x00(((\n", np.lib.format.MAGIC_PREFIX + b"\x01\x00\xff\xff"):
        written(words=words, vectors=good.getvalue())
        with pytest.raises(InputError, match=r"v\.npz"):
            Vectors.load(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", words=np.array(["a", "a"]), vectors=np.eye(2))
    with pytest.raises(InputError, match=r"v\.npz holds 1 words more than once"):
        Vectors.load(tmp_path / "v.npz")
    np.savez(tmp_path / "v.npz", words=np.array(["a", "b"]), vectors=np.eye(2), counts=np.ones(2, np.uint64))
    assert Vectors.load(tmp_path / "v.npz").counts.tolist() == [1, 1]
    with pytest.raises(InputError, match="the longest word has 1000 letters"):
        Vectors(["a" * 1000, *(f"w{i}" for i in range(99))], np.ones((100, 1))).save(tmp_path / "o.npz")


def test_counts_below_0_are_refused(tmp_path):
    np.savez(tmp_path / "v.npz", words=np.array(["a", "b"]), vectors=np.eye(2), counts=np.array([1, -2]))
    with pytest.raises(InputError, match="v.npz is damaged: it holds counts below 0"):
        Vectors.load(tmp_path / "v.npz")
