import bz2
import gzip
import lzma
import os
import subprocess
import sys

import pytest

FORKS = """
import faulthandler, os, sys, threading, time
import fastw2v

SENTENCES = [["a", "b", "c", "d"]] * 500

def train():
    return len(fastw2v.train(sentences=SENTENCES, dim=8, min_count=1, threads=2, epochs=2))

thread = threading.Thread(target=train)
thread.start()
start = time.monotonic()
children = []
for moment in map(float, sys.argv[1:]):
    time.sleep(max(0, start + moment - time.monotonic()))
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(300, exit=True)  # ends a child that hangs, and shows where
        os._exit(train())
    children.append(child)
thread.join()
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


IMPORTS = """
import sys
import fastw2v
from fastw2v.kernels.forks import LOADING
from fastw2v.kernels.jit import global_compiler_lock

class Spy:
    def find_spec(self, name, path=None, target=None):
        if not LOADING._is_owned() and not global_compiler_lock.is_locked():
            print(name)

_, corpus, folder = sys.argv
sys.meta_path.insert(0, Spy())
OPTIONS = {"dim": 8, "min_count": 1, "epochs": 2, "threads": 2}
fastw2v.train(corpus, **OPTIONS, held_out=f"file://{corpus}", checkpoint=f"{folder}/c", checkpoint_every=1e-6)
phrases = fastw2v.Phrases.learn(corpus)
vectors = fastw2v.train(sentences=[["x", "y", *phrases[["a", "b", "c"]]]] * 50, **OPTIONS, loss="hs", model="cbow")
fastw2v.train(lines=["a b c d e"] * 50, **OPTIONS, loss="softmax", sample=0)
for file in ("v.txt", "v.bin", "v.npz", "v.fw2v", "v.txt.gz"):
    vectors.save(f"{folder}/{file}")
    fastw2v.Vectors.load(f"{folder}/{file}").most_similar("x")
"""


def test_what_is_imported_later_makes_forks_wait(tmp_path):
    """For a child that imports the same module would wait for ever for the thread that did so when it was forked."""
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for codec in (gzip, bz2, lzma, zstd):
        (corpus / codec.__name__).write_bytes(codec.compress(b"a b c\n" * 50))
    command = [sys.executable, "-W", "error", "-c", IMPORTS, str(corpus), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def fork_at(moments, environment):
    command = [sys.executable, "-W", "error", "-c", FORKS, *map(str, moments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert done.stdout == f"{[4] * len(moments)}\n", done.stderr
    assert not done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_train_that_are_forked_while_a_thread_loads_the_kernels():
    fork_at([0.005, 0.05, 0.2, 0.4, 0.6, 0.8, 1], {})


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_train_that_are_forked_while_a_thread_compiles(tmp_path):
    fork_at([0.05, 0.5, 1, 2, 4, 8, 16], {"NUMBA_CACHE_DIR": str(tmp_path)})
