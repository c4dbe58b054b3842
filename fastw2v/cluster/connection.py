"""The connection to a Dask cluster: clients by an address, for the command line, and what a client is asked for."""

import contextlib
import logging
import re
import signal
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Fastw2vError, InputError, MissingExtra, RunError
from ..events import Event, Waiting
from ..machine import available_threads

CONNECT_SECONDS = 10.0
"""How long to wait for a scheduler before its address counts as wrong."""


class ClusterFailed(RunError):
    """The cluster cannot continue."""


class DataLost(ClusterFailed):
    """A worker is gone, or no worker has some of the data any more."""


class Connection:
    """A Dask client whose failures are raised as our errors.

    tell: receives the events of the cluster. It may be replaced by a function that ends the training by an exception.
    """

    def __init__(self, client: Any, tell: Callable[[Event], object]) -> None:
        self.client, self.tell = client, tell
        self.address: str = client.scheduler.address
        self._scheduler_lost = f"the Dask scheduler at {self.address} is gone"

    def poll(self) -> None:
        """Tell `Waiting`; to be called twice a second or more. Raises ClusterFailed if the scheduler is gone."""
        self.check_scheduler()
        self.tell(Waiting())

    def check_scheduler(self) -> None:
        """Raise ClusterFailed if the scheduler is gone."""
        if self.client.status != "running":
            raise ClusterFailed(self._scheduler_lost)

    @contextlib.contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise DataLost for what Dask raises in the block about a worker or data that is gone."""
        from distributed import CancelledError

        self.check_scheduler()
        try:
            yield
        except Fastw2vError:
            raise
        except (OSError, ValueError, KeyError, CancelledError) as error:
            raise DataLost(f"a worker of {self.address} is gone, or its data: {error}") from error

    def threads_of_workers(self) -> dict[str, int]:
        """The number of threads of each worker, by its address. Raises ClusterFailed if the scheduler is gone."""
        try:
            with self.translated_errors():
                return dict(self.client.nthreads())
        except DataLost as error:
            raise ClusterFailed(self._scheduler_lost) from error

    def run(self, function: Callable[..., Any], *arguments: Any, workers: list[str]) -> dict[str, Any]:
        """Call a function on workers, beside their tasks: the result of each, by its address.

        Raises what the function raised if that is one of our errors, DataLost for an OSError (the worker is gone), and
        ClusterFailed for other exceptions.
        """
        with self.translated_errors():
            results = dict(self.client.run(function, *arguments, workers=workers, on_error="return"))
            for worker, result in results.items():
                if isinstance(result, (Fastw2vError, OSError)):
                    raise result
                if isinstance(result, BaseException):
                    raise ClusterFailed(f"worker {worker} failed: {type(result).__name__}: {first_line(result)}")
        return results


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


@contextlib.contextmanager
def connected(address: str, threads: int | None = None) -> Iterator[Any]:
    """Connect a client to the cluster at an address, or for `local:N` to a cluster started on this machine.

    threads: of each of its N workers. Raises InputError for an address that is wrong, or where there is no scheduler.
    """
    try:
        import distributed
    except ImportError:
        raise MissingExtra("training on a cluster", "fastw2v[dask]") from None
    for logger in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # events tell what matters
    if not re.fullmatch(r"local(:.*)?|([a-z]+://)?[^/:\s][^/\s]*:\d+", address):
        raise InputError(f"dask is {address!r}: it must be a scheduler's address, as tcp://host:8786, or local:N")
    with contextlib.ExitStack() as closing:
        host, _, number = address.partition(":")
        if host == "local":
            if not number.isdecimal() or int(number) < 1:
                raise InputError(f"dask is {address!r}: local:N needs a number of worker processes, as local:4")
            n_workers = int(number)
            n_threads = threads or max(1, available_threads() // n_workers)
            of_processes = {"processes": True, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
            cluster = distributed.LocalCluster(n_workers=n_workers, threads_per_worker=n_threads, **of_processes)
            address = closing.enter_context(cluster)
        try:
            client = closing.enter_context(distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except Exception as error:  # an OSError, or what some kinds of addresses raise: certificates, packages
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise InputError(f"there is no Dask scheduler at {address}: {reason}. Start one: dask scheduler") from error
        if host == "local":
            client.register_plugin(_no_interrupts())
        yield client


def _no_interrupts() -> Any:
    """A plugin that makes workers ignore Ctrl-C: a terminal sends it to them too, but this process handles it."""
    from distributed import WorkerPlugin

    class NoInterrupts(WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return NoInterrupts()
