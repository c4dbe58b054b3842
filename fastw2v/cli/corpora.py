"""fastw2v vocab, phrases: what is done with text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..corpus.paths import find_files
from ..errors import InputError
from ..files import check_output, check_outputs
from ..machine import available_threads
from .options import config_option
from .stopping import say, signals

if TYPE_CHECKING:
    from ..corpus.corpus import Reading

DEFAULT_THRESHOLDS = {"default": 10.0, "word2phrase": 100.0, "npmi": 0.5}


@click.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", default="-", show_default=True, metavar="FILE", help="Where it goes; - is stdout.")
@click.option("--min-count", default=5, show_default=True, type=click.IntRange(0), help="Leave out rarer words.")
@click.option("--max-vocab", type=click.IntRange(2), help="Keep only the most frequent words.")
@click.option("--threads", type=click.IntRange(1), help="Default: all available cores.")
@click.option("--temp-dir", metavar="DIR", help="Where token ids go, 4 bytes a token.")
@config_option("invalid_utf8")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def vocab(
    corpus: tuple[str, ...], output: str, min_count: int, max_vocab: int | None, threads: int | None,
    temp_dir: str | None, invalid_utf8: str, overwrite: bool,
) -> None:  # fmt: skip
    """Count the words of CORPUS and write lines of 'word count', the most frequent first.

    `fastw2v train --read-vocab` reads such a file.

    \b
    fastw2v vocab corpus.txt | head
    """
    files = find_files(corpus)
    check_output(output, files, overwrite)

    from ..corpus.corpus import Corpus

    text = Corpus.from_text(
        files, min_count=min_count, max_vocab=max_vocab, least_words=1, threads=threads or available_threads(),
        temp_dir=temp_dir, invalid_utf8=invalid_utf8, on_bytes=signals.end_in_good_order,
    )  # fmt: skip
    _say_what_was_changed(text.reading)
    text.vocabulary.save(output)


@click.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where the text goes; - is stdout.")
@click.option("--min-count", default=5, show_default=True, type=click.IntRange(1), help="A pair must come so often.")
@click.option("--threshold", type=float, help="And score higher than this. Default: 10; word2phrase 100; npmi 0.5.")
@click.option("--scoring", type=click.Choice(["default", "word2phrase", "npmi"]), default="default", show_default=True,
              help="gensim's default, word2phrase's, or normalised pointwise mutual information.")  # fmt: skip
@click.option("--passes", default=1, show_default=True, type=click.IntRange(1), help="Each finds longer phrases.")
@click.option("--connector-words", metavar="FILE",
              help="Words that may stand inside a phrase; 'english' for a built-in list.")  # fmt: skip
@click.option("--delimiter", default="_", show_default=True, help="Joins the words of a phrase.")
@click.option("--list", "list_file", metavar="FILE", help="Also write the phrases, each with its score.")
@click.option("--threads", type=click.IntRange(1), help="Default: all available cores.")
@click.option("--temp-dir", metavar="DIR", help="Where token ids go, 4 bytes a token.")
@config_option("invalid_utf8")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def phrases(
    corpus: tuple[str, ...], output: str, threshold: float | None, scoring: str, connector_words: str | None,
    list_file: str | None, threads: int | None, temp_dir: str | None, overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Join words of CORPUS that come together more often than by chance: new york becomes new_york.

    \b
    fastw2v phrases corpus.txt -o phrases.txt --passes 2
    fastw2v train phrases.txt -o vecs.txt
    """
    signals.consequence = ": the text was not written"
    files = find_files(corpus)
    inputs = [*files, *([connector_words] if connector_words not in (None, "english") else [])]
    check_outputs([output, list_file], inputs, overwrite)

    from ..corpus.phrases import ENGLISH_CONNECTOR_WORDS, Phrases, compile_kernels
    from ..files import replacing

    if connector_words == "english":
        connectors = ENGLISH_CONNECTOR_WORDS
    elif connector_words:
        connectors = frozenset(_words_of(connector_words))
    else:
        connectors = frozenset()
    compile_kernels()
    found = Phrases.learn(
        files, output=output, threads=threads, temp_dir=temp_dir, on_bytes=signals.end_in_good_order, scoring=scoring,
        connector_words=connectors, threshold=DEFAULT_THRESHOLDS[scoring] if threshold is None else threshold,
        **options,
    )  # fmt: skip
    _say_what_was_changed(found.reading)
    if list_file:
        with replacing(list_file) as file:
            listed = sorted(found.export_phrases().items(), key=lambda item: -item[1])
            file.write("".join(f"{phrase} {score:.6g}\n" for phrase, score in listed).encode())
    say(f"{len(found):,} phrases")


def _say_what_was_changed(reading: Reading | None) -> None:
    from ..progress import what_was_changed

    for text in what_was_changed(reading) if reading else []:
        say(text)


def _words_of(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf8").split()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 at byte {error.start}") from error
