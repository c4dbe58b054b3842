"""How commands declare their options: by `option` and `flag`, or as fields of `TrainConfig`."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from ..config import PEERS_NAMES, TrainConfig, base_type
from ..vectors.names import VECTOR_FORMATS

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

FORMAT = click.Choice(VECTOR_FORMATS)


def option(declaration: str, text: str | None = None, kind: Any = None, **settings: Any) -> Decorator:
    """A Click option, declared as the help shows it: `option("-o --output FILE", "Output file for the vectors.")`.

    declaration: the names, then the metavar in capitals, if any; a name without dashes is that of the command's
    parameter. text: the help. kind: the Click type. settings: other arguments of `click.option`. A default is shown.
    """
    names = declaration.split()
    metavar = names.pop() if names[-1].isupper() else None
    is_default_shown = settings.get("default") is not None
    return click.option(*names, metavar=metavar, type=kind, help=text, show_default=is_default_shown, **settings)


class Command(click.Command):
    """A command that suggests its own option for one of another trainer, as --dim for --size or word2vec.c's -size.

    groups: the parameters that the help shows under a heading of their own, by that heading; the others come last.
    """

    def __init__(self, *arguments: Any, groups: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.groups = {heading: names.split() for heading, names in (groups or {}).items()}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            ours = {option for parameter in self.params for option in parameter.opts}
            for token in given:
                name = token.lstrip("-").partition("=")[0].replace("-", "_")
                option, _, value = PEERS_NAMES.get(name, name).partition(" ")
                dashed = "--" + option.replace("_", "-")
                if token.startswith("-") and token not in ours and dashed in ours:
                    text = f"No such option '{token}'. Did you mean {f'{dashed} {value}'.strip()}?"
                    raise click.UsageError(text, ctx) from error
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        shown = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        records = {parameter.name or "": parameter.get_help_record(ctx) for parameter in shown}
        groups = [(heading, [records.pop(name) for name in names]) for heading, names in self.groups.items()]
        for heading, rows in [*groups, ("Other options" if groups else "Options", list(records.values()))]:
            with formatter.section(heading):
                formatter.write_dl([row for row in rows if row])


def command(**settings: Any) -> Callable[[Function], click.Command]:
    """Make a function a `Command`."""
    return click.command(cls=Command, **settings)


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


def read_options(function: Function) -> Function:
    """Add the options of TrainConfig that say how text is read."""
    for name in ("invalid_utf8", "temp_dir", "digits", "strip_punctuation", "lower"):
        function = config_option(name)(function)
    return function


def config_options(function: Function) -> Function:
    """Add an option for each field of TrainConfig."""
    for item in reversed(fields(TrainConfig)):
        function = config_option(item.name)(function)
    return function
