"""Damaged checkpoints and files of vectors: every cut and flip is found, or changed nothing."""

import contextlib
import random
from collections import Counter

import numpy as np
import pytest
import writer
from figures import amount, report, some

from fastw2v import InputError, Vectors, modelfile
from fastw2v.modelfile import _PREFIX, CHECKPOINT, PREVIOUS_CHECKPOINT
from fastw2v.training.checkpoint import load

pytestmark = pytest.mark.faults


def parts_of(checkpoint):
    """All that a checkpoint holds, in memory of its own."""
    content = checkpoint.content
    return content.vectors.copy(), content.output_vectors.copy(), list(content.words), checkpoint.about


@pytest.fixture
def attack(tmp_path):
    """(the bytes of a checkpoint, a function that puts others there and says what became of them)

    It says refused, the same (what differs is padding), or accepted damaged.
    """
    writer.write("checkpoint", tmp_path, 1)
    (tmp_path / PREVIOUS_CHECKPOINT).unlink(missing_ok=True)
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    expected = parts_of(load(tmp_path))

    def attack(data):
        path.write_bytes(data)
        try:
            got = parts_of(load(tmp_path))
        except InputError:
            return "refused"
        try:
            np.testing.assert_equal(got, expected)
        except AssertionError:
            return "accepted damaged"
        return "the same"

    return whole, attack


def tell(name, outcomes):
    kinds = {"refused": "refused", "in_padding": "the same", "accepted_damaged": "accepted damaged"}
    report(name, tried=outcomes.total(), **{key: outcomes[kind] for key, kind in kinds.items()})
    assert outcomes["accepted damaged"] == 0


def test_cuts(attack):
    whole, attack = attack
    _, header, _ = _PREFIX.unpack(whole[: _PREFIX.size])
    places = [*range(_PREFIX.size + header + 64), *range(_PREFIX.size + header + 64, len(whole), 64), len(whole) - 1]
    places = some(places)
    outcomes = Counter(attack(whole[:place]) for place in places)
    tell("checkpoints cut off", outcomes)
    assert outcomes["the same"] <= 1, "only padding behind the last section may go"


def test_flips_of_the_header(attack):
    whole, attack = attack
    _, header, _ = _PREFIX.unpack(whole[: _PREFIX.size])
    outcomes = Counter()
    for place in some(range(_PREFIX.size + header)):
        for bit in (1, 128, 255):
            data = bytearray(whole)
            data[place] ^= bit
            outcomes[attack(data)] += 1
    tell("bytes of a checkpoint's header changed", outcomes)
    assert outcomes["the same"] == 0


def flipped(whole):
    """Many times the bytes of `whole`, with some bits flipped."""
    rng = random.Random(0)
    for _ in range(amount(10_000)):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        yield data


def test_random_flips(attack):
    whole, attack = attack
    outcomes = Counter(map(attack, flipped(whole)))
    tell("random bits of a checkpoint flipped", outcomes)
    assert outcomes["refused"] > 0.9 * outcomes.total(), "the rest hit padding"


@pytest.mark.parametrize("size", ["small", "large"])
def test_random_flips_in_a_file_of_vectors(tmp_path, monkeypatch, size):
    """A small file is checked when it is mapped, a large one by `verify`; mapping it never fails in another way."""
    path = tmp_path / "v.fw2v"
    vectors = Vectors([f"w{i}" for i in range(200)], np.random.default_rng(0).normal(size=(200, 9)))
    vectors.save(path)
    whole = path.read_bytes()
    if size == "large":
        monkeypatch.setattr(modelfile, "CHECKED_WHOLE", 0)
    outcomes = Counter()
    for data in flipped(whole):
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            mapped = Vectors.load(path)
            mapped.most_similar(0)
        try:
            got = Vectors.load(path, verify=size == "large")
        except InputError:
            outcomes["refused"] += 1
            continue
        is_same = (got.vectors == vectors.vectors).all() and list(got) == list(vectors)
        outcomes["the same" if is_same else "accepted damaged"] += 1
    tell(f"random bits of a {size} file of vectors flipped", outcomes)
