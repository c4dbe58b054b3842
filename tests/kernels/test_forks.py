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
