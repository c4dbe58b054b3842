"""Options of the command line that are fields of `TrainConfig`, which holds their defaults, ranges and help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from ..config import TrainConfig, base_type

Command = Callable[..., Any]


def config_option(name: str) -> Callable[[Command], Command]:
    """The option `--name` for a field of TrainConfig."""
    [item] = [item for item in fields(TrainConfig) if item.name == name]
    dashed = "--" + name.replace("_", "-")
    allowed, kind = item.metadata["allowed"], base_type(name)
    if kind is bool:
        return click.option(dashed, is_flag=True, default=item.default, help=item.metadata["help"])
    return click.option(
        dashed,
        type=click.Choice(allowed.choices) if allowed.choices else kind,
        default=item.default,
        show_default=item.default is not None,
        help=item.metadata["help"],
        metavar="DIR" if kind is str and not allowed.choices else None,
    )


def config_options(command: Command) -> Command:
    """One option for each field."""
    for item in reversed(fields(TrainConfig)):
        command = config_option(item.name)(command)
    return command
