"""Training that gives the same bytes on any number of threads: tracks take the place of threads.

A group of spans is trained on *tracks*, one span on each. All tracks go through their spans in step, in *rounds* of one
piece each. What a round reads and writes is decided by the text and the random streams alone, never by the threads:

1. Each track plans its next piece, and *claims* every row that the piece trains.
2. Each track trains its piece. A row that no other track has claimed is trained in place; of the other rows the track
   trains copies, in private rows of its own. So no track sees what another one does in the same round.
3. Each row with copies moves by what they have moved, taken in the order of the tracks (`_merge_row`).

A task is one of these phases for one track. The threads take the tasks in their order, and wait for the end of a phase
before they begin the next one. The third phase of a round and the first one of the next are one, so that there are two
such barriers in a round. They are numbers in memory, because to end a `prange` and begin another takes nearly as long
as a phase.
"""

from typing import Any, NamedTuple

import numba
import numpy as np

from .atomic import add_and_fetch, exchange_if, wait_for
from .huffman import Paths
from .jit import (
    Float32s,
    Float64s,
    Int32s,
    Int64s,
    as_function,
    compile_for,
    function_type,
    inlined,
    inlined_with_arrays,
    kernel,
    parallel_kernel,
)
from .layout import RowLayout, ThreadRows, rows_of_thread, words_as_rows
from .negatives import Negatives
from .random import stream
from .simd import LANES, add, load, multiply, prefetch, splat, store, store_totals, subtract
from .statistics import N_TOKENS
from .train import DRAWS, Job, Pass, plan_piece
from .walk import BEFORE_FIRST, MAX_SHIFT, Piece, Spans, Walk, Window, Windows, state_of_span, subsample

MOST_TRACKS = 16
"""A claim has a bit for each track."""

NUMBER, ROUND = 16, 40
"""The bits from which a claim holds the number of a shared row, and the round. Those below are the tracks'."""

BITS_OF_TRACKS, BITS_OF_NUMBER = np.int64(2**16 - 1), np.int64(2**24 - 1)

HOT = np.int64(2**23 - 1)
"""The round of the claims of hot rows, of which each track has a copy all the time; it is above all others."""

CLAIMS_AHEAD = 8
"""How many rows ahead its claim is prefetched."""

DONE, SHARED = 0, 16
"""Where the number of tasks that are done stands, and those of shared rows in even and odd rounds: each in a cache line
of its own."""

# The columns of `Tracks.states`: a walk, and what planning has found out about the next piece.
CENTRE, SENTENCE, SENTENCE_END, STATE, STATE_OF_DRAWS, N_LEFT, N_STEPS = range(7)
N_ROUNDS, FIRST_STEP, N_WINDOWS, N_OUTPUTS, N_ROWS, FIRST_POSITION, END_OF_POSITIONS = range(7, 14)


class Tracks(NamedTuple):
    """What the tracks keep from one phase to the next. Most arrays have a row for each track.

    The *key* of row i is 2 * i in the input matrix and 2 * i + 1 in the output matrix. A row is *shared* if several
    tracks have claimed it. Shared rows are numbered in the order in which they become so, which depends on the threads;
    only places in memory depend on it. What merging reads stands twice, for even and for odd rounds, because the next
    round is planned at the same time.
    """

    words: Int32s  # this and what follows up to the outputs: the `Piece` of each track, (n_tracks, n)
    input_rows: Int32s
    output_rows: Int32s
    centres: Int32s
    firsts: Int32s
    stops: Int32s
    outputs: Int32s
    states: Int64s  # (n_tracks, 16)
    keys: Int32s  # (n_tracks, most rows of a piece): of the rows of the piece, in the order of their first use
    claims: Int64s  # (n_keys,): the last round in which the row was claimed, its number if it was shared, and by whom
    shared_keys: Int32s  # (2, most shared rows): the key of each
    owners: Int64s  # (2, most shared rows): the tracks that claimed it, a bit for each
    copies: Int32s  # (2, most shared rows, n_tracks): the row of each track's copy
    phases: Int64s  # (8 * n_tracks,): the phase of each track's next task, in a cache line of its own
    progress: Int64s  # (64,)


