"""Clients of Dask clusters by their address, for the command line; `local:N` is a cluster started for the run."""

import contextlib
import logging
import multiprocessing
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from multiprocessing import resource_tracker
from typing import Any

from ..errors import InputError, MissingExtra
from ..files.locks import temporary_directory
from ..machine import available_memory, available_threads, failure_of, format_bytes
from ..system import ending_signals, hangup_blocked
from ..threads import in_thread
from .connection import POLL_SECONDS
from .failures import first_line
from .plan import BYTES_OF_A_WORKER
from .watch import SILENT_SECONDS

CONNECT_SECONDS = 10.0
"""How long to wait for a scheduler before its address counts as wrong."""

SAFE_PATH = "PYTHONSAFEPATH"
"""The environment variable that keeps Python from importing modules of the working directory."""

CLOSE_SECONDS = 2.0
"""How long to wait for a scheduler when a run has ended."""

NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""Dask's configuration of HTTP servers without pages: they would show the run to everybody, and some relay requests."""


@contextlib.contextmanager
def connected(
    address: str,
    threads: int | None = None,
    worker_timeout: float = 60.0,
    warn: Callable[[str], object] = lambda message: None,
) -> Iterator[Any]:
    """Connect a client to the cluster at an address, or for `local:N` to a cluster started on this machine.

    threads: of each of its N workers. worker_timeout: the seconds after which a scheduler that does not answer is given
    up. warn: is told of it before. Raises InputError for a malformed address, or where it cannot connect.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtra("training on a cluster", "fastw2v[dask]") from None
    except Exception as error:  # Dask reads its configuration when it is imported
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(f"Dask cannot be loaded, perhaps because of its configuration files: {reason}") from error
    for logger in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)  # events tell what matters
    if not re.fullmatch(r"local(:.*)?|([a-z]+://)?[^/:\s][^/\s]*:\d+", address):
        raise InputError(f"dask is {address!r}: it must be a scheduler's address, such as tcp://host:8786, or local:N")
    _check_scheme(address)
    host, _, number = address.partition(":")
    if host == "local":
        if not number.isdecimal() or int(number) < 1:
            raise InputError(f"dask is {address!r}: local:N needs a number of worker processes, such as local:4")
        _start_resource_tracker()
        _check_machine(address)
        _check_memory(int(number), address)
        with _local_cluster(int(number), threads) as client:
            yield client
        return
    if address.startswith("tls://"):
        _check_certificates()
    attempt = in_thread(distributed.Client, address, timeout=CONNECT_SECONDS, set_as_default=False)
    client = _client_of(attempt, address, worker_timeout, warn)
    try:
        yield client
    finally:
        with contextlib.suppress(TimeoutError):  # a scheduler that hangs
            client.close(timeout=CLOSE_SECONDS)


def _check_machine(address: str) -> None:
    """Raise InputError where processes of this machine cannot work together, as in some sandboxes and containers."""
    needs = ("a loopback device", _use_loopback), ("shared locks (a writable /dev/shm)", multiprocessing.Lock)
    for what, use in needs:
        try:
            use()
        except OSError as error:
            advice = "train without --dask, in one process"
            raise InputError(
                f"dask is {address!r}: its processes need {what}: {failure_of(error)}; {advice}"
            ) from error


def _use_loopback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), CONNECT_SECONDS).close()


def _check_memory(n_workers: int, address: str) -> None:
    """Raise InputError for more workers than this machine has memory for, before they have a model."""
    memory, limit = available_memory()
    if memory is not None and limit != "ulimit -v" and n_workers * BYTES_OF_A_WORKER > memory:
        needed, most = format_bytes(n_workers * BYTES_OF_A_WORKER), max(1, memory // BYTES_OF_A_WORKER)
        raise InputError(
            f"dask is {address!r}: {n_workers:,} workers need about {needed} of memory, without a model, but "
            f"{format_bytes(memory)} are free: start at most local:{most}"
        )


def _check_scheme(address: str) -> None:
    """Raise InputError for a scheme that Dask does not know, such as that of its dashboard."""
    from distributed.comm.registry import backends

    scheme, separator, _ = address.partition("://")
    if separator and scheme not in backends:
        known = ", ".join(sorted(backends))
        raise InputError(f"dask is {address!r}: a scheduler's address begins with one of {known}, followed by ://")


def _client_of(attempt: Future[Any], address: str, worker_timeout: float, warn: Callable[[str], object]) -> Any:
    """The client that an attempt to connect makes. Dask itself may wait for ever for a scheduler that hangs."""
    start, is_told = time.monotonic(), False
    while not wait([attempt], POLL_SECONDS).done:
        silence = time.monotonic() - start
        message = f"the Dask scheduler at {address} has not answered for {silence:.0f} s"
        if silence > worker_timeout:
            raise InputError(f"{message}: it hangs, or that address is not a scheduler's")
        if silence > min(SILENT_SECONDS, worker_timeout / 2) and not is_told:
            is_told = True
            warn(f"{message}: the run ends after {worker_timeout:.0f} s (--worker-timeout)")
    try:
        return attempt.result()
    except Exception as error:  # an OSError, or what some kinds of addresses raise: certificates, packages
        reason = f"{type(error).__name__}: {first_line(error)}"
        advice = "check the address, or start one with: dask scheduler"
        raise InputError(f"cannot connect to a Dask scheduler at {address}: {reason}; {advice}") from error


def _check_certificates() -> None:
    """Raise InputError if Dask's configuration has no certificates for a client, or they cannot be read."""
    import distributed

    names = "distributed.comm.tls.ca-file, client.cert and client.key"
    try:
        context = distributed.Security().get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise InputError(f"the files that Dask's configuration names as {names} cannot be read: {error}") from error
    if context is None:
        raise InputError(f"an address with tls:// needs certificates: set {names} in Dask's configuration")


