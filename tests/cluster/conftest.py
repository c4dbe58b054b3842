"""Clusters for tests: schedulers and workers as separate processes, which can be killed while they work."""

import contextlib
import os
import signal
import socket
import subprocess
import sys

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
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self.scheduler = self._start("scheduler", "--host", self.address, "--dashboard-address", "127.0.0.1:0")

    def _start(self, *command):
        command = [sys.executable, "-m", "dask", *command]
        log = open(self.directory / f"log{len(self.workers)}", "w")  # noqa: SIM115  closed with the process
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def add_worker(self, *options):
        here = ["--local-directory", str(self.directory)]
        self.workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-dashboard", *here, *options))

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
