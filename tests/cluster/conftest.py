"""Clusters for tests: schedulers and workers as separate processes, which can be killed while they work."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from planted import planted_text

from fastw2v.cluster.clients import connected
from fastw2v.training.warmup import compile_kernels


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A file of 600,000 words."""
    compile_kernels(1)  # here, where the workers find it
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_text(planted_text(n_sentences=60_000))
    return path


class Processes:
    """A scheduler and workers, as their commands start them."""

    def __init__(self, directory):
        self.directory = directory
        self.workers = []
        ports = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        described = directory / "scheduler.json"
        self.scheduler = self._start("scheduler", *ports, "--scheduler-file", str(described))
        self.address = self._address(described)

    def _address(self, described):
        """The scheduler's address. It chooses a free port itself: one found for it may be taken before it starts."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.scheduler.poll() is None:
            with contextlib.suppress(FileNotFoundError, ValueError):  # not there yet, or half-written
                return json.loads(described.read_text())["address"]
            time.sleep(0.05)
        self.end()
        pytest.fail(f"no scheduler: {(self.directory / 'scheduler.log').read_text()}")

    def _start(self, kind, *options, **environment):
        name = kind if kind == "scheduler" else f"{kind}{len(self.workers)}"
        with open(self.directory / f"{name}.log", "w") as log:
            command = [sys.executable, "-m", "dask", kind, *options]
            return subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=os.environ | environment
            )

    def add_worker(self, *options, **environment):
        """Add a worker without a limit of memory: Dask's monitor would undo it if a test pauses the worker."""
        given = ["--local-directory", str(self.directory), "--memory-limit", "0", *options]
        self.workers.append(
            self._start("worker", self.address, "--nthreads", "1", "--no-dashboard", *given, **environment)
        )

    def end(self):
        for process in [*self.workers, self.scheduler]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a nanny and its worker too
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    """A scheduler, yet without workers."""
    processes = Processes(tmp_path_factory.mktemp("dask"))
    try:
        yield processes
    finally:
        processes.end()


@pytest.fixture
def client_alone(cluster):
    """A client of a cluster that has no workers yet."""
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")
    with distributed.Client(cluster.address, set_as_default=False, timeout="8s") as client:
        yield client


@pytest.fixture
def client(cluster, client_alone):
    """A client of two workers without nannies, whose death is for good."""
    for _ in range(2):
        cluster.add_worker("--no-nanny")
    client_alone.wait_for_workers(2)
    return client_alone


@pytest.fixture(scope="session")
def local():
    """A client of two workers of this machine, for all tests that kill none."""
    pytest.importorskip("distributed", reason="needs Dask: pip install 'fastw2v[dask]'")
    with connected("local:2", threads=1) as client:
        yield client
