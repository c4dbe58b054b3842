"""Threads for work beside the caller's, also while Python ends."""

import subprocess
import sys
import threading

import pytest

from fastw2v.threads import Pool, in_thread

AFTER_MAIN = """
import sys, threading, time
import fastw2v

def work():
    while threading.main_thread().is_alive():
        time.sleep(0.001)
    {code}

threading.Thread(target=work).start()
"""


def after_main(code, *arguments):
    """What `code` prints in a thread of a process whose main thread has ended."""
    command = [sys.executable, "-c", AFTER_MAIN.format(code=code.replace("\n", "\n    ")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_a_pool_that_python_has_closed_works_on():
    code = """
from fastw2v.threads import Pool
with Pool(2) as pool:
    print(pool.submit(abs, -1).result(), list(pool.map(abs, [-2, -3])), type(pool.submit(int, "x").exception()))
"""
    assert after_main(code) == "1 [2, 3] <class 'ValueError'>\n"


@pytest.mark.parametrize("options", [{}, {"loss": "softmax"}])
def test_a_training_that_outlives_the_main_thread(tmp_path, planted, options):
    code = f"""
path = sys.argv[2] + "/checkpoints"
vectors = fastw2v.train(sys.argv[1], dim=8, epochs=2, checkpoint=path, checkpoint_every=1e-9, **{options})
phrases = fastw2v.Phrases.learn(sys.argv[1], output=sys.argv[2] + "/p.txt", threshold=0)
print(len(vectors) > 2, len(phrases) > 0)
"""
    assert after_main(code, planted, tmp_path) == "True True\n"
    assert (tmp_path / "checkpoints" / "checkpoint.fw2v").exists()


def test_threads_beside_the_callers():
    with Pool(1) as pool:
        assert pool.submit(threading.get_ident).result() != threading.get_ident()
    assert in_thread(threading.get_ident).result() != threading.get_ident()
    assert in_thread(sorted, [2, 1], reverse=True).result() == [2, 1]
    assert isinstance(in_thread(int, "x").exception(), ValueError)
