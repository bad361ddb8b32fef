"""How a rule says no inside the room: an exception that `check` turns into a `Refusal` value."""

from __future__ import annotations

from mnemosyne.guard.query import Refusal


class Refused(Exception):
    """A rule refused the text. Raised deep in a tree, caught in `guard.check` only."""

    def __init__(self, code: str, reason: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(reason)
        self.refusal = Refusal(code, reason, _short(place), hint)


def _short(place: str) -> str:
    return place if len(place) <= 120 else place[:117] + "..."
