"""The property that is computed once, also by several threads and in children."""

import os
import threading

import pytest

from fastw2v.lazy import computed_once


class Room:
    n_computed = 0

    @computed_once
    def answer(self):
        """What it is."""
        self.n_computed += 1
        return self.n_computed


def test_it_is_computed_once_for_each_instance():
    room, other = Room(), Room()
    assert [room.answer, room.answer, other.answer] == [1, 1, 1]
    assert room.n_computed == 1
    assert Room.answer.__doc__ == "What it is."


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_wait_for_a_thread_that_it_does_not_have():
    begun, end = threading.Event(), threading.Event()

    class Slow:
        @computed_once
        def answer(self):
            begun.set()
            end.wait(60)
            return 42

    thread = threading.Thread(target=lambda: Slow().answer)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        end.set()
        os._exit(Slow().answer)
    end.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
