"""Clients of clusters by an address, for the command line."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

from ..errors import InputError, MissingExtra
from ..machine import available_threads
from .cluster import first_line

CONNECT_SECONDS = 10.0
"""Until an address counts as wrong."""


@contextlib.contextmanager
def connected(where: str, threads: int | None = None) -> Iterator[Any]:
    """A client of the cluster at an address, or of one on this machine: `local:N`. Raises InputError, ClusterFailed."""
    try:
        import distributed
    except ImportError:
        raise MissingExtra("training on a cluster", "fastw2v[dask]") from None
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is told as an event
    if not re.fullmatch(r"local(:.*)?|([a-z]+://)?[^/:\s][^/\s]*:\d+", where):
        raise InputError(f"dask is {where!r}: it must be a scheduler's address, as tcp://host:8786, or local:N")
    with contextlib.ExitStack() as closing:
        name, _, number = where.partition(":")
        if name == "local":
            if not number.isdecimal() or int(number) < 1:
                raise InputError(f"dask is {where!r}: local:N needs a number of worker processes, as local:4")
            n_workers = int(number)
            where = closing.enter_context(
                distributed.LocalCluster(
                    n_workers=n_workers,
                    threads_per_worker=threads or max(1, available_threads() // n_workers),
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            client = closing.enter_context(distributed.Client(where, timeout=CONNECT_SECONDS, set_as_default=False))
        except Exception as error:  # OSError, or what the kind of address is about: certificates, packages
            told = f"{type(error).__name__}: {first_line(error)}"
            raise InputError(f"there is no Dask scheduler at {where}: {told}. Start one: dask scheduler") from error
        if name == "local":
            client.register_plugin(_no_interrupts())
        yield client


def _no_interrupts() -> Any:
    """A plugin by which workers leave Ctrl-C, which a terminal sends to them too, to this process."""
    from distributed import WorkerPlugin

    class NoInterrupts(WorkerPlugin):  # type: ignore[misc]
        def setup(self, worker: Any) -> None:
            import signal

            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return NoInterrupts()
