"""Aggregates of PostgreSQL for SQLite: percentiles, deviations, ordered text. Each keeps the values it has seen.

They are registered as window functions, so that they work with OVER too. A group keeps at most
`MAX_VALUES` values: no deadline and no heap limit of SQLite sees what Python keeps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cmp_to_key
from typing import Any

from mnemosyne.databases import sqlite_clock
from mnemosyne.guard import intervals

MAX_VALUES = 5_000_000
"""Most values of one group."""
MAX_CHARACTERS = 10_000_000
"""Longest text that STRING_AGG may make."""


class _Kept:
    """An aggregate over the values that are not NULL."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def step(self, *row: Any) -> None:
        if row[0] is None:
            return
        if len(self.rows) >= MAX_VALUES:
            raise ValueError("too many values in one group")
        self.rows.append(row)

    def inverse(self, *row: Any) -> None:
        if row[0] is not None:
            self.rows.remove(row)

    def value(self) -> Any:
        return self._result() if self.rows else None

    finalize = value

    def _result(self) -> Any:
        raise NotImplementedError


class PercentileCont(_Kept):
    """(value, fraction, downwards)."""

    def _result(self) -> float:
        _, fraction, down = self.rows[0]
        values = sorted(float(row[0]) for row in self.rows)
        place = (1 - fraction if down else fraction) * (len(values) - 1)
        low = math.floor(place)
        high = min(low + 1, len(values) - 1)
        return float(values[low] + (values[high] - values[low]) * (place - low))


class PercentileDisc(_Kept):
    """(value, fraction, downwards)."""

    def _result(self) -> Any:
        _, fraction, down = self.rows[0]
        values = sorted((row[0] for row in self.rows), reverse=bool(down))
        return values[max(0, math.ceil(fraction * len(values) - 1e-12) - 1)]


class Mode(_Kept):
    """(value, downwards); of equally frequent values the first in order."""

    def _result(self) -> Any:
        counts = Counter(row[0] for row in self.rows)
        most = max(counts.values())
        values = [value for value, count in counts.items() if count == most]
        return max(values) if self.rows[0][1] else min(values)


class StringAgg(_Kept):
    """(value, separator, flags, key …); flags: `d` or `-`, then a letter a key, see `guard.sqlite_aggregates`."""

    def _ordered(self) -> list[tuple[Any, ...]]:
        rows = self.rows
        flags = rows[0][2]
        if flags[0] == "d":
            first: dict[Any, tuple[Any, ...]] = {}
            for row in rows:
                first.setdefault(row[0], row)
            rows = list(first.values())
            if len(flags) == 1:
                rows.sort(key=lambda row: (row[0] is None, str(row[0])))
        for index in range(len(flags) - 1, 0, -1):
            rows = _sorted(rows, 2 + index, flags[index])
        return rows

    def _result(self) -> str:
        rows = self._ordered()
        text = str(rows[0][0]) + "".join((row[1] or "") + str(row[0]) for row in rows[1:])
        if len(text) > MAX_CHARACTERS:
            raise ValueError("the text grows beyond what one call may make")
        return text


def _sorted(rows: list[tuple[Any, ...]], column: int, flag: str) -> list[tuple[Any, ...]]:
    """Stable, as one of several keys; NULL goes last with `a` and `Z`, first with `A` and `z`."""
    nulls = [row for row in rows if row[column] is None]
    others = [row for row in rows if row[column] is not None]
    in_order = cmp_to_key(_compare)
    others.sort(key=lambda row: in_order(row[column]), reverse=flag in "zZ")
    return others + nulls if flag in "aZ" else nulls + others


def _compare(a: Any, b: Any) -> int:
    sqlite_clock.look()  # many values take a while to sort
    if isinstance(a, str) != isinstance(b, str):
        return 1 if isinstance(a, str) else -1
    return int(a > b) - int(a < b)


class ArrayAgg(StringAgg):
    """The same arguments as `StringAgg`; the list as JSON, as `cells` writes lists. It keeps NULL."""

    def step(self, *row: Any) -> None:
        """One more value."""
        if len(self.rows) >= MAX_VALUES:
            raise ValueError("too many values in one group")
        self.rows.append(row)

    def inverse(self, *row: Any) -> None:
        """One value less."""
        self.rows.remove(row)

    def _result(self) -> str:
        return json.dumps([row[0] for row in self._ordered()], ensure_ascii=False)


