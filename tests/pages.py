"""The pages of the documentation, their blocks of code, and the headings that links lead to."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md")
}
"""The text of every page, by its path."""

LANGUAGES = {
    "bash": "run as they stand, by .ci/run, and the first one by a test",
    "python": "run, those of a page one after the other in one process; a block `text` that follows is the output",
    "py": "compiled, but not run: they need what a test does not have",
    "console": "run, commands after `$`; as many lines must come out as the page shows",
    "sh": "illustrations: the options of each `fastw2v` command are parsed",
    "text": "output, formulas, other programs' commands: not looked at",
    "log": "messages: not looked at",
    "mermaid": "drawings: not looked at",
}
"""The languages of blocks, and what the tests do with them."""


def blocks(language: str, text: str) -> list[str]:
    """The blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def without_blocks(text: str) -> str:
    """The prose of a page."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def code_and_output(text: str) -> list[tuple[str, str]]:
    """Each `python` block, and the `text` block right after it, which may be empty."""
    return re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", text, re.DOTALL | re.MULTILINE)


def console_commands(text: str) -> list[tuple[str, str]]:
    """Each command of the `console` blocks, and its output."""
    return re.findall(r"\$ ([^\n]*)\n((?:[^$`][^\n]*\n)*)", "".join(blocks("console", text)))


def shell_commands(block: str) -> list[list[str]]:
    """The arguments of each command of a `sh` block; pipes and redirections divide commands."""
    lexer = shlex.shlex(re.sub(r"(?m)(^|\s)#.*$", "", block), posix=True, punctuation_chars="|&;<>\n")
    lexer.whitespace = " \t"
    commands: list[list[str]] = [[]]
    for token in lexer:
        if set(token) <= set("|&;<>\n"):
            commands.append([])
        else:
            commands[-1].append(token)
    return [command for command in commands if command]


def anchors(text: str) -> set[str]:
    """What a link can name after `#`: the headings, as GitHub and MkDocs spell them."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
