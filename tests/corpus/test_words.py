"""Words that are not UTF-8."""

import pytest
from corpora import read, sentences_of

from fastw2v.errors import InputError


def test_invalid_utf8(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"caf\xe9 caf\xe8 good caf\xe9 caf\xef\xbf\xbd\n")
    got = read(path)
    assert got.vocabulary.words == ["caf\ufffd", "good"]
    assert got.vocabulary.counts.tolist() == [4, 1]
    assert got.reading.n_invalid == 3
    assert sentences_of(got)[0][0] == "caf\ufffd"
    got = read(path, invalid_utf8="keep")
    assert got.vocabulary.words == ["caf\\xe9", "caf\\xe8", "caf\ufffd", "good"]
    with pytest.raises(InputError, match=r"3 words of the corpus are not UTF-8, the first is b'caf\\xe9'"):
        read(path, invalid_utf8="refuse")
