"""What goes wrong on a cluster, as errors of ours."""

from ..errors import RunError


class ClusterFailed(RunError):
    """The cluster cannot continue."""


class DataLost(ClusterFailed):
    """A worker is gone, or no worker has some of the data any more."""


def first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
