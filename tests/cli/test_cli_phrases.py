"""fastw2v phrases."""

import pytest


@pytest.fixture
def text(tmp_path):
    """A text in which `new york` and `bank of america` come together more often than by chance."""
    sentences = [f"w{i % 7} new york w{i % 11} bank of america w{i % 13} of w{i % 5} the" for i in range(200)]
    path = tmp_path / "text.txt"
    path.write_text("\n".join(sentences) + "\n")
    return path


def test_command_line(run, tmp_path, text):
    out, listed = tmp_path / "out.txt", tmp_path / "list.txt"
    code, _, err = run("phrases", text, "-o", out, "--threshold", 0.3, "--connector-words", "english", "--list", listed)
    assert code == 0
    assert err.endswith("phrases\n")
    assert "bank_of_america" in listed.read_text()
    assert any(line.split()[0] == "new_york" for line in listed.read_text().splitlines())
    assert run("phrases", text, "-o", out)[0] == 2
    code, _, err = run("phrases", text, "-o", text, "--overwrite")
    assert code == 2
    assert "same file as the input" in err
