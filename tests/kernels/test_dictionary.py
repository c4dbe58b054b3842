"""UTF-8 is what Python decodes. (The dictionary itself is tested by corpus/test_words.py.)"""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v.kernels.dictionary import mark_invalid

PARTS = [b"a", "é".encode(), "日".encode(), "\U0001f600".encode(), b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
PARTS += [b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\x80", b"\xc3", b"\xe2\x82", b"\xf5", "\ud7ff\ue000\uffff".encode()]
words = st.lists(
    st.one_of(st.lists(st.sampled_from(PARTS), max_size=4).map(b"".join), st.binary(max_size=5)), max_size=10
).map(lambda found: [word.replace(b"\n", b"") for word in found])


def is_text(word):
    try:
        word.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(words)
@settings(max_examples=500, deadline=None)
def test_what_python_decodes_is_valid(words):
    text = np.array(bytearray(b"".join(word + b"\n" for word in words)), np.uint8)
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int64)
    is_invalid = np.ones(len(words), np.bool_)
    mark_invalid(text, ends, is_invalid)
    assert is_invalid.tolist() == [not is_text(word) for word in words]
