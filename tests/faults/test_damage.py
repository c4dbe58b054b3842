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


def damaged(whole, n, dim, row_bytes):
    """(a kind of damage, a binary file that has it), many times; the rows of the file take about `row_bytes`."""
    rng = random.Random(0)
    head, rows = whole.split(b"\n", 1)
    for _ in range(amount(2000)):
        place = rng.randrange(len(head) + 1, len(whole))
        size = rng.choice((1, 2, 3, 4, 8, 64, row_bytes, rng.randrange(1, 5 * row_bytes)))
        junk = rng.choice((rng.randbytes(size), bytes(size), b"\n" * size, b"x" * size))
        yield "junk inserted", whole[:place] + junk + whole[place:]
        yield "doubled", whole[:place] + whole[max(0, place - size) : place] + whole[place:]
        yield "deleted", whole[:place] + whole[place + size :]
        yield "cut off", whole[:place]
        yield "junk behind", whole + junk
        other_size = size + rng.choice((-3, -2, -1, 1, 2, 3))
        yield "exchanged for more or fewer", whole[:place] + rng.randbytes(size) + whole[place + max(0, other_size) :]
        lies = rng.randrange(1, 2 * n), rng.randrange(1, 2 * dim)
        yield "a false first line", b"%d %d\n" % rng.choice(((lies[0], dim), (n, lies[1]), lies)) + rows
        yield "two files", whole + rng.choice((whole, rows, head + b"\n" + rows[: rng.randrange(1, len(rows))]))


@pytest.mark.parametrize("newline", [b"\n", b""])
def test_damage_of_binary_files(tmp_path, newline):
    """word2vec's files have newlines, and no vector is wrong. gensim's have none, and some damage cannot be found.

    Where bytes are added to a word, or missing, it is another word. Nothing tells, but the vectors are right.
    """
    path, n, dim = tmp_path / "v.bin", 100, 20
    vectors = np.random.default_rng(0).normal(size=(n, dim), scale=0.3).astype("<f4")
    names = [f"word{i}".encode() for i in range(n)]
    rows = [name + b" " + row.tobytes() + newline for name, row in zip(names, vectors, strict=True)]
    whole = b"%d %d\n" % (n, dim) + b"".join(rows)
    outcomes = Counter()
    for kind, data in damaged(whole, n, dim, len(rows[0])):
        path.write_bytes(data)
        try:
            got = Vectors.load(path)
        except InputError:
            outcomes["refused"] += 1
            continue
        if data.rstrip(b"\n") == whole.rstrip(b"\n"):
            outcomes["the same"] += 1
        elif np.array_equal(got.vectors, vectors):
            outcomes["another word"] += 1
        else:
            outcomes["accepted wrong"] += 1
            outcomes[kind] += 1
    kinds = {"refused": "refused", "another_word": "another word", "accepted_wrong": "accepted wrong"}
    tried = sum(outcomes[kind] for kind in (*kinds.values(), "the same"))
    name = "binary files with newlines damaged" if newline else "binary files without newlines damaged"
    report(name, tried=tried, **{key: outcomes[kind] for key, kind in kinds.items()})
    assert outcomes["accepted wrong"] <= (0 if newline else 0.35 * tried), outcomes