@contextlib.contextmanager
def _local_cluster(n_workers: int, threads: int | None) -> Iterator[Any]:
    """Start a cluster on this machine that its other users cannot use, and connect a client to it.

    Whoever may talk to a scheduler, a nanny or a worker may run code there, and all users of a machine reach its
    loopback ports. Therefore each side of a connection must show the certificate of this run, whose key only its
    processes have. The directory for spilled data, from which Dask also imports modules, is open to this user alone.
    """
    import dask
    import distributed

    try:
        security = distributed.Security.temporary()
    except ImportError:
        raise MissingExtra("a cluster on this machine", "cryptography") from None
    parent = dask.config.get("temporary-directory", None)
    if parent:
        os.makedirs(parent, exist_ok=True)
    with contextlib.ExitStack() as closing:
        directory = closing.enter_context(temporary_directory(parent))
        closing.enter_context(_nothing_imported_from_here())
        with dask.config.set({"temporary-directory": directory, **NO_PAGES}):
            cluster = distributed.LocalCluster(
                n_workers=n_workers,
                threads_per_worker=threads or max(1, available_threads() // n_workers),
                processes=True,
                memory_limit=None,  # the run estimates it; Dask's own is the machine's memory by threads of all cores
                security=security,
                dashboard_address="127.0.0.1:0",  # which nothing answers at: else the port were 8787
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
            )
        client = distributed.Client(closing.enter_context(cluster), set_as_default=False)
        closing.enter_context(client).register_plugin(_no_interrupts())
        yield client


@contextlib.contextmanager
def _nothing_imported_from_here() -> Iterator[None]:
    """Keep processes that are started during the block from importing modules of the working directory.

    Python would look for its own modules there first, and the directory may be open to other users.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


def _start_resource_tracker() -> None:
    """Start the process with which multiprocessing cleans up. It ignores Ctrl-C and SIGTERM itself; here SIGHUP too.

    A closed terminal would end it, and then the workers would print a traceback for each of their semaphores.
    """
    with hangup_blocked():
        resource_tracker.ensure_running()


def _no_interrupts() -> Any:
    """A plugin that makes workers ignore the signals that this process acts on: they hear of most of them too."""
    from distributed import WorkerPlugin

    class NoInterrupts(WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            for number in ending_signals():
                signal.signal(number, signal.SIG_IGN)

    return NoInterrupts()
