"""The rows of both matrices: each has one owner, and the threads' copies of hot rows add up."""

import numba
import numpy as np
import pytest

from fastw2v.kernels.layout import (
    RowLayout,
    copy_hot_rows,
    merge_hot_rows,
    output_row_of_node,
    output_row_of_word,
    rows_of_thread,
    use_copies,
)

LAYOUTS = {
    "one thread": RowLayout.of(10),
    "one thread, tree": RowLayout.of(10),
    "words": RowLayout.of(10, threads=3, n_hot=4),
    "frozen": RowLayout.of(10, threads=2, n_hot=4, n_spares=6),
    "tree": RowLayout.of(10, threads=2, n_hot=4, n_hot_nodes=5, n_spares=2),
    "all words hot": RowLayout.of(3, threads=2, n_hot=3),
    "private rows": RowLayout.of(10, threads=2, n_hot=4, n_spares=3, n_private_inputs=5, n_private_outputs=6),
    "all of a tree hot": RowLayout.of(3, threads=2, n_hot=3, n_hot_nodes=2),
}


def matrices(layout, stride=16):
    """Aligned zeros of the least size that fits."""
    both = []
    for n_rows in (layout.n_input_rows, layout.n_output_rows):
        memory = np.zeros(n_rows * stride + 16, np.float32)
        start = -memory.ctypes.data // 4 % 16
        both.append(memory[start : start + n_rows * stride].reshape(n_rows, stride))
    return both


@numba.njit
def rows_used(layout, thread, words, n_outputs, has_tree):
    """The input rows and output rows that a thread uses."""
    own = rows_of_thread(layout, thread)
    rows = words.copy()
    use_copies(own, rows)
    output_rows = np.empty(n_outputs, np.int64)
    for i in range(n_outputs):
        output_rows[i] = output_row_of_node(own, i) if has_tree else output_row_of_word(own, i)
    return rows, output_rows


@numba.njit
def copy(layout, thread, inputs, outputs):
    return copy_hot_rows(inputs, outputs, rows_of_thread(layout, thread))


@numba.njit
def merge(layout, thread, inputs, outputs, copied):
    merge_hot_rows(inputs, outputs, copied, rows_of_thread(layout, thread))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_row_has_one_owner(layout):
    inputs, outputs = list(range(layout.n_words)), list(range(layout.n_words))
    for thread in range(layout.n_threads):
        inputs += range(layout.input_copies[thread], layout.input_copies[thread] + layout.n_hot_inputs)
        inputs += range(layout.spare_inputs[thread], layout.spare_inputs[thread] + layout.n_spares)
        outputs += range(layout.output_copies[thread], layout.output_copies[thread] + layout.n_hot_outputs)
        inputs += range(layout.private_inputs[thread], layout.private_inputs[thread] + layout.n_private_inputs)
        outputs += range(layout.private_outputs[thread], layout.private_outputs[thread] + layout.n_private_outputs)
    assert sorted(inputs) == list(range(layout.n_input_rows))
    assert sorted(outputs) == list(range(layout.n_output_rows))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_thread_uses_its_copies_of_hot_rows_and_the_shared_rows_of_others(name):
    layout, has_tree = LAYOUTS[name], "tree" in name
    words = np.arange(layout.n_words, dtype=np.int32)
    n_outputs = layout.n_words - has_tree
    for thread in range(layout.n_threads):
        rows, output_rows = rows_used(layout, thread, words, n_outputs, has_tree)
        hot = np.arange(layout.n_hot_inputs)
        np.testing.assert_array_equal(rows, np.append(hot + layout.input_copies[thread], words[len(hot) :]))
        hot = np.arange(layout.n_hot_outputs) + layout.first_hot_output
        assert not len(hot) or not has_tree or hot[-1] == n_outputs - 1, "the root is the last node"
        expected = np.arange(n_outputs)
        expected[hot] = np.arange(layout.n_hot_outputs) + layout.output_copies[thread]
        np.testing.assert_array_equal(output_rows, expected)
        if not has_tree:
            np.testing.assert_array_equal(rows, output_rows)


