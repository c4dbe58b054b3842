"""What is shown of a run: the bar on a terminal, lines elsewhere, the log, the summary."""

import io
import json
import math
import os
import pty
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from planted import TRAIN
from progress_samples import BAR, PROGRESS

from fastw2v import Vectors, Vocabulary, events
from fastw2v.cli.progress import CommandReporter as Reporter
from fastw2v.cli.progress import JsonLog
from fastw2v.corpus.vocabulary import Reading
from fastw2v.reporting.lines import format_bar

EPOCH = events.EpochEnded(2, 30, 2.5, 0.125, math.nan, math.nan, 3.0)
READING = Reading(n_bytes=2_000_000, n_tokens=12, n_types=3, n_overlong=0, n_unknown=0, n_invalid=0)
VOCABULARY = Vocabulary(["a", "b"], np.array([7, 4]))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def open_terminal(monkeypatch):
    """Make stderr a terminal of 80 columns, on which nothing is too soon to be drawn."""

    def open_terminal():
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr("fastw2v.reporting.screen.SECONDS_BETWEEN_BARS", 0)
        return sys.stderr

    return open_terminal


SHOWN = [
    (events.PhaseStarted("compile"), []),
    (events.PhaseStarted("compile", "it takes a while"), ["it takes a while"]),
    (events.PhaseEnded("compile", 1.0), []),
    (
        events.CorpusRead(VOCABULARY, 11, READING, None),
        ["read 2.0 MB, 12 tokens; vocabulary: 2 of 3 distinct words, covering 11 tokens"],
    ),
    (
        events.CorpusRead(VOCABULARY, 11, replace(READING, n_invalid=1), replace(READING, n_unknown=5), 1),
        [
            "read 2.0 MB, 12 tokens; vocabulary: 2 of 3 distinct words, covering 11 tokens; "
            "1 tokens were not valid UTF-8 (see --invalid-utf8)",
            "1 of 2 words start from given vectors",
            "held-out text: 12 tokens, 5 not in the vocabulary",
        ],
    ),
    (events.Estimated({"2 matrices": 10**9}, None, ""), ["training needs 1.0 GB of memory (2 matrices 1.0 GB)"]),
    (events.Resumed("c.fw2v", 1000, ""), ["resuming from c.fw2v, written after 1,000 tokens"]),
    (events.Resumed("c", 0, ""), ["resuming from c, written after 0 tokens"]),
    (events.CheckpointSaved("c", 1000, 0.1, 0.2), []),
    (events.CheckpointFailed("no room", 1000), []),
    (events.ClusterChanged(3, "a worker came"), ["a worker came (3 workers)"]),
    (events.Waiting(), []),
    (events.RoundEnded(3, 2, 100, 1.5, 0.25), []),
    (EPOCH, []),
    (
        replace(EPOCH, loss_error=math.nan, held_out_loss=2.25, held_out_error=0.5),
        ["epoch 2  loss 2.5000  held-out loss 2.2500 ± 0.5000"],
    ),
]


@pytest.mark.parametrize(("event", "lines"), SHOWN)
def test_lines_of_events(capsys, event, lines):
    Reporter(quiet=False, log_json=None)(event)
    assert capsys.readouterr().err.splitlines() == lines


def test_a_quiet_reporter_says_nothing(open_terminal):
    terminal = open_terminal()
    reporter = Reporter(quiet=True, log_json=None)
    for event, _ in SHOWN:
        if not isinstance(event, events.CheckpointFailed):  # of which the summary warns
            reporter(event)
    reporter(PROGRESS)
    reporter.summary("wrote v.txt: 2 words")
    reporter.close()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("quiet", [False, True])
def test_warnings_are_shown_by_a_quiet_reporter_too(capsys, tmp_path, quiet):
    reporter = Reporter(quiet, log_json=str(tmp_path / "none" / "log"))
    reporter(events.Resumed("c", 0, "damaged"))
    reporter(events.CheckpointFailed("no room", 1000))
    reporter.summary("wrote v.txt: 2 words")
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    log = f"cannot write the log {tmp_path}/none/log: No such file or directory; continuing without it"
    assert warnings == ["warning: damaged", f"warning: {log}", "warning: failed checkpoints: 1"]