@inlined
def _claim(tracks: Tracks, track: int, round_number: int, key: int, n: int, is_alone: bool) -> int:
    """Claim the row of a key, unless it is hot or the track has done so; return the number of the track's rows.

    n: that number before. is_alone: whether no other thread can claim a row at the same time.
    """
    bit = np.int64(1) << track
    found = tracks.claims[key]
    if (found >> ROUND == round_number and found & bit != 0) or found >> ROUND == HOT:
        return n
    while True:
        is_first = found >> ROUND != round_number
        claim = round_number << ROUND | bit if is_first else found | bit
        if is_alone:
            tracks.claims[key] = claim
            break
        before = exchange_if(tracks.claims, key, found, claim)
        if before == found:
            break
        found = before
    tracks.keys[track, n] = key
    owners = found & BITS_OF_TRACKS
    if not is_first and owners & (owners - 1) == 0:  # the second track
        parity = round_number & 1
        number = add_and_fetch(tracks.progress, SHARED + 16 * parity, 1) - 1
        add_and_fetch(tracks.claims, key, number << NUMBER)
        tracks.shared_keys[parity, number] = key
    return n + 1


@inlined
def _row_of(tracks: Tracks, track: int, parity: int, key: int) -> int:
    """Return the row that a track trains for a row that it has claimed."""
    claim = tracks.claims[key]
    owners = claim & BITS_OF_TRACKS
    copy = np.int64(tracks.copies[parity, claim >> NUMBER & BITS_OF_NUMBER, track])
    return key >> 1 if owners & (owners - 1) == 0 else copy


@inlined_with_arrays
def _piece_of(tracks: Tracks, track: int) -> Piece:
    return Piece(
        tracks.words[track],
        tracks.input_rows[track],
        tracks.output_rows[track],
        tracks.centres[track],
        tracks.firsts[track],
        tracks.stops[track],
        tracks.outputs[track],
    )


@inlined
def _keep(own: Int64s, walk: Walk) -> None:
    """Write where a walk stands to the state of its track."""
    own[CENTRE], own[SENTENCE] = walk.window.centre, walk.window.sentence
    own[SENTENCE_END] = walk.window.sentence_end
    own[STATE], own[N_LEFT], own[N_STEPS] = np.int64(walk.state), walk.n_left, walk.n_steps


@inlined
def _copy_row(matrix: Float32s, row: int, to: int) -> None:
    stride = matrix.shape[1]
    for column in range(0, stride, LANES):
        store(matrix, to * stride + column, load(matrix, row * stride + column))


@inlined_with_arrays
def _begin_span(
    tracks: Tracks,
    track: int,
    ids: Int32s,
    spans: Spans,
    inputs: Float32s,
    outputs: Float32s,
    windows: Windows,
    hot: ThreadRows,
    visit: Pass,
    statistics: Float64s,
) -> None:
    """Go to the beginning of the track's span, copy the hot rows, and find out how many rounds the span has."""
    state = state_of_span(visit.seed, visit.epoch, spans.numbers[track])
    own = tracks.states[track]
    own[STATE_OF_DRAWS] = np.int64(stream(state, DRAWS))
    words, n_kept, n_tokens, state = subsample(ids, spans.numbers[track], spans.length, windows, state)
    piece = _piece_of(tracks, track)
    for position in range(words.shape[0]):
        word = words[position]
        piece.words[position] = word
        piece.input_rows[position] = piece.output_rows[position] = word
    for i in range(hot.n_hot_inputs):
        _copy_row(inputs, i, hot.first_input_copy + i)
    for i in range(hot.n_hot_outputs):
        _copy_row(outputs, hot.first_hot_output + i, hot.first_output_copy + i)
    length = piece.centres.shape[0]
    own[N_ROUNDS] = (n_kept + length - 1) // length
    _keep(own, Walk(BEFORE_FIRST, state, n_kept, np.int64(0)))
    statistics[N_TOKENS] = n_tokens


