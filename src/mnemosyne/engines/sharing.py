"""A lock that many may hold together, or one alone. Nothing here knows of models."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Sharing:
    """Many hold it `shared`; who wants it `alone` waits for them, and new ones wait in turn."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._together = 0
        self._alone = False

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold it together with others."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._together += 1
        try:
            yield
        finally:
            with self._condition:
                self._together -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold it alone; not while holding it shared."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._alone = True
            self._condition.wait_for(lambda: self._together == 0)
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()