def test_a_process_without_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    reporter = Reporter(quiet=False, log_json=None)
    reporter(PROGRESS)
    reporter(SHOWN[1][0])
    reporter.close()


def test_a_log_that_ends_within_a_record_goes_on_with_a_new_line(tmp_path):
    log = tmp_path / "log"
    for before, lines in ((b"", 1), (b'{"a": 1}\n', 2), (b'{"a": 1}\n{"b', 3)):
        log.write_bytes(before)
        reporter = Reporter(quiet=True, log_json=str(log), append=True)
        reporter(PROGRESS)
        reporter.close()
        assert log.read_bytes().count(b"\n") == lines
        json.loads(log.read_text().splitlines()[-1])


def test_a_line_is_drawn_again_on_a_terminal_until_another_one_comes(open_terminal):
    terminal = open_terminal()
    reporter = Reporter(quiet=False, log_json=None)
    reporter(events.BytesRead(3_000_000))
    reporter(events.Evaluating(0.5))
    reporter.warn("no room")
    reporter(PROGRESS)
    reporter.close()
    bar = format_bar(PROGRESS, 80)
    assert terminal.getvalue() == (
        f"\r\033[Kread 3 MB so far\r\033[Kheld-out text: 50%\nwarning: no room\n\r\033[K{bar}\n"
    )


def test_each_kernel_is_named_on_a_terminal_at_once(open_terminal, capsys):
    terminal = open_terminal()
    reporter = Reporter(quiet=False, log_json=None)
    for event in (
        events.PhaseStarted("compile"),
        events.KernelCompiling("a.b", 1, 2),
        events.KernelCompiling("c.d", 2, 2),
    ):
        reporter(event)
    reporter.close()
    assert terminal.getvalue() == "\r\033[Kcompiling kernel 1 of 2: a.b\r\033[Kcompiling kernel 2 of 2: c.d\n"


