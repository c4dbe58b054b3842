"""What a file's name says of its format, and which files are written for it."""

import pytest

from fastw2v import InputError
from fastw2v.vectors.names import (
    VECTOR_FORMATS,
    check_format,
    check_input,
    format_of,
    format_to_write,
    make_directory,
    outputs_of,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("v.txt", "text"),
        ("v.vec", "text"),
        ("v", "text"),
        ("-", "text"),
        ("v.bin", "binary"),
        ("v.npz", "npz"),
        ("d.npz/v.fw2v", "native"),
        ("v.tsv", "tensorboard"),
        ("v.safetensors", "safetensors"),
        ("v.gz", "text"),
        ("v.txt.gz", "text"),
        ("v.bin.gz", "binary"),
    ],
)
def test_format_of_a_name(path, expected):
    assert format_of(path) == expected
    assert expected in VECTOR_FORMATS


@pytest.mark.parametrize("path", ["v.npz.gz", "v.fw2v.gz", "v.tsv.gz"])
def test_formats_that_are_not_compressed(path):
    with pytest.raises(InputError, match="only text and binary files can be compressed; leave out .gz"):
        format_of(path)


def test_outputs():
    assert outputs_of("d/x.txt", "text") == ["d/x.txt"]
    assert outputs_of("-", "text") == ["-"]
    assert outputs_of("d/x.tsv", "tensorboard") == ["d/x.tsv", "d/x.metadata.tsv"]
    assert outputs_of("d/my_vectors.tsv", "tensorboard") == ["d/my_vectors.tsv", "d/my_metadata.tsv"]
    assert outputs_of("vectors/x.tsv", "tensorboard") == ["vectors/x.tsv", "vectors/x.metadata.tsv"]
    assert outputs_of("x.txt.gz", "text") == ["x.txt.gz"]
    with pytest.raises(InputError, match=r"output x.txt.xz would not be compressed: leave out .xz, or write to -"):
        outputs_of("x.txt.xz", "text")
    assert outputs_of("d/x.safetensors", "safetensors") == ["d/x.safetensors", "d/x.words.txt"]
    assert outputs_of("d", "model2vec") == ["d/config.json", "d/tokenizer.json", "d/model.safetensors"]
    for kind in ("tensorboard", "safetensors", "model2vec"):
        with pytest.raises(InputError, match=f"the format {kind} is several files, which - cannot hold"):
            outputs_of("-", kind)


def test_names_that_promise_other_formats():
    assert format_to_write("v.bin") == "binary"
    assert format_to_write("glove.6B.100d") == "text"
    for suffix in ("parquet", "KV", "model", "npy"):
        with pytest.raises(InputError, match=f"files that end in .{suffix.lower()} are not written"):
            format_to_write(f"v.{suffix}")


def test_formats_that_there_are_not():
    check_format("text")
    with pytest.raises(InputError, match="the format is 'gensim': it must be one of text, binary"):
        check_format("gensim")


def test_directories(tmp_path):
    make_directory(tmp_path / "v.txt", "text")
    assert not (tmp_path / "v.txt").exists()
    make_directory(tmp_path / "a" / "b", "model2vec")
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(InputError, match="cannot make the directory"):
        make_directory("a\0b", "model2vec")


def test_files_that_cannot_be_read(tmp_path):
    for name, kind, message in [
        (tmp_path / "v.txt", "text", "cannot read vectors .*v.txt: No such file or directory"),
        ("a\0b", "binary", "cannot read vectors a\0b: .*embedded null"),
        (
            tmp_path,
            "tensorboard",
            "TensorBoard's files can be written but not read; read the file that they were made from",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            check_input(name, kind)
    (tmp_path / "v.txt").touch()
    check_input(tmp_path / "v.txt", "text")
    check_input("-", "text")
