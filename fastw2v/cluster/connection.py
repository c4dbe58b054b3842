"""The connection to a Dask cluster: what a client is asked for, and what its failures become."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Fastw2vError, RunError
from ..events import Event, Waiting


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
