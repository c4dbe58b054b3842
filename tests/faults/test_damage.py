"""Damaged checkpoints: every cut and flip is found, or changed nothing."""

import random

import numpy as np
import pytest
import writer
from figures import amount, report, some

from fastw2v import InputError
from fastw2v.training.checkpoint import CURRENT, PREVIOUS, load
from fastw2v.vectors.containers import _PREFIX

pytestmark = pytest.mark.faults


@pytest.fixture
def attack(tmp_path):
    """(the bytes of a checkpoint, a function that puts others there and says whether they were refused)"""
    writer.write("checkpoint", tmp_path, 1)
    (tmp_path / PREVIOUS).unlink(missing_ok=True)
    path = tmp_path / CURRENT
    whole = path.read_bytes()
    good = load(tmp_path)
    expected = (good.content.vectors.copy(), good.content.output_vectors.copy(), list(good.content.words), good.about)

    def attack(data):
        path.write_bytes(data)
        try:
            found = load(tmp_path)
        except InputError:
            return True
        got = found.content.vectors, found.content.output_vectors, list(found.content.words), found.about
        np.testing.assert_equal(got, expected)
        return False

    return whole, attack


def test_cuts(attack):
    whole, attack = attack
    _, header, _ = _PREFIX.unpack(whole[: _PREFIX.size])
    places = [*range(_PREFIX.size + header + 64), *range(_PREFIX.size + header + 64, len(whole), 64), len(whole) - 1]
    places = some(places)
    refused = sum(attack(whole[:place]) for place in places)
    assert refused >= len(places) - 1, "only padding behind the last section may go"
    report("checkpoints cut off", tried=len(places), refused=refused, accepted_damaged=0)


def test_flips_of_the_header(attack):
    whole, attack = attack
    _, header, _ = _PREFIX.unpack(whole[: _PREFIX.size])
    n_refused = tried = 0
    for place in some(range(_PREFIX.size + header)):
        for bit in (1, 128, 255):
            data = bytearray(whole)
            data[place] ^= bit
            n_refused += attack(data)
            tried += 1
    assert n_refused == tried
    report("bytes of a checkpoint's header changed", tried=tried, refused=n_refused, accepted_damaged=0)


def test_random_flips(attack):
    whole, attack = attack
    rng = random.Random(0)
    tried = amount(10_000)
    n_refused = 0
    for _ in range(tried):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        n_refused += attack(data)
    assert n_refused > 0.9 * tried, "the rest hit padding"
    report("random bits of a checkpoint flipped", tried=tried, refused=n_refused, in_padding=tried - n_refused,
           accepted_damaged=0)  # fmt: skip
