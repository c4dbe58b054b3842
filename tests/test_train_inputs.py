"""The inputs of `fastw2v.train` other than files: the same vectors as from a file, and what is refused."""

import numpy as np
import pytest

import fastw2v
from fastw2v import InputError


def test_all_ways_train_the_same_vectors(tmp_path, planted):
    lines = planted.read_text().splitlines()
    options = {"dim": 8, "epochs": 1, "min_count": 1, "threads": 1}
    expected = fastw2v.train(planted, **options)
    for inputs in ({"sentences": [line.split() for line in lines]}, {"lines": lines}):
        got = fastw2v.train(**inputs, **options)
        assert got.index_to_key == expected.index_to_key
        np.testing.assert_array_equal(got.vectors, expected.vectors)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"lines": [["a", "b"]]}, "the lines hold a list: a line is a str"),
        ({}, "needs one of corpus, sentences, lines and walks, found none"),
        ({"corpus": "x", "sentences": []}, "found corpus, sentences"),
    ],
)
def test_refused_inputs(inputs, message):
    with pytest.raises(InputError, match=message):
        fastw2v.train(**inputs)
