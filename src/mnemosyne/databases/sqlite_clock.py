"""The deadline of the query that a thread runs in SQLite: the registered functions look at it.

SQLite can be interrupted between two calls of a function, never inside one.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_GRACE_SECONDS = 0.01
"""What ends a call comes surely after the deadline, so that it is known for a time-out."""
_here = threading.local()


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let the functions that this thread calls work until then, a time of `time.perf_counter`."""
    _here.deadline = deadline
    try:
        yield
    finally:
        _here.deadline = math.inf


def seconds(most: float) -> float:
    """How long a call may take, `most` if there is time for it. Raises TimeoutError when there is none left."""
    left: float = getattr(_here, "deadline", math.inf) - time.perf_counter()
    if left < 0:
        raise TimeoutError("the query has used up its time")
    return min(most, left + _GRACE_SECONDS)


def look() -> None:
    """Raises TimeoutError when the time of the query is over."""
    seconds(0)
