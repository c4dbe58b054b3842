"""What test_cache.py runs, with a cache of its own: children that train, each with the kernels of a new process.

python trainer.py TEXT   for each number on stdin, that many children train at once; a line of JSON for all of them:
[[exit code, seconds, kernels compiled, warnings, digest of the vectors], ...], null in the places of what is not known
"""

import hashlib
import json
import os
import signal
import sys
import time
import warnings

import numba

import fastw2v
from fastw2v.kernels import alias, dictionary, numbers, random, tokenize, train
from fastw2v.kernels.jit import OPTIONS


def n_compiled():
    """How many kernels were compiled in this process."""
    kernels = [
        each for module in (alias, dictionary, numbers, random, tokenize, train) for each in vars(module).values()
    ]
    return sum(sum(each.stats.cache_misses.values()) for each in set(filter(is_cached, kernels)))


def is_cached(thing):
    return getattr(thing, "stats", None) is not None and thing.stats.cache_path is not None


def train_once(text):
    """Train, save, and return what of the result is told."""
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        vectors = fastw2v.train(text, dim=10, epochs=1, min_count=1, threads=1, seed=1)
        vectors.save(os.devnull)
    digest = hashlib.sha256(vectors.vectors.tobytes()).hexdigest()
    return round(time.monotonic() - start, 2), n_compiled(), [str(each.message) for each in caught], digest


def child(text):
    """Start a child; its id and the pipe that tells its result."""
    reading, writing = os.pipe()
    number = os.fork()
    if number:
        os.close(writing)
        return number, reading
    signal.alarm(600)  # a child that hangs ends
    code = 1
    try:
        os.write(writing, json.dumps(train_once(text)).encode())
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def result_of(number, reading):
    with open(reading) as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    return [code, *(json.loads(told) if told else [None] * 4)]


if __name__ == "__main__":
    assert fastw2v.train, "what is imported here, where it is first asked for, need not be imported in each child"
    numba.njit(**OPTIONS)(lambda: 0)()  # starts the compiler, once for all children
    for line in sys.stdin:
        children = [child(sys.argv[1]) for _ in range(int(line))]
        print(json.dumps([result_of(*each) for each in children]), flush=True)
