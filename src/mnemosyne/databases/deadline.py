"""A deadline that fires while an engine works: it asks the engine to stop, again and again until it has."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

_AGAIN_SECONDS = 0.05


class Deadline:
    """`with Deadline(seconds, stop):` calls `stop(0)`, `stop(1)` … from a thread once the time is over.

    More than once, because an interrupt that comes between two calls of the engine is lost.
    """

    def __init__(self, seconds: float, stop: Callable[[int], None]) -> None:
        self.fired = False
        self._seconds = seconds
        self._stop = stop
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="mnemosyne-deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        wait, count = self._seconds, 0
        while not self._over.wait(wait):
            self.fired = True
            self._stop(count)
            wait, count = _AGAIN_SECONDS, count + 1
