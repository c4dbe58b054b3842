"""TrainedModel: the options, the vocabulary and both matrices of a run."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .. import modelfile
from ..config import TrainConfig
from ..corpus.vocabulary import Vocabulary
from ..errors import InputError, RunError
from ..files.checks import check_output
from ..files.names import PathLike
from ..matrix import is_finite
from ..modelfile import ModelFile
from ..vectors.names import format_of
from ..vectors.vectors import Vectors


@dataclass(frozen=True)
class TrainedModel:
    """The whole result of a run, which can be queried, saved, and trained further with `continue_from`.

    config: the options of the run.
    vocabulary: the words and their counts.
    input_vectors: the vector of each word as a context, (n_words, dim) float32.
    output_vectors: the vector of each word as a centre word, (n_words, dim) float32. With hierarchical softmax these
    belong to the nodes of its tree, and the last row is not used.

    Raises InputError for a matrix whose shape is not (n_words, dim).
    """

    config: TrainConfig
    vocabulary: Vocabulary
    input_vectors: NDArray[np.float32]
    output_vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        expected = len(self.vocabulary), self.config.dim
        for name in ("input_vectors", "output_vectors"):
            if (shape := np.shape(getattr(self, name))) != expected:
                raise InputError(f"{name} have the shape {shape}: a model of these words and dim needs {expected}")

    def __repr__(self) -> str:
        config = self.config
        return f"<TrainedModel: {config.model}, {config.loss}, {len(self.vocabulary):,} words x {config.dim}>"

    def vectors(self, which: str | None = None) -> Vectors:
        """Return the words with their vectors. Neither of the two matrices is copied or changed.

        which: `input`, `output`, or `average` for the mean of both; by default the option `vectors` of the run.

        Raises InputError for another name.
        """
        which = replace(self.config, vectors=which).vectors if which else self.config.vectors
        matrix = self.input_vectors if which == "input" else self.output_vectors
        if which == "average":
            matrix = _average(self, np.empty_like(matrix))
        return Vectors(self.vocabulary.words, matrix, self.vocabulary.counts)

    def save(self, path: PathLike) -> None:
        """Write the whole model to a file with the extension .fw2v, which is a file of vectors, too.

        Raises InputError for another extension or loss hs, and RunError for NaN or if the file cannot be written.
        """
        _check_name(path, self.config)
        if not (is_finite(self.input_vectors) and is_finite(self.output_vectors)):
            raise RunError(
                f"the model holds NaN or infinite numbers: {os.fspath(path)} was not written; train with a lower lr"
            )
        about = {**training_kind(self.config), "config": asdict(self.config)}
        words, counts = self.vocabulary.words, self.vocabulary.counts
        content = ModelFile(words, self.input_vectors, counts, output_vectors=self.output_vectors, training=about)
        modelfile.write(path, content)

    @classmethod
    def load(cls, path: PathLike) -> Self:
        """Read a file that `save` wrote, or a checkpoint. The matrices are checked, then mapped into memory.

        Raises InputError for a file that is damaged or holds no model.
        """
        content = modelfile.read(path, verify=True)
        if content.output_vectors is None or content.counts is None:
            advice = "continue_from needs what save_model wrote; or start from the vectors with init_vectors"
            raise InputError(f"{os.fspath(path)} holds vectors only: {advice}")
        vocabulary = Vocabulary(list(content.words), content.counts)
        return cls(_config_of(path, content), vocabulary, content.vectors, content.output_vectors)


def last_vectors(model: TrainedModel) -> Vectors:
    """Return the vectors that the model's options name. The model must not be used afterwards.

    The average is written over the output vectors, so that it needs no new memory for a large model.
    """
    if model.config.vectors != "average":
        return model.vectors()
    average = _average(model, model.output_vectors)
    return Vectors(model.vocabulary.words, average, model.vocabulary.counts)


def _average(model: TrainedModel, place: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write the mean of both matrices to `place`, which may be one of them, and return it."""
    np.add(model.input_vectors, model.output_vectors, out=place)
    place *= np.float32(0.5)
    return place


def _config_of(path: PathLike, content: ModelFile) -> TrainConfig:
    """Return the options that a file was trained with; options that it does not name have their defaults."""
    about = content.training if isinstance(content.training, dict) else {}
    config = about["config"] if isinstance(about.get("config"), dict) else {}
    known = {item.name for item in fields(TrainConfig)}  # a later version may know more
    options = {name: value for name, value in config.items() if name in known}
    named = {name: about.get(name) for name in ("model", "loss")}
    try:
        return TrainConfig.from_options({**options, **named, "dim": content.vectors.shape[1]})
    except InputError as error:
        raise InputError(f"{os.fspath(path)} does not say how it was trained: {error}") from error


def training_kind(config: TrainConfig) -> dict[str, str]:
    """Return the options on which the meaning of the output vectors depends."""
    return {"model": config.model, "loss": config.loss}


def check_model_output(path: PathLike, config: TrainConfig, inputs: Sequence[PathLike] = ()) -> None:
    """Raise InputError if `TrainedModel.save` could not write a file, or not one to continue from."""
    check_output(path, inputs)
    _check_name(path, config)


def _check_name(path: PathLike, config: TrainConfig) -> None:
    if config.loss == "hs":
        raise InputError(
            "save_model needs loss ns or softmax: with hs the output vectors belong to the nodes of a tree, which "
            "another vocabulary does not have; leave it out, and start from the vectors later with init_vectors"
        )
    if format_of(path) != "native":
        raise InputError(f"model {os.fspath(path)}: its name must end in .fw2v, the only format that holds a model")
