"""Aggregates of PostgreSQL for SQLite: percentiles, deviations, ordered text. Each keeps the values it has seen.

They are registered as window functions, so that they work with OVER too. A group keeps at most
`MAX_VALUES` values: no deadline and no heap limit of SQLite sees what Python keeps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
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
    """As `StringAgg`, the kind of the items for the separator; a list in JSON, as `cells` writes it, with NULL."""

    def step(self, *row: Any) -> None:
        """One more value."""
        if len(self.rows) >= MAX_VALUES:
            raise ValueError("too many values in one group")
        self.rows.append(row)

    def inverse(self, *row: Any) -> None:
        """One value less."""
        self.rows.remove(row)

    def _result(self) -> str:
        return array_text(self.rows[0][1], [row[0] for row in self._ordered()])


def array_text(kind: str, items: Iterable[Any]) -> str:
    """A list as `cells` writes it; SQLite keeps booleans (`b`) as numbers and exact numbers (`f`) as whole ones."""
    as_kind = {"b": bool, "f": float}.get(kind, lambda item: item)
    return json.dumps([item if item is None else as_kind(item) for item in items], ensure_ascii=False)


class IntervalMax(_Kept):
    """The longest interval."""

    def _result(self) -> Any:
        return max((row[0] for row in self.rows), key=lambda step: intervals.seconds(intervals.decode(step)))


class IntervalMin(_Kept):
    """The shortest interval."""

    def _result(self) -> Any:
        return min((row[0] for row in self.rows), key=lambda step: intervals.seconds(intervals.decode(step)))


class _Parts:
    """The sum of intervals, months, days and microseconds apart."""

    def __init__(self) -> None:
        self.count = 0
        self.sums = [0, 0, 0]

    def step(self, interval: str | None) -> None:
        """One more value."""
        self._add(interval, 1)

    def inverse(self, interval: str | None) -> None:
        """One value less."""
        self._add(interval, -1)

    def _add(self, interval: str | None, sign: int) -> None:
        if interval is not None:
            self.count += sign
            self.sums = [old + sign * new for old, new in zip(self.sums, intervals.decode(interval), strict=True)]

    def value(self) -> str | None:
        """The sum."""
        return intervals.encode((self.sums[0], self.sums[1], self.sums[2])) if self.count else None

    def finalize(self) -> str | None:
        """The same at the end."""
        return self.value()


class IntervalSum(_Parts):
    """SUM of intervals."""


class IntervalAvg(_Parts):
    """AVG of intervals."""

    def value(self) -> str | None:
        """The sum, divided."""
        if not self.count:
            return None
        return intervals.encode(intervals.times((self.sums[0], self.sums[1], self.sums[2]), Fraction(1, self.count)))


class IntervalPercentile(_Kept):
    """(interval, fraction, downwards)."""

    def _result(self) -> str:
        _, fraction, down = self.rows[0]
        values = sorted((intervals.decode(row[0]) for row in self.rows), key=intervals.seconds)
        place = (1 - fraction if down else fraction) * (len(values) - 1)
        low = values[math.floor(place)]
        high = values[min(math.floor(place) + 1, len(values) - 1)]
        gap = intervals.times((high[0] - low[0], high[1] - low[1], high[2] - low[2]), place - math.floor(place))
        return intervals.encode((low[0] + gap[0], low[1] + gap[1], low[2] + gap[2]))


_SHIFT = 1074
"""Every float is a whole number of 2 to the power of -1074."""


def _exact(value: Any) -> int:
    above, below = float(value).as_integer_ratio()
    return above << (_SHIFT - below.bit_length() + 1)


def _ratio(above: int, below: int, shift: int) -> float:
    """A quotient of large whole numbers, rounded once."""
    return above / (below << shift)


class _Sums:
    """Exact sums of numbers and their products, so that a moving frame takes rows out again without a trace."""

    columns = 1

    def __init__(self) -> None:
        self.count = 0
        self.odd = 0
        self.first = [0, 0]
        self.second = [0, 0, 0]

    def step(self, *row: Any) -> None:
        """One more row."""
        self._add(row, 1)

    def inverse(self, *row: Any) -> None:
        """One row less."""
        self._add(row, -1)

    def _add(self, row: tuple[Any, ...], sign: int) -> None:
        if None in row:
            return
        self.count += sign
        if not all(math.isfinite(value) for value in row):
            self.odd += sign
            return
        y = _exact(row[0])
        self.first[0] += sign * y
        self.second[0] += sign * y * y
        if self.columns == 2:
            x = _exact(row[1])
            self.first[1] += sign * x
            self.second[1] += sign * x * x
            self.second[2] += sign * y * x

    def value(self) -> float | None:
        """The result so far; NaN, which SQLite shows as NULL, where a value is no finite number."""
        if not self.count:
            return None
        return math.nan if self.odd else self._result()

    def finalize(self) -> float | None:
        """The same at the end."""
        return self.value()

    def _result(self) -> float | None:
        raise NotImplementedError

    def moment(self, which: int) -> int:
        """`count` times the sum of squares about the mean, exact: of y, of x, of y and x."""
        left, right = ((0, 0), (1, 1), (0, 1))[which]
        return self.count * self.second[which] - self.first[left] * self.first[right]


class _Spread(_Sums):
    sample = True
    root = False

    def _result(self) -> float | None:
        divisor = self.count - self.sample
        if divisor == 0:
            return None
        variance = _ratio(self.moment(0), self.count * divisor, 2 * _SHIFT)
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


class _Pairs(_Sums):
    """Aggregates of (y, x)."""

    columns = 2


class Corr(_Pairs):
    """CORR(y, x)."""

    def _result(self) -> float | None:
        yy, xx = self.moment(0), self.moment(1)
        if yy == 0 or xx == 0:
            return None
        yx = self.moment(2)
        size = min(math.sqrt((yx / yy) * (yx / xx)), 1.0)
        return -size if yx < 0 else size


class CovarPop(_Pairs):
    """COVAR_POP(y, x)."""

    def _result(self) -> float:
        return _ratio(self.moment(2), self.count * self.count, 2 * _SHIFT)


class CovarSamp(_Pairs):
    """COVAR_SAMP(y, x)."""

    def _result(self) -> float | None:
        return _ratio(self.moment(2), self.count * (self.count - 1), 2 * _SHIFT) if self.count > 1 else None


class RegrSlope(_Pairs):
    """REGR_SLOPE(y, x)."""

    def _result(self) -> float | None:
        return self.moment(2) / self.moment(1) if self.moment(1) else None


class RegrIntercept(_Pairs):
    """REGR_INTERCEPT(y, x)."""

    def _result(self) -> float | None:
        xx = self.moment(1)
        if not xx:
            return None
        return _ratio(self.first[0] * xx - self.first[1] * self.moment(2), self.count * xx, _SHIFT)


class RegrR2(_Pairs):
    """REGR_R2(y, x)."""

    def _result(self) -> float | None:
        yy, xx = self.moment(0), self.moment(1)
        if not xx:
            return None
        return self.moment(2) ** 2 / (xx * yy) if yy else 1.0


AGGREGATES: dict[str, type[_Kept | _Parts | _Sums]] = {
    "percentile_cont": PercentileCont,
    "percentile_disc": PercentileDisc,
    "mode": Mode,
    "string_agg": StringAgg,
    "array_agg": ArrayAgg,
    "interval_max": IntervalMax,
    "interval_min": IntervalMin,
    "interval_sum": IntervalSum,
    "interval_avg": IntervalAvg,
    "interval_percentile": IntervalPercentile,
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
