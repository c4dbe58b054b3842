"""How mkdocstrings shows our docstrings: each `name: meaning` of a parameter or field becomes an item of a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ITEM = re.compile(r"(?m)^((?:[a-z_]\w*)(?:, [a-z_]\w*)*): ")


class ListsOfNames(griffe.Extension):
    """Changes the docstrings of functions and classes as they are loaded."""

    def on_function_instance(self, *, func: griffe.Function, **_: Any) -> None:
        _list_names(func, {parameter.name for parameter in func.parameters})

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        init = cls.members.get("__init__")
        names = {parameter.name for parameter in init.parameters} if isinstance(init, griffe.Function) else set()
        _list_names(cls, names | set(cls.members))


def _list_names(item: griffe.Object, names: set[str]) -> None:
    if item.docstring:
        item.docstring.value = with_lists(item.docstring.value, names)


def with_lists(text: str, names: set[str]) -> str:
    """Return a docstring whose lines `name: ...`, for these names, begin items of a Markdown list.

    The lines that continue an item are indented; a sentence that begins a line after one, such as "Raises", ends it.
    """
    lines: list[str] = []
    is_in_item = False
    for line in text.splitlines():
        found = _ITEM.match(line)
        if found and set(found[1].split(", ")) <= names | {"options"}:
            if not is_in_item and lines and lines[-1]:
                lines.append("")
            codes = ", ".join(f"`{name}`" for name in found[1].split(", "))
            lines.append(f"- {codes}: {line[found.end() :]}")
            is_in_item = True
        elif not line.strip() or re.match(r"(Raises|Returns|The options are) ", line):
            lines += [""] if is_in_item and line.strip() else []
            lines.append(line)
            is_in_item = False
        else:
            lines.append(f"  {line}" if is_in_item else line)
    return "\n".join(lines)
