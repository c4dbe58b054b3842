"""The public API as a type checker sees it from a user's script."""

import inspect
import subprocess
import sys
import typing
from dataclasses import fields

import fastw2v
from fastw2v.api import TrainArguments
from fastw2v.config import TrainConfig, TrainOptions, base_type

SCRIPT = """
import numpy as np

import fastw2v


def show(event: fastw2v.Progress) -> None:
    print(event.loss, event.learning_rate)


def stop(event: fastw2v.Event) -> bool:
    return isinstance(event, fastw2v.Progress) and event.n_words > 10


vectors: fastw2v.Vectors = fastw2v.train("corpus.txt", dim=50, model="cbow", callback=show, progress=True, lower=True)
vectors = fastw2v.train([["a", "b"]], callback=stop, patience=2, held_out_share=0.1)
vectors = fastw2v.train(walks=np.zeros((2, 3), np.int64), digits="zero")
vectors = fastw2v.train(walks=[[1, 2], [3]])
model: fastw2v.TrainedModel = fastw2v.train_model(lines=["a b"], dim=5, lr=0.1)
features = vectors.matrix_for([1, 2, 3], missing=0.0)
print(vectors.most_similar("king", topn=3), vectors[["a", "b"]].shape, features.shape, model.vocabulary.words)
phrases = fastw2v.Phrases.learn(sentences=[["a", "b"]], min_count=1)
try:
    vectors.get_vector("x")
except fastw2v.UnknownWord as error:
    print(error.word)
"""

WRONG = {
    'fastw2v.train("corpus.txt", dimension=50)': "Unexpected keyword argument",
    'fastw2v.train("corpus.txt", model="glove")': "incompatible type",
    'fastw2v.train("corpus.txt", dim="50")': "incompatible type",
}


def checked(path):
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent)


def test_a_user_s_script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text("import fastw2v\n" + "\n".join(WRONG))
    got = checked(tmp_path / "script.py")
    assert got.returncode == 0, got.stdout
    errors = checked(tmp_path / "wrong.py").stdout.splitlines()
    for number, message in enumerate(WRONG.values(), start=2):
        assert any(f"wrong.py:{number}: error" in line and message in line for line in errors), errors


def test_the_options_are_those_of_the_configuration():
    hints = typing.get_type_hints(TrainOptions)
    assert [*hints] == [item.name for item in fields(TrainConfig)]
    for item in fields(TrainConfig):
        choices, hint = item.metadata["allowed"].choices, hints[item.name]
        if choices:
            assert typing.get_args(hint) == choices
        else:
            assert hint in (base_type(item.name), base_type(item.name) | None)


def test_the_arguments_are_those_of_train():
    names = set(typing.get_type_hints(TrainArguments)) | {"corpus"}
    assert names == set(inspect.signature(fastw2v.train).parameters)
