"""Intervals as PostgreSQL keeps them: months, days and microseconds, which do not turn into one another. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

Parts = tuple[int, int, int]
"""Months, days, microseconds."""

SECOND = 1_000_000
_MONTHS = {
    "month": 1,
    "mon": 1,
    "quarter": 3,
    "year": 12,
    "yr": 12,
    "y": 12,
    "decade": 120,
    "century": 1200,
    "centurie": 1200,
}
_DAYS = {"day": 1, "d": 1, "week": 7, "w": 7}
_MICROSECONDS = {
    "hour": 3600 * SECOND,
    "hr": 3600 * SECOND,
    "h": 3600 * SECOND,
    "minute": 60 * SECOND,
    "min": 60 * SECOND,
    "second": SECOND,
    "sec": SECOND,
    "millisecond": 1000,
    "microsecond": 1,
}
_WORD = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)\s*|([+-]?)(\d{1,4}):(\d\d)(?::(\d\d(?:\.\d+)?))?\s*")


def parse(text: str) -> Parts | None:
    """The parts of `1 month 2 days`, `-7 days`, `1 day 04:05:06`, `3 days ago`; None when it has no meaning here."""
    text = re.sub(r"([+-])\s+(?=\d)", r"\1", text.strip().lower())
    ago = text.endswith(" ago")
    text = text.removesuffix(" ago").strip().removeprefix("@").strip()
    months, days, micros = 0, 0, 0
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            return None
        at = found.end()
        if found[2]:
            parts = _unit(float(found[1]), found[2])
        else:
            clock = int(found[4]) * 3600 + int(found[5]) * 60 + float(found[6] or 0)
            parts = (0, 0, round(clock * SECOND) * (-1 if found[3] == "-" else 1))
        if parts is None:
            return None
        months, days, micros = months + parts[0], days + parts[1], micros + parts[2]
    if not text:
        return None
    return (-months, -days, -micros) if ago else (months, days, micros)


def _unit(count: float, word: str) -> Parts | None:
    unit = word if word in ("s", "d", "h", "y", "w") else word.rstrip("s")
    unit = "second" if unit in ("", "s") else unit
    if unit in _MONTHS:
        months = count * _MONTHS[unit]
        return (int(months), round((months - int(months)) * 30), 0)
    if unit in _DAYS:
        days = count * _DAYS[unit]
        return (0, int(days), round((days - int(days)) * 86400 * SECOND))
    if unit in _MICROSECONDS:
        return (0, 0, round(count * _MICROSECONDS[unit]))
    return None


def encode(parts: Parts) -> str:
    """The text under which a translated query carries an interval: `1 2 0` is one month and two days."""
    return f"{parts[0]} {parts[1]} {parts[2]}"


def decode(text: str) -> Parts:
    """The opposite of `encode`. Raises ValueError."""
    months, days, micros = text.split()
    return int(months), int(days), int(micros)


def seconds(parts: Parts) -> float:
    """For comparing: a month counts 30 days, as in PostgreSQL."""
    return (parts[0] * 30 + parts[1]) * 86400 + parts[2] / SECOND


def epoch(parts: Parts) -> float:
    """EXTRACT(EPOCH …): a year counts 365.25 days, as in PostgreSQL."""
    years, months = divmod(abs(parts[0]), 12)
    sign = -1 if parts[0] < 0 else 1
    return sign * (years * 365.25 + months * 30) * 86400 + parts[1] * 86400 + parts[2] / SECOND


def times(parts: Parts, factor: float | Fraction) -> Parts:
    """A part of a month becomes days, a part of a day becomes time, as in PostgreSQL."""
    months = parts[0] * factor
    days = parts[1] * factor + (months - int(months)) * 30
    return int(months), int(days), round(parts[2] * factor + (days - int(days)) * 86400 * SECOND)
