"""The protocol of a round: its tasks, where they run, and what they send.

Every replica starts from the same model and trains its own spans in several beats. After each beat the replicas
exchange the changes of their most frequent rows, after the last beat those of all rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from .replica import Work, combine_block, n_frequent_rows, take_changes, take_frequent, take_statistics, train_beat

MOST_BLOCKS = 16
"""The most blocks that the model is cut into; otherwise one for each worker. An exchange has workers x blocks tasks."""


class Share(NamedTuple):
    """The work of one replica in one beat. shards: futures, one for each piece of the work."""

    work: Work
    shards: list[Any]


class Round(NamedTuple):
    """The futures of a round: of the `BeatStatistics` of each beat and worker, and of the blocks of the new model."""

    statistics: list[list[Any]]
    blocks: list[Any]


Submit = Callable[..., Any]
"""submit(function, *arguments, at=worker) returns a future of the result, which may be an argument of other tasks."""


def submit_round(submit: Submit, job: Any, blocks: list[Any], workers: list[str], beats: list[list[Share]]) -> Round:
    """Submit all tasks of a round.

    job: a future of the Job. blocks: futures of the model's blocks. beats: the share of each worker in each beat.
    """
    block_workers = [workers[number % len(workers)] for number in range(len(blocks))]
    replicas: list[Any] = [None] * len(workers)
    frequent: list[Any] = []
    statistics = []
    for beat, shares in enumerate(beats):
        is_first, is_last = beat == 0, beat == len(beats) - 1
        start = blocks if is_first or is_last else []
        for i, (share, worker) in enumerate(zip(shares, workers, strict=True)):
            work = share.work._replace(is_last=is_last)
            replicas[i] = submit(train_beat, job, work, share.shards, start, replicas[i], frequent, at=worker)
        places = list(zip(replicas, workers, strict=True))
        statistics.append([submit(take_statistics, replica, at=worker) for replica, worker in places])
        if is_first and not is_last:
            numbered = enumerate(zip(blocks, block_workers, strict=True))
            frequent = [submit(take_frequent, job, block, number, at=worker) for number, (block, worker) in numbered]
        exchanged = []
        for number, block_worker in enumerate(block_workers):
            changes = [submit(take_changes, replica, number, at=worker) for replica, worker in places]
            block = blocks[number : number + 1] if is_last else []
            exchanged.append(submit(combine_block, block, frequent[number : number + 1], changes, at=block_worker))
        frequent = exchanged
    return Round(statistics, frequent)


def n_blocks_for(n_workers: int) -> int:
    """The number of blocks that the model is cut into."""
    return min(MOST_BLOCKS, n_workers)


def tasks_of_exchange(n_workers: int) -> int:
    """The number of tasks of a beat and its exchange: workers train, tell, and give their changes of each block."""
    n_blocks = n_blocks_for(n_workers)
    return n_workers * (2 + n_blocks) + n_blocks


def exchange_bytes(n_workers: int, n_rows: int, dim: int) -> int:
    """The bytes that each worker sends when `n_rows` rows of both matrices are exchanged.

    It sends its changes to those that combine them, and what it has combined to all: 2 (n - 1) / n of the rows' bytes,
    as much as the rows for 2 workers, and less than twice as much for any number.
    """
    return round(2 * (n_workers - 1) / n_workers * 2 * 4 * n_rows * dim)


def bytes_of_round(n_workers: int, n_words: int, dim: int, n_beats: int) -> int:
    """The bytes that each worker sends in the exchanges of a round."""
    return exchange_bytes(n_workers, n_words + (n_beats - 1) * n_frequent_rows(n_words), dim)