@inlined_with_arrays
def _plan(
    tracks: Tracks,
    track: int,
    round_number: int,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    as_rows: ThreadRows,
    is_alone: bool,
) -> None:
    """Plan the track's next piece, and claim its rows."""
    piece, own = _piece_of(tracks, track), tracks.states[track]
    window = Window(own[CENTRE], np.int64(0), np.int64(0), own[SENTENCE], own[SENTENCE_END])
    walk = Walk(window, np.uint64(own[STATE]), own[N_LEFT], own[N_STEPS])
    n_windows, n_outputs, after = plan_piece(
        piece, walk, windows, negatives, paths, as_rows, np.uint64(own[STATE_OF_DRAWS])
    )
    n = np.int64(0)
    first, end = np.int64(piece.words.shape[0]), np.int64(0)
    for i in range(n_windows):
        first, end = min(first, np.int64(piece.firsts[i])), max(end, np.int64(piece.stops[i]))
    i = np.int64(0)
    for position in range(first, end):
        word = np.int64(piece.words[position])
        if position + CLAIMS_AHEAD < end and piece.words[position + CLAIMS_AHEAD] >= 0:
            prefetch(tracks.claims, 2 * np.int64(piece.words[position + CLAIMS_AHEAD]))
        if word >= 0:
            n = _claim(tracks, track, round_number, 2 * word, n, is_alone)
            if paths.longest == 0 and i < n_windows and piece.centres[i] == position:
                n = _claim(tracks, track, round_number, 2 * word + 1, n, is_alone)
                i += 1
    if n_windows > 0:
        for place in range(n_outputs):
            if place + CLAIMS_AHEAD < n_outputs:
                prefetch(tracks.claims, 2 * np.int64(piece.outputs[place + CLAIMS_AHEAD]))
            output = np.int64(piece.outputs[place])
            n = _claim(tracks, track, round_number, 2 * output + 1, n, is_alone)
    own[FIRST_STEP], own[N_WINDOWS], own[N_OUTPUTS], own[N_ROWS] = walk.n_steps, n_windows, n_outputs, n
    own[FIRST_POSITION], own[END_OF_POSITIONS] = first, end
    _keep(own, after)


@inlined_with_arrays
def _copy_shared_rows(
    tracks: Tracks, track: int, round_number: int, inputs: Float32s, outputs: Float32s, layout: RowLayout
) -> None:
    """Copy the shared rows of the track's piece to its private rows."""
    parity = round_number & 1
    keys, n = tracks.keys[track], tracks.states[track, N_ROWS]
    input_copy, output_copy = layout.private_inputs[track], layout.private_outputs[track]
    for i in range(n):
        key = np.int64(keys[i])
        owners = tracks.claims[key] & BITS_OF_TRACKS
        if owners & (owners - 1) == 0:
            continue
        number = tracks.claims[key] >> NUMBER & BITS_OF_NUMBER
        tracks.owners[parity, number] = owners  # every one of them writes the same
        if key & 1 == 0:
            _copy_row(inputs, key >> 1, input_copy)
            tracks.copies[parity, number, track] = input_copy
            input_copy += 1
        else:
            _copy_row(outputs, key >> 1, output_copy)
            tracks.copies[parity, number, track] = output_copy
            output_copy += 1


@inlined_with_arrays
def _find_rows(tracks: Tracks, track: int, round_number: int, piece: Piece, has_paths: bool) -> None:
    """Write the rows of a piece: of its tokens, and in the place of its other outputs."""
    parity, own = round_number & 1, tracks.states[track]
    i = np.int64(0)
    for position in range(own[FIRST_POSITION], own[END_OF_POSITIONS]):
        word = np.int64(piece.words[position])
        if word >= 0:
            piece.input_rows[position] = _row_of(tracks, track, parity, 2 * word)
            if not has_paths and i < own[N_WINDOWS] and piece.centres[i] == position:
                piece.output_rows[position] = _row_of(tracks, track, parity, 2 * word + 1)
                i += 1
    for place in range(own[N_OUTPUTS]):
        piece.outputs[place] = _row_of(tracks, track, parity, 2 * np.int64(piece.outputs[place]) + 1)


