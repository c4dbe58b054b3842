"""Threads for work beside the caller's."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Pool(ThreadPoolExecutor):
    """A pool of threads that can be used as long as the process lives.

    When the main thread has reached its end, Python waits for the others, but closes all pools. What is submitted from
    then on is done at once, in the thread that submits it.
    """

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Call a function in a thread of the pool; return its future result."""
        try:
            return super().submit(function, *arguments, **options)
        except RuntimeError:  # the pool is closed
            future: Future[Any] = Future()
            _fulfil(future, function, *arguments, **options)
            return future


def in_thread(function: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
    """Call a function in a thread of its own, which does not keep the process alive."""
    future: Future[Any] = Future()
    threading.Thread(target=_fulfil, args=(future, function, *arguments), kwargs=options, daemon=True).start()
    return future


def _fulfil(future: Future[Any], function: Callable[..., Any], /, *arguments: Any, **options: Any) -> None:
    """Give a future what a function returns or raises."""
    try:
        future.set_result(function(*arguments, **options))
    except BaseException as error:
        future.set_exception(error)
