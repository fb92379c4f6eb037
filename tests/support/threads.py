"""Doing one thing from many threads at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(count: int, action: Callable[[int], T]) -> list[T]:
    """Call ``action`` with 0..count-1 from as many threads, which start together; the answers in order, or the first error."""
    start = threading.Barrier(count)

    def run(number: int) -> T:
        start.wait(timeout=30)
        return action(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