@inlined
def _merge_row(matrix: Float32s, row: int, copies: Int64s, n_copies: int, total: Float32s, sums: Float32s) -> None:
    """Move a row by f * sum(changes) of its copies, f = min(1, sum(|change|^2) / |sum(changes)|^2).

    Copies that moved in different directions learnt different things, which add up (f = 1). Where all moved the same
    way, the row has come as far as one alone would have brought it, and the mean is taken (f = 1 / n). This is adaptive
    summation (Maleki et al. 2021, "Scaling distributed training with adaptive summation") of all copies at once.

    total: (stride,), sums: (2 * LANES,) float32, working memory.
    """
    stride = matrix.shape[1]
    squares = squares_of_total = splat(np.float32(0.0))
    for column in range(0, stride, LANES):
        before = load(matrix, row * stride + column)
        moved = splat(np.float32(0.0))
        for i in range(n_copies):
            change = subtract(load(matrix, copies[i] * stride + column), before)
            moved = add(moved, change)
            squares = add(squares, multiply(change, change))
        squares_of_total = add(squares_of_total, multiply(moved, moved))
        store(total, column, moved)
    store_totals(sums, 0, (squares, squares_of_total), (0, 0))
    factor = splat(sums[0] / sums[1] if sums[1] > sums[0] else np.float32(1.0))
    for column in range(0, stride, LANES):
        place = row * stride + column
        store(matrix, place, add(load(matrix, place), multiply(load(total, column), factor)))


