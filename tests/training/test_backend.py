"""The backend of one process: what it reads, with which threads, and the phases that it tells."""

import numpy as np
import pytest
from listeners import Recorder

import fastw2v
from fastw2v import InputError, TrainConfig
from fastw2v.corpus.pruning import Pruning
from fastw2v.events import BytesRead, PhaseEnded, PhaseStarted
from fastw2v.machine import available_threads
from fastw2v.training import backend as module
from fastw2v.training.backend import LocalBackend, compile_here, phase
from fastw2v.training.request import Source

ALL = Pruning(min_count=1)
SENTENCES = [["5", "6", "7"], ["5", "6"]]


def backend_of(callback=lambda event: None, options=None, **source):
    return LocalBackend(TrainConfig(**options or {}), Source(**source), callback)


def test_threads(monkeypatch):
    assert backend_of(lines=[]).threads == min(available_threads(), module.MAX_THREADS)
    assert backend_of(lines=[], options={"threads": 1}).threads == 1
    monkeypatch.setattr(module, "MAX_THREADS", 1)
    assert backend_of(lines=[]).threads == 1, "more cores than Numba's threads are no error"


def test_more_threads_than_numba_has(planted):
    with pytest.raises(InputError, match="threads is 4096: Numba starts at most .*NUMBA_NUM_THREADS=4096"):
        fastw2v.train(planted, threads=4096)


def test_files_are_found_at_once(tmp_path):
    (tmp_path / "a.txt").write_text("5 6\n")
    assert backend_of(corpus=tmp_path).files == [str(tmp_path / "a.txt")]
    assert backend_of(sentences=SENTENCES).files == []
    with pytest.raises(InputError, match=r"none.txt does not exist"):
        backend_of(corpus=tmp_path / "none.txt")


@pytest.mark.parametrize("source", ["corpus", "sentences", "lines", "walks"])
def test_every_source_gives_the_same_corpus(tmp_path, source):
    (tmp_path / "t.txt").write_text("5 6 7\n5 6\n")
    walks = np.array([[5, 6, 7], [5, 6, -1]])
    values = {"corpus": tmp_path, "sentences": SENTENCES, "lines": ["5 6 7", "5 6"], "walks": walks}
    recorder = Recorder()
    corpus = backend_of(recorder, **{source: values[source]}).read(ALL)
    assert corpus.vocabulary.words == ["5", "6", "7"]
    assert [word for word in corpus.ids.tolist() if word >= 0] == [0, 1, 2, 0, 1]
    is_text = source in ("corpus", "lines")
    assert [event.n_bytes for event in recorder.of(BytesRead)][-1:] == ([10] if is_text else [])


def test_text_is_read_as_the_options_say(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"a \xff\n")
    for invalid_utf8, word in (("replace", "\ufffd"), ("keep", "\\xff")):
        corpus = backend_of(corpus=tmp_path, options={"invalid_utf8": invalid_utf8}).read(ALL)
        assert set(corpus.vocabulary.words) == {"a", word}
    with pytest.raises(InputError, match="nowhere"):
        backend_of(corpus=tmp_path, options={"temp_dir": str(tmp_path / "nowhere")}).read(ALL)


def test_room_is_asked_for_where_the_size_is_known(planted, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "check_room_for_ids", lambda *arguments: asked.append(arguments))
    backend = backend_of(corpus=planted, options={"temp_dir": "/somewhere"})
    backend.prepare(has_vocabulary=True)
    assert asked == []
    backend.prepare(has_vocabulary=False)
    assert asked == [([str(planted)], "/somewhere")]


def test_compiling_is_announced_where_it_takes_long(monkeypatch):
    config, compiled = TrainConfig(loss="hs"), []
    monkeypatch.setattr(module, "compile_kernels", lambda *arguments: compiled.append(arguments))
    for is_cold, note in (
        (True, "compiling the kernels for this CPU, which is done once: this may take half a minute"),
        (False, ""),
    ):
        monkeypatch.setattr(module, "kernels_to_compile", lambda config, is_cold=is_cold: [config.loss] * is_cold)
        recorder = Recorder()
        compile_here(config, 3, recorder)
        assert recorder.events[0] == PhaseStarted("compile", note)
        assert [event.name for event in recorder.of(PhaseEnded)] == ["compile"]
    assert [arguments[:2] for arguments in compiled] == [(3, config)] * 2


def test_a_phase_that_fails_does_not_end():
    recorder = Recorder()
    with pytest.raises(InputError), phase("read", recorder):
        raise InputError("no")
    assert recorder.events == [PhaseStarted("read")]
