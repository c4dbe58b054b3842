"""Terminals, files, notebooks and logs."""

import io
import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest

from fastw2v.reporting import screen as module
from fastw2v.reporting.screen import LogScreen, Notebook, Screen, screen_here


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_stream_that_nobody_reads_is_left_alone(monkeypatch):
    class Closed(Terminal):
        n_writes = 0

        def write(self, text):
            self.n_writes += 1
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    screen = Screen(quiet=False)
    screen.line("one")
    screen.line("two")
    screen.draw("three")
    screen.end_line()
    assert sys.stderr.n_writes == 1


@pytest.fixture
def notebook(monkeypatch):
    """A stand-in for the notebook that Python serves: the outputs of a cell, each with all texts that it has shown."""
    outputs = []

    def display(content, raw, display_id):
        shown = [content["text/plain"]]
        outputs.append(shown)
        return SimpleNamespace(update=lambda content, raw: shown.append(content["text/plain"]))

    shell, ipython = ModuleType("IPython.display"), ModuleType("IPython")
    shell.display, ipython.display = display, shell
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", shell)
    return outputs


def test_a_notebook_redraws_the_bar_in_its_place(notebook, capsys, monkeypatch):
    screen = screen_here()
    assert isinstance(screen, Notebook)
    screen.line("begin")
    screen.draw("10%", at_once=True)
    screen.draw("20%", at_once=True)
    screen.draw("too soon")
    screen.line("epoch 1")
    screen.draw("30%", at_once=True)
    screen.close()
    assert notebook == [["10%", "20%"], ["30%"]]
    assert capsys.readouterr() == ("begin\nepoch 1\n", "")


def test_elsewhere_there_is_a_screen(notebook, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert type(screen_here()) is Screen
    monkeypatch.delitem(sys.modules, "IPython")
    assert type(screen_here()) is Screen


def test_the_log_has_the_same_lines(caplog, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0)
    screen = LogScreen()
    with caplog.at_level(logging.INFO, "fastw2v"):
        screen.line("a line")
        screen.line("warning: a warning", is_warning=True)
        screen.draw("10%", at_once=True)
    screen.close()
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("fastw2v", "INFO", "a line"),
        ("fastw2v", "WARNING", "a warning"),
        ("fastw2v", "INFO", "10%"),
    ]
