"""How commands declare their options: by `option` and `flag`, or as fields of `TrainConfig`."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from ..config import TrainConfig, base_type
from ..vectors.names import VECTOR_FORMATS

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

FORMAT = click.Choice(VECTOR_FORMATS)


def option(declaration: str, text: str | None = None, kind: Any = None, **settings: Any) -> Decorator:
    """A Click option, declared as the help shows it: `option("-o --output FILE", "Where the vectors go.")`.

    declaration: the names, then the metavar in capitals, if any; a name without dashes is that of the command's
    parameter. text: the help. kind: the Click type. settings: other arguments of `click.option`. A default is shown.
    """
    names = declaration.split()
    metavar = names.pop() if names[-1].isupper() else None
    is_default_shown = settings.get("default") is not None
    return click.option(*names, metavar=metavar, type=kind, help=text, show_default=is_default_shown, **settings)


def flag(declaration: str, text: str) -> Decorator:
    """A Click option without a value, False unless it is named."""
    return click.option(*declaration.split(), is_flag=True, default=False, help=text)


def config_option(name: str) -> Decorator:
    """The option `--name` for a field of TrainConfig, which holds its default, its allowed values and its help."""
    [item] = [item for item in fields(TrainConfig) if item.name == name]
    dashed, text = "--" + name.replace("_", "-"), item.metadata["help"]
    choices, kind = item.metadata["allowed"].choices, base_type(name)
    if kind is bool:
        return flag(dashed, text)
    if choices:
        return option(dashed, text, click.Choice(choices), default=item.default)
    return option(f"{dashed} DIR" if kind is str else dashed, text, kind, default=item.default)


def read_options(command: Command) -> Command:
    """Add the options of TrainConfig that say how text is read."""
    for name in ("invalid_utf8", "temp_dir", "digits", "strip_punctuation", "lower"):
        command = config_option(name)(command)
    return command


def config_options(command: Command) -> Command:
    """Add an option for each field of TrainConfig."""
    for item in reversed(fields(TrainConfig)):
        command = config_option(item.name)(command)
    return command
