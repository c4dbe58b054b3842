"""What goes wrong on a cluster, as errors of ours."""

from ..errors import RunError


class ClusterFailed(RunError):
    """The cluster cannot continue."""


class DataLost(ClusterFailed):
    """A worker is gone, or no worker has some of the data any more."""


class Stalled(DataLost):
    """No worker works, though tasks are left. workers: those that have them, unless all do."""

    def __init__(self, message: str, workers: list[str]) -> None:
        super().__init__(message)
        self.workers = workers


class WorkerFailed(ClusterFailed):
    """A worker cannot do a task that it alone was given."""

    def __init__(self, worker: str, reason: str) -> None:
        super().__init__(f"worker {worker} failed: {reason}")
        self.worker = worker


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
