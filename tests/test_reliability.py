"""Locks, leftovers, what a run will need, corpora that change, processes that fork."""

import gzip
import os
import subprocess
import sys
import threading

import pytest
from planted import TRAIN, planted_text

import fastw2v
from fastw2v import InputError, RunError, TrainConfig
from fastw2v.corpus.corpus import Corpus
from fastw2v.files import locked
from fastw2v.training import resources
from fastw2v.training.resources import Estimated


def test_a_second_run_on_the_same_output_is_refused_at_once(planted, tmp_path, run):
    for name in ("o.txt", "link"):
        (tmp_path / "o.txt").touch()
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to("o.txt")
        with locked(tmp_path / "o.txt"):
            code, _, err = run("train", planted, "-o", tmp_path / name, "--overwrite", *TRAIN)
        assert code == 2
        assert "is being written by another run: wait for it, or name another" in err
    assert run("train", planted, "-o", tmp_path / "o.txt", "--overwrite", *TRAIN)[0] == 0
    assert not list(tmp_path.glob(".o.txt*"))


def test_a_second_run_in_the_same_checkpoint_directory(planted, tmp_path):
    (tmp_path / "c").mkdir()
    with locked(tmp_path / "c" / "checkpoint.fw2v"), pytest.raises(InputError, match="written by another run"):
        fastw2v.train(planted, checkpoint=tmp_path / "c", min_count=1)


ESTIMATE = """
import sys
import numpy as np, fastw2v
from fastw2v.training.resources import Estimated
from fastw2v.training.run import compile_kernels
options = eval(sys.argv[1])
compile_kernels(options["threads"], options.get("loss", "ns"))
rng = np.random.default_rng(0)
walks = np.concatenate([rng.permutation(100_000), rng.integers(0, 100_000, 100_000)]).reshape(-1, 50)
found = []
def note(event):
    if isinstance(event, Estimated):
        pages = int(open("/proc/self/statm").read().split()[1])
        found.append(4096 * pages + sum(event.memory.values()))
fastw2v.train(walks=walks, min_count=1, sample=0, callback=note, **options).save(sys.argv[2])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss is the parent's too
print(found[0] / (1024 * int(peak.split()[1])))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("options", [
    {"dim": 100, "threads": 2, "epochs": 2}, {"dim": 100, "threads": 1, "epochs": 2, "loss": "hs"},
    {"dim": 200, "threads": 1, "epochs": 1, "checkpoint": "c"},
], ids=str)  # fmt: skip
def test_the_estimate_is_the_truth_within_15_percent(tmp_path, options):
    done = subprocess.run([sys.executable, "-c", ESTIMATE, repr(options), tmp_path / "o.txt"], capture_output=True,
                          text=True, check=False, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 0.85 < float(done.stdout) < 1.15


def test_too_little_memory_is_refused_with_the_items(planted, tmp_path, monkeypatch, run):
    monkeypatch.setattr(resources, "available_memory", lambda: (50_000, "the cgroup's limit"))
    code, _, err = run("train", planted, "-o", tmp_path / "o", "--checkpoint", tmp_path / "c", "--min-count", 1,
                       "--threads", 2)  # fmt: skip
    assert code == 2
    assert "not enough memory for training 0.4 MB of 0.1 MB free (the cgroup's limit): 2 matrices 0.1 MB" in err
    assert "a checkpoint 0.1 MB. Lower --dim or --max-vocab" in err
    assert not (tmp_path / "o").exists()


def test_room_for_the_ids(tmp_path, monkeypatch):
    path = tmp_path / "t.txt"
    path.write_text(planted_text(n_sentences=40_000))
    needed = resources.check_room_for_ids([str(path)], str(tmp_path))
    assert needed == pytest.approx(4 * len(Corpus.from_text(path, min_count=1).ids), rel=0.02)
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: type("", (), {"free": 1000}))
    with pytest.raises(
        InputError, match=r"the encoded corpus needs about 1.8 MB in .*, which has 0.0 MB free: name an"
    ):
        fastw2v.train(path, temp_dir=str(tmp_path))


def test_a_corpus_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a b c\n" * 1_000_000)

    def grow(n_bytes):
        with open(path, "a") as file:
            file.write("more\n")

    with pytest.raises(RunError, match=r"corpus .*t.txt changed while it was read: wait until it is complete"):
        Corpus.from_text(path, on_bytes=grow)


FORKS = """
import multiprocessing, os, sys
import fastw2v

SENTENCES = [["a", "b", "c", "d"]] * 500

def work(number):
    return len(fastw2v.train(sentences=SENTENCES, dim=8, min_count=1, threads=2, epochs=2))

if __name__ == "__main__":
    assert work(0) == 4
    for kind in ("fork", "spawn"):
        with multiprocessing.get_context(kind).Pool(2) as pool:
            assert pool.map(work, range(4)) == [4] * 4
    child = os.fork()
    if not child:
        os._exit(work(0))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_a_fork_and_in_process_pools(tmp_path):
    (tmp_path / "forks.py").write_text(FORKS)
    done = subprocess.run([sys.executable, "forks.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_in_a_thread_that_is_not_the_main_one(planted):
    found = []
    thread = threading.Thread(target=lambda: found.append(fastw2v.train(planted, dim=8, min_count=1, epochs=1)))
    thread.start()
    thread.join()
    assert len(found[0]) == 96


def test_estimates_say_what_they_are():
    estimated = Estimated({"2 matrices": 2_400_000_000, "tables": 40_000_000, "nothing": 0}, 3_000_000_000, "ulimit -v")
    assert str(estimated) == ("memory for training 2.4 GB of 3.0 GB free (ulimit -v): 2 matrices 2.4 GB, tables 40 MB")
    estimated.check()
    assert resources.estimate_memory(10, TrainConfig(dim=4), 1, False).memory["a checkpoint"] == 0


def test_blank_lines_need_no_room(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("\n" * 500_000 + "a b\n" * 100)
    assert resources.check_room_for_ids([str(path)], str(tmp_path)) == 4 * 300
    path.write_bytes(gzip.compress(b"a b\n" * 100))
    assert resources.check_room_for_ids([str(path)], str(tmp_path)) is None
