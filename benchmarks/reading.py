"""Reading text, as it is and prepared, beside gensim's build_vocab: English, and many scripts with millions of words.

    python benchmarks/reading.py wiki8.txt

The texts of many scripts are made here, seeded. Every reader is a process of its own; they take turns for several
rounds. A text counts as read when its vocabulary is chosen and its ids are ready to train on.
"""

from __future__ import annotations

import itertools
import json
import mmap
import multiprocessing
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from trainers import commit, cpu_name, measure

HERE = Path(__file__).parent
WORDS_OF_A_LINE = 20
ALPHABETS = {
    "Latin": "etaoinshrdlucmfwypvbgk",
    "Cyrillic": "оеаинтсрвлкмдпуяыьгзбч",
    "Greek": "αοιετσνηυρπκμλωδγχθφβξ",
    "Arabic": "الينمتربوعدسفهكقحجشصطخ",
    "Devanagari": "करनसतमहयलपवदगबजशटचधणथभ",
    "Han": "的一是不了人我在有他这为之大来以个中上们到说",
    "Hangul": "이다는에의을하고가로한기지사도리인어대시자서",
    "Kana": "のにはをたがでてとしれさるいもなこかスルラン",
}
"""22 letters of each script."""

BASE = 5
"""Words are numbers of this base, which makes them as long as those of real text: a token has 9 to 12 bytes."""

READERS = ("fastw2v", "prepared", "gensim")
"""What reads: fastw2v, the same in lower case without punctuation and with digits as zeros, and gensim."""

TEXTS = {"1 M distinct words": (20_000_000, 500_000), "10 M distinct words": (60_000_000, 20_000_000)}
"""The number of tokens and of ranks of each text that is made."""


def write_text(path: str, n_tokens: int, n_ranks: int, seed: int = 1) -> None:
    """Write tokens whose rank is log-uniform on 1 to `n_ranks` (Zipf's law); some end in punctuation, one is no UTF-8.

    Frequent words are short: the letters of a word are the digits of its rank, in one of 8 scripts.
    """
    rng = np.random.default_rng(seed)
    letters = np.array([list(alphabet) for alphabet in ALPHABETS.values()]).view(np.uint32).reshape(len(ALPHABETS), -1)
    n_letters = letters.shape[1]
    marks = np.array([0] * 16 + [ord(mark) for mark in ",.:)"], np.uint32)
    with open(path, "wb") as file:
        file.write(b"caf\xe9 ")
        for _ in range(n_tokens // 1_000_000):
            ranks = np.exp(rng.random(1_000_000) * np.log(n_ranks)).astype(np.int64)
            scripts, rest = ranks % len(letters), ranks // len(letters)
            codes = np.zeros((len(ranks), 12), np.uint32)
            for column in range(11):
                letter = letters[scripts, (4 * (rest % BASE) + 3 * column) % n_letters]
                codes[:, column] = np.where((rest > 0) | (column == 0), letter, 0)
                rest //= BASE
            n_used = (codes > 0).sum(axis=1)
            codes[np.arange(len(ranks)), n_used] = marks[rng.integers(0, len(marks), len(ranks))]
            words = codes.view("U12").reshape(-1, WORDS_OF_A_LINE).tolist()
            file.write(("\n".join(map(" ".join, words)) + "\n").encode())


def write_sentences(path: Path, text: Path) -> None:
    """Write a text as sentences of 12 words, with a capital, a comma and a full stop, and every hundredth in quotes."""
    changes = ((0, bytes.capitalize), (5, lambda word: word + b","), (11, lambda word: word + b"."))
    with text.open("rb") as source, path.open("wb") as file:
        found = re.finditer(rb"\S+", mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ))
        while words := [word[0] for word in itertools.islice(found, 1200)]:
            for place, change in changes:
                words[place::12] = map(change, words[place::12])
            words[50::100] = (b'"' + word + b'"' for word in words[50::100])
            file.writelines(b" ".join(words[first : first + 120]) + b"\n" for first in range(0, len(words), 120))


