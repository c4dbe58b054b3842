from fastw2v.cluster.failures import first_line


def test_first_line():
    assert first_line(ValueError("one\ntwo")) == "one"
