"""The shape of the house: who may import whom, what is public, what stays unloaded."""

import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import fastw2v

PACKAGE = Path(fastw2v.__file__).parent

# What each room may import; its own modules always. Nothing here may point upward.
GROUND = {"errors", "config", "files", "machine"}
FLOORS = {
    "errors": set(),
    "config": {"errors"},
    "files": {"errors"},
    "machine": set(),
    "kernels": set(),
    "corpus": {"kernels", *GROUND},
    "vectors": {"kernels", *GROUND},
    "training": {"corpus", "vectors", "kernels", *GROUND},
    "progress": {"training", "corpus", "vectors", "kernels", *GROUND},
    "cli": {"", "progress", "training", "corpus", "vectors", "kernels", *GROUND},
    "__main__": {"cli"},
}


def modules():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def imports_of(path):
    """Absolute names of the modules that a file imports."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(parts[: -node.level]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import x`: x may be a module
            yield from ([f"{module}.{alias.name}" for alias in node.names] if node.module is None else [module])


def room_of(name):
    """`fastw2v.corpus.source` is in corpus; a name that is no module is the package's own: ''."""
    room = [*name.split("."), ""][1]
    return room if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").exists() else ""


def test_floors():
    for path in modules():
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in imports_of(path):
            if name.startswith("fastw2v"):
                assert room_of(name) in FLOORS[room] | {room}, f"{path.name} may not import {name}"


def test_only_kernels_import_numba():
    for path in modules():
        if path.parent.name != "kernels":
            assert not [name for name in imports_of(path) if name.split(".")[0] in ("numba", "llvmlite")], path


def test_only_the_command_line_prints():
    for path in modules():
        calls = [node.func.id for node in ast.walk(ast.parse(path.read_text()))
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # fmt: skip
        assert "print" not in calls or path.name == "progress.py" or path.parent.name == "cli", path


@pytest.mark.parametrize(
    "statement", ["import fastw2v", "import fastw2v.cli", "from fastw2v import TrainConfig, InputError"]
)
def test_numba_stays_unloaded(statement):
    code = f"import sys; {statement}; print('numba' in sys.modules, 'numpy' in sys.modules)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout == "False False\n"


def test_public_names():
    assert sorted(fastw2v.__all__) == [
        "DivergedError", "EpochEnded", "Fastw2vError", "InputError", "MissingExtra", "Phrases", "Progress", "RunError",
        "TrainConfig", "UnknownWord", "Vectors", "Vocabulary", "__version__", "train",
    ]  # fmt: skip
    for name in fastw2v.__all__:
        assert getattr(fastw2v, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = fastw2v.nothing


def test_command_line_options_are_the_fields_of_the_configuration():
    from fastw2v.cli import cli

    options = {parameter.name: parameter for parameter in cli.commands["train"].params}
    for item in fields(fastw2v.TrainConfig):
        option = options.pop(item.name)
        assert option.default == item.default or (item.default is None and option.get_default(None) is None)
        assert option.help == item.metadata["help"]
    assert set(options) == {
        "corpus",
        "dask",
        "output",
        "kind",
        "save_vocab",
        "read_vocab",
        "init_vectors",
        "save_model",
        "continue_from",
        "checkpoint",
        "checkpoint_every",
        "resume",
        "freeze",
        "held_out",
        "loss_plot",
        "overwrite",
        "log_json",
        "quiet",
    }
