"""What a cluster would do for a run: time, memory and traffic, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass

from .distributed import MOST_BLOCKS
from .replica import FREQUENT_SHARE
from .rounds import MOST_WAITING, Costs, exchange_bytes, length_of_round

# Measured by benchmarks/distributed.py on cores with AVX-512; other machines differ by a factor of two or so.
WORDS_PER_SECOND = 4.2e6
"""Of a worker of one thread, at dim 100."""

THREAD_SHARE = 0.83
"""Of that, of each further thread."""

SECONDS_OF_AN_EXCHANGE, SECONDS_OF_A_TASK = 0.024, 0.0018
"""Before the first byte moves; and the scheduler's for each of its tasks."""

SECONDS_OF_A_BYTE = 4.3e-9
"""Of the model: to take it apart, combine it and put it together again."""


MODELS_OF_A_WORKER = 5
"""What a worker's memory holds at most: its replica, what that was, changes, blocks, copies."""


def tasks_of_exchange(n_nodes: int) -> int:
    """To train, to tell, to take the changes of each block, and to combine each."""
    n_blocks = min(n_nodes, MOST_BLOCKS)
    return n_nodes * (2 + n_blocks) + n_blocks


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


def plan_run(
    n_nodes: int, n_words: int, dim: int, n_tokens: int, epochs: int, threads: int, bandwidth: float,
    words_per_second: float | None = None,
) -> Plan:  # fmt: skip
    """Predict skip-gram with 5 negatives. n_tokens: words of the corpus. bandwidth: bytes/s between nodes.

    words_per_second: of one node, as a short run there tells; else estimated from `threads` and `dim`.
    """
    speed = words_per_second or WORDS_PER_SECOND * 100 / dim * (1 + (threads - 1) * THREAD_SHARE)
    model = 2 * 4 * n_words * dim

    def seconds_of(share: float) -> float:
        sent = exchange_bytes(n_nodes, int(share * n_words), dim)
        of_tasks = SECONDS_OF_A_TASK * tasks_of_exchange(n_nodes)
        return SECONDS_OF_AN_EXCHANGE + of_tasks + SECONDS_OF_A_BYTE * share * model + sent / bandwidth

    frequent, full = seconds_of(FREQUENT_SHARE), seconds_of(1.0)
    of_epoch = n_tokens / n_nodes / speed
    n_beats, _ = length_of_round(Costs(full, frequent, 1.0), of_epoch)
    exchanges = full + (n_beats - 1) * frequent
    wanted = exchanges * (1 / MOST_WAITING - 1)
    of_round = of_epoch / max(1, round(of_epoch / wanted))
    waiting = exchanges / (exchanges + of_round)
    sent = exchange_bytes(n_nodes, n_words + (n_beats - 1) * int(FREQUENT_SHARE * n_words), dim)
    return Plan(
        n_nodes, speed * n_nodes * (1 - waiting), epochs * of_epoch / (1 - waiting), waiting, full,
        of_round + exchanges, sent, MODELS_OF_A_WORKER * model, 4 * n_tokens // n_nodes,
    )  # fmt: skip