def test_sentence_ends_are_no_words():
    assert rows_used(LAYOUTS["words"], 1, np.array([-1, 0, -1], np.int32), 10, False)[0].tolist() == [-1, 14, -1]


@pytest.mark.parametrize("name", ["words", "tree"])
def test_what_threads_add_to_their_copies_adds_up(name):
    layout = LAYOUTS[name]
    both = matrices(layout)
    rng = np.random.default_rng(0)
    for matrix in both:
        matrix[: layout.n_words] = rng.normal(size=(layout.n_words, 16))
    expected = [matrix[: layout.n_words].copy() for matrix in both]
    copied = [copy(layout, thread, *both) for thread in range(layout.n_threads)]
    firsts = [(0, layout.n_hot_inputs, layout.input_copies)]
    firsts.append((layout.first_hot_output, layout.n_hot_outputs, layout.output_copies))
    for _ in range(2):
        for thread in range(layout.n_threads):
            for matrix, sums, (first, n_hot, copies) in zip(both, expected, firsts, strict=True):
                step = rng.normal(size=(n_hot, 16)).astype(np.float32)
                matrix[copies[thread] : copies[thread] + n_hot] += step
                sums[first : first + n_hot] += step
            merge(layout, thread, *both, copied[thread])
            for matrix, (first, n_hot, copies) in zip(both, firsts, strict=True):
                copies_now = matrix[copies[thread] : copies[thread] + n_hot]
                np.testing.assert_array_equal(copies_now, matrix[first : first + n_hot])
    for matrix, sums in zip(both, expected, strict=True):
        np.testing.assert_allclose(matrix[: layout.n_words], sums, atol=1e-5)


def test_matrices_that_do_not_fit_are_refused():
    layout = LAYOUTS["frozen"]
    inputs, outputs = matrices(layout)
    layout.check(inputs, outputs)
    with pytest.raises(ValueError, match=f"a matrix has {len(inputs) - 1} rows, but its layout needs {len(inputs)}"):
        layout.check(inputs[:-1], outputs)
    with pytest.raises(ValueError, match=f"a matrix has {len(outputs) - 1} rows, but its layout needs {len(outputs)}"):
        layout.check(inputs, outputs[:-1])
    with pytest.raises(ValueError, match="float32 in C order, not float64"):
        layout.check(inputs.astype(np.float64), outputs)
    with pytest.raises(ValueError, match="float32 in C order"):
        layout.check(np.asfortranarray(inputs), outputs)
    with pytest.raises(ValueError, match="different lengths"):
        layout.check(inputs, matrices(layout, stride=32)[1])
    with pytest.raises(ValueError, match="multiples of 64 bytes"):
        layout.check(*matrices(layout, stride=20))
    shifted = np.zeros(inputs.size + 32, np.float32)
    start = -shifted.ctypes.data // 4 % 16 + 1
    with pytest.raises(ValueError, match="multiples of 64 bytes"):
        layout.check(shifted[start : start + inputs.size].reshape(inputs.shape), outputs)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_use_of_a_layout(name):
    layout, has_tree = LAYOUTS[name], "tree" in name
    n_words, threads = layout.n_words, layout.n_threads
    layout.check_use([n_words, n_words], threads, has_tree, layout.n_spares)
    for n_other in (n_words - 1, n_words + 1):
        with pytest.raises(ValueError, match=f"a table of {n_other} words, but the layout has rows for {n_words}"):
            layout.check_use([n_words, n_other], threads, has_tree, 0)
    with pytest.raises(ValueError, match=f"{threads + 1} threads, but the layout has rows for {threads}"):
        layout.check_use([n_words], threads + 1, has_tree, 0)
    with pytest.raises(ValueError, match=f"frozen words in a window, but the layout has rows for {layout.n_spares}"):
        layout.check_use([n_words], threads, has_tree, layout.n_spares + 1)
    if threads > 1:
        with pytest.raises(ValueError, match="the hot output rows of the layout are (not )?those of a tree"):
            layout.check_use([n_words], threads, not has_tree, 0)
