"""The shape of the package: who may import whom, how large functions are, what is public, what stays unloaded."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from module_graph import circles, module_graph, room_of

import fastw2v

PACKAGE = Path(fastw2v.__file__).parent
TESTS = Path(__file__).parent

FLOORS = [
    {"system"},
    {"errors", "lazy", "machine", "threads"},
    {"config", "kernels"},
    {"files", "matrix"},
    {"modelfile"},
    {"corpus"},
    {"events"},
    {"vectors"},
    {"training"},
    {"cluster"},
    {"reporting"},
    {"api", "gensim"},
    {""},  # the public names
    {"cli"},
    {"__main__"},
]
"""The rooms from below. A module imports from its own room and from lower floors, never from another room of its own
floor; a room is a folder, or a module that stands in none."""

MOST_PARAMETERS, MOST_LINES = 7, 60
"""The limits of a function outside kernels/: parameters without self and cls; lines of code, without the docstring."""

MANY_PARAMETERS = {
    "api.train": "the public call: a keyword for each thing that it can be asked for",
    "gensim.keyedvectors.KeyedVectors.load_word2vec_format": "gensim's arguments, by name and order",
    "gensim.keyedvectors.KeyedVectors.save_word2vec_format": "gensim's arguments, by name and order",
    "gensim.model.Word2Vec.__init__": "gensim's arguments, by name and order",
    "gensim.model.Word2Vec.train": "gensim's arguments, by name and order",
    "gensim.phrases.Phrases.__init__": "gensim's arguments, by name and order",
}
"""Functions with more than `MOST_PARAMETERS`, and the reason of each."""

LONG: dict[str, str] = {}
"""Functions with more than `MOST_LINES`, and the reason of each."""

WITHOUT_A_TEST_FILE = {
    "": "the public names are tested here",
    "gensim.callbacks": "nothing but methods that do nothing",
    "gensim.progress": "gensim/test_model.py trains with callbacks",
    "gensim.transport": "gensim/test_keyedvectors.py compares distances with gensim's",
    "kernels.phrases": "corpus/test_phrases.py compares what is found and merged with gensim",
    "kernels.tokenize": "corpus/test_tokenizer.py compares the words with the reference",
}
"""Modules with functions but without a test file of their name, and the reason of each."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def functions_of(node: ast.AST, name: str) -> Iterator[tuple[str, Function]]:
    """All functions in a syntax tree, also methods and inner functions, with their dotted names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef):
            inner = f"{name}.{child.name}".removeprefix(".")
            if isinstance(child, Function):
                yield inner, child
            yield from functions_of(child, inner)
        else:
            yield from functions_of(child, name)


def n_parameters(function: Function) -> int:
    """The number of parameters of a function, `*args` and `**options` included, self and cls excluded."""
    every = function.args
    named = [*every.posonlyargs, *every.args, *every.kwonlyargs, *filter(None, [every.vararg, every.kwarg])]
    return sum(parameter.arg not in ("self", "cls") for parameter in named)


@cache
def code_lines(source: str) -> frozenset[int]:
    """The numbers of the lines that hold more than a comment."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    empty = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    places = [(token.start[0], token.end[0]) for token in tokens if token.type not in empty]
    return frozenset(line for first, last in places for line in range(first, last + 1))


def n_code_lines(function: Function, source: str) -> int:
    """The number of lines of a function that hold code: no blank lines, no comments, no docstring, no decorators."""
    lines = code_lines(source) & set(lines_of(function))
    if ast.get_docstring(function) is not None:
        lines -= set(lines_of(function.body[0]))
    return len(lines)


def lines_of(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


FUNCTIONS = [
    (name, function, module)
    for module, tree in TREES.items()
    if room_of(module) != "kernels"
    for name, function in functions_of(tree, module)
]


def test_floors():
    floor_of = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for name, others in module_graph().items():
        for other in others:
            home, room = room_of(name), room_of(other)
            assert room == home or floor_of[room] < floor_of[home], f"{name} may not import {other}"


def test_no_module_uses_a_property_with_a_lock():
    """See `computed_once`: a child that is forked while another thread has the lock waits for ever."""
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"import .*\bcached_property", path.read_text("utf8")), path


def test_kernels_know_no_other_room():
    for name, others in module_graph().items():
        if room_of(name) == "kernels":  # whose compiler and cache depend on the system
            assert {room_of(other) for other in others} <= {"kernels", "system"}, name


def test_no_modules_import_each_other_in_a_circle():
    graph = module_graph()
    closed = [
        f"{name} imports {', '.join(sorted(graph[name] & set(group)))}" for group in circles(graph) for name in group
    ]
    assert not closed, "modules in a circle:\n" + "\n".join(closed)


