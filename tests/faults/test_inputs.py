"""Inputs that are no text, and counts that no text has: refused in one line, or trained on within the estimate."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import numpy as np
import pytest
from figures import amount, report

import fastw2v
from fastw2v import InputError, TrainConfig, Vocabulary
from fastw2v.corpus.corpus import Corpus
from fastw2v.corpus.pruning import Pruning
from fastw2v.kernels.layout import RowLayout
from fastw2v.training.objective import objective_of
from fastw2v.training.resources import estimate_memory

pytestmark = pytest.mark.faults

ALL_WORDS = Pruning(min_count=1, least_words=0)
TAR_FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def tar(text, rng):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=rng.choice(TAR_FORMATS)) as archive:
        for number in range(rng.randint(1, 3)):
            member = tarfile.TarInfo("dir/" * rng.randint(0, 60) + f"té{number}.txt")
            member.size, member.mtime, member.uid = len(text), rng.randrange(2**31), rng.randrange(2**20)
            archive.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def zipped(text, rng):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        archive.writestr("t.txt", text)
    return buffer.getvalue()


COMPRESSORS = [
    lambda text, rng: gzip.compress(text, rng.randint(0, 9)),
    lambda text, rng: bz2.compress(text, rng.randint(1, 9)),
    lambda text, rng: lzma.compress(text),
]
ARCHIVERS = [tar, zipped]


def random_text(rng):
    letters = "ab \n\t\u00e9\u4e2d\U0001f600" + "0123456789" + "BZhPKRarLZIP!ustar"
    return "".join(rng.choices(letters, k=rng.choice((3, 100, 3000)))).encode()


def is_read(path, data):
    path.write_bytes(data)
    try:
        Corpus.from_text(path, ALL_WORDS)
    except InputError as error:
        return "\n" in str(error)
    return True


def test_archives(tmp_path):
    rng = random.Random(0)
    n, n_read = amount(3000, 60), 0
    for _ in range(n):
        layers = [rng.choice(ARCHIVERS)] if rng.random() < 0.6 else [rng.choice(COMPRESSORS)]
        layers += rng.choices(COMPRESSORS, k=rng.randint(0 if layers[0] in ARCHIVERS else 1, 3))
        data = random_text(rng)
        for layer in layers:
            data = layer(data, rng)
        n_read += is_read(tmp_path / rng.choice(("t", "t.txt", "t.gz", "t.tar")), data)
    n_texts, n_refused = amount(10_000, 100), 0
    for _ in range(n_texts):
        data = b"word " + random_text(rng)
        n_refused += not is_read(
            tmp_path / "t.tar.gz", data if rng.random() < 0.5 else rng.choice(COMPRESSORS)(data, rng)
        )
    report("archives, and text compressed twice", tried=n, trained_on=n_read, texts=n_texts, refused=n_refused)
    assert n_read == n_refused == 0


def random_counts(rng):
    n = int(rng.choice([2, 3, 50, 3000]))
    kind = rng.integers(7)
    if kind == 0:
        return np.zeros(n, np.int64)
    if kind == 1:
        return rng.integers(0, 3, n)
    if kind == 2:  # the deepest trees
        return (2.0**59 * rng.uniform(1.5, 2) ** -np.arange(n)).astype(np.int64)
    if kind == 3:
        return rng.integers(-(2**62), 2**62, n)
    if kind == 4:
        return rng.choice(
            [0.0, 1.0, 7.0, 0.5, np.nan, np.inf, 1e30], n, p=[0.6, 0.3, 0.096, 0.001, 0.001, 0.001, 0.001]
        )
    if kind == 5:
        return rng.integers(0, 2**64 // n, n, np.uint64)
    return rng.zipf(1.3, n)


def test_counts():
    rng = np.random.default_rng(0)
    n, n_refused, deepest = amount(3000, 60), 0, 0
    text = [["w0", "w1"]] * 20
    for number in range(n):
        counts = random_counts(rng)
        for loss in ("ns", "hs"):
            config = TrainConfig(loss=loss, dim=4)
            try:
                vocabulary = Vocabulary([f"w{i}" for i in range(len(counts))], counts)
            except InputError:
                n_refused += loss == "hs"
                continue
            fixed = Pruning(vocabulary=vocabulary).fixed
            keep, objective = fixed.keep_probability(1e-3), objective_of(fixed, config)
            assert ((keep > 0) & (keep <= 1)).all()
            assert len(fixed) == len(counts)
            paths = objective.paths
            deepest = max(deepest, paths.longest)
            if loss == "hs":
                tables = estimate_memory(RowLayout.of(len(counts)), config, fixed).memory["tables"]
                assert tables == paths.nodes.nbytes + paths.labels.nbytes + 20 * len(counts)
            if number % 50 == 0:
                vectors = fastw2v.train(sentences=text, vocabulary=vocabulary, loss=loss, dim=4, sample=0)
                assert np.isfinite(vectors.vectors).all()
    report("counts of a vocabulary", tried=n, refused=n_refused, longest_path=deepest)
    assert 0 < n_refused < n
    assert deepest <= 90
