"""Intervals and paired comparison: seeded bootstrap and McNemar's exact test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
"""Bootstrap resamples behind every interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A share in percent, with its 95 % interval."""

    value: float
    """Percent."""
    low: float
    """Lower end of the percentile bootstrap interval, percent."""
    high: float
    """Upper end, percent."""
    n: int
    """Questions."""

    def __str__(self) -> str:
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


def share(outcomes: Sequence[bool], *, seed: int = 0) -> Figure | None:
    """The share of True with its interval; None of nothing.

    Resampling n yes/no outcomes with replacement and counting the yes is one binomial draw, so the bootstrap is
    exact and quick here. At 0 % and 100 % it has no width: there the Wilson bound is used instead.
    """
    n = len(outcomes)
    if not n:
        return None
    hits = sum(map(bool, outcomes))
    draws = np.random.default_rng(seed).binomial(n, hits / n, RESAMPLES) * (100 / n)
    low, high = (float(x) for x in np.percentile(draws, (2.5, 97.5)))
    if hits in (0, n):
        edge = 100 * 1.96**2 / (n + 1.96**2)
        low, high = (0.0, edge) if hits == 0 else (100 - edge, 100.0)
    return Figure(100 * hits / n, low, high, n)


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same questions."""

    difference: float
    """Second minus first, percentage points."""
    low: float
    """Lower end of the paired bootstrap interval of the difference."""
    high: float
    """Upper end."""
    only_first: int
    """Questions that only the first got right."""
    only_second: int
    """Questions that only the second got right."""
    p: float
    """Two-sided exact p of McNemar's test."""
    n: int
    """Questions that both were asked."""


def paired(first: Sequence[bool], second: Sequence[bool], *, seed: int = 0) -> Paired | None:
    """Compare two models question by question; None of nothing. Raises ValueError when not parallel."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} outcomes against {len(second)}")
    n = len(first)
    if not n:
        return None
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    shares = [only_first / n, only_second / n, (n - only_first - only_second) / n]
    draws = np.random.default_rng(seed).multinomial(n, shares, RESAMPLES)
    low, high = (float(x) for x in np.percentile((draws[:, 1] - draws[:, 0]) * (100 / n), (2.5, 97.5)))
    edge = 100 * 1.96**2 / (n + 1.96**2)  # Wilson's, as in `share`: draws of what never varied have no width
    if not only_first and not only_second:
        low, high = -edge, edge
    elif n in (only_first, only_second):
        low, high = (100 - 2 * edge, 100.0) if only_second else (-100.0, 2 * edge - 100)  # what one gains the other may
    return Paired(
        100 * (only_second - only_first) / n, low, high, only_first, only_second, mcnemar(only_first, only_second), n
    )


def paired_by(
    groups: Sequence[str], first: Sequence[bool], second: Sequence[bool], *, seed: int = 0
) -> dict[str, Paired]:
    """The same within each group, by its name; `groups` is parallel to the outcomes, empty where one has none."""
    found = {}
    for name in dict.fromkeys(group for group in groups if group):
        rows = [(a, b) for group, a, b in zip(groups, first, second, strict=True) if group == name]
        result = paired([a for a, _ in rows], [b for _, b in rows], seed=seed)
        assert result is not None
        found[name] = result
    return found


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value: how surprising the split of the discordant questions is if both models are equal."""
    n, k = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    return float(min(1.0, 2 * tail / 2**n))
