"""The commands that work on text: vocab and phrases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import Choice, IntRange

from ..corpus.paths import check_outside, find_files
from ..errors import InputError
from ..files.checks import check_output, check_outputs, check_plain
from ..files.replace import all_locked, stdout_may_end
from ..machine import available_threads
from .options import command, flag, option, read_options
from .stopping import say, signals

if TYPE_CHECKING:
    from ..corpus.vocabulary import Reading

_SCORING = "Score pairs as gensim does (default), as word2phrase does, or by normalised mutual information (npmi)."


@command()
@click.argument("corpus", nargs=-1, required=True)
@option("-o --output FILE", "Output file; - is stdout.", default="-")
@option("--min-count", "Ignore words that occur fewer times than this.", IntRange(0), default=5)
@option("--max-vocab", "Keep only this many of the most frequent words.", IntRange(2))
@option("--threads", "Number of threads (default: one for each core that this process may use).", IntRange(1))
@read_options
@flag("--overwrite", "Replace a file that exists.")
def vocab(corpus: tuple[str, ...], output: str, overwrite: bool, threads: int | None, **options: Any) -> None:
    """Count the words of CORPUS and write a line 'word count' for each, the most frequent first.

    `fastw2v train --read-vocab` reads such a file.

    \b
    fastw2v vocab corpus.txt | head
    """
    signals.consequence = ": the vocabulary was not written"
    files = find_files(corpus)
    check_plain([output])
    check_outside([output], corpus)
    check_output(output, files, overwrite)

    from ..corpus.corpus import Corpus
    from ..corpus.pruning import Pruning

    pruning = Pruning(options.pop("min_count"), options.pop("max_vocab"), least_words=1)
    options["threads"] = threads or available_threads()
    with all_locked([output], overwrite):
        signals.expect([output])
        text = Corpus.from_text(files, pruning, on_bytes=signals.end_in_good_order, **options)
        _say_changes(text.reading)
        with stdout_may_end():
            text.vocabulary.save(output)


@command()
@click.argument("corpus", nargs=-1, required=True)
@option("-o --output FILE", "Output file for the text; - is stdout.", required=True)
@option("--min-count", "Ignore pairs that occur fewer times than this.", IntRange(1), default=5)
@option("--threshold", "Join pairs that score higher than this (default: 10; word2phrase: 100; npmi: 0.5).", float)
@option("--scoring", _SCORING, Choice(["default", "word2phrase", "npmi"]), default="default")
@option("--passes", "How many times to look for phrases; each pass finds longer ones.", IntRange(1), default=1)
@option("--connector-words FILE", "File of words that may stand inside a phrase, or 'english' for a built-in list.")
@option("--delimiter", "Text that joins the words of a phrase.", default="_")
@option("--list list_file FILE", "Also write the phrases with their scores to this file.")
@option("--threads", "Number of threads (default: one for each core that this process may use).", IntRange(1))
@read_options
@flag("--overwrite", "Replace files that exist.")
def phrases(corpus: tuple[str, ...], output: str, list_file: str | None, overwrite: bool, **options: Any) -> None:
    """Join words of CORPUS that occur together more often than by chance: new york becomes new_york.

    \b
    fastw2v phrases corpus.txt -o phrases.txt --passes 2
    fastw2v train phrases.txt -o vecs.txt
    """
    signals.consequence = ": the text was not written"
    files = find_files(corpus)
    connectors = options["connector_words"]
    inputs = files if connectors in (None, "english") else [*files, connectors]
    check_plain([output, list_file])
    check_outside([output, list_file], corpus)
    check_outputs([output, list_file], inputs, overwrite)

    from ..corpus.phrases import Phrases, compile_kernels
    from ..files.replace import replacing, write_text

    options["connector_words"] = _connector_words(connectors)
    with all_locked([output, list_file], overwrite):
        signals.expect(filter(None, [output, list_file]))
        compile_kernels()
        learned = Phrases.learn(files, output=output, on_bytes=signals.end_in_good_order, **options)
        _say_changes(learned.reading)
        if list_file:
            with stdout_may_end(), replacing(list_file) as file:
                scores = sorted(learned.export_phrases().items(), key=lambda item: -item[1])
                write_text(file, ["".join(f"{phrase} {score:.6g}\n" for phrase, score in scores).encode()])
    say(f"{len(learned):,} phrases")


def _say_changes(reading: Reading | None) -> None:
    from ..reporting.lines import advice_lines, describe_changes

    for text in [*describe_changes(reading), *advice_lines(reading)] if reading else []:
        say(text)


def _connector_words(name: str | None) -> frozenset[str]:
    """The words of a file, or of the built-in list. Raises InputError for a file that is not readable text."""
    from ..corpus.phrases import ENGLISH_CONNECTOR_WORDS

    if name == "english":
        return ENGLISH_CONNECTOR_WORDS
    try:
        return frozenset(Path(name).read_text("utf-8-sig").split() if name else ())
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 at byte {error.start}") from error
