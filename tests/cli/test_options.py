"""How commands declare their options."""

import click
import pytest
from click.testing import CliRunner

from fastw2v.cli.options import command as command_of
from fastw2v.cli.options import config_option, config_options, flag, option
from fastw2v.cli.train import train


@click.command()
@option("-o --output FILE", "Where it goes.", required=True)
@option("--format kind", "The format.", click.Choice(["a", "b"]))
@option("-n --n-words", "How many.", click.IntRange(1), default=3)
@option("--plain")
@flag("--json as_json", "Print JSON.")
def command(**options):
    """Do nothing."""
    click.echo(sorted(options.items(), key=lambda item: item[0]))


def test_the_names_of_parameters_and_their_defaults():
    done = CliRunner().invoke(command, ["-o", "f"])
    assert done.exit_code == 0, done.output
    assert done.output == ("[('as_json', False), ('kind', None), ('n_words', 3), ('output', 'f'), ('plain', None)]\n")
    done = CliRunner().invoke(command, ["--output", "f", "--format", "b", "-n", "5", "--json", "--plain", "x"])
    assert done.output == "[('as_json', True), ('kind', 'b'), ('n_words', 5), ('output', 'f'), ('plain', 'x')]\n"


def test_the_help_shows_metavars_and_defaults_that_are_no_none():
    lines = [" ".join(line.split()) for line in CliRunner().invoke(command, ["--help"]).output.splitlines()]
    for line in (
        "-o, --output FILE Where it goes. [required]",
        "--format [a|b] The format.",
        "-n, --n-words INTEGER RANGE How many. [default: 3; x>=1]",
        "--plain TEXT",
        "--json Print JSON.",
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("name", "kind", "metavar", "default"),
    [
        ("dim", "integer", None, 100),
        ("lr", "float", None, None),
        ("model", "choice", None, "skipgram"),
        ("fixed_window", "boolean", None, False),
        ("temp_dir", "text", "DIR", None),
    ],
)
def test_fields_of_the_configuration(name, kind, metavar, default):
    [parameter] = click.command()(config_option(name)(lambda **options: None)).params
    assert (parameter.name, parameter.type.name, parameter.metavar) == (name, kind, metavar)
    assert parameter.default == default
    assert parameter.opts == ["--" + name.replace("_", "-")]


def test_all_fields_in_their_order():
    parameters = click.command()(config_options(lambda **options: None)).params
    assert [parameter.name for parameter in parameters][:3] == ["model", "loss", "dim"]
    assert parameters[-1].name == "temp_dir"


@command_of(groups={"First": "b", "Second": "a c"})
@option("--a", "The a.")
@option("--b", "The b.")
@option("--c", "The c.")
@option("--dim", "The dim.")
@option("--loss", "The loss.")
def grouped(**options):
    """Do nothing."""


def test_the_help_has_groups():
    lines = CliRunner().invoke(grouped, ["--help"]).output.splitlines()
    heads = [line for line in lines if line.endswith(":") and not line.startswith("Usage")]
    assert heads == ["First:", "Second:", "Other options:"]
    names = [line.split()[0] for line in lines if line.strip().startswith("--")]
    assert names == ["--b", "--a", "--c", "--dim", "--loss", "--help"]


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("--size 5", "No such option '--size'. Did you mean --dim?"),
        ("-size 5", "No such option '-size'. Did you mean --dim?"),
        ("--vector-size=5", "No such option '--vector-size=5'. Did you mean --dim?"),
        ("--hs 1", "No such option '--hs'. Did you mean --loss (1: hs, 0: ns)?"),
        ("--iter 5", "No such option '--iter'"),  # this command has no --epochs
        ("--nothing", "No such option '--nothing'"),
    ],
)
def test_other_trainers_options(given, advice):
    done = CliRunner().invoke(grouped, given.split())
    assert done.exit_code == 2
    assert advice in done.output


def test_every_option_of_train_is_in_a_group():
    names = [name for names in train.groups.values() for name in names]
    assert len(names) == len(set(names))
    assert set(names) == {parameter.name for parameter in train.params} - {"corpus"}