@inlined_with_arrays
def _merge_hot_rows(
    tracks: Tracks, track: int, n_tracks: int, inputs: Float32s, outputs: Float32s, layout: RowLayout
) -> None:
    """Merge the copies of the hot rows that fall to this track, an equal part of them, and copy these rows again."""
    copies = np.empty(MOST_TRACKS, np.int64)
    total, sums = np.empty(inputs.shape[1], np.float32), np.empty(2 * LANES, np.float32)
    for i in range(layout.n_hot_inputs * track // n_tracks, layout.n_hot_inputs * (track + 1) // n_tracks):
        for other in range(n_tracks):
            copies[other] = layout.input_copies[other] + i
        _merge_row(inputs, i, copies, n_tracks, total, sums)
        for other in range(n_tracks):
            _copy_row(inputs, i, copies[other])
    for i in range(layout.n_hot_outputs * track // n_tracks, layout.n_hot_outputs * (track + 1) // n_tracks):
        for other in range(n_tracks):
            copies[other] = layout.output_copies[other] + i
        _merge_row(outputs, layout.first_hot_output + i, copies, n_tracks, total, sums)
        for other in range(n_tracks):
            _copy_row(outputs, layout.first_hot_output + i, copies[other])


@inlined_with_arrays
def _merge(
    tracks: Tracks,
    track: int,
    n_tracks: int,
    round_number: int,
    inputs: Float32s,
    outputs: Float32s,
    layout: RowLayout,
) -> None:
    """Merge the copies of the shared rows that fall to this track, an equal part of them."""
    parity = round_number & 1
    n_hot = layout.n_hot_inputs + layout.n_hot_outputs  # the first ones, which `_merge_hot_rows` merges
    n_shared = tracks.progress[SHARED + 16 * parity] - n_hot
    copies = np.empty(MOST_TRACKS, np.int64)
    total, sums = np.empty(inputs.shape[1], np.float32), np.empty(2 * LANES, np.float32)
    for number in range(n_hot + n_shared * track // n_tracks, n_hot + n_shared * (track + 1) // n_tracks):
        key, owners = np.int64(tracks.shared_keys[parity, number]), tracks.owners[parity, number]
        n_copies = np.int64(0)
        for other in range(n_tracks):
            copies[n_copies] = tracks.copies[parity, number, other]
            n_copies += owners >> other & 1
        if key & 1 == 0:
            _merge_row(inputs, key >> 1, copies, n_copies, total, sums)
        else:
            _merge_row(outputs, key >> 1, copies, n_copies, total, sums)


@kernel
def run_tasks(
    train: Any,
    thread: int,
    n_threads: int,
    tracks: Tracks,
    first_round: int,
    rounds_to_merge: int,
    ids: Int32s,
    spans: Spans,
    inputs: Float32s,
    outputs: Float32s,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    layout: RowLayout,
    visit: Pass,
    statistics: Float64s,
) -> None:
    """Do the tasks of each phase that no other thread has taken. All threads run this at the same time.

    train: a kernel of `piece_kernel` as a function. thread: an equal part of the tracks comes first for each thread,
    because their rows may still be in its cache. first_round: no later round was before. spans: at most one for each
    track. The other arguments are those of `train_spans`.
    """
    n_tracks, n_hot = spans.numbers.shape[0], layout.n_hot_inputs + layout.n_hot_outputs
    as_rows, phase, n_phases = words_as_rows(layout), np.int64(0), np.int64(1)
    while phase < n_phases:
        round_of_group = phase // 2
        round_number = first_round + round_of_group
        for i in range(n_tracks):
            track = (thread * n_tracks // n_threads + i) % n_tracks
            if exchange_if(tracks.phases, 8 * track, phase, phase + 1) != phase:
                continue
            own, own_rows = tracks.states[track], rows_of_thread(layout, track)
            if phase == 0:
                _begin_span(tracks, track, ids, spans, inputs, outputs, windows, own_rows, visit, statistics[track])
            if phase % 2 == 0:
                if phase > 0:
                    _merge(tracks, track, n_tracks, round_number - 1, inputs, outputs, layout)
                    if round_of_group % rounds_to_merge == 0 or phase == n_phases - 1:
                        _merge_hot_rows(tracks, track, n_tracks, inputs, outputs, layout)
                _plan(tracks, track, round_number, windows, negatives, paths, as_rows, n_threads == 1)
            else:
                if track == 0:  # the last round is merged
                    tracks.progress[SHARED + 16 * (round_number - 1 & 1)] = n_hot
                if own[N_WINDOWS] > 0:
                    piece = _piece_of(tracks, track)
                    _copy_shared_rows(tracks, track, round_number, inputs, outputs, layout)
                    _find_rows(tracks, track, round_number, piece, paths.longest > 0)
                    train(
                        piece,
                        own[N_WINDOWS],
                        own[FIRST_STEP],
                        inputs,
                        outputs,
                        windows,
                        negatives,
                        paths,
                        own_rows,
                        visit.learn,
                        spans.learning_rates[track],
                        statistics[track],
                    )
            add_and_fetch(tracks.progress, DONE, 1)
        phase += 1
        wait_for(tracks.progress, DONE, phase * n_tracks)
        if phase == 1:
            for track in range(n_tracks):
                n_phases = max(n_phases, 1 + 2 * tracks.states[track, N_ROUNDS])


@parallel_kernel
def train_tracks(
    run: Any,
    train: Any,
    n_threads: int,
    tracks: Tracks,
    first_round: int,
    rounds_to_merge: int,
    ids: Int32s,
    spans: Spans,
    inputs: Float32s,
    outputs: Float32s,
    windows: Windows,
    negatives: Negatives,
    paths: Paths,
    layout: RowLayout,
    visit: Pass,
    statistics: Float64s,
) -> None:
    """Train on a group of spans, one on each track. run: `run_tasks` as a function; the others are its arguments."""
    for thread in numba.prange(n_threads):
        run(
            train,
            np.int64(thread),
            n_threads,
            tracks,
            first_round,
            rounds_to_merge,
            ids,
            spans,
            inputs,
            outputs,
            windows,
            negatives,
            paths,
            layout,
            visit,
            statistics,
        )


def new_tracks(job: Job, n_tracks: int, length: int, room: int) -> Tracks:
    """Return the working memory of tracks that train the spans of such jobs in pieces of up to `length` windows.

    room: the most outputs of a piece besides its centre words.

    Raises ValueError if the layout of the job lacks rows for them.
    """
    layout = job.layout
    n_positions = job.spans.length + MAX_SHIFT + job.windows.window + 3
    n_outputs = room if job.paths.longest else room + length
    needed = min(layout.n_words, length + 2 * job.windows.window), min(layout.n_words, n_outputs)
    given = layout.n_private_inputs, layout.n_private_outputs
    if layout.n_threads < n_tracks or needed[0] > given[0] or needed[1] > given[1]:
        raise ValueError(
            f"{n_tracks} tracks with {needed} private rows, but the layout has {layout.n_threads} with {given}"
        )
    n_rows = sum(needed)
    n_hot = layout.n_hot_inputs + layout.n_hot_outputs
    n_shared = n_hot + n_tracks * n_rows // 2

    def of_pieces(n: int) -> Int32s:
        return np.zeros((n_tracks, n), np.int32)

    tracks = Tracks(
        words=of_pieces(n_positions),
        input_rows=of_pieces(n_positions),
        output_rows=of_pieces(n_positions),
        centres=of_pieces(length),
        firsts=of_pieces(length),
        stops=of_pieces(length),
        outputs=of_pieces(room),
        states=np.zeros((n_tracks, 16), np.int64),
        keys=of_pieces(n_rows),
        claims=np.full(2 * layout.n_words, -1, np.int64),
        shared_keys=np.zeros((2, n_shared), np.int32),
        owners=np.zeros((2, n_shared), np.int64),
        copies=np.zeros((2, n_shared, n_tracks), np.int32),
        phases=np.zeros(8 * n_tracks, np.int64),
        progress=np.zeros(64, np.int64),
    )
    # Hot rows are always shared by all tracks, and their copies are where the layout says.
    first_number = 0
    for first_key, n, first_copies in (
        (0, layout.n_hot_inputs, layout.input_copies),
        (2 * layout.first_hot_output + 1, layout.n_hot_outputs, layout.output_copies),
    ):
        numbers = first_number + np.arange(n)
        tracks.claims[first_key + 2 * np.arange(n)] = HOT << ROUND | numbers << NUMBER | BITS_OF_TRACKS
        tracks.copies[:, numbers] = first_copies[:n_tracks] + np.arange(n)[:, None]
        first_number += n
    return tracks


def run_on_tracks(
    kernels: tuple[Any, Any], job: Job, tracks: Tracks, first_round: int, rounds_to_merge: int, threads: int
) -> int:
    """Train on a group of spans, at most one for each track. Call this inside `in_parallel`.

    kernels: what `compile_tracks` returned for such a job. first_round: what the last call with these tracks returned,
    at first 0. rounds_to_merge: the rounds after which hot rows are merged. Returns the first round that is free.
    """
    if first_round + job.spans.length > HOT:
        tracks.claims[tracks.claims >> ROUND != HOT] = -1
        first_round = 0
    tracks.progress[:] = tracks.phases[:] = 0
    tracks.progress[[SHARED, SHARED + 16]] = job.layout.n_hot_inputs + job.layout.n_hot_outputs
    train_tracks(*kernels, threads, tracks, first_round, rounds_to_merge, *job)
    return first_round + int(tracks.states[:, N_ROUNDS].max()) + 1


def compile_tracks(job: Job) -> tuple[Any, Any]:
    """Return `run_tasks` and the kernel of pieces as functions for such a job, compiled or loaded from the cache."""
    return compile_tasks(job), job.compile_kernel()


def compile_tasks(job: Job) -> Any:
    """Return `run_tasks` as a function for such a job, compiled or loaded from the cache."""
    return as_function(run_tasks, *_of_tasks(job))


def compile_loop(job: Job) -> None:
    """Compile the loop over the threads, for which the types of the kernels are enough."""
    of_tasks = _of_tasks(job)
    compile_for(train_tracks, function_type(*of_tasks), of_tasks[0], *of_tasks[2:])


def _of_tasks(job: Job) -> tuple[Any, ...]:
    """Return arguments of the types that `run_tasks` has."""
    tracks = new_tracks(job._replace(layout=RowLayout.of(1, n_private_inputs=1)), 1, 0, 0)
    return job.type_of_kernel(), 0, 0, tracks, 0, 0, *job
