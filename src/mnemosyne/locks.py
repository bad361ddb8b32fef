"""A lock file that keeps a second process out at once. One that is worth waiting for is `filelock.FileLock` itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(file: Path, busy: Exception) -> Iterator[None]:
    """Hold the lock `file`, its folder made where it is missing. Raises `busy` at once when another process holds it.

    The lock is the process's: one that was killed leaves none behind, only the empty file.
    """
    from filelock import FileLock, Timeout

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()