def test_what_comes_too_soon_is_not_drawn(capsys, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reporter = Reporter(quiet=False, log_json=None)
    reporter(events.PhaseStarted("read"))
    for now in (1009.0, 1010.0, 1019.0, 1020.0):
        reporter(events.BytesRead(round(now) * 1_000_000))
    assert capsys.readouterr().err.splitlines() == ["read 1,010 MB so far", "read 1,020 MB so far"]


def test_the_summary(capsys):
    reporter = Reporter(quiet=False, log_json=None)
    for event in (events.PhaseEnded("read", 1.0), PROGRESS, EPOCH, events.PhaseEnded("train", 3.0)):
        reporter(event)
    capsys.readouterr()
    reporter.summary("wrote v.txt: 1,234 words")
    assert capsys.readouterr().err.splitlines() == [
        BAR,
        "wrote v.txt: 1,234 words",
        "last epoch: loss 2.5000 ± 0.1250",
        "30 tokens trained at 10 words/s (read 1.0 s, train 3.0 s)",
    ]


def test_the_summary_of_a_run_that_had_come_to_its_end(capsys):
    reporter = Reporter(quiet=False, log_json=None)
    reporter.summary("wrote v.txt: 2 words")
    left = "nothing was left to train, so nothing was added to a log or a loss plot\n"
    assert capsys.readouterr().err == f"wrote v.txt: 2 words\n{left}"
    reporter(EPOCH)  # which it had not told yet
    reporter.summary("wrote v.txt: 2 words")
    assert capsys.readouterr().err == "wrote v.txt: 2 words\nlast epoch: loss 2.5000 ± 0.1250\n"


LOGGED = [
    (events.ClusterChanged(3, "a worker came"), {"workers": 3}),
    (
        events.RoundEnded(n_workers=3, n_beats=2, n_bytes=100, seconds=1.5, waited=0.25),
        {"round_seconds": 1.5, "workers": 3, "beats": 2, "bytes_sent_by_each": 100, "waited": 0.25},
    ),
    (events.CheckpointSaved("c", 1000, 0.1, 0.2), {"checkpoint": 1000, "stall": 0.1, "seconds": 0.2}),
    (events.CheckpointFailed("no room", 1000), {"checkpoint_failed": 1000, "message": "no room"}),
    (
        replace(PROGRESS, seconds=1.23456, words_per_second=7.8, loss=math.inf),
        {
            "epoch": 2,
            "words": 30,
            "words_total": 100,
            "predictions": 9,
            "loss": None,
            "loss_error": 0.1,
            "lr": 0.02,
            "seconds": 1.235,
            "words_per_second": 8,
        },
    ),
    (
        EPOCH,
        {
            "epoch_ended": 2,
            "words": 30,
            "loss": 2.5,
            "loss_error": 0.125,
            "held_out_loss": None,
            "held_out_loss_error": None,
            "seconds": 3.0,
        },
    ),
]


def test_records_of_events(tmp_path):
    reporter = Reporter(quiet=True, log_json=str(tmp_path / "log"))
    for event in (*[event for event, _ in LOGGED], events.BytesRead(1), events.Waiting(), events.Evaluating(0.5)):
        reporter(event)
    reporter.close()
    got = (tmp_path / "log").read_text("utf-8").splitlines()
    assert got == [json.dumps(record) for _, record in LOGGED], "null for NaN, and the keys in this order"


def test_a_log_is_opened_by_its_first_record_and_appended_to_on_demand(tmp_path):
    path = tmp_path / "log"
    path.write_text("old\n")
    for mode, expected in ("a", 'old\n{"a": 1}\n'), ("w", '{"a": 1}\n'):
        log = JsonLog(str(path), mode, pytest.fail)
        assert path.read_text().startswith("old\n")
        log.add({"a": 1})
        log.close()
        assert path.read_text() == expected


def test_a_log_that_fails_warns_once(tmp_path):
    warnings = []
    log = JsonLog(str(tmp_path / "none" / "log"), "w", warnings.append)
    log.add({"a": 1})
    log.add({"a": 2})
    log.close()
    assert warnings == [f"cannot write the log {tmp_path}/none/log: No such file or directory; continuing without it"]


def test_log(run, planted, tmp_path):
    assert run("train", planted, "-o", tmp_path / "v", "--log-json", tmp_path / "log", *TRAIN)[0] == 0
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert list(records[0]) == list(LOGGED[4][1])
    slices = [record for record in records if "epoch" in record]
    assert slices[-1]["words"] == slices[-1]["words_total"] == 90_000
    assert {record["epoch"] for record in slices} == {1, 2, 3}
    epochs = [record for record in records if "epoch_ended" in record]
    assert [record["epoch_ended"] for record in epochs] == [1, 2, 3]
    assert records[-1] == epochs[-1]
    assert epochs[-1]["held_out_loss"] is None
    assert epochs[-1]["loss"] < epochs[0]["loss"]


def test_a_closed_stderr_does_not_stop_the_run(planted, tmp_path):
    command = [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v", *TRAIN]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    process.stderr.close()
    assert process.wait() == 0
    assert len(Vectors.load(tmp_path / "v")) == 96


def test_bar_on_a_terminal(planted, tmp_path):
    main, side = pty.openpty()
    command = [sys.executable, "-m", "fastw2v", "train", planted, "-o", tmp_path / "v", *TRAIN]
    process = subprocess.Popen([*command, "--epochs", "60"], stderr=side)
    os.close(side)
    seen = b""
    while True:
        try:
            part = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    os.close(main)
    assert process.wait() == 0
    assert seen.count(b"\r\x1b[K[") > 1, "one line, drawn again"
    assert b"ETA" in seen


def test_lines_where_there_is_no_terminal(run, planted, tmp_path, monkeypatch):
    monkeypatch.setattr("fastw2v.reporting.screen.SECONDS_BETWEEN_LINES", 0)
    err = run("train", planted, "-o", tmp_path / "v", *TRAIN)[2]
    assert err.count("ETA") > 3
    assert "\r" not in err


def test_a_log_that_cannot_be_written_does_not_stop_the_run(run, planted, tmp_path):
    code, _, err = run("train", planted, "-o", tmp_path / "v", "--log-json", "/dev/full", *TRAIN)
    assert code == 0
    assert err.count("warning: cannot write the log /dev/full: No space left on device; continuing without it") == 1
