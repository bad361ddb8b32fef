"""What the reference model card of Mnemosyne-3B prints, for the column marked "theirs" beside our figures.

Their EX executed PostgreSQL golds on SQLite; ours runs natively. Theirs are quoted, not reproduced.
"""

from __future__ import annotations

from typing import NamedTuple


class Theirs(NamedTuple):
    """One printed figure, in percent."""

    model: str
    """`base 3B` or `Mnemosyne-3B`."""
    slice: str
    """`all`, or the tier."""
    metric: str
    """`EX`, `EM` or `VLD`."""
    value: float
    """Percent."""
    n: int
    """Questions."""


_SPIDER = [("base 3B", 65.4, 17.8, 98.0), ("Mnemosyne-3B", 57.6, 15.2, 95.0)]
_LAB = [("all", 200, 30.0, 78.0), ("simple", 90, 53.3, 98.9), ("moderate", 71, 15.5, 70.4), ("complex", 39, 2.6, 43.6)]

REFERENCE: dict[str, tuple[Theirs, ...]] = {
    "spider": tuple(
        Theirs(model, "all", metric, value, 500)
        for model, *values in _SPIDER
        for metric, value in zip(("EX", "EM", "VLD"), values, strict=True)
    ),
    "lab": tuple(
        Theirs(model, tier, "EX", value, n)
        for tier, n, base, tuned in _LAB
        for model, value in (("base 3B", base), ("Mnemosyne-3B", tuned))
    ),
}
"""Bench to their figures. `lab` is their laboratory set of 200 questions, which is not ours: same kind, same tiers."""
