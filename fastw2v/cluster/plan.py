"""Time, memory and traffic of a run on a cluster, from its sizes alone."""

from dataclasses import dataclass
from typing import NamedTuple

from .protocol import bytes_of_round, exchange_bytes, tasks_of_exchange
from .replica import FREQUENT_SHARE
from .rounds import MOST_WAITING, Costs

# Measured by benchmarks/clusters.py on cores with AVX-512; other machines differ by a factor of two or so.
WORDS_PER_SECOND = 4.2e6
"""The speed of a worker of one thread, at dim 100."""

THREAD_SHARE = 0.83
"""The share of that speed that each further thread adds."""

SECONDS_OF_AN_EXCHANGE, SECONDS_OF_A_TASK = 0.024, 0.0018
"""The time of an exchange before its first byte moves, and the scheduler's time for each of its tasks."""

SECONDS_OF_A_BYTE = 4.3e-9
"""The time to take apart, combine and put together again a byte of the model."""

MODELS_OF_A_WORKER = 5
"""The most models in the memory of a worker: its replica, as it is and as it was, changes, blocks and copies."""

LEAST_MODELS_OF_A_WORKER = 3
"""The models that a worker must hold at once: its replica, what it added, and the blocks that it started from."""

BYTES_OF_A_WORKER = 200_000_000
"""The memory of a worker's process without the model and the corpus: Python, Dask and the compiled kernels.

Measured after runs of a few words on `local:2`: 208 to 211 MB.
"""


def memory_of_worker(n_words: int, dim: int, n_ids: int) -> tuple[int, int]:
    """The least memory with which a worker can train, and the most that it needs, in bytes. n_ids: of its text."""
    process, model = BYTES_OF_A_WORKER + 4 * n_ids, 2 * 4 * n_words * dim
    return process + LEAST_MODELS_OF_A_WORKER * model, process + MODELS_OF_A_WORKER * model


class PlannedRun(NamedTuple):
    """A run of skip-gram with 5 negatives.

    n_words: of the vocabulary. n_tokens: of the corpus. threads: of each node. bandwidth: bytes/s between nodes.
    words_per_second: of one node, as a short run on it tells; by default estimated from `threads` and `dim`.
    """

    n_words: int
    dim: int
    n_tokens: int
    epochs: int
    threads: int
    bandwidth: float
    words_per_second: float | None = None


@dataclass(frozen=True)
class Plan:
    """A run on some nodes. Times in seconds, sizes in bytes."""

    n_nodes: int
    words_per_second: float
    seconds: float
    waiting: float  # the share of the time in exchanges
    exchange: float
    round: float
    bytes_of_round: int  # that each node sends
    memory: int  # of each node, without the corpus
    corpus: int  # ids that each node holds


def plan_run(run: PlannedRun, n_nodes: int) -> Plan:
    """Predict a run on some nodes."""
    speed = run.words_per_second or WORDS_PER_SECOND * 100 / run.dim * (1 + (run.threads - 1) * THREAD_SHARE)
    model = 2 * 4 * run.n_words * run.dim  # in bytes
    least = SECONDS_OF_AN_EXCHANGE + SECONDS_OF_A_TASK * tasks_of_exchange(n_nodes)

    def seconds_of(share: float) -> float:
        n_bytes = exchange_bytes(n_nodes, int(share * run.n_words), run.dim)
        return least + SECONDS_OF_A_BYTE * share * model + n_bytes / run.bandwidth

    frequent, full = seconds_of(FREQUENT_SHARE), seconds_of(1.0)
    epoch = run.n_tokens / n_nodes / speed
    n_beats, _ = Costs(full, frequent, span=1.0).length_of_round(epoch)
    exchanges = full + (n_beats - 1) * frequent
    round_wanted = exchanges * (1 / MOST_WAITING - 1)
    n_rounds = max(1, round(epoch / round_wanted))
    training = epoch / n_rounds
    waiting = exchanges / (exchanges + training)
    return Plan(
        n_nodes=n_nodes,
        words_per_second=speed * n_nodes * (1 - waiting),
        seconds=run.epochs * n_rounds * (training + exchanges),
        waiting=waiting,
        exchange=full,
        round=training + exchanges,
        bytes_of_round=bytes_of_round(n_nodes, run.n_words, run.dim, n_beats),
        memory=MODELS_OF_A_WORKER * model,
        corpus=4 * run.n_tokens // n_nodes,
    )