def read_with(reader: str, corpus: str, threads: int) -> dict[str, float]:
    """The seconds that a reader takes in this process, and the words and distinct words that it found."""
    if reader == "gensim":
        from gensim.models import Word2Vec

        start = time.perf_counter()
        model = Word2Vec(min_count=5)
        with open(corpus, errors="replace") as lines:  # its own reader refuses what is not UTF-8
            model.build_vocab(line.split() for line in lines)
        return {"seconds": time.perf_counter() - start, "n_tokens": model.corpus_total_words}
    from fastw2v.corpus.corpus import Corpus
    from fastw2v.corpus.preparation import Preparation
    from fastw2v.training.warmup import compile_kernels

    compile_kernels(threads)
    how = {"lower": True, "strip_punctuation": True, "digits": "zero"} if reader == "prepared" else {}
    Preparation(**how).apply(np.array(bytearray(b"a\n")))  # compiled, as the other kernels are
    start = time.perf_counter()
    read = Corpus.from_text(corpus, threads=threads, **how).reading
    return {"seconds": time.perf_counter() - start, "n_tokens": read.n_tokens, "n_types": read.n_types}


@click.command()
@click.argument("corpus", type=click.Path(exists=True, path_type=Path))
@click.option("--threads", default=2)
@click.option("--rounds", default=3)
@click.option("--as-reader", nargs=2, hidden=True)
def main(corpus: Path, threads: int, rounds: int, as_reader: tuple[str, str] | None) -> None:
    """Read CORPUS and texts of many scripts, and write results/reading.json."""
    if as_reader:
        click.echo(json.dumps(read_with(as_reader[0], str(corpus), int(as_reader[1]))))
        return
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as directory:
        texts = {corpus.name: corpus, "the same as sentences": Path(directory) / "sentences.txt"}
        # Not in this process: Linux counts the peak of memory of a parent as its children's.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as writer:
            writer.submit(write_sentences, texts["the same as sentences"], corpus).result()
            for name, size in TEXTS.items():
                texts[name] = Path(directory) / f"{len(texts)}.txt"
                writer.submit(write_text, str(texts[name]), *size).result()
        for _ in range(rounds):
            for name, path in texts.items():
                row = rows.setdefault(name, {"mb": path.stat().st_size / 1e6})
                for reader in READERS:
                    command = [sys.executable, __file__, str(path), "--as-reader", reader, str(threads)]
                    output, _, _, peak_mb = measure(command)
                    found = json.loads(output.splitlines()[-1])
                    row.setdefault(reader, []).append({**found, "peak_mb": peak_mb})
                    click.echo(f"{name}: {reader} {row['mb'] / found['seconds']:.0f} MB/s, {peak_mb:.0f} MB, {found}")
    about = {"cpu": cpu_name(), "commit": commit(), "threads": threads, "rounds": rounds}
    (HERE / "results" / "reading.json").write_text(json.dumps({**about, "texts": rows}, indent=1) + "\n")


def table(result: dict[str, Any]) -> str:
    """The table of benchmarks/README.md."""
    lines = [
        "| text | MB | distinct words | fastw2v | prepared | | gensim | | peak MB | gensim's |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in result["texts"].items():
        speed, peak = (
            {
                reader: statistics.median(scale / run[key] if key == "seconds" else run[key] for run in row[reader])
                for reader in READERS
            }
            for key, scale in (("seconds", row["mb"]), ("peak_mb", 1))
        )
        lines.append(
            f"| {name} | {row['mb']:.0f} | {row['fastw2v'][0]['n_types']:,} | {speed['fastw2v']:.0f} MB/s "
            f"| {speed['prepared']:.0f} MB/s | {speed['prepared'] / speed['fastw2v']:.2f}x "
            f"| {speed['gensim']:.1f} MB/s | {speed['fastw2v'] / speed['gensim']:.1f}x "
            f"| {peak['fastw2v']:,.0f} | {peak['gensim']:,.0f} |"
        )
    about = f"{result['threads']} threads of an {result['cpu']}; commit {result['commit']}"
    return "\n".join([*lines, "", f"{about}, medians of {result['rounds']} rounds."])


if __name__ == "__main__":
    main()