class IntervalMax(_Kept):
    """The longest interval."""

    def _result(self) -> Any:
        return max((row[0] for row in self.rows), key=lambda step: intervals.seconds(intervals.decode(step)))


class IntervalMin(_Kept):
    """The shortest interval."""

    def _result(self) -> Any:
        return min((row[0] for row in self.rows), key=lambda step: intervals.seconds(intervals.decode(step)))


class _Spread(_Kept):
    sample = True
    root = False

    def _result(self) -> float | None:
        values = [float(row[0]) for row in self.rows]
        divisor = len(values) - self.sample
        if divisor == 0:
            return None
        mean = math.fsum(values) / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / divisor
        return math.sqrt(variance) if self.root else variance


class VarSamp(_Spread):
    """VARIANCE, VAR_SAMP."""


class VarPop(_Spread):
    """VAR_POP."""

    sample = False


class StddevSamp(_Spread):
    """STDDEV, STDDEV_SAMP."""

    root = True


class StddevPop(_Spread):
    """STDDEV_POP."""

    sample = False
    root = True


class _Pairs(_Kept):
    """Aggregates of (y, x)."""

    def step(self, *row: Any) -> None:
        if None not in row:
            super().step(*row)

    def inverse(self, *row: Any) -> None:
        if None not in row:
            super().inverse(*row)

    def sums(self) -> tuple[int, float, float, float, float, float]:
        """n, mean of y and of x, and the sums of squares yy, xx, yx about the means."""
        n = len(self.rows)
        mean_y = math.fsum(row[0] for row in self.rows) / n
        mean_x = math.fsum(row[1] for row in self.rows) / n
        yy = math.fsum((row[0] - mean_y) ** 2 for row in self.rows)
        xx = math.fsum((row[1] - mean_x) ** 2 for row in self.rows)
        yx = math.fsum((row[0] - mean_y) * (row[1] - mean_x) for row in self.rows)
        return n, mean_y, mean_x, yy, xx, yx


class Corr(_Pairs):
    """CORR(y, x)."""

    def _result(self) -> float | None:
        _, _, _, yy, xx, yx = self.sums()
        return yx / math.sqrt(yy * xx) if yy > 0 and xx > 0 else None


class CovarPop(_Pairs):
    """COVAR_POP(y, x)."""

    def _result(self) -> float:
        n, *_, yx = self.sums()
        return yx / n


class CovarSamp(_Pairs):
    """COVAR_SAMP(y, x)."""

    def _result(self) -> float | None:
        n, *_, yx = self.sums()
        return yx / (n - 1) if n > 1 else None


class RegrSlope(_Pairs):
    """REGR_SLOPE(y, x)."""

    def _result(self) -> float | None:
        _, _, _, _, xx, yx = self.sums()
        return yx / xx if xx > 0 else None


class RegrIntercept(_Pairs):
    """REGR_INTERCEPT(y, x)."""

    def _result(self) -> float | None:
        _, mean_y, mean_x, _, xx, yx = self.sums()
        return mean_y - mean_x * yx / xx if xx > 0 else None


class RegrR2(_Pairs):
    """REGR_R2(y, x)."""

    def _result(self) -> float | None:
        _, _, _, yy, xx, yx = self.sums()
        if xx == 0:
            return None
        return yx**2 / (xx * yy) if yy > 0 else 1.0


AGGREGATES: dict[str, type[_Kept]] = {
    "percentile_cont": PercentileCont,
    "percentile_disc": PercentileDisc,
    "mode": Mode,
    "string_agg": StringAgg,
    "array_agg": ArrayAgg,
    "interval_max": IntervalMax,
    "interval_min": IntervalMin,
    "var_samp": VarSamp,
    "var_pop": VarPop,
    "stddev_samp": StddevSamp,
    "stddev_pop": StddevPop,
    "corr": Corr,
    "covar_pop": CovarPop,
    "covar_samp": CovarSamp,
    "regr_slope": RegrSlope,
    "regr_intercept": RegrIntercept,
    "regr_r2": RegrR2,
}
"""Name without `mn_` to class."""