def test_the_graph_has_every_import(tmp_path):
    sources = {
        "__init__": "",
        "low": "import os\nimport numpy as np\n",
        "room/__init__": "from . import alone\n",
        "room/alone": "",
        "room/one": "from ..low import value\ndef late():\n    from .two import thing\n",
        "room/two": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .one import late\n",
        "top": "import small.room.two\nfrom .room import alone, one\nfrom small import low\nfrom . import __doc__\n",
    }
    package = tmp_path / "small"
    for name, source in sources.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    graph = module_graph(package)
    assert graph == {
        "": set(),
        "low": set(),
        "room": {"room.alone"},
        "room.alone": set(),
        "room.one": {"low", "room.two"},
        "room.two": {"room.one"},
        "top": {"", "low", "room.alone", "room.one", "room.two"},
    }
    assert circles(graph) == [["room.one", "room.two"]]
    (package / "room" / "two.py").write_text("from . import alone\n")
    assert circles(module_graph(package)) == []


def test_only_kernels_import_numba():
    for name, tree in TREES.items():
        modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        modules += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
        imports_numba = any(module.split(".")[0] in ("numba", "llvmlite") for module in modules)
        assert not imports_numba or room_of(name) == "kernels", name


def test_only_the_command_line_prints():
    for name, tree in TREES.items():
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        prints = any(isinstance(function, ast.Name) and function.id == "print" for function in calls)
        assert not prints or room_of(name) in ("cli", "reporting"), name


def test_functions_have_few_parameters():
    many = {name for name, function, _ in FUNCTIONS if n_parameters(function) > MOST_PARAMETERS}
    assert many == set(MANY_PARAMETERS)


def test_functions_are_short():
    sources = {module: path.read_text("utf-8") for module, path in MODULES.items()}
    long = {name for name, function, module in FUNCTIONS if n_code_lines(function, sources[module]) > MOST_LINES}
    assert long == set(LONG)


def test_how_functions_are_measured():
    source = '''
class Thing:
    @decorated
    def do(self, one, /, two, *rest, three=3, **more):
        """It has
        a docstring."""
        # and a comment

        text = """of
        two lines"""
        def inner(cls, four): return (one,
                                      two)
'''
    (name, outer), (inner_name, inner) = functions_of(ast.parse(source), "module")
    assert (name, inner_name) == ("module.Thing.do", "module.Thing.do.inner")
    assert (n_parameters(outer), n_parameters(inner)) == (5, 1)
    assert (n_code_lines(outer, source), n_code_lines(inner, source)) == (5, 2)


def test_the_formatter_formats_everything():
    mark = "# fmt: " + "skip"
    root = TESTS.parent
    files = [path for folder in (PACKAGE, TESTS, root / "docs", root / "benchmarks") for path in folder.rglob("*.py")]
    assert not [path for path in files if mark in path.read_text("utf-8")]


def test_no_test_file_imports_another():
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            last = {name.rpartition(".")[2] for name in names}
            assert not [name for name in last if name.startswith("test_") or name == "conftest"], path


def test_every_module_has_a_test_file():
    without = set()
    for name, path in MODULES.items():
        if any(isinstance(node, Function) for node in ast.walk(TREES[name])):
            place = path.relative_to(PACKAGE)
            if not (TESTS / place.with_name(f"test_{place.name}")).exists():
                without.add(name)
    assert without - set(WITHOUT_A_TEST_FILE) == set(), "no test file of their name"
    assert set(WITHOUT_A_TEST_FILE) - without == set(), "an exception that is none"


STATEMENTS = ["import fastw2v", "import fastw2v.cli", "from fastw2v import TrainConfig, InputError"]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_numba_stays_unloaded(statement):
    code = f"import sys; {statement}; print('numba' in sys.modules, 'numpy' in sys.modules)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert got.stdout == "False False\n"


PUBLIC = """BestKept BytesRead Callback CheckpointFailed CheckpointSaved ClusterChanged CorpusRead DivergedError
EpochEnded Estimated Evaluating Event Fastw2vError InputError KernelCompiling MissingExtra PhaseEnded
PhaseStarted Phrases Progress Resumed RoundEnded RunError TrainConfig TrainedModel UnknownWord Vectors
Vocabulary Waiting __version__ train train_model"""


def test_public_names():
    assert sorted(fastw2v.__all__) == PUBLIC.split()
    for name in fastw2v.__all__:
        assert getattr(fastw2v, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = fastw2v.nothing


OF_THE_COMMAND_LINE = """corpus dask output kind save_vocab read_vocab init_vectors save_model continue_from checkpoint
checkpoint_every resume freeze held_out loss_plot overwrite log_json quiet"""


def test_command_line_options_are_the_fields_of_the_configuration():
    from fastw2v.cli import cli

    options = {parameter.name: parameter for parameter in cli.commands["train"].params}
    for item in fields(fastw2v.TrainConfig):
        option = options.pop(item.name)
        assert option.default == item.default or (item.default is None and option.get_default(None) is None)
        assert option.help == item.metadata["help"]
    assert set(options) == set(OF_THE_COMMAND_LINE.split())
